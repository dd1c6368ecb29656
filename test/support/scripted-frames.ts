import { MessageWriter } from '../../src/protocol/message-writer.ts';
import { encodeRowDescription } from '../../src/protocol/row-description.ts';

/** One text column named `value`. */
export function madeUpDescription(): Buffer {
  return encodeRowDescription([
    {
      name: 'value',
      tableOid: 0,
      columnNumber: 0,
      typeOid: 25,
      typeSize: -1,
      typeModifier: -1,
      format: 0,
    },
  ]);
}

/** CopyInResponse (0x47) or CopyOutResponse (0x48) for one text column. */
export function copyFormat(code: number): Buffer {
  return new MessageWriter().begin(code).int8(0).int16(1).int16(0).end().take();
}
