import type { WireColumn, WireResult } from '../support/wire-client.ts';

type Row = WireResult['rows'][number];

const float8Oid = 701;
const relativeTolerance = 1e-9;
/** Of sums that cancel out. */
const absoluteTolerance = 1e-6;

/**
 * The rows; but where one differs from an expected one in nothing but the last digits of double precision,
 * the expected one. What floats add up to depends on the order, which is free.
 */
export function alignFloats(
  rows: readonly Row[],
  expected: readonly Row[],
  columns: readonly WireColumn[],
): readonly Row[] {
  if (!columns.some(({ typeOid }) => typeOid === float8Oid)) return rows;
  const text = (row: Row) => row.map((value) => value?.toString('hex') ?? '-').join();
  const left = new Map<string, Row[]>();
  for (const row of expected) {
    const key = text(row);
    const same = left.get(key);
    if (same === undefined) left.set(key, [row]);
    else same.push(row);
  }
  const isExact = rows.map((row) => left.get(text(row))?.pop() !== undefined);
  const missing = [...left.values()].flat();
  return rows.map((row, index) => {
    if (isExact[index]) return row;
    const found = missing.findIndex((candidate) => isNear(row, candidate, columns));
    const [near] = found < 0 ? [] : missing.splice(found, 1);
    return near ?? row;
  });
}

function isNear(row: Row, expected: Row, columns: readonly WireColumn[]): boolean {
  return columns.every(({ typeOid, format }, index) => {
    const value = row[index] ?? null;
    const wanted = expected[index] ?? null;
    if (value === null || wanted === null) return value === wanted;
    if (value.equals(wanted)) return true;
    if (typeOid !== float8Oid) return false;
    const [a, b] = [readFloat(value, format), readFloat(wanted, format)];
    const distance = Math.abs(a - b);
    return distance <= absoluteTolerance || distance <= relativeTolerance * Math.abs(b);
  });
}

function readFloat(value: Buffer, format: number): number {
  return format === 1 ? value.readDoubleBE(0) : Number(value.toString());
}
