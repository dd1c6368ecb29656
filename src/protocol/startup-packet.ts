import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { type CancelKey, cancelSecretBytesMax } from './backend-key-data.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';
import type { ProtocolNegotiation } from './negotiate-protocol-version.ts';

/** The first bytes of a connection: a length and a version or request code, no message code. */
export type StartupPacket =
  | { readonly kind: 'ssl-request' }
  | { readonly kind: 'gss-request' }
  | { readonly kind: 'cancel-request'; readonly key: CancelKey }
  | {
      readonly kind: 'startup';
      /** The minor version of protocol 3 to speak: what was asked for, 2 at most. */
      readonly minor: number;
      /** Not null: to be sent before anything else that answers the packet. */
      readonly negotiation: ProtocolNegotiation | null;
      /** With `user`, and without `_pq_.` options. */
      readonly parameters: ReadonlyMap<string, string>;
    };

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH, the length word excluded there as here. */
const startupBytesMax = 10_000;
const newestMinor = 2;
const cancelRequestCode = 80877102;
const sslRequestCode = 80877103;
const gssRequestCode = 80877104;

/** Bytes of the packet that `bytes` begin with; null: not known yet. Throws PgError 08P01. */
export function startupPacketLength(bytes: Buffer): number | null {
  if (bytes.length < 4) return null;
  const length = bytes.readInt32BE(0);
  if (length < 8 || length > startupBytesMax + 4) {
    throw fatal(SqlState.protocolViolation, 'invalid length of startup packet');
  }
  return length;
}

/** `packet` is complete and nothing else. Throws PgError 08P01, 0A000, 28000. */
export function decodeStartupPacket(packet: Buffer): StartupPacket {
  const cursor = new MessageCursor(packet, 4, packet.length);
  const version = cursor.int32();
  switch (version) {
    case sslRequestCode:
    case gssRequestCode:
      if (cursor.bytesLeft > 0) {
        throw fatal(SqlState.protocolViolation, 'invalid length of startup packet');
      }
      return { kind: version === sslRequestCode ? 'ssl-request' : 'gss-request' };
    case cancelRequestCode:
      return { kind: 'cancel-request', key: decodeCancelKey(cursor) };
    default:
      return decodeStartup(version, cursor);
  }
}

export function encodeSslRequest(): Buffer {
  return new MessageWriter(8).int32(8).int32(sslRequestCode).take();
}

export function encodeCancelRequest(key: CancelKey): Buffer {
  return new MessageWriter(12 + key.secret.length)
    .int32(12 + key.secret.length)
    .int32(cancelRequestCode)
    .int32(key.backendId)
    .bytes(key.secret)
    .take();
}

function decodeCancelKey(cursor: MessageCursor): CancelKey {
  const secretBytes = cursor.bytesLeft - 4;
  if (secretBytes < 4 || secretBytes > cancelSecretBytesMax) {
    throw fatal(SqlState.protocolViolation, 'invalid length of cancel request packet');
  }
  return { backendId: cursor.int32(), secret: Buffer.from(cursor.view(secretBytes)) };
}

function decodeStartup(version: number, cursor: MessageCursor): StartupPacket {
  const major = version >>> 16;
  const requestedMinor = version & 0xffff;
  if (major !== 3) {
    throw fatal(
      SqlState.featureNotSupported,
      `unsupported frontend protocol ${major}.${requestedMinor}: server supports 3.0 to 3.${newestMinor}`,
    );
  }
  const parameters = new Map<string, string>();
  const unknownOptions: string[] = [];
  for (const [name, value] of readParameters(cursor)) {
    if (name.startsWith('_pq_.')) unknownOptions.push(name);
    else parameters.set(name, value);
  }
  if (!parameters.get('user')) {
    throw fatal(
      SqlState.invalidAuthorization,
      'no PostgreSQL user name specified in startup packet',
    );
  }
  const minor = Math.min(requestedMinor, newestMinor);
  const asksForMore = requestedMinor > newestMinor || unknownOptions.length > 0;
  return {
    kind: 'startup',
    minor,
    negotiation: asksForMore ? { minor, unknownOptions } : null,
    parameters,
  };
}

function readParameters(cursor: MessageCursor): [string, string][] {
  const parameters: [string, string][] = [];
  try {
    for (let name = cursor.string(); name !== ''; name = cursor.string()) {
      parameters.push([name, cursor.string()]);
    }
    cursor.finish();
  } catch (cause) {
    if (!(cause instanceof PgError)) throw cause;
    throw new PgError(
      cause.sqlState,
      'invalid startup packet layout: expected terminator as last byte',
      { severity: 'FATAL', cause },
    );
  }
  return parameters;
}

function fatal(sqlState: string, message: string): PgError {
  return new PgError(sqlState, message, { severity: 'FATAL' });
}
