/** What currval() and lastval() are for one session. Names are `schema.name` in JSON. */
export class SequenceValues {
  // Not made before it is needed: most sessions never store a row with a sequence's value.
  #values: Map<string, string> | null = null;
  #last: string | null = null;
  #isBlurred = false;

  /** Something may have taken values that nobody has seen. */
  get isBlurred(): boolean {
    return this.#isBlurred;
  }

  /** null: none has been seen. */
  get last(): string | null {
    return this.#last;
  }

  value(name: string): string | null {
    return this.#values?.get(name) ?? null;
  }

  set(name: string, value: string): void {
    this.#values ??= new Map();
    this.#values.set(name, value);
  }

  setLast(value: string | null): void {
    this.#last = value;
  }

  blur(): void {
    this.clear();
    this.#isBlurred = true;
  }

  clear(): void {
    this.#values = null;
    this.#last = null;
    this.#isBlurred = false;
  }
}

/** Unasked values after which no more are taken down. */
const unaskedMax = 10_000;

/**
 * Whether the sessions of a worker take down what sequences give them, which costs a round trip for
 * each INSERT: as long as some of them ask for it now and then.
 */
export class SequenceDemand {
  #left = unaskedMax;

  get isThere(): boolean {
    return this.#left > 0;
  }

  asked(): void {
    this.#left = unaskedMax;
  }

  takenDown(): void {
    this.#left -= 1;
  }
}
