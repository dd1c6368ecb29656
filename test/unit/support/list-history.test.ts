import { describe, expect, it } from 'vitest';
import { type ListStep, listFindings } from '../../chaos/list-history.ts';

const committed = (...steps: ListStep[]) => ({ steps, outcome: 'committed' }) as const;
const append = (key: number, value: number): ListStep => ({ kind: 'append', key, value });
const read = (key: number, ...values: number[]): ListStep => ({ kind: 'read', key, values });

describe('the check of a history of lists', () => {
  it('accepts transactions that have an order', () => {
    const history = [
      committed(append(1, 10), read(2)),
      committed(read(1, 10), append(2, 20)),
      committed(append(1, 11), read(1, 10, 11), read(2, 20)),
      { steps: [append(2, 21)], outcome: 'unknown' } as const,
      { steps: [append(2, 22)], outcome: 'denied' } as const,
    ];
    const final = new Map([
      [1, [10, 11]],
      [2, [20, 21]],
    ]);
    expect(listFindings(history, final)).toEqual([]);
  });

  it('sees two that have each missed what the other wrote', () => {
    const history = [committed(read(1), append(2, 20)), committed(read(2), append(1, 10))];
    const final = new Map([
      [1, [10]],
      [2, [20]],
    ]);
    expect(listFindings(history, final)).toEqual(['transactions are in no order']);
  });

  it.each([
    ['an append is lost', [committed(append(1, 10))], []],
    ['a value was appended twice', [committed(append(1, 10))], [10, 10]],
    [
      'somebody has read a list that never was',
      [committed(append(1, 10)), committed(append(1, 11)), committed(read(1, 11))],
      [10, 11],
    ],
    [
      'a denied transaction has appended a value',
      [{ steps: [append(1, 10)], outcome: 'denied' } as const],
      [10],
    ],
  ])('sees that %s', (finding, history, values) => {
    expect(listFindings(history, new Map([[1, values]]))).toContain(finding);
  });
});
