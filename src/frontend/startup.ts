import type { Socket } from 'node:net';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import {
  decodeStartupPacket,
  type StartupPacket,
  startupPacketLength,
} from '../protocol/startup-packet.ts';
import { alpnProtocol, type ClientTls } from './client-tls.ts';

export type StartupRequest = Exclude<
  StartupPacket,
  { readonly kind: 'ssl-request' | 'gss-request' }
>;

export type Startup = {
  /** The socket to go on with: another one than before when TLS was agreed. */
  readonly socket: Socket;
  /** What encrypts it; null: nothing. */
  readonly tls: ClientTls | null;
  readonly request: StartupRequest;
  /** What the client sent after its startup packet. */
  readonly rest: Buffer;
};

const willing = Buffer.from('S');
const unwilling = Buffer.from('N');
/** The first byte of a TLS ClientHello: RFC 8446, section 5.1. */
const tlsHandshake = 22;

/**
 * Reads the first packets of a connection: SSLRequest and GSSENCRequest are answered (GSS always
 * with no), or TLS begins at once, until a startup or cancel request comes. Exactly one of the callbacks is called, or
 * none when the client leaves. Source: PostgreSQL manual, "Message Flow", Start-up and SSL.
 */
export function receiveStartup(
  socket: Socket,
  tls: ClientTls | null,
  received: Received,
  refused: Refused,
): void {
  read(socket, { offered: tls, agreed: null }, received, refused);
}

type Received = (startup: Startup) => void;
type Refused = (socket: Socket, error: PgError) => void;
/** At most one of them is not null. */
type Encryption = { readonly offered: ClientTls | null; readonly agreed: ClientTls | null };

function read(
  socket: Socket,
  { offered, agreed }: Encryption,
  received: Received,
  refused: Refused,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = () => {
    socket.off('data', onData);
    socket.off('error', onError);
    socket.pause();
  };
  const onError = () => socket.destroy();
  const onData = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    if (bytes[0] === tlsHandshake && offered !== null) {
      beginDirectTls(offered);
      return;
    }
    try {
      for (let packet = takePacket(); packet !== null; packet = takePacket()) {
        if (packet.kind === 'gss-request') {
          socket.write(unwilling);
        } else if (packet.kind === 'ssl-request') {
          if (!answerTls()) return;
        } else {
          finish();
          received({ socket, tls: agreed, request: packet, rest: bytes });
          return;
        }
      }
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      finish();
      refused(socket, error);
    }
  };
  const takePacket = (): StartupPacket | null => {
    const length = startupPacketLength(bytes);
    if (length === null || bytes.length < length) return null;
    const packet = bytes.subarray(0, length);
    bytes = bytes.subarray(length);
    return decodeStartupPacket(packet);
  };
  /** True: go on in clear text. */
  const answerTls = (): boolean => {
    if (offered === null) {
      socket.write(unwilling);
      return true;
    }
    if (bytes.length > 0) {
      // Clear text smuggled in before the handshake would be taken for the client's own.
      throw new PgError(SqlState.protocolViolation, 'received unencrypted data after SSL request', {
        severity: 'FATAL',
      });
    }
    finish();
    socket.write(willing);
    offered.upgrade(socket, (secure) => {
      read(secure, { offered: null, agreed: offered }, received, refused);
    });
    return false;
  };
  /** Without ALPN, a client of another protocol could be made to talk to us: PostgreSQL's rule. */
  const beginDirectTls = (direct: ClientTls) => {
    finish();
    socket.unshift(bytes);
    direct.upgrade(socket, (secure) => {
      if (secure.alpnProtocol !== alpnProtocol) refused(secure, withoutAlpn());
      else read(secure, { offered: null, agreed: direct }, received, refused);
    });
  };
  socket.on('data', onData);
  socket.on('error', onError);
  socket.resume();
}

function withoutAlpn(): PgError {
  return new PgError(
    SqlState.protocolViolation,
    'received direct SSL connection request without ALPN protocol negotiation extension',
    { severity: 'FATAL' },
  );
}
