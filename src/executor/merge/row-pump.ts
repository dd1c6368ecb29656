import { PgError } from '../../base/pg-error.ts';
import type { RowSink } from '../select/row-sink.ts';
import type { RowSource } from './row-source.ts';
import type { RowWriter } from './row-writer.ts';

export type RowPumpEvents = {
  /** Rows may move. Asked again whenever somebody else has been called. */
  isOpen(): boolean;
  /** As many rows as were wanted have moved; there may be more. */
  filled(): void;
  /** The last row has moved. */
  ended(): void;
  /** What a row says cannot be read or written. */
  failed(error: PgError): void;
};

/** Moves rows from a source to a sink, at the pace of the slower one. */
export class RowPump {
  readonly #sink: Pick<RowSink, 'writable' | 'onDrain'>;
  readonly #events: RowPumpEvents;
  #source: RowSource | null = null;
  #writer: RowWriter | null = null;
  #rowsWanted = Infinity;
  #isPumping = false;
  #mustPump = false;
  #isWaitingForDrain = false;

  constructor(sink: Pick<RowSink, 'writable' | 'onDrain'>, events: RowPumpEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#source !== null;
  }

  /** How many are to move before `filled`. */
  get rowsWanted(): number {
    return this.#rowsWanted;
  }

  set rowsWanted(count: number) {
    this.#rowsWanted = count;
  }

  /** Nothing moves before. */
  connect(source: RowSource, writer: RowWriter): void {
    this.#source = source;
    this.#writer = writer;
  }

  /** To be called whenever the source may know more, or more rows are wanted. */
  pump(): void {
    this.#mustPump = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      // The sink may ask for more rows, and the source may get some, while rows are moving.
      while (this.#mustPump && this.#events.isOpen()) {
        this.#mustPump = false;
        this.#moveRows();
      }
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#events.failed(error);
    } finally {
      this.#isPumping = false;
    }
  }

  #moveRows(): void {
    const source = this.#source;
    const writer = this.#writer;
    if (source === null || writer === null) return;
    for (;;) {
      if (!this.#sink.writable) {
        writer.flush();
        this.#pumpAfterDrain();
        return;
      }
      if (this.#rowsWanted === 0) {
        writer.flush();
        this.#events.filled();
        return;
      }
      const answer = source.advance();
      if (answer === 'row') {
        writer.add(source.row);
        this.#rowsWanted--;
        continue;
      }
      writer.flush();
      if (answer === 'end') this.#events.ended();
      return;
    }
  }

  #pumpAfterDrain(): void {
    if (this.#isWaitingForDrain) return;
    this.#isWaitingForDrain = true;
    this.#sink.onDrain(() => {
      this.#isWaitingForDrain = false;
      this.pump();
    });
  }
}
