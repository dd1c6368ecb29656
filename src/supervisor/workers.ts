import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Holder } from '../cluster/transactions/find-deadlocks.ts';
import { workerIndexOf } from '../frontend/cancel-key.ts';
import { leastLoaded } from './least-loaded.ts';
import type {
  CancelKey,
  SupervisorMessage,
  WireError,
  WorkerConfiguration,
  WorkerReport,
} from './messages.ts';
import type { OpenWorkerChannel } from './worker-channel.ts';
import { type Reply, type WorkerRequest, WorkerSlot } from './worker-slot.ts';

/** A worker is alive but busy: long enough for its longest turn, short enough for a person. */
const applyTimeoutMs = 5_000;
const reportTimeoutMs = 1_000;
/** A drained worker answers at its limit; beyond that it is stuck. */
const drainGraceMs = 1_000;

export type RequestOfWorker = Exclude<WorkerRequest, { type: 'cancel' | 'login-failed' }>;

export type WorkersEvents = {
  /** A worker can take clients. */
  onReady(): void;
  onRequest(request: RequestOfWorker, reply: Reply, workerIndex: number): void;
  /** With all its clients. */
  onDied(workerIndex: number): void;
  onUntaken(sockets: readonly Socket[]): void;
};

export type WorkersParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly open: OpenWorkerChannel;
  /** At least 1. */
  readonly workersCount: number;
  readonly configuration: () => WorkerConfiguration;
  readonly events: WorkersEvents;
};

/** A line for each reason to refuse, and for each worker that did not answer in time. */
export type ApplyOutcome = {
  readonly refused: readonly string[];
  readonly silent: readonly string[];
};

/** All workers: started together, addressed together or by index. */
export class Workers {
  readonly slots: readonly WorkerSlot[];
  #whenStarted: { resolve(): void; reject(error: PgError): void } | null = null;
  #whenEnded: (() => void) | null = null;
  #ended = 0;

  constructor(parts: WorkersParts) {
    const { clock, telemetry, open, workersCount, configuration, events } = parts;
    this.slots = Array.from({ length: workersCount }, (_, workerIndex) => {
      return new WorkerSlot({
        clock,
        telemetry,
        open,
        configuration,
        place: { workerIndex, workersCount },
        events: {
          onReady: () => {
            this.#startedIfAll();
            events.onReady();
          },
          onRequest: (request, reply) => {
            if (request.type === 'cancel') this.#routeCancel(request.key);
            else if (request.type === 'login-failed') this.#tellOthers(workerIndex, request);
            else events.onRequest(request, reply, workerIndex);
          },
          onUntaken: events.onUntaken,
          onDied: (slot, reason) => {
            events.onDied(workerIndex);
            this.#onDied(slot, reason);
          },
        },
      });
    });
  }

  /** Lets them load their program, as long as there is nothing to configure them with. */
  open(): void {
    for (const slot of this.slots) slot.open();
  }

  /** Resolves when all are ready; rejects when one of them ends before that. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#whenStarted = { resolve, reject };
      for (const slot of this.slots) slot.start();
    });
  }

  get sessionsCount(): number {
    return this.slots.reduce((sum, slot) => sum + slot.sessionsCount, 0);
  }

  get refusedCount(): number {
    return this.slots.reduce((sum, slot) => sum + slot.refusedCount, 0);
  }

  get restarts(): number {
    return this.slots.reduce((sum, slot) => sum + slot.restarts, 0);
  }

  get readyCount(): number {
    return this.slots.filter((slot) => slot.state === 'ready').length;
  }

  /** To the worker with the fewest sessions; false when none is ready, the socket is then ours. */
  handOver(socket: Socket, refused: boolean): boolean {
    const index = leastLoaded(this.slots.filter((slot) => slot.state === 'ready'));
    if (index === null) return false;
    this.slots[index]?.handOver(socket, refused);
    return true;
  }

