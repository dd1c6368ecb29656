import { constants, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { tlsServerEndPoint } from '../protocol/tls-server-end-point.ts';

/** PEM texts; the first certificate of `certificate` is the server's own. */
export type TlsFiles = {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Authorities of clients' certificates; null: clients are not asked for one. */
  readonly authority: Buffer | null;
  readonly revoked: Buffer | null;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
};

/** PostgreSQL manual, "Direct SSL": the one name of the protocol, registered with IANA. */
export const alpnProtocol = 'postgresql';

type Secured = (socket: TLSSocket) => void;

/**
 * Makes sockets into TLS sockets. One for each reading of the certificates: handshakes under way
 * and connections go on with the one they began with, so that a renewal cuts nobody off.
 *
 * A TLS server that never listens: only so does Node verify the client's certificate. Sessions are
 * not resumed, as in PostgreSQL: each connection shows its certificate anew.
 */
export class ClientTls {
  /** `tls-server-end-point` of our certificate; null: it has none, and SCRAM cannot be bound. */
  readonly endPoint: Buffer | null;
  readonly #server: Server;
  /** By both ends of the connection, which TCP keeps unique. */
  readonly #waiting = new Map<string, Secured>();

  /** Throws what OpenSSL says of files that do not fit together. */
  constructor(files: TlsFiles) {
    this.endPoint = tlsServerEndPoint(new X509Certificate(files.certificate).raw);
    this.#server = createServer({
      cert: files.certificate,
      key: files.key,
      ...(files.authority === null ? {} : { ca: files.authority }),
      ...(files.revoked === null ? {} : { crl: files.revoked }),
      requestCert: files.authority !== null,
      rejectUnauthorized: false,
      minVersion: files.minVersion,
      ALPNProtocols: [alpnProtocol],
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    // A failed handshake closes its socket; there is nobody to tell.
    this.#server.on('tlsClientError', () => {});
  }

  /** Calls `secured` after the handshake, or closes the socket. */
  upgrade(socket: Socket, secured: Secured): void {
    const ends = endsOf(socket);
    this.#waiting.set(ends, secured);
    socket.once('close', () => {
      if (this.#waiting.get(ends) === secured) this.#waiting.delete(ends);
    });
    this.#server.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const secured = this.#waiting.get(ends);
    this.#waiting.delete(ends);
    // Gone already: a socket without a connection has no ends.
    if (secured === undefined) socket.destroy();
    else secured(socket);
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
