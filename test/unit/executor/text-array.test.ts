import { describe, expect, it } from 'vitest';
import { CollectedRows } from '../../../src/executor/intermediate/collected-rows.ts';
import { GatherBudget } from '../../../src/executor/intermediate/gather-budget.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import type { LongValue } from '../../../src/protocol/long-bind.ts';

/** Reads what array_recv reads; null is no element at all. */
function elements({ parts, byteLength }: LongValue): (string | null)[] {
  const bytes = Buffer.concat(parts);
  expect(bytes.length).toBe(byteLength);
  expect(bytes.readInt32BE(8)).toBe(25);
  if (bytes.readInt32BE(0) === 0) {
    expect(bytes.length).toBe(12);
    return [];
  }
  const found: (string | null)[] = [];
  let offset = 20;
  for (let left = bytes.readInt32BE(12); left > 0; left--) {
    const length = bytes.readInt32BE(offset);
    offset += 4;
    found.push(length < 0 ? null : bytes.toString('utf8', offset, offset + length));
    offset += Math.max(0, length);
  }
  expect(offset).toBe(bytes.length);
  expect(bytes.readInt32BE(4)).toBe(found.includes(null) ? 1 : 0);
  return found;
}

const unbounded = () => new GatherBudget(Number.MAX_SAFE_INTEGER);

describe('rows that are collected', () => {
  it('become one array for each column, NULL and empty text apart', () => {
    const collected = new CollectedRows(['a', 'b'], [], unbounded());
    collected.add(Buffer.concat([encodeDataRow(['x', null]), encodeDataRow(['', 'ä'])]), 2);
    collected.add(encodeDataRow([null, 'z']), 1);
    expect([collected.rowCount, collected.bytes]).toEqual([3, 6 * 4 + 1 + 2 + 1]);
    expect(collected.finish().map(elements)).toEqual([
      ['x', '', null],
      [null, 'ä', 'z'],
    ]);
  });

  it('of no rows are empty arrays', () => {
    expect(new CollectedRows(['a'], [], unbounded()).finish().map(elements)).toEqual([[]]);
  });

  it('stay whole across the borders of the pieces that they are kept in', () => {
    const collected = new CollectedRows(['a'], [], unbounded());
    const values = Array.from({ length: 3000 }, (_, index) => `${index}`.repeat(index % 97));
    values.push('long'.repeat(200_000));
    for (const value of values) collected.add(encodeDataRow([value]), 1);
    const [array] = collected.finish();
    expect(array && elements(array)).toEqual(values);
    expect(array?.parts.length).toBeGreaterThan(4);
  });

  it('are refused when all results together have too many bytes', () => {
    const budget = new GatherBudget(20);
    const first = new CollectedRows(['a'], [], budget);
    const second = new CollectedRows(['b', 'c'], [], budget);
    first.add(encodeDataRow(['12345']), 1);
    second.add(encodeDataRow(['1', '23']), 1);
    expect(() => second.add(encodeDataRow([null, null]), 1)).toThrow(
      'need more than limits.gather_bytes_max (20 bytes)',
    );
  });

  it('of another width than planned are refused', () => {
    const collected = new CollectedRows(['a'], [], unbounded());
    expect(() => collected.add(encodeDataRow(['1', '2']), 1)).toThrow('number of columns');
  });
});
