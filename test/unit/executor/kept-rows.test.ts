import { describe, expect, it } from 'vitest';
import {
  KeptRows,
  type KeptRowsLimit,
  KeptRowsRoom,
} from '../../../src/executor/cursors/kept-rows.ts';
import { decodeTextRow, encodeDataRow } from '../../../src/protocol/data-row.ts';

function rowsOf(pieces: Iterable<Buffer>): (string | null)[] {
  const frames = Buffer.concat([...pieces]);
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

function limit(bytesMax: number): KeptRowsLimit {
  const option = 'limits.gather_bytes_max';
  return { bytesMax, option, why: 'a test', instead: 'Do not test it' };
}

function keptUpTo(bytesMax: number, room = new KeptRowsRoom()): KeptRows {
  return new KeptRows(room, limit(bytesMax));
}

describe('rows that are kept', () => {
  it('are read again in both directions, across the pieces in which they came', () => {
    const kept = keptUpTo(1000);
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
    const kept = keptUpTo(1000);
    const bytes = frames('a');
    kept.add(bytes);
    bytes.fill(0);
    expect(rowsOf(kept.forward(0, 1))).toEqual(['a']);
  });

  it('are refused when they are too many', () => {
    const kept = keptUpTo(frames('a', 'b').length);
    kept.add(frames('a', 'b'));
    expect(() => kept.add(frames('c'))).toThrow(
      'the rows kept for a test need more than limits.gather_bytes_max (24 bytes)',
    );
    expect(rowsOf(kept.forward(0, 9))).toEqual(['a', 'b']);
  });

  it('are counted together, until they are let go', () => {
    const room = new KeptRowsRoom();
    const [one, other] = [keptUpTo(40, room), keptUpTo(40, room)];
    one.add(frames('a', 'b'));
    expect(() => other.add(frames('c', 'd'))).toThrow('limits.gather_bytes_max');
    expect(() => one.keepUnder(limit(23))).toThrow('limits.gather_bytes_max');
    one.clear();
    one.clear();
    expect(room.bytes).toBe(0);
    other.add(frames('c', 'd', 'e'));
  });
});
