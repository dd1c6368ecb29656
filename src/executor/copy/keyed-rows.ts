import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyRowsIn } from '../../planner/copy/copy-plan.ts';
import type { CopyField } from '../../protocol/copy/copy-format.ts';
import { copyRowReader } from '../../protocol/copy/copy-row-reader.ts';
import type { CopyRowReader, CopyRowVisitor, FoundRow } from '../../protocol/copy/copy-rows.ts';
import type { CopyCompletion } from './copy-completion.ts';
import type { CopyFeed } from './copy-in.ts';
import type { CopyOwner } from './copy-owner.ts';
import type { RowPrefix } from './row-prefix.ts';
import type { ShardInput } from './shard-input.ts';

/** CopyData's code and length. */
const headerBytes = 5;
const noBytes = Buffer.alloc(0);
/** MAX_COPY_DATA_DISPLAY */
const shownBytesMax = 100;

type KeyedRowsParts = {
  readonly plan: CopyRowsIn;
  readonly inputs: readonly ShardInput[];
  readonly ownerOf: (key: CopyField) => CopyOwner;
  readonly keyBytesMax: number;
  /** null: rows are sent as they come. */
  readonly prefix: RowPrefix | null;
  /** Once for each shard that gets a row. */
  readonly writes: (input: ShardInput) => void;
};

/**
 * Sends each row to the shard that owns its key. A row that no shard may keep is sent to one all the
 * same: what else is wrong with it PostgreSQL says first, in its own words.
 */
export class KeyedRows implements CopyFeed, CopyRowVisitor {
  readonly #parts: KeyedRowsParts;
  readonly #reader: CopyRowReader;
  readonly #byShard: ReadonlyMap<string, ShardInput>;
  readonly #any: ShardInput;
  readonly #written = new Set<ShardInput>();
  /** Of the row whose beginning has been sent. */
  #open: ShardInput | null = null;
  #openBytes = 0;
  #openFailure: PgError | null = null;
  #failure: PgError | null = null;
  /** Whatever becomes of the data: they must not stay. */
  #isBroken = false;
  #hasHead: boolean;
  #given: Buffer = noBytes;

  constructor(parts: KeyedRowsParts) {
    this.#parts = parts;
    const { inputs, plan, keyBytesMax } = parts;
    const [any] = inputs;
    assert(any !== undefined, 'a distribution has shards');
    this.#any = any;
    this.#hasHead = plan.options.format.kind !== 'binary';
    this.#byShard = new Map(inputs.map((input) => [input.shard, input]));
    const { key, options } = plan;
    const rows = { format: options.format, keyIndex: key.index, forced: key.forced, keyBytesMax };
    this.#reader = copyRowReader(rows, this);
  }

  /** Infinity: servers know what is wrong. */
  get line(): number {
    return this.#isBroken ? Infinity : this.#reader.line;
  }

  clientLine(input: ShardInput, serverLine: number): number {
    return input.lines.clientLine(serverLine) ?? this.#reader.line;
  }

  get completion(): CopyCompletion | null {
    const { plan, prefix } = this.#parts;
    if (prefix === null || plan.defaults === null) return null;
    const give = (values: readonly (Buffer | null)[]) => {
      this.#given = prefix.fields(values);
    };
    return { defaults: plan.defaults, isBinary: prefix.isBinary, give, waiting: null };
  }

  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    this.#read(() => this.#reader.push(chunk, isFirst ? start + headerBytes : start, end));
  }

  finish(): Buffer {
    this.#read(() => this.#reader.finish());
    if (this.#isBroken) throw new PgError(SqlState.badCopyFileFormat, 'incorrect COPY data format');
    return this.#reader.trailer;
  }

  head(bytes: Buffer, start: number, end: number, lines: number): void {
    this.#hasHead = true;
    const { inputs, prefix } = this.#parts;
    for (const input of inputs) {
      if (prefix === null) input.add(bytes, start, end);
      else prefix.addHead(input, bytes, start, end);
      input.lines.head(lines, end - start);
    }
  }

  row(bytes: Buffer, start: number, end: number, { key, lines, isWhole }: FoundRow): void {
    if (this.#failure !== null) return;
    const owner = this.#parts.ownerOf(key);
    const input = (typeof owner === 'string' ? this.#byShard.get(owner) : null) ?? this.#any;
    if (!this.#written.has(input)) this.#noteWrite(input);
    const { prefix } = this.#parts;
    // Without their head, they are nobody's.
    if (this.#hasHead && prefix !== null && key.kind !== 'broken') {
      prefix.addRow(input, this.#given, bytes, start, end);
    } else if (this.#hasHead) input.add(bytes, start, end);
    else for (const each of this.#parts.inputs) each.add(bytes, start, end);
    if (isWhole) input.lines.add(lines, this.#reader.line, end - start);
    else {
      this.#open = input;
      this.#openBytes = end - start;
    }
    if (key.kind === 'broken') this.#isBroken = true;
    if (typeof owner === 'string') return;
    const failure = this.#located(owner, key);
    if (isWhole) this.#failure = failure;
    else this.#openFailure = failure;
  }

  more(bytes: Buffer, start: number, end: number, { lines, isWhole }: Omit<FoundRow, 'key'>): void {
    const input = this.#open;
    if (this.#failure !== null || input === null) return;
    input.add(bytes, start, end);
    this.#openBytes += end - start;
    if (!isWhole) return;
    input.lines.add(lines, this.#reader.line, this.#openBytes);
    this.#open = null;
    this.#failure = this.#openFailure;
  }

  #noteWrite(input: ShardInput): void {
    this.#written.add(input);
    this.#parts.writes(input);
  }

  #read(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      const context = `COPY ${this.#parts.plan.table}, line ${this.#reader.line}`;
      this.#failure ??= inContext(error, context);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  #located(error: PgError, key: CopyField): PgError {
    const { table, key: column, options } = this.#parts.plan;
    const line = `COPY ${table}, line ${this.#reader.line}`;
    if (key.kind === 'null') return inContext(error, `${line}, column ${column.name}: null input`);
    if (key.kind !== 'value') return inContext(error, line);
    if (options.format.kind === 'binary') return inContext(error, `${line}, column ${column.name}`);
    const shown = key.bytes.toString('utf8', 0, shownBytesMax);
    const rest = key.bytes.length > shownBytesMax ? '...' : '';
    return inContext(error, `${line}, column ${column.name}: "${shown}${rest}"`);
  }
}

function inContext(error: PgError, context: string): PgError {
  const { sqlState, message, detail, hint, cause } = error;
  return new PgError(sqlState, message, { detail, hint, cause, context });
}
