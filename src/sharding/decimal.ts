/** Decimal digits that a numeric key value may have on either side of the point: more is refused. */
const groupsMax = 64;

/**
 * The decimal text of a `numeric` in binary format: counts of base-10000 groups, the weight of the
 * first, a sign and the display scale, 16 bits each, then the groups (numeric_send). null for NaN,
 * infinities, malformed bytes and numbers far beyond any integer.
 */
export function decimalFromBinary(bytes: Buffer): string | null {
  if (bytes.length < 8) return null;
  const count = bytes.readUInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const sign = bytes.readUInt16BE(4);
  if (bytes.length !== 8 + 2 * count || (sign !== 0 && sign !== 0x4000)) return null;
  if (count > groupsMax || Math.abs(weight) > groupsMax) return null;
  let digits = '';
  for (let group = 0; group < count; group++) {
    digits += String(bytes.readUInt16BE(8 + 2 * group)).padStart(4, '0');
  }
  // d1 d2 ... times 10000^(weight - count + 1)
  const exponent = 4 * (weight - count + 1);
  return `${sign === 0 ? '' : '-'}${digits === '' ? '0' : digits}e${exponent}`;
}
