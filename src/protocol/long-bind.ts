import { FrontendCode } from './message-code.ts';
import { MessageWriter } from './message-writer.ts';

/** A value too long to be copied into a message: its bytes in order, not to be changed any more. */
export type LongValue = { readonly parts: readonly Buffer[]; readonly byteLength: number };

/**
 * A Bind whose last values are long and in binary format. The message comes as pieces to be sent
 * one after the other; the long values' own buffers are among them, so one value can be on its way
 * to several servers and is in memory once.
 */
export function encodeLongBind(message: {
  readonly portal: string;
  readonly statement: string;
  /** One per value of `values`. */
  readonly formats: readonly number[];
  readonly values: readonly (Buffer | null)[];
  readonly longValues: readonly LongValue[];
  readonly resultFormats: readonly number[];
}): readonly Buffer[] {
  const { formats, values, longValues, resultFormats } = message;
  const valueCount = values.length + longValues.length;
  const head = new MessageWriter().cString(message.portal).cString(message.statement);
  head.int16(valueCount);
  for (const format of formats) head.int16(format);
  for (const _ of longValues) head.int16(1);
  head.int16(valueCount);
  for (const value of values) head.value(value);
  const body = [head.take()];
  for (const { byteLength, parts } of longValues) {
    body.push(new MessageWriter(4).int32(byteLength).take(), ...parts);
  }
  const tail = new MessageWriter().int16(resultFormats.length);
  for (const format of resultFormats) tail.int16(format);
  body.push(tail.take());
  const length = body.reduce((sum, piece) => sum + piece.length, 4);
  const start = new MessageWriter(5).int8(FrontendCode.bind).int32(length).take();
  return [start, ...body];
}
