import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CompareValues } from './compare-values.ts';
import { numericHeaderBytes, numericSign } from './numeric.ts';

/**
 * Order of two numerics straight from their digits: -Infinity, finite values, Infinity, NaN (equal
 * to itself). Display scale does not count. No big integers: this runs for every row of a merge.
 */
export const compareNumeric: CompareValues = (
  left,
  leftStart,
  leftEnd,
  right,
  rightStart,
  rightEnd,
) => {
  const leftRank = rank(left, leftStart, leftEnd);
  const rightRank = rank(right, rightStart, rightEnd);
  if (leftRank !== rightRank) return leftRank < rightRank ? -1 : 1;
  const magnitude = leftRank === 1 || leftRank === -1;
  return magnitude ? leftRank * compareMagnitude(left, leftStart, right, rightStart) : 0;
};

/** -2 -Infinity, -1 negative, 0 zero, 1 positive, 2 Infinity, 3 NaN. */
function rank(bytes: Buffer, start: number, end: number): number {
  if (end - start < numericHeaderBytes) throw malformed();
  const digitCount = bytes.readUInt16BE(start);
  if (end - start !== numericHeaderBytes + 2 * digitCount) throw malformed();
  const sign = bytes.readUInt16BE(start + 4);
  switch (sign) {
    case numericSign.positive:
      return digitCount === 0 ? 0 : 1;
    case numericSign.negative:
      return digitCount === 0 ? 0 : -1;
    case numericSign.infinity:
      return 2;
    case numericSign.negativeInfinity:
      return -2;
    case numericSign.nan:
      return 3;
    default:
      throw malformed();
  }
}

/** numeric_send strips leading and trailing zero digits, so weight and digits decide. */
function compareMagnitude(left: Buffer, leftStart: number, right: Buffer, rightStart: number) {
  const leftWeight = left.readInt16BE(leftStart + 2);
  const rightWeight = right.readInt16BE(rightStart + 2);
  if (leftWeight !== rightWeight) return leftWeight < rightWeight ? -1 : 1;
  const leftDigits = leftStart + numericHeaderBytes;
  const rightDigits = rightStart + numericHeaderBytes;
  return left.compare(
    right,
    rightDigits,
    rightDigits + 2 * right.readUInt16BE(rightStart),
    leftDigits,
    leftDigits + 2 * left.readUInt16BE(leftStart),
  );
}

function malformed(): PgError {
  return new PgError(
    SqlState.invalidBinaryRepresentation,
    'invalid binary numeric received from a server',
  );
}
