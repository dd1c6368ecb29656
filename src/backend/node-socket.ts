import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NodeAddress } from '../config/config.ts';
import { encodeSslRequest } from '../protocol/startup-packet.ts';
import { tlsServerEndPoint } from '../protocol/tls-server-end-point.ts';
import { type ServerTls, tlsOptionsFor } from './server-tls.ts';

/**
 * Read into by all sockets to servers in turn: each chunk is dealt with, or copied, before the next
 * is read. Without it Node allocates 64 KB per read, and the collector frees them.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const willing = 'S'.charCodeAt(0);
const unwilling = 'N'.charCodeAt(0);

/** A socket to a server whose bytes go to `receive`, which changes hands after the login. */
export class NodeSocket {
  /** The chunk is valid in this call only. */
  receive: (chunk: Buffer) => void;
  readonly #node: NodeAddress;
  #socket: Socket;
  #endPoint: Buffer | null = null;

  /** Begins to connect; a host that is an absolute path is the directory of a Unix socket. */
  constructor(node: NodeAddress, receive: (chunk: Buffer) => void) {
    this.receive = receive;
    this.#node = node;
    const onread = {
      buffer: readBuffer,
      callback: (bytesRead: number) => {
        this.receive(readBuffer.subarray(0, bytesRead));
        return true;
      },
    };
    this.#socket = node.host.startsWith('/')
      ? connect({ path: `${node.host}/.s.PGSQL.${node.port}`, onread })
      : connect({ host: node.host, port: node.port, noDelay: true, keepAlive: true, onread });
  }

  /** Another one after `requestTls`. */
  get socket(): Socket {
    return this.#socket;
  }

  /** `tls-server-end-point` of the server's certificate; null: no TLS, or none of its kind. */
  get endPoint(): Buffer | null {
    return this.#endPoint;
  }

  /**
   * To be called when connected. `answered` tells whether the server agreed; then `socket` is
   * another one, whose handshake has not ended: its event is `secureConnect`. A server that answers
   * anything else closes the socket with an error.
   */
  requestTls(tls: ServerTls, answered: (willing: boolean) => void): void {
    const { receive } = this;
    this.receive = (chunk) => {
      this.receive = receive;
      // More than one byte was slipped in by somebody before the handshake: CVE-2021-23222.
      if (chunk.length !== 1 || (chunk[0] !== willing && chunk[0] !== unwilling)) {
        this.#socket.destroy(new Error('it answered the request for TLS with something else'));
        return;
      }
      const isWilling = chunk[0] === willing;
      if (isWilling) this.#encrypt(tls);
      answered(isWilling);
    };
    this.#socket.write(encodeSslRequest());
  }

  #encrypt(tls: ServerTls): void {
    const raw = this.#socket;
    raw.pause();
    const secure = connectTls({ ...tlsOptionsFor(this.#node, tls), socket: raw });
    secure.on('data', (chunk: Buffer) => this.receive(chunk));
    secure.once('secureConnect', () => {
      const certificate = secure.getPeerX509Certificate();
      if (certificate !== undefined) this.#endPoint = tlsServerEndPoint(certificate.raw);
    });
    this.#socket = secure;
  }
}
