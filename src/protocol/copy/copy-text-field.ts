import { type CopyField, noValue, type TextMarks } from './copy-format.ts';

const backslash = 0x5c;

/** One-letter escapes. Source: PostgreSQL manual, COPY, "Text Format". */
const letters: ReadonlyMap<number, number> = new Map(
  Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }).map(([letter, code]) => [
    letter.charCodeAt(0),
    code,
  ]),
);

/**
 * Field number `index` (from 0) of a line in text format, which has no line end. null: the line is
 * not `isWhole`, and the field has not ended yet.
 */
export function copyTextField(
  marks: TextMarks,
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  isWhole: boolean,
): CopyField | null {
  const { delimiter } = marks;
  let field = 0;
  let fieldStart = start;
  let isEscaped = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === delimiter) {
      if (field === index) return fieldOf(marks, bytes, fieldStart, at, isEscaped);
      field += 1;
      fieldStart = at + 1;
      isEscaped = false;
    } else if (byte === backslash) {
      isEscaped = true;
      at += 1;
    }
  }
  if (!isWhole) return null;
  return field < index ? noValue.missing : fieldOf(marks, bytes, fieldStart, end, isEscaped);
}

function fieldOf(
  { nullText, defaultText }: TextMarks,
  bytes: Buffer,
  start: number,
  end: number,
  isEscaped: boolean,
): CopyField {
  // Only the last line of a file can end in a lone backslash, which means nothing then.
  const valueEnd = isEscaped && endsInBackslash(bytes, start, end) ? end - 1 : end;
  if (isSame(nullText, bytes, start, valueEnd)) return noValue.null;
  if (defaultText !== null && isSame(defaultText, bytes, start, valueEnd)) return noValue.default;
  const raw = bytes.subarray(start, valueEnd);
  return { kind: 'value', bytes: isEscaped ? unescaped(raw) : raw };
}

export function isSame(mark: Buffer, bytes: Buffer, start: number, end: number): boolean {
  return mark.length === end - start && mark.compare(bytes, start, end) === 0;
}

function endsInBackslash(bytes: Buffer, start: number, end: number): boolean {
  let count = 0;
  while (end - 1 - count >= start && bytes[end - 1 - count] === backslash) count += 1;
  return count % 2 === 1;
}

function unescaped(raw: Buffer): Buffer {
  const value = Buffer.allocUnsafe(raw.length);
  let length = 0;
  let at = 0;
  while (at < raw.length) {
    const byte = raw[at] ?? 0;
    at += 1;
    if (byte !== backslash) {
      value[length++] = byte;
      continue;
    }
    const code = raw[at] ?? 0;
    at += 1;
    const digits = code === 0x78 ? digitsAt(raw, at, 16, 2) : digitsAt(raw, at - 1, 8, 3);
    if (digits > 0) {
      const from = code === 0x78 ? at : at - 1;
      const radix = code === 0x78 ? 16 : 8;
      value[length++] = Number.parseInt(raw.toString('latin1', from, from + digits), radix) & 0xff;
      at = from + digits;
    } else value[length++] = letters.get(code) ?? code;
  }
  return value.subarray(0, length);
}

/** How many digits of the base follow, at most `digitsMax`. */
function digitsAt(bytes: Buffer, start: number, base: 8 | 16, digitsMax: number): number {
  let count = 0;
  while (count < digitsMax && isDigit(bytes[start + count] ?? 0, base)) count += 1;
  return count;
}

function isDigit(byte: number, base: 8 | 16): boolean {
  if (byte >= 0x30 && byte <= 0x37) return true;
  if (base === 8) return false;
  const letter = byte | 0x20;
  return byte === 0x38 || byte === 0x39 || (letter >= 0x61 && letter <= 0x66);
}
