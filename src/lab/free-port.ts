import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

// Below the ranges from which systems take ports for outgoing connections (32768 on Linux, 49152 on
// macOS): a port there could be taken, by chance even by a connection to itself, while its server is
// down, and the server could never come back.
const lowestPort = 20_000;
const highestPort = 32_767;
const attemptsMax = 100;

/** Distinct ports on 127.0.0.1 that were free a moment ago; the caller must survive a lost race. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt += 1) {
    if (attempt === attemptsMax + count) {
      throw new PgError(
        SqlState.ioError,
        `found no free port between ${lowestPort} and ${highestPort} on 127.0.0.1`,
      );
    }
    const port = randomInt(lowestPort, highestPort + 1);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
