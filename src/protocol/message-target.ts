import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** What Describe and Close name. An empty name is the unnamed one. */
export type MessageTarget = {
  readonly kind: 'statement' | 'portal';
  readonly name: string;
};

const statementByte = 0x53; // S
const portalByte = 0x50; // P

export function decodeTarget(
  message: 'DESCRIBE' | 'CLOSE',
  bytes: Buffer,
  start: number,
  end: number,
): MessageTarget {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const kind = cursor.int8();
  const name = cursor.string();
  cursor.finish();
  if (kind === statementByte) return { kind: 'statement', name };
  if (kind === portalByte) return { kind: 'portal', name };
  throw new PgError(SqlState.protocolViolation, `invalid ${message} message subtype ${kind}`);
}

export function encodeTarget(code: number, target: MessageTarget): Buffer {
  const writer = new MessageWriter(target.name.length + 7);
  writer.begin(code).int8(target.kind === 'statement' ? statementByte : portalByte);
  return writer.cString(target.name).end().take();
}
