import { describe, expect, it } from 'vitest';
import { KeptRows } from '../../../src/executor/kept-rows.ts';
import { decodeTextRow, encodeDataRow } from '../../../src/protocol/data-row.ts';

function rowsOf(frames: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  for (let at = 0; at < frames.length; ) {
    const end = at + 1 + frames.readUInt32BE(at + 1);
    values.push(...decodeTextRow(frames, at, end));
    at = end;
  }
  return values;
}

function frames(...values: readonly string[]): Buffer {
  return Buffer.concat(values.map((value) => encodeDataRow([value])));
}

describe('rows that are kept', () => {
  it('are read again in both directions, across the pieces in which they came', () => {
    const kept = new KeptRows(1000);
    kept.add(frames('0', '1', '2'));
    kept.add(frames('3'));
    kept.add(frames('4', '5'));
    expect(kept.count).toBe(6);
    expect(rowsOf(kept.forward(0, 6))).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(rowsOf(kept.forward(2, 3))).toEqual(['2', '3', '4']);
    expect(rowsOf(kept.backward(1, 4))).toEqual(['4', '3', '2', '1']);
    expect(rowsOf(kept.backward(5, 1))).toEqual(['5']);
  });

  it('do not change with the bytes that they came in', () => {
    const kept = new KeptRows(1000);
    const bytes = frames('a');
    kept.add(bytes);
    bytes.fill(0);
    expect(rowsOf(kept.forward(0, 1))).toEqual(['a']);
  });

  it('are refused when they are too many', () => {
    const kept = new KeptRows(frames('a', 'b').length);
    kept.add(frames('a', 'b'));
    expect(() => kept.add(frames('c'))).toThrow('more than limits.gather_bytes_max');
  });
});
