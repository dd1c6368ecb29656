import { describe, expect, it } from 'vitest';
import { ResultRows } from '../../../src/executor/intermediate/result-rows.ts';
import { TextArray } from '../../../src/executor/intermediate/text-array.ts';
import type { Row } from '../../../src/executor/merge/row.ts';
import type { Advance, RowSource } from '../../../src/executor/merge/row-source.ts';
import { InOrder } from '../../../src/executor/write/in-order.ts';
import { rowsByOwner, splitByKey } from '../../../src/executor/write/split-by-key.ts';
import { demoMap } from '../../support/demo-schema.ts';

/** Answers in turn; a row is known by its text. */
class Listed implements RowSource {
  readonly #answers: (string | null)[];
  row: Row = {} as Row;

  /** null: not yet. */
  constructor(answers: readonly (string | null)[]) {
    this.#answers = [...answers];
  }

  advance(): Advance {
    const answer = this.#answers.shift();
    if (answer === undefined) return 'end';
    if (answer === null) return 'pending';
    this.row = { text: answer } as unknown as Row;
    return 'row';
  }
}

function read(source: RowSource): string[] {
  const seen: string[] = [];
  for (let asked = 0; asked < 50; asked += 1) {
    const answer = source.advance();
    if (answer === 'end') break;
    seen.push(answer === 'row' ? (source.row as unknown as { text: string }).text : '...');
  }
  return seen;
}

describe('rows in the order of VALUES', () => {
  it('come one from the shard of each', () => {
    const source = new InOrder([new Listed(['a1', 'a2']), new Listed(['b1'])], [0, 1, 0]);
    expect(read(source)).toEqual(['a1', 'b1', 'a2']);
  });

  it('wait for the shard whose turn it is', () => {
    const source = new InOrder([new Listed(['a1', null, 'a2']), new Listed(['b1'])], [0, 0, 1]);
    expect(read(source)).toEqual(['a1', '...', 'a2', 'b1']);
  });

  it('may be fewer or more than listed', () => {
    const source = new InOrder([new Listed(['a1']), new Listed(['b1', 'b2'])], [0, 0, 1]);
    expect(read(source)).toEqual(['a1', 'b1', 'b2']);
  });
});

const textOid = 25;

function result(rows: readonly (readonly (string | null)[])[]) {
  const width = rows[0]?.length ?? 2;
  const arrays = Array.from({ length: width }, (_, column) => {
    const array = new TextArray();
    for (const row of rows) {
      const value = row[column] ?? null;
      const bytes = Buffer.alloc(4 + Buffer.byteLength(value ?? ''));
      bytes.writeInt32BE(value === null ? -1 : bytes.length - 4, 0);
      bytes.write(value ?? '', 4);
      array.add(bytes, 4, value === null ? -1 : bytes.length - 4);
    }
    return array.finish();
  });
  const column = {
    typeOid: textOid,
    typeName: 'text',
    castName: 'text',
    collation: null,
    inputFunction: null,
    isComposed: false,
  };
  return { columns: arrays.map(() => column), arrays };
}

function texts(rows: ResultRows, width: number) {
  return Array.from({ length: rows.count }, (_, row) =>
    Array.from({ length: width }, (__, column) => rows.value(row, column)?.toString() ?? null),
  );
}

describe('rows of a result', () => {
  const long = 'x'.repeat(3000);
  const rows = [
    ['kim', '1'],
    ['ann', null],
    ['lee', long],
    ['bob', ''],
  ] as const;

  it('are read value by value, also across the chunks that hold them', () => {
    expect(texts(new ResultRows(result(rows)), 2)).toEqual(rows);
    expect(new ResultRows(result([])).count).toBe(0);
  });

  it('go to the owners of their keys', () => {
    const customers = demoMap.distributions.get('customer');
    if (customers === undefined) throw new Error('no such distribution');
    const key = { kind: 'result', result: 0, column: 0 } as const;
    const parts = splitByKey([result(rows)], key, customers, null);
    expect(parts.map(({ shard }) => shard)).toEqual(['a_d', 'e_o']);
    const [first, second] = parts.map(({ results: [part] }) =>
      part === null || part === undefined ? [] : texts(new ResultRows(part), 2),
    );
    expect(first).toEqual([rows[1], rows[3]]);
    expect(second).toEqual([rows[0], rows[2]]);
  });

  it('must have a key', () => {
    const customers = demoMap.distributions.get('customer');
    if (customers === undefined) throw new Error('no such distribution');
    const nullKey = new ResultRows(
      result([
        ['kim', '1'],
        [null, '2'],
      ]),
    );
    expect(() => rowsByOwner(nullKey, 0, customers, null)).toThrow('must not be null');
  });
});
