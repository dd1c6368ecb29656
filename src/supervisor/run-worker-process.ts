import { Socket } from 'node:net';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { SupervisorMessage, WorkerMessage } from './messages.ts';
import { WorkerEnd } from './worker-end.ts';
import type { StartWorker } from './worker-link.ts';

/**
 * The main program of a forked worker. Signals of the terminal reach every process of its group;
 * they are the supervisor's to act on. When the supervisor is gone, nobody fails shards over and
 * nobody would ever end this process: it leaves at once.
 */
export function runWorkerProcess(startWorker: StartWorker, parts: { readonly clock: Clock }): void {
  assert(process.send !== undefined, 'a worker is started by its supervisor only');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('disconnect', () => process.exit(0));
  // The callback takes the error of a closed channel, which `disconnect` deals with.
  const send = (message: WorkerMessage) => process.send?.(message, () => {});
  const end = new WorkerEnd(startWorker, send, parts);
  process.on('message', (message, handle) => {
    end.receive(message as SupervisorMessage, handle instanceof Socket ? handle : undefined);
  });
}
