import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

export type BindMessage = {
  /** Empty: the unnamed portal. */
  readonly portal: string;
  /** Empty: the unnamed statement. */
  readonly statement: string;
  /** One per value: 0 text, 1 binary. */
  readonly formats: readonly number[];
  /** Views into the frame. */
  readonly values: readonly (Buffer | null)[];
  /** None (all text), one for all columns, or one per column. */
  readonly resultFormats: readonly number[];
  /** A view of everything behind the two names, for sending it on under other names. */
  readonly tail: Buffer;
};

/** Throws PgError 08P01, 22021, 22023. */
export function decodeBind(bytes: Buffer, start: number, end: number): BindMessage {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const portal = cursor.string();
  const statement = cursor.string();
  const tail = bytes.subarray(cursor.offset, end);
  const sentFormats = readFormats(cursor);
  const count = cursor.uint16();
  const formats = formatPerValue(sentFormats, count);
  const values: (Buffer | null)[] = [];
  for (let index = 0; index < count; index++) {
    const length = cursor.int32();
    values.push(length === -1 ? null : cursor.view(length));
  }
  const resultFormats = readFormats(cursor);
  cursor.finish();
  return { portal, statement, formats, values, resultFormats, tail };
}

export function encodeBind(message: {
  readonly portal: string;
  readonly statement: string;
  readonly formats: readonly number[];
  readonly values: readonly (Buffer | string | null)[];
  readonly resultFormats: readonly number[];
}): Buffer {
  const writer = new MessageWriter();
  writer.begin(FrontendCode.bind).cString(message.portal).cString(message.statement);
  writeFormats(writer, message.formats);
  writer.int16(message.values.length);
  for (const value of message.values) writer.value(value);
  writeFormats(writer, message.resultFormats);
  return writer.end().take();
}

/** The beginning of a Bind up to its two names; `tail` follows it on the wire. */
export function encodeBindHead(
  names: { readonly portal: string; readonly statement: string },
  tail: Buffer,
): Buffer {
  const portalBytes = Buffer.byteLength(names.portal);
  const statementBytes = Buffer.byteLength(names.statement);
  const head = Buffer.allocUnsafe(7 + portalBytes + statementBytes);
  head[0] = FrontendCode.bind;
  head.writeInt32BE(head.length - 1 + tail.length, 1);
  head.write(names.portal, 5);
  head[5 + portalBytes] = 0;
  head.write(names.statement, 6 + portalBytes);
  head[head.length - 1] = 0;
  return head;
}

function readFormats(cursor: MessageCursor): readonly number[] {
  const count = cursor.uint16();
  if (count === 0) return noFormats;
  const formats: number[] = [];
  for (let index = 0; index < count; index++) formats.push(readFormat(cursor));
  return formats;
}

function readFormat(cursor: MessageCursor): number {
  const format = cursor.int16();
  if (format !== 0 && format !== 1) {
    throw new PgError(SqlState.invalidParameterValue, `unsupported format code: ${format}`);
  }
  return format;
}

function formatPerValue(sent: readonly number[], valueCount: number): readonly number[] {
  if (sent.length === valueCount) return sent;
  if (sent.length > 1) {
    throw new PgError(
      SqlState.protocolViolation,
      `bind message has ${sent.length} parameter formats but ${valueCount} parameters`,
    );
  }
  return new Array<number>(valueCount).fill(sent[0] ?? 0);
}

function writeFormats(writer: MessageWriter, formats: readonly number[]): void {
  writer.int16(formats.length);
  for (const format of formats) writer.int16(format);
}

const noFormats: readonly number[] = [];
