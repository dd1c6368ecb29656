import { describe, expect, it } from 'vitest';
import { onePrimary } from '../../chaos/one-primary.ts';

const row = (id: number, startedMs: number, atMs: number) => ({ id, startedMs, atMs });
const origins = (...epochs: readonly (readonly [number, number])[]) =>
  new Map(epochs.map(([epoch, port], index) => [index, { epoch, port }]));

describe('the check that one server acknowledges at a time', () => {
  it('lets what overlaps have any order', () => {
    const rows = [row(0, 0, 10), row(1, 5, 20), row(2, 8, 30)];
    expect(onePrimary(rows, origins([1, 7], [2, 8], [1, 7]))).toEqual([]);
  });

  it('finds an old epoch that acknowledges after a newer one did', () => {
    const rows = [row(0, 0, 10), row(1, 11, 20), row(2, 21, 30)];
    expect(onePrimary(rows, origins([1, 7], [2, 8], [1, 7]))).toEqual([
      'epoch 1 acknowledged after epoch 2 did',
    ]);
  });

  it('finds two servers of one epoch', () => {
    expect(onePrimary([], origins([1, 7], [1, 8]))).toEqual(['epoch 1 has two servers, 7 and 8']);
  });
});
