import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyOptions } from '../../planner/copy/copy-options.ts';
import type { CopyDefaults } from '../../planner/copy/copy-plan.ts';
import type { CopyFormat } from '../../protocol/copy/copy-format.ts';
import { isAscii } from '../../sharding/text-key.ts';
import type { ShardInput } from './shard-input.ts';

type LineFormat = Exclude<CopyFormat, { readonly kind: 'binary' }>;

const noBytes = Buffer.alloc(0);
const null32 = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/**
 * The fields of computed defaults, written as the client writes its rows, in front of which they
 * stand: so a row that is too short or too long is still found to be so, by its own last columns.
 */
export class RowPrefix {
  readonly #options: CopyOptions;
  readonly #columns: CopyDefaults['columns'];
  /** In front of a HEADER line. */
  readonly #header: Buffer;
  /** The binary format's count of fields. */
  readonly #count = Buffer.alloc(2);

  constructor(options: CopyOptions, columns: CopyDefaults['columns']) {
    this.#options = options;
    this.#columns = columns;
    const { format } = options;
    this.#header =
      format.kind === 'binary'
        ? noBytes
        : Buffer.concat(columns.map(({ name }) => written(Buffer.from(name), format)));
  }

  get isBinary(): boolean {
    return this.#options.format.kind === 'binary';
  }

  /** How they stand in a row; in the binary format without the count. Throws 0A000. */
  fields(values: readonly (Buffer | null)[]): Buffer {
    const { format } = this.#options;
    return Buffer.concat(
      values.flatMap((value, index) => {
        if (format.kind === 'binary') return binaryField(value);
        const field = this.#field(value, format);
        if (field === null) throw unwritable(this.#columns[index]?.name ?? '');
        return field;
      }),
    );
  }

  /** What stands before the rows, a HEADER line for one. */
  addHead(input: ShardInput, bytes: Buffer, start: number, end: number): void {
    input.add(this.#header, 0, this.#header.length);
    input.add(bytes, start, end);
  }

  /** A row, or the beginning of it. */
  addRow(input: ShardInput, fields: Buffer, bytes: Buffer, start: number, end: number): void {
    if (!this.isBinary) {
      input.add(fields, 0, fields.length);
      input.add(bytes, start, end);
      return;
    }
    // More than there can be columns: a server says that they are too many.
    this.#count.writeUInt16BE(Math.min(0x7fff, bytes.readInt16BE(start) + this.#columns.length));
    input.add(this.#count, 0, 2);
    input.add(fields, 0, fields.length);
    input.add(bytes, start + 2, end);
  }

  /** With its delimiter; null: there is no way to write the value with these options. */
  #field(value: Buffer | null, format: LineFormat): Buffer | null {
    const { encoding, forceNull, forceNotNull } = this.#options;
    const { nullText, defaultText, delimiter } = format;
    const marked = (mark: Buffer) => Buffer.concat([mark, Buffer.from([delimiter])]);
    if (value === null) return forceNotNull === 'all' ? null : marked(nullText);
    if (encoding !== null && !isAscii(value)) return null;
    const field = written(value, format);
    const isNull =
      format.kind === 'csv'
        ? forceNull === 'all' && nullText.equals(value)
        : marked(nullText).equals(field);
    return isNull || (defaultText !== null && marked(defaultText).equals(field)) ? null : field;
  }
}

function written(value: Buffer, format: LineFormat): Buffer {
  return format.kind === 'csv' ? quoted(value, format) : escaped(value, format.delimiter);
}

function binaryField(value: Buffer | null): readonly Buffer[] {
  if (value === null) return [null32];
  const length = Buffer.alloc(4);
  length.writeInt32BE(value.length);
  return [length, value];
}

function quoted(
  value: Buffer,
  { quote, escape: escaping, delimiter }: Extract<LineFormat, { readonly kind: 'csv' }>,
): Buffer {
  const bytes = [quote];
  for (const byte of value) {
    if (byte === quote || byte === escaping) bytes.push(escaping);
    bytes.push(byte);
  }
  bytes.push(quote, delimiter);
  return Buffer.from(bytes);
}

const backslash = 0x5c;
const letters: ReadonlyMap<number, string> = new Map([
  [0x0a, 'n'],
  [0x0d, 'r'],
]);

function escaped(value: Buffer, delimiter: number): Buffer {
  const bytes: number[] = [];
  for (const byte of value) {
    const letter = letters.get(byte);
    if (letter !== undefined) bytes.push(backslash, letter.charCodeAt(0));
    else if (byte === backslash || byte === delimiter) bytes.push(backslash, byte);
    else bytes.push(byte);
  }
  bytes.push(delimiter);
  return Buffer.from(bytes);
}

function unwritable(column: string): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `the default of column "${column}" cannot be written in rows of COPY with these options`,
    { hint: 'Write the values, or use other options for NULL, DEFAULT and ENCODING.' },
  );
}
