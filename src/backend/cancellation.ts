import type { Clock } from '../base/clock.ts';
import type { CancelOutcome } from './cancel-request.ts';
import type { Exchange } from './exchange.ts';

const againMs = 100;

export type CancellationParts = {
  readonly clock: Clock;
  /** Asks the server to cancel what it runs. */
  readonly request: (onOutcome: (outcome: CancelOutcome) => void) => void;
  /** The server has dealt with a request. */
  readonly settled: () => void;
};

/**
 * Which exchanges of a connection are to be cancelled. A request strikes whatever the server runs
 * when it arrives: it is sent only while the exchange in question is at the head, again and again
 * until that has ended, and who stood behind it may have been struck instead.
 */
export class Cancellation {
  readonly #parts: CancellationParts;
  #queue: readonly Exchange[] = [];
  readonly #doomed = new Set<Exchange>();
  #bystanders: Set<Exchange> | null = null;
  #isUnderWay = false;
  #isHaunted = false;
  #stopTimer = () => {};

  constructor(parts: CancellationParts) {
    this.#parts = parts;
  }

  /** A request has been sent and not been dealt with. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** A request may strike at any time: the session must not be handed on. */
  get isHaunted(): boolean {
    return this.#isHaunted;
  }

  doom(exchange: Exchange, queue: readonly Exchange[]): void {
    if (!queue.includes(exchange)) return;
    this.#doomed.add(exchange);
    this.headIs(queue);
  }

  /** `queue` is the connection's from now on, its head first. */
  headIs(queue: readonly Exchange[]): void {
    this.#queue = queue;
    const [head] = queue;
    if (head === undefined || !this.#doomed.has(head) || this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#bystanders = new Set(queue.slice(1));
    this.#parts.request((outcome) => {
      this.#isUnderWay = false;
      if (outcome === 'unknown') this.#isHaunted = true;
      this.#parts.settled();
      // A server that had not begun yet has cancelled nothing.
      this.#stopTimer();
      this.#stopTimer = this.#parts.clock.after(againMs, () => this.headIs(this.#queue));
    });
  }

  ended(exchange: Exchange): void {
    this.#doomed.delete(exchange);
    this.#bystanders?.delete(exchange);
  }

  /** It stood behind an exchange that was to be cancelled. */
  mayStrike(exchange: Exchange): boolean {
    return this.#bystanders?.has(exchange) === true;
  }
}
