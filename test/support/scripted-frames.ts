import { encodeDataRow } from '../../src/protocol/data-row.ts';
import { MessageWriter } from '../../src/protocol/message-writer.ts';
import { encodeRowDescription } from '../../src/protocol/row-description.ts';

/** Text columns: `value`, and one for each that pgweave adds to the statement. */
export function madeUpDescription(sql: string): Buffer {
  return encodeRowDescription(
    madeUpColumns(sql).map((name) => ({
      name,
      tableOid: 0,
      columnNumber: 0,
      typeOid: 25,
      typeSize: -1,
      typeModifier: -1,
      format: 0,
    })),
  );
}

/** The same text in each column. */
export function madeUpRow(sql: string, text: string): Buffer {
  return encodeDataRow(madeUpColumns(sql).map(() => text));
}

function madeUpColumns(sql: string): readonly string[] {
  return ['value', ...[...sql.matchAll(/AS (__pgweave_\d+)/g)].map(([, name = '']) => name)];
}

/** CopyInResponse (0x47) or CopyOutResponse (0x48) for one text column. */
export function copyFormat(code: number): Buffer {
  return new MessageWriter().begin(code).int8(0).int16(1).int16(0).end().take();
}

export function copyRow(text: string): Buffer {
  return new MessageWriter().begin(0x64).text(text).end().take();
}

/** What answers with a tag alone, by its first word. */
export const tags: { readonly [word: string]: string } = {
  insert: 'INSERT 0 1',
  update: 'UPDATE 1',
  delete: 'DELETE 1',
  savepoint: 'SAVEPOINT',
  release: 'RELEASE',
  create: 'CREATE TABLE',
  move: 'MOVE 1',
};
