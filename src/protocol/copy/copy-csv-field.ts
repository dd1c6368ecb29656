import { type CopyField, type CopyFormat, type ForcedNulls, noValue } from './copy-format.ts';
import { isSame } from './copy-text-field.ts';

type Csv = Extract<CopyFormat, { readonly kind: 'csv' }>;

/** As copyTextField, for a line in CSV format. */
export function copyCsvField(
  marks: Csv,
  forced: ForcedNulls,
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  isWhole: boolean,
): CopyField | null {
  const { delimiter, quote } = marks;
  let at = start;
  for (let field = 0; ; field++) {
    const fieldStart = at;
    let isQuoted = false;
    while (at < end && bytes[at] !== delimiter) {
      at += 1;
      if (bytes[at - 1] !== quote) continue;
      isQuoted = true;
      at = behindQuote(marks, bytes, at, end);
      if (at > end) return isWhole ? noValue.broken : null;
    }
    const isLast = at >= end;
    if (isLast && !isWhole) return null;
    if (field === index) return fieldOf(marks, forced, bytes, fieldStart, at, isQuoted);
    if (isLast) return noValue.missing;
    at += 1;
  }
}

/** Where the quote that is open ends; beyond `end`: not here. */
function behindQuote(
  { quote, escape: escaping }: Csv,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    const next = bytes[at + 1];
    if (byte === escaping && at + 1 < end && (next === escaping || next === quote)) at += 1;
    else if (byte === quote) return at + 1;
  }
  return end + 1;
}

function fieldOf(
  marks: Csv,
  forced: ForcedNulls,
  bytes: Buffer,
  start: number,
  end: number,
  isQuoted: boolean,
): CopyField {
  const { nullText, defaultText } = marks;
  if (!isQuoted && isSame(nullText, bytes, start, end)) {
    return forced.notNull ? { kind: 'value', bytes: nullText } : noValue.null;
  }
  if (defaultText !== null && isSame(defaultText, bytes, start, end)) return noValue.default;
  const raw = bytes.subarray(start, end);
  const value = isQuoted ? unquoted(marks, raw) : raw;
  if (forced.null && isSame(nullText, value, 0, value.length)) return noValue.null;
  return { kind: 'value', bytes: value };
}

function unquoted({ quote, escape: escaping }: Csv, raw: Buffer): Buffer {
  const value = Buffer.allocUnsafe(raw.length);
  let length = 0;
  let inQuote = false;
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at] ?? 0;
    const next = raw[at + 1];
    if (
      inQuote &&
      byte === escaping &&
      next !== undefined &&
      (next === escaping || next === quote)
    ) {
      value[length++] = next;
      at += 1;
    } else if (byte === quote) inQuote = !inQuote;
    else value[length++] = byte;
  }
  return value.subarray(0, length);
}
