import { BackendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** One column of a result, field for field as in RowDescription. */
export type FieldDescription = {
  readonly name: string;
  /** 0 when the column is not a plain column of a table. */
  readonly tableOid: number;
  readonly columnNumber: number;
  readonly typeOid: number;
  /** Negative: variable width. */
  readonly typeSize: number;
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
};

/** Throws PgError 08P01. */
export function decodeRowDescription(
  bytes: Buffer,
  start: number,
  end: number,
): readonly FieldDescription[] {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const count = cursor.uint16();
  const fields: FieldDescription[] = [];
  for (let index = 0; index < count; index++) {
    fields.push({
      name: cursor.string(),
      tableOid: cursor.uint32(),
      columnNumber: cursor.int16(),
      typeOid: cursor.uint32(),
      typeSize: cursor.int16(),
      typeModifier: cursor.int32(),
      format: cursor.int16(),
    });
  }
  cursor.finish();
  return fields;
}

export function encodeRowDescription(fields: readonly FieldDescription[]): Buffer {
  const writer = new MessageWriter();
  writer.begin(BackendCode.rowDescription).int16(fields.length);
  for (const field of fields) {
    writer.cString(field.name).int32(field.tableOid).int16(field.columnNumber);
    writer.int32(field.typeOid).int16(field.typeSize).int32(field.typeModifier);
    writer.int16(field.format);
  }
  return writer.end().take();
}
