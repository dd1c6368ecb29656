import { FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

export type ParseMessage = {
  /** Empty: the unnamed statement. */
  readonly name: string;
  readonly sql: string;
  /** 0: unspecified. May be shorter than the parameters of the text. */
  readonly typeOids: readonly number[];
  /** A view of everything behind the name, for sending it on under another name. */
  readonly tail: Buffer;
};

/** Throws PgError 08P01, 22021. */
export function decodeParse(bytes: Buffer, start: number, end: number): ParseMessage {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const name = cursor.string();
  const tail = bytes.subarray(cursor.offset, end);
  const sql = cursor.string();
  const count = cursor.uint16();
  const typeOids: number[] = [];
  for (let index = 0; index < count; index++) typeOids.push(cursor.uint32());
  cursor.finish();
  return { name, sql, typeOids, tail };
}

export function encodeParse(message: {
  readonly name: string;
  readonly sql: string;
  readonly typeOids: readonly number[];
}): Buffer {
  const writer = new MessageWriter(message.sql.length + message.name.length + 64);
  writer.begin(FrontendCode.parse).cString(message.name).cString(message.sql);
  writer.int16(message.typeOids.length);
  for (const oid of message.typeOids) writer.int32(oid);
  return writer.end().take();
}

/** The beginning of a Parse up to the name; `tail` follows it on the wire. */
export function encodeParseHead(name: string, tail: Buffer): Buffer {
  const nameBytes = Buffer.byteLength(name);
  const head = Buffer.allocUnsafe(6 + nameBytes);
  head[0] = FrontendCode.parse;
  head.writeInt32BE(5 + nameBytes + tail.length, 1);
  head.write(name, 5);
  head[5 + nameBytes] = 0;
  return head;
}
