/**
 * PostgreSQL's own hash functions with seed 0, so that a DBA can compute on a server what the proxy
 * computes: `hashtextextended(x collate "C", 0)`, `hashint8extended(x, 0)` and their kin. The bytes
 * are mixed by Bob Jenkins' lookup3 in its little-endian form (src/common/hashfn.c).
 *
 * 64 bits do not fit a number and bigints are slow here, so a hash is two 32-bit halves.
 */
export type Hash64 = {
  /** Upper half, signed: PostgreSQL shows hashes as signed 64-bit integers. */
  high: number;
  /** Lower half, 0 to 2^32 - 1. */
  low: number;
};

/**
 * hash_bytes_extended: of text, varchar, bytea (their bytes), uuid (16 bytes) and bpchar (without
 * trailing blanks). Writes into `out`: one statement must not cost an allocation.
 */
export function hashBytes(bytes: Uint8Array, out: Hash64): void {
  let a = (0x9e3779b9 + bytes.length + 3923095) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (; bytes.length - at >= 12; at += 12) {
    a = (a + word(bytes, at)) | 0;
    b = (b + word(bytes, at + 4)) | 0;
    c = (c + word(bytes, at + 8)) | 0;
    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
  }
  // Bytes beyond the end read as 0. The lowest byte of c belongs to the length: hence the shift.
  a = (a + word(bytes, at)) | 0;
  b = (b + word(bytes, at + 4)) | 0;
  c = (c + (word(bytes, at + 8) << 8)) | 0;
  finish(a, b, c, out);
}

/**
 * hashint8extended, which equals hashint4extended and hashint2extended for values that fit them:
 * the upper half is folded into the lower one so that all integer types agree. Also the hash of
 * dates (as days) and timestamps (as microseconds). `value` must fit 64 bits, signed.
 */
export function hashInteger(value: bigint, out: Hash64): void {
  const approximate = Number(value);
  let high: number;
  let low: number;
  if (Number.isSafeInteger(approximate)) {
    high = Math.floor(approximate / 0x1_0000_0000) | 0;
    low = approximate | 0;
  } else {
    high = Number(BigInt.asIntN(32, value >> 32n));
    low = Number(BigInt.asIntN(32, value));
  }
  const start = (0x9e3779b9 + 4 + 3923095) | 0;
  finish((start + (low ^ (high < 0 ? ~high : high))) | 0, start, start, out);
}

/** The hash as `select hash...extended(...)` shows it. */
export function hashToBigInt(hash: Hash64): bigint {
  return (BigInt(hash.high) << 32n) | BigInt(hash.low);
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finish(a: number, b: number, c: number, out: Hash64): void {
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  out.high = b;
  out.low = c >>> 0;
}
