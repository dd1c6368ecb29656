import { CopyBinaryRows } from './copy-binary-rows.ts';
import { copyCsvField } from './copy-csv-field.ts';
import { type CopyField, type CopyFormat, type ForcedNulls, noValue } from './copy-format.ts';
import { CopyLines, type FieldFinder } from './copy-lines.ts';
import type { CopyRowReader, CopyRowVisitor } from './copy-rows.ts';
import { copyTextField } from './copy-text-field.ts';

/** How rows are read, and which of their fields is the key. */
export type CopyRowOptions = {
  readonly format: CopyFormat;
  /** Of the key in a row, from 0; null: rows have none, and their `key` is `missing`. */
  readonly keyIndex: number | null;
  /** Of the key's column, in CSV. */
  readonly forced: ForcedNulls;
  /** Bytes of a row in which its key must come. */
  readonly keyBytesMax: number;
};

/** A reader for one stream of COPY data. */
export function copyRowReader(options: CopyRowOptions, visitor: CopyRowVisitor): CopyRowReader {
  const { format, keyIndex, forced, keyBytesMax } = options;
  if (format.kind === 'binary') return new CopyBinaryRows({ keyIndex, keyBytesMax }, visitor);
  if (keyIndex === null) return new CopyLines({ format, findKey: noKey, keyBytesMax }, visitor);
  const findKey: FieldFinder =
    format.kind === 'csv'
      ? (bytes, start, end, isWhole) =>
          copyCsvField(format, forced, keyIndex, bytes, start, end, isWhole)
      : (bytes, start, end, isWhole) => copyTextField(format, keyIndex, bytes, start, end, isWhole);
  return new CopyLines({ format, findKey, keyBytesMax }, visitor);
}

function noKey(): CopyField {
  return noValue.missing;
}
