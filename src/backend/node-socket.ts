import { connect, type Socket } from 'node:net';
import type { NodeAddress } from '../config/config.ts';

/**
 * Read into by all sockets to servers in turn: each chunk is dealt with, or copied, before the next
 * is read. Without it Node allocates 64 KB per read, and the collector frees them.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** A socket to a server whose bytes go to `receive`, which changes hands after the login. */
export class NodeSocket {
  readonly socket: Socket;
  /** The chunk is valid in this call only. */
  receive: (chunk: Buffer) => void;

  /** Begins to connect; a host that is an absolute path is the directory of a Unix socket. */
  constructor(node: NodeAddress, receive: (chunk: Buffer) => void) {
    this.receive = receive;
    const onread = {
      buffer: readBuffer,
      callback: (bytesRead: number) => {
        this.receive(readBuffer.subarray(0, bytesRead));
        return true;
      },
    };
    this.socket = node.host.startsWith('/')
      ? connect({ path: `${node.host}/.s.PGSQL.${node.port}`, onread })
      : connect({ host: node.host, port: node.port, noDelay: true, keepAlive: true, onread });
  }
}
