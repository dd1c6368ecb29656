import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { SupervisorMessage, WorkerMessage } from './messages.ts';
import type { OpenWorkerChannel, WorkerChannelEvents } from './worker-channel.ts';

/** From the polite request to SIGKILL. */
const exitGraceMs = 1_000;
/** A dead worker's last messages are read before it counts as gone; they are in the kernel already. */
const lastWordsMs = 200;
const lastWordsPollMs = 5;

/**
 * Workers as processes of their own. `entryPath` is a file that calls runWorkerProcess. They log to
 * our stderr and share nothing else with us.
 */
export function forkedWorkers(
  entryPath: string,
  parts: { readonly clock: Clock },
): OpenWorkerChannel {
  return (events) => {
    const child = fork(entryPath, [], {
      serialization: 'json',
      // A debugger's port belongs to the supervisor; `workers: 0` is the way to debug sessions.
      execArgv: process.execArgv.filter((option) => !option.startsWith('--inspect')),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const queue = new HandOverQueue(child);
    watch(child, queue, events, parts.clock);
    return {
      pid: child.pid ?? 0,
      send: (message) => deliver(child, message),
      handOver: (socket, refused) => queue.add(socket, refused),
      end() {
        if (child.connected) child.disconnect();
        parts.clock.after(exitGraceMs, () => {
          if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        });
      },
    };
  };
}

function watch(
  child: ChildProcess,
  queue: HandOverQueue,
  events: WorkerChannelEvents,
  clock: Clock,
): void {
  let ended = false;
  const onEnded = (reason: string) => {
    if (ended) return;
    ended = true;
    const untaken = queue.end({ allRead: !child.connected });
    // Node waits for ever for a dead child to confirm a socket; that must not keep us alive.
    child.channel?.unref();
    events.onEnded(reason, untaken);
  };
  child.on('message', (received) => {
    const message = received as WorkerMessage;
    if (ended) return;
    if (message.type === 'taken') queue.taken();
    else events.onMessage(message);
  });
  child.on('exit', (code, signal) => {
    const diedAt = clock.now();
    const conclude = () => {
      // Not the event `disconnect`: Node withholds it while a socket is unconfirmed.
      if (child.connected && clock.now() - diedAt < lastWordsMs) {
        clock.after(lastWordsPollMs, conclude);
      } else {
        onEnded(signal === null ? `exit code ${code}` : `signal ${signal}`);
      }
    };
    conclude();
  });
  child.on('error', (error) => {
    // Also raised by a failed kill; only a worker that never began has no pid.
    if (child.pid === undefined) onEnded(error.message);
  });
}

function deliver(child: ChildProcess, message: SupervisorMessage): void {
  // The callback takes the error of a worker that just died; its exit is the event that counts.
  if (child.connected) child.send(message, () => {});
}

/**
 * Sockets on their way to a worker: one is travelling, the others wait for it to be taken. Node
 * would queue them as well, but those of a worker that dies meanwhile would stay open in its queue,
 * in nobody's hands, and their clients would wait for ever. Hence also `keepOpen`: our copy of the
 * socket is closed when the worker has said that it holds its own.
 */
class HandOverQueue {
  readonly #child: ChildProcess;
  #travelling: Socket | null = null;
  #waiting: { readonly socket: Socket; readonly refused: boolean }[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  add(socket: Socket, refused: boolean): void {
    this.#waiting.push({ socket, refused });
    this.#sendNext();
  }

  taken(): void {
    this.#travelling?.destroy();
    this.#travelling = null;
    this.#sendNext();
  }

  /**
   * The worker is gone; the result are sockets that it never had. It says `taken` before it can read
   * from a socket, so without that word, when all its words were read, the travelling one is as
   * untouched as the others.
   */
  end(channel: { readonly allRead: boolean }): readonly Socket[] {
    const travelling = this.#travelling;
    this.#travelling = null;
    const untaken = this.#waiting.splice(0).map(({ socket }) => socket);
    if (travelling === null) return untaken;
    if (channel.allRead) return [travelling, ...untaken];
    travelling.destroy();
    return untaken;
  }

  #sendNext(): void {
    if (this.#travelling !== null || !this.#child.connected) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#travelling = next.socket;
    const message: SupervisorMessage = { type: 'client', refused: next.refused };
    // An error is that of a worker that just died, as above.
    this.#child.send(message, next.socket, { keepOpen: true }, () => {});
  }
}
