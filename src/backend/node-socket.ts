import { connect, type Socket } from 'node:net';
import type { NodeAddress } from '../config/config.ts';

/** Begins to connect; a host that is an absolute path is the directory of a Unix socket. */
export function connectToNode(node: NodeAddress): Socket {
  return node.host.startsWith('/')
    ? connect({ path: `${node.host}/.s.PGSQL.${node.port}` })
    : connect({ host: node.host, port: node.port, noDelay: true, keepAlive: true });
}
