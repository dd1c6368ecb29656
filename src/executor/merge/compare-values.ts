/**
 * Compares two values in binary format, `left[leftStart, leftEnd)` with `right[rightStart,
 * rightEnd)`, as the type's default operator class does: negative, zero or positive.
 */
export type CompareValues = (
  left: Buffer,
  leftStart: number,
  leftEnd: number,
  right: Buffer,
  rightStart: number,
  rightEnd: number,
) => number;
