import { PgError } from '../base/pg-error.ts';
import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** The fields of an ErrorResponse or NoticeResponse by their one-letter code: `M` is the message. */
export type ErrorFields = ReadonlyMap<string, string>;

export function encodeErrorResponse(error: PgError): Buffer {
  const fields: [string, string | undefined][] = [
    ['S', error.severity],
    ['V', error.severity],
    ['C', error.sqlState],
    ['M', error.message],
    ['D', error.detail],
    ['H', error.hint],
    ['P', error.position?.toString()],
    ['W', error.context],
    ['R', error.routine],
  ];
  return encodeFields(BackendCode.errorResponse, fields);
}

export type Notice = {
  readonly severity: 'WARNING' | 'NOTICE' | 'INFO' | 'LOG' | 'DEBUG';
  readonly sqlState: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
};

export function encodeNoticeResponse(notice: Notice): Buffer {
  return encodeFields(BackendCode.noticeResponse, [
    ['S', notice.severity],
    ['V', notice.severity],
    ['C', notice.sqlState],
    ['M', notice.message],
    ['D', notice.detail],
    ['H', notice.hint],
  ]);
}

/** An ErrorResponse or NoticeResponse, as `code` says, with these fields. */
export function encodeErrorFields(
  code: typeof BackendCode.errorResponse | typeof BackendCode.noticeResponse,
  fields: ErrorFields,
): Buffer {
  return encodeFields(code, [...fields]);
}

/** Throws PgError 08P01. */
export function decodeErrorFields(bytes: Buffer, start: number, end: number): ErrorFields {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const fields = new Map<string, string>();
  for (let code = cursor.int8(); code !== 0; code = cursor.int8()) {
    fields.set(String.fromCharCode(code), lenientString(cursor));
  }
  cursor.finish();
  return fields;
}

/** A server's ErrorResponse as an error of ours. Throws PgError 08P01 when it is malformed. */
export function decodeErrorResponse(bytes: Buffer, start: number, end: number): PgError {
  const fields = decodeErrorFields(bytes, start, end);
  const position = Number.parseInt(fields.get('P') ?? '', 10);
  return new PgError(fields.get('C') ?? 'XX000', fields.get('M') ?? 'unknown error', {
    severity: isFatal(fields) ? 'FATAL' : 'ERROR',
    detail: fields.get('D'),
    hint: fields.get('H'),
    position: Number.isNaN(position) ? undefined : position,
  });
}

/** True for FATAL and PANIC: the server ends the connection. */
export function isFatal(fields: ErrorFields): boolean {
  // S is translated into the server's language, V is not, but servers before 9.6 do not send it.
  const severity = fields.get('V') ?? fields.get('S');
  return severity === 'FATAL' || severity === 'PANIC';
}

/** Before the login is finished the server's messages may be in any encoding. */
function lenientString(cursor: MessageCursor): string {
  const terminator = cursor.bytes.indexOf(0, cursor.offset);
  const length = terminator < 0 ? cursor.bytesLeft + 1 : terminator - cursor.offset;
  const text = cursor.view(length).toString('utf8');
  cursor.int8();
  return text;
}

function encodeFields(code: number, fields: readonly [string, string | undefined][]): Buffer {
  const writer = new MessageWriter().begin(code);
  for (const [letter, value] of fields) {
    if (value !== undefined) writer.int8(letter.charCodeAt(0)).cString(withoutNul(value));
  }
  return writer.int8(0).end().take();
}

/** An error must always be sendable, even one whose text quotes something odd. */
function withoutNul(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}
