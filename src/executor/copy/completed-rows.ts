import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyOptions } from '../../planner/copy/copy-options.ts';
import type { CopyDefaults } from '../../planner/copy/copy-plan.ts';
import { copyRowReader } from '../../protocol/copy/copy-row-reader.ts';
import type { CopyRowReader, CopyRowVisitor, FoundRow } from '../../protocol/copy/copy-rows.ts';
import { HeldBytes } from '../../protocol/copy/held-bytes.ts';
import type { GatherBudget } from '../intermediate/gather-budget.ts';
import type { CopyCompletion, WaitingRows } from './copy-completion.ts';
import type { CopyFeed } from './copy-in.ts';
import type { RowPrefix } from './row-prefix.ts';
import type { ShardInput } from './shard-input.ts';

/** CopyData's code and length. */
const headerBytes = 5;
/** Rows sent before it is looked whether servers keep up. */
const rowsAtOnce = 1000;

type CompletedRowsParts = {
  readonly table: string;
  readonly options: CopyOptions;
  readonly defaults: CopyDefaults;
  readonly inputs: readonly ShardInput[];
  readonly prefix: RowPrefix;
  /** null: every row has the same values, and is sent at once. */
  readonly budget: GatherBudget | null;
  readonly keyBytesMax: number;
  /** Once for each of the inputs that get rows. */
  readonly writes: (input: ShardInput) => void;
};

/**
 * Every server gets all of the client's rows, with the values of the columns that are left to
 * defaults in front of each. When they differ from row to row the rows wait for all others, because
 * it must be known how many values are needed: a value of a sequence is not to be taken in vain.
 */
export class CompletedRows implements CopyFeed, CopyCompletion, CopyRowVisitor {
  readonly #parts: CompletedRowsParts;
  readonly #reader: CopyRowReader;
  #hasWritten = false;
  /** Of all rows, when they are the same. */
  #fields: Buffer | null = null;
  /** What waits; rows and their values end at `#ends` and `#fieldEnds`. */
  readonly #held = new HeldBytes();
  readonly #heldFields = new HeldBytes();
  readonly #ends: number[] = [];
  readonly #fieldEnds: number[] = [];
  #headEnd = 0;
  #sentRows = -1;

  constructor(parts: CompletedRowsParts) {
    this.#parts = parts;
    const { options, keyBytesMax } = parts;
    const { format } = options;
    const forced = { null: false, notNull: false };
    this.#reader = copyRowReader({ format, keyIndex: null, forced, keyBytesMax }, this);
  }

  get line(): number {
    return this.#reader.line;
  }

  get completion(): CopyCompletion {
    return this;
  }

  get defaults(): CopyDefaults {
    return this.#parts.defaults;
  }

  get isBinary(): boolean {
    return this.#parts.prefix.isBinary;
  }

  get waiting(): WaitingRows | null {
    return this.#parts.budget === null ? null : this;
  }

  get rowCount(): number {
    return this.#ends.length;
  }

  clientLine(_input: ShardInput, serverLine: number): number {
    // Servers that have not got any line yet hear of none but the last one.
    return this.waiting !== null && this.#sentRows < 0 ? this.#reader.line : serverLine;
  }

  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    this.#noteWrites();
    this.#read(() => this.#reader.push(chunk, isFirst ? start + headerBytes : start, end));
  }

  finish(): Buffer {
    this.#noteWrites();
    this.#read(() => this.#reader.finish());
    return this.#reader.trailer;
  }

  give(values: readonly (Buffer | null)[]): void {
    const { prefix, budget } = this.#parts;
    const fields = prefix.fields(values);
    if (budget === null) {
      this.#fields = fields;
      return;
    }
    this.#take(fields.length);
    this.#heldFields.append(fields, 0, fields.length);
    this.#fieldEnds.push(this.#heldFields.length);
  }

  send(): boolean {
    const { inputs, prefix } = this.#parts;
    if (this.#sentRows < 0) {
      this.#sentRows = 0;
      if (this.#headEnd > 0) {
        for (const input of inputs) prefix.addHead(input, this.#held.bytes, 0, this.#headEnd);
      }
    }
    const end = Math.min(this.#ends.length, this.#sentRows + rowsAtOnce);
    for (let row = this.#sentRows; row < end; row += 1) {
      const fields = this.#heldFields.bytes.subarray(
        this.#fieldEnds[row - 1] ?? 0,
        this.#fieldEnds[row] ?? 0,
      );
      const start = this.#ends[row - 1] ?? this.#headEnd;
      const rowEnd = this.#ends[row] ?? start;
      for (const input of inputs) {
        prefix.addRow(input, fields, this.#held.bytes, start, rowEnd);
      }
    }
    this.#sentRows = end;
    return end < this.#ends.length;
  }

  head(bytes: Buffer, start: number, end: number): void {
    const { inputs, prefix, budget } = this.#parts;
    if (budget === null) for (const input of inputs) prefix.addHead(input, bytes, start, end);
    else {
      this.#hold(bytes, start, end);
      this.#headEnd = end - start;
    }
  }

  row(bytes: Buffer, start: number, end: number, { key, isWhole }: FoundRow): void {
    if (key.kind === 'broken') throw brokenData();
    const { inputs, prefix } = this.#parts;
    if (this.#fields === null) {
      this.#hold(bytes, start, end);
      if (isWhole) this.#ends.push(this.#held.length);
    } else {
      for (const input of inputs) prefix.addRow(input, this.#fields, bytes, start, end);
    }
  }

  more(bytes: Buffer, start: number, end: number, { isWhole }: Omit<FoundRow, 'key'>): void {
    if (this.#fields === null) {
      this.#hold(bytes, start, end);
      if (isWhole) this.#ends.push(this.#held.length);
    } else for (const input of this.#parts.inputs) input.add(bytes, start, end);
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    this.#take(end - start);
    this.#held.append(bytes, start, end);
  }

  #take(bytes: number): void {
    const { budget, defaults } = this.#parts;
    budget?.take(
      bytes,
      defaults.columns.map(({ name }) => name),
    );
  }

  #noteWrites(): void {
    const { inputs, writes } = this.#parts;
    if (!this.#hasWritten) for (const input of inputs) writes(input);
    this.#hasWritten = true;
  }

  #read(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      const { sqlState, message, detail, hint, cause } = error;
      const context = `COPY ${this.#parts.table}, line ${this.#reader.line}`;
      throw new PgError(sqlState, message, { detail, hint, cause, context });
    }
  }
}

function brokenData(): PgError {
  return new PgError(SqlState.badCopyFileFormat, 'incorrect COPY data format');
}
