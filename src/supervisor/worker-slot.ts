import type { Socket } from 'node:net';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type {
  SupervisorMessage,
  WorkerConfiguration,
  WorkerMessage,
  WorkerPlace,
} from './messages.ts';
import { restartDelayMs } from './restart-delay.ts';
import type { OpenWorkerChannel, WorkerChannel } from './worker-channel.ts';

/** `resting`: it died, and its restart is due. */
type SlotState = 'resting' | 'starting' | 'ready' | 'ended';

const allowed: { readonly [From in SlotState]: readonly SlotState[] } = {
  resting: ['starting', 'ended'],
  starting: ['ready', 'resting', 'ended'],
  ready: ['resting', 'ended'],
  ended: [],
};

/** Until a new worker must have said that it is ready. */
const startTimeoutMs = 30_000;

type Answer = Extract<WorkerMessage, { type: 'applied' | 'snapshot' | 'drained' | 'holders' }>;
/** What concerns more than one worker. */
export type WorkerRequest = Exclude<
  WorkerMessage,
  {
    type:
      | 'applied'
      | 'snapshot'
      | 'drained'
      | 'holders'
      | 'sessions'
      | 'taken'
      | 'ready'
      | 'failed';
  }
>;

export type Reply = (message: SupervisorMessage) => void;

export type SlotEvents = {
  onReady(): void;
  /** `reply` reaches this life of the worker only, never its successor. */
  onRequest(request: WorkerRequest, reply: Reply): void;
  /** Clients of a dead worker that it never received. */
  onUntaken(sockets: readonly Socket[]): void;
  /** The first start failed, or any end; the slot restarts by itself unless it is ended. */
  onDied(slot: WorkerSlot, reason: string): void;
};

export type SlotParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly open: OpenWorkerChannel;
  readonly place: WorkerPlace;
  /** As it is at the moment of a (re)start. */
  readonly configuration: () => WorkerConfiguration;
  readonly events: SlotEvents;
};

/** The place of one worker: whatever dies in it is replaced. */
export class WorkerSlot {
  readonly index: number;
  readonly #parts: SlotParts;
  #state: SlotState = 'resting';
  #channel: WorkerChannel | null = null;
  /** start() has been called: there is a configuration. */
  #isStarted = false;
  /** The worker of the channel has got it. */
  #isConfigured = false;
  #startedAt = 0;
  #restartDelayMs: number | null = null;
  #cancelTimer: () => void = () => {};
  #restarts = 0;
  #handed = 0;
  #closed = 0;
  #refusedHanded = 0;
  #refusedClosed = 0;
  /** From 1: 0 marks a message whose answer nobody waits for. */
  #nextId = 1;
  readonly #questions = new Map<number, (answer: Answer | null) => void>();

  constructor(parts: SlotParts) {
    this.index = parts.place.workerIndex;
    this.#parts = parts;
  }

  get state(): SlotState {
    return this.#state;
  }

  get pid(): number | null {
    return this.#channel?.pid ?? null;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Sockets handed to the living worker and not reported closed. */
  get sessionsCount(): number {
    return this.#handed - this.#closed;
  }

  get refusedCount(): number {
    return this.#refusedHanded - this.#refusedClosed;
  }

  /** Its program takes a while to load and needs nothing for that: start() follows. */
  open(): void {
    this.#become('starting');
    this.#startedAt = this.#parts.clock.now();
    this.#isConfigured = false;
    this.#channel = this.#parts.open({
      onMessage: (message) => this.#onMessage(message),
      onEnded: (reason, untaken) => this.#onEnded(reason, untaken),
    });
  }

  start(): void {
    this.#isStarted = true;
    this.#cancelTimer();
    if (this.#state === 'resting') this.open();
    const { place, configuration } = this.#parts;
    const channel = this.#channel;
    this.#isConfigured = true;
    channel?.send({ type: 'configure', place, configuration: configuration() });
    this.#cancelTimer = this.#parts.clock.after(startTimeoutMs, () => {
      this.#parts.telemetry.log('error', 'a worker does not get ready', { worker: this.index });
      channel?.end();
    });
  }

  /** Dropped when the worker is not there, or not configured: what it will be is as of then. */
  send(message: SupervisorMessage): void {
    if (this.#isConfigured) this.#channel?.send(message);
  }

  handOver(socket: Socket, refused: boolean): void {
    assert(this.#state === 'ready' && this.#channel !== null, 'a client for a worker not ready');
    if (refused) this.#refusedHanded++;
    else this.#handed++;
    this.#channel.handOver(socket, refused);
  }

  /** null: the worker died or did not answer in time. */
  ask(question: (id: number) => SupervisorMessage, timeoutMs: number): Promise<Answer | null> {
    if (this.#state !== 'ready') return Promise.resolve(null);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const settle = (answer: Answer | null) => {
        cancelTimer();
        this.#questions.delete(id);
        resolve(answer);
      };
      const cancelTimer = this.#parts.clock.after(timeoutMs, () => settle(null));
      this.#questions.set(id, settle);
      this.send(question(id));
    });
  }

  /** For good: no restart. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#become('ended');
    this.#cancelTimer();
    this.#channel?.end();
  }

  #become(next: SlotState): void {
    assert(allowed[this.#state].includes(next), `worker: ${this.#state} to ${next}`);
    this.#state = next;
  }

  #onMessage(message: WorkerMessage): void {
    switch (message.type) {
      case 'ready':
        this.#onReady();
        break;
      case 'failed':
        this.#parts.telemetry.log('error', 'a worker could not start', {
          worker: this.index,
          reason: message.error.message,
        });
        this.#channel?.end();
        break;
      case 'sessions':
        this.#closed = message.closed;
        this.#refusedClosed = message.refusedClosed;
        break;
      case 'applied':
      case 'snapshot':
      case 'drained':
      case 'holders':
        // Absent: it came after the time was up.
        this.#questions.get(message.id)?.(message);
        break;
      case 'taken':
        // Of interest to a channel that has to keep the socket until then.
        break;
      default:
        this.#parts.events.onRequest(message, this.#replyToThisLife());
    }
  }

  #replyToThisLife(): Reply {
    const channel = this.#channel;
    return (message) => {
      if (this.#channel === channel) channel?.send(message);
    };
  }

  #onReady(): void {
    if (this.#state !== 'starting') return;
    this.#become('ready');
    this.#cancelTimer();
    this.#parts.events.onReady();
  }

  #onEnded(reason: string, untaken: readonly Socket[]): void {
    this.#channel = null;
    this.#cancelTimer();
    this.#handed = this.#closed = this.#refusedHanded = this.#refusedClosed = 0;
    for (const settle of [...this.#questions.values()]) settle(null);
    const wasEnded = this.#state === 'ended';
    if (!wasEnded) this.#rest(reason);
    this.#parts.events.onUntaken(untaken);
    this.#parts.events.onDied(this, reason);
  }

  #rest(reason: string): void {
    const { clock, telemetry } = this.#parts;
    this.#become('resting');
    this.#restarts++;
    this.#restartDelayMs = restartDelayMs(this.#restartDelayMs, clock.now() - this.#startedAt);
    telemetry.log('error', 'a worker ended, its clients lost their connections', {
      worker: this.index,
      reason,
      restartInMs: this.#restartDelayMs,
    });
    this.#cancelTimer = clock.after(this.#restartDelayMs, () => {
      if (this.#isStarted) this.start();
      else this.open();
    });
  }
}
