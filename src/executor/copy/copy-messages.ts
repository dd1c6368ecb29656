import { SqlState } from '../../base/sql-state.ts';
import {
  decodeErrorFields,
  type ErrorFields,
  encodeErrorFields,
} from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';

/** A server's message, its lines counted as the client's data count them. */
export type CopyMessage = {
  readonly frame: Buffer;
  /** The client's; null: it speaks of no line. */
  readonly line: number | null;
};

/**
 * A server's ErrorResponse with the client's line in its context: `COPY t, line 3, column c: "x"`,
 * whatever the word for `line` is in the server's language. `lineOf`: see SentLines.clientLine.
 */
export function copyError(
  frame: Buffer,
  table: string,
  lineOf: (serverLine: number) => number,
): CopyMessage {
  const fields = decodeErrorFields(frame, 0, frame.length);
  const context = fields.get('W') ?? '';
  const beginning = `COPY ${table}, `;
  const lines = context.split('\n');
  const index = lines.findIndex((line) => line.startsWith(beginning));
  const match = /^\D*(\d+)/.exec((lines[index] ?? '').slice(beginning.length));
  if (match === null) return { frame, line: null };
  const line = lineOf(Number(match[1]));
  const end = beginning.length + match[0].length;
  lines[index] = withNumber((lines[index] ?? '').slice(0, end), line) + lines[index]?.slice(end);
  const changed = new Map(fields).set('W', lines.join('\n'));
  return { frame: encodeErrorFields(BackendCode.errorResponse, changed), line };
}

/** In messages that count the fields of a row or of its HEADER (22P04) without so many of them. */
export function withFewerFields(frame: Buffer, fields: number): Buffer {
  const told = decodeErrorFields(frame, 0, frame.length);
  if (fields === 0 || told.get('C') !== SqlState.badCopyFileFormat) return frame;
  const message = (told.get('M') ?? '').replace(/"(?:[^"]|"")*"|\d+/g, (part) =>
    part.startsWith('"') ? part : String(Number(part) - fields),
  );
  return encodeErrorFields(BackendCode.errorResponse, new Map(told).set('M', message));
}

/**
 * The NOTICE that tells of one row left out: it speaks of its line in the message itself. `context` is
 * what the context of an error in that row says behind the line; null: it is another notice.
 */
export function skippedRow(
  fields: ErrorFields,
  lineOf: (serverLine: number) => number,
): { readonly frame: Buffer; readonly line: number; readonly context: string } | null {
  const message = fields.get('M') ?? '';
  const match = /^\D*\b(\d+)/.exec(message);
  if (match === null || fields.get('W') === undefined) return null;
  const line = lineOf(Number(match[1]));
  const end = match[0].length;
  const text = withNumber(message.slice(0, end), line) + message.slice(end);
  const [, column, value] = /^ for column "(.*?)": (.*)$/s.exec(message.slice(end)) ?? [];
  const context = column === undefined ? '' : `, column ${column}: ${value}`;
  const frame = encodeErrorFields(BackendCode.noticeResponse, new Map(fields).set('M', text));
  return { frame, line, context };
}

/** `n rows were skipped due to data type incompatibility`, at the end of a server's COPY. */
export function skippedRows(fields: ErrorFields): number | null {
  const match = /^(\d+) rows? w(?:as|ere) skipped\b/.exec(fields.get('M') ?? '');
  return match === null ? null : Number(match[1]);
}

/** The text ends in digits. */
function withNumber(text: string, number: number): string {
  return text.replace(/\d+$/, String(number));
}
