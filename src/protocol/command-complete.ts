import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** The tag: `SELECT 3`, `INSERT 0 1`, `BEGIN`. Throws PgError 08P01. */
export function decodeCommandComplete(bytes: Buffer, start: number, end: number): string {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const tag = cursor.string();
  cursor.finish();
  return tag;
}

export function encodeCommandComplete(tag: string): Buffer {
  return new MessageWriter(tag.length + 6)
    .begin(BackendCode.commandComplete)
    .cString(tag)
    .end()
    .take();
}

/** The rows that a tag counts; 0 for a tag without a count. */
export function rowCountOfTag(tag: string): number {
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1));
  return Number.isSafeInteger(count) ? count : 0;
}
