import { FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** The SQL text of a Query frame. Throws PgError 08P01, 22021. */
export function decodeQuery(bytes: Buffer, start: number, end: number): string {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const sql = cursor.string();
  cursor.finish();
  return sql;
}

export function encodeQuery(sql: string): Buffer {
  // Sized for text of one byte per character, the usual case.
  return new MessageWriter(sql.length + 6).begin(FrontendCode.query).cString(sql).end().take();
}
