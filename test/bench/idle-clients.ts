import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningPgweave } from '../support/pgweave.ts';
import { WireClient } from '../support/wire-client.ts';
import { treeUsage } from './process-tree.ts';

const batch = 100;
const settleMs = 3000;

/**
 * Resident bytes of all proxy processes per client that is logged in and does nothing. A first
 * round of clients is not counted: it makes the heap grow to what serving costs in any case.
 */
export async function idleClientBytes(proxy: RunningPgweave, count: number): Promise<number> {
  const target = { host: proxy.host, port: proxy.port, user: 'app', database: 'app' };
  const connect = async (wanted: number): Promise<WireClient[]> => {
    const clients: WireClient[] = [];
    while (clients.length < wanted) {
      clients.push(
        ...(await Promise.all(Array.from({ length: batch }, () => WireClient.connect(target)))),
      );
    }
    return clients;
  };
  const first = await connect(count / 5);
  await Promise.all(first.map((client) => client.query('select 1')));
  await sleep(settleMs);
  const before = treeUsage(proxy.pid).residentBytes;
  const idle = await connect(count);
  await sleep(settleMs);
  const after = treeUsage(proxy.pid).residentBytes;
  for (const client of [...first, ...idle]) client.close();
  return (after - before) / count;
}
