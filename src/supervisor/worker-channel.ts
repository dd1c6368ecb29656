import type { Socket } from 'node:net';
import type { SupervisorMessage, WorkerMessage } from './messages.ts';

/** The supervisor's end of one living worker. */
export type WorkerChannel = {
  readonly pid: number;
  send(message: SupervisorMessage): void;
  /** The socket is the worker's from now on; nothing of it stays in this process. */
  handOver(socket: Socket, refused: boolean): void;
  /** Tells the worker to leave, and makes it. `onEnded` follows. */
  end(): void;
};

export type WorkerChannelEvents = {
  onMessage(message: WorkerMessage): void;
  /**
   * Once, and nothing after it. `untaken` are sockets that did not reach the worker and are ours
   * again.
   */
  onEnded(reason: string, untaken: readonly Socket[]): void;
};

/** Starts a worker; its first message to it must be `configure`. */
export type OpenWorkerChannel = (events: WorkerChannelEvents) => WorkerChannel;
