import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import {
  decodeStartupPacket,
  type StartupPacket,
  startupPacketLength,
} from '../protocol/startup-packet.ts';

export type StartupRequest = Exclude<
  StartupPacket,
  { readonly kind: 'ssl-request' | 'gss-request' }
>;

export type Startup = {
  /** The socket to go on with: another one than before when TLS was agreed. */
  readonly socket: Socket;
  readonly tls: boolean;
  readonly request: StartupRequest;
  /** What the client sent after its startup packet. */
  readonly rest: Buffer;
};

const willing = Buffer.from('S');
const unwilling = Buffer.from('N');

/**
 * Reads the first packets of a connection: SSLRequest and GSSENCRequest are answered (GSS always
 * with no), until a startup or cancel request comes. Exactly one of the callbacks is called, or
 * none when the client leaves. Source: PostgreSQL manual, "Message Flow", Start-up and SSL.
 */
export function receiveStartup(
  socket: Socket,
  secureContext: SecureContext | null,
  received: (startup: Startup) => void,
  refused: (socket: Socket, error: PgError) => void,
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
    try {
      for (let packet = takePacket(); packet !== null; packet = takePacket()) {
        if (packet.kind === 'gss-request') {
          socket.write(unwilling);
        } else if (packet.kind === 'ssl-request') {
          if (!answerTls()) return;
        } else {
          finish();
          received({ socket, tls: socket instanceof TLSSocket, request: packet, rest: bytes });
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
    if (secureContext === null || socket instanceof TLSSocket) {
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
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    receiveStartup(secure, null, received, refused);
    return false;
  };
  socket.on('data', onData);
  socket.on('error', onError);
  socket.resume();
}
