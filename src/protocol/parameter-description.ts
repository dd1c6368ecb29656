import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** The type OID of each parameter. Throws PgError 08P01. */
export function decodeParameterDescription(
  bytes: Buffer,
  start: number,
  end: number,
): readonly number[] {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const count = cursor.uint16();
  const typeOids: number[] = [];
  for (let index = 0; index < count; index++) typeOids.push(cursor.uint32());
  cursor.finish();
  return typeOids;
}

export function encodeParameterDescription(typeOids: readonly number[]): Buffer {
  const writer = new MessageWriter();
  writer.begin(BackendCode.parameterDescription).int16(typeOids.length);
  for (const oid of typeOids) writer.int32(oid);
  return writer.end().take();
}