  broadcast(message: SupervisorMessage): void {
    for (const slot of this.slots) slot.send(message);
  }

  /**
   * Sends to all and waits until it is in force everywhere, or refused, or the time is up. A worker
   * that is about to be restarted starts with the new state.
   */
  async apply(message: (id: number) => SupervisorMessage): Promise<ApplyOutcome> {
    const ready = this.slots.filter((slot) => slot.state === 'ready');
    // It was configured with the old state and keeps this message until it is ready.
    for (const slot of this.slots) if (slot.state === 'starting') slot.send(message(0));
    const refused: string[] = [];
    const silent: string[] = [];
    const asked = ready.map(async (slot) => {
      const answer = await slot.ask(message, applyTimeoutMs);
      if (answer?.type === 'applied' && answer.error !== null) refused.push(whole(answer.error));
      if (answer === null && slot.state === 'ready') silent.push(`worker ${slot.index} is stuck`);
    });
    await Promise.all(asked);
    return { refused: [...new Set(refused)], silent };
  }

  /** By worker index; null where a worker is not ready or did not answer in time. */
  async reports(wanted: { readonly clients: boolean }): Promise<readonly (WorkerReport | null)[]> {
    const { clients } = wanted;
    return await Promise.all(
      this.slots.map(async (slot) => {
        const request = (id: number) => ({ type: 'snapshot-request', id, clients }) as const;
        const answer = await slot.ask(request, reportTimeoutMs);
        return answer?.type === 'snapshot' ? answer.report : null;
      }),
    );
  }

  /** Transactions on several shards, of the workers that answer in time. */
  async holders(): Promise<readonly Holder[]> {
    const lists = await Promise.all(
      this.slots.map(async (slot) => {
        const answer = await slot.ask((id) => ({ type: 'holders-request', id }), reportTimeoutMs);
        return answer?.type === 'holders' ? answer.holders : [];
      }),
    );
    return lists.flat();
  }

  breakDeadlock(session: number): void {
    this.slots[workerIndexOf(session)]?.send({ type: 'break-deadlock', session });
  }

  /** Lets transactions finish up to the limit, then ends all; resolves when they are gone. */
  async stop(drainTimeoutMs: number): Promise<void> {
    await Promise.all(
      this.slots.map((slot) =>
        slot.ask(
          (id) => ({ type: 'drain', id, timeoutMs: drainTimeoutMs }),
          drainTimeoutMs + drainGraceMs,
        ),
      ),
    );
    const living = this.slots.filter((slot) => slot.pid !== null).length;
    const gone = new Promise<void>((resolve) => {
      this.#ended = living;
      this.#whenEnded = resolve;
      if (living === 0) resolve();
    });
    for (const slot of this.slots) slot.end();
    await gone;
  }

  #startedIfAll(): void {
    if (this.#whenStarted === null || this.readyCount < this.slots.length) return;
    this.#whenStarted.resolve();
    this.#whenStarted = null;
  }

  #onDied(slot: WorkerSlot, reason: string): void {
    if (this.#whenStarted !== null) {
      const message = `worker ${slot.index} ended while it started: ${reason}`;
      this.#whenStarted.reject(new PgError(SqlState.internalError, message));
      this.#whenStarted = null;
    }
    if (this.#whenEnded === null) return;
    this.#ended--;
    if (this.#ended === 0) this.#whenEnded();
  }

  #tellOthers(workerIndex: number, message: SupervisorMessage): void {
    for (const slot of this.slots) if (slot.index !== workerIndex) slot.send(message);
  }

  /** The key comes from a client: a number without a worker is ignored, as PostgreSQL does. */
  #routeCancel(key: CancelKey): void {
    this.slots[workerIndexOf(key.processId)]?.send({ type: 'cancel', key });
  }
}

function whole(error: WireError): string {
  return error.detail === null ? error.message : `${error.message}: ${error.detail}`;
}
