import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** What a CancelRequest must repeat. */
export type CancelKey = {
  /** The server's process number, or any number that finds the session: 32 bits, signed. */
  readonly backendId: number;
  /** 4 bytes in protocol 3.0, up to 256 from 3.2 on. */
  readonly secret: Buffer;
};

export const cancelSecretBytesMax = 256;

/** The secret is copied. Throws PgError 08P01. */
export function decodeBackendKeyData(bytes: Buffer, start: number, end: number): CancelKey {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const backendId = cursor.int32();
  if (cursor.bytesLeft < 4 || cursor.bytesLeft > cancelSecretBytesMax) {
    throw new PgError(SqlState.protocolViolation, 'invalid cancel key from server');
  }
  return { backendId, secret: Buffer.from(cursor.view(cursor.bytesLeft)) };
}

export function encodeBackendKeyData(key: CancelKey): Buffer {
  return new MessageWriter()
    .begin(BackendCode.backendKeyData)
    .int32(key.backendId)
    .bytes(key.secret)
    .end()
    .take();
}
