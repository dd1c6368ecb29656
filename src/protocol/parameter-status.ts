import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

export type ParameterStatus = { readonly name: string; readonly value: string };

/** Throws PgError 08P01, 22021. */
export function decodeParameterStatus(bytes: Buffer, start: number, end: number): ParameterStatus {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const name = cursor.string();
  const value = cursor.string();
  cursor.finish();
  return { name, value };
}

export function encodeParameterStatus(name: string, value: string): Buffer {
  return new MessageWriter()
    .begin(BackendCode.parameterStatus)
    .cString(name)
    .cString(value)
    .end()
    .take();
}
