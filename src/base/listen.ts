import type { Server } from 'node:net';
import { PgError } from './pg-error.ts';
import { SqlState } from './sql-state.ts';

/**
 * Begins to listen; the result is the port, which the system chose when `port` was 0. Rejects with
 * a PgError of one line that an operator can act on.
 */
export function listen(
  server: Server,
  address: { readonly host: string; readonly port: number; readonly purpose: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(explain(error, address));
    server.once('error', onError);
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off('error', onError);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
    });
  });
}

function explain(
  error: NodeJS.ErrnoException,
  address: { readonly host: string; readonly port: number; readonly purpose: string },
): PgError {
  const { host, port, purpose } = address;
  const place = `cannot listen for ${purpose} on ${host}:${port}`;
  const reasons: { readonly [code: string]: string } = {
    EADDRINUSE: 'the port is in use',
    EACCES: 'permission denied',
    EADDRNOTAVAIL: 'the address does not belong to this machine',
    ENOTFOUND: 'the host name is not known',
  };
  const reason = reasons[error.code ?? ''] ?? error.message;
  const hint = 'stop the other server, or configure another host or port';
  return new PgError(SqlState.ioError, `${place}: ${reason}`, { hint, cause: error });
}
