import type { Clock } from '../base/clock.ts';
import type { OpenWorkerChannel } from './worker-channel.ts';
import { WorkerEnd } from './worker-end.ts';
import type { StartWorker } from './worker-link.ts';

/**
 * `workers: 0`: the worker is a part of this process, for a debugger. The same messages, each
 * delivered in a microtask of its own, so that neither side is re-entered by its own call.
 */
export function inProcessWorker(
  startWorker: StartWorker,
  parts: { readonly clock: Clock },
): OpenWorkerChannel {
  return (events) => {
    let ended = false;
    const end = new WorkerEnd(
      startWorker,
      (message) => {
        queueMicrotask(() => {
          if (!ended) events.onMessage(message);
        });
      },
      parts,
    );
    return {
      pid: process.pid,
      send: (message) => queueMicrotask(() => end.receive(message)),
      handOver: (socket, refused) => {
        queueMicrotask(() => {
          end.receive({ type: 'client', refused }, socket);
          // Accepted paused, so that nothing is read before a worker's listeners are attached.
          socket.resume();
        });
      },
      end() {
        ended = true;
        queueMicrotask(() => events.onEnded('told to end', []));
      },
    };
  };
}
