import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { SupervisorMessage, WorkerMessage } from './messages.ts';
import type { OpenWorkerChannel, WorkerChannelEvents } from './worker-channel.ts';

/** From the polite request to SIGKILL. */
const exitGraceMs = 1_000;

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
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const inTransfer = new Set<Socket>();
    watch(child, inTransfer, events);
    return {
      pid: child.pid ?? 0,
      send: (message) => deliver(child, message),
      handOver: (socket, refused) => handOver(child, inTransfer, socket, refused),
      end() {
        if (child.connected) child.disconnect();
        parts.clock.after(exitGraceMs, () => {
          if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        });
      },
    };
  };
}

function watch(child: ChildProcess, inTransfer: Set<Socket>, events: WorkerChannelEvents): void {
  let ended = false;
  const onEnded = (reason: string) => {
    if (ended) return;
    ended = true;
    const untaken = [...inTransfer];
    inTransfer.clear();
    events.onEnded(reason, untaken);
  };
  child.on('message', (message) => {
    if (!ended) events.onMessage(message as WorkerMessage);
  });
  child.on('exit', (code, signal) => {
    onEnded(signal === null ? `exit code ${code}` : `signal ${signal}`);
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
 * Node sends one socket at a time and queues the others until the worker has confirmed it. A socket
 * in that queue when the worker dies is in nobody's hands, hence the set.
 */
function handOver(
  child: ChildProcess,
  inTransfer: Set<Socket>,
  socket: Socket,
  refused: boolean,
): void {
  inTransfer.add(socket);
  if (!child.connected) return;
  const message: SupervisorMessage = { type: 'client', refused };
  child.send(message, socket, { keepOpen: false }, (error) => {
    inTransfer.delete(socket);
    if (error !== null) socket.destroy();
  });
}
