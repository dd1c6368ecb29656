/**
 * `upper(x collate "C")`: only the letters a to z change, so byte positions stay and the prefix of a
 * folded text is the folded prefix. Returns `bytes` itself when there is nothing to fold.
 */
export function asciiUpper(bytes: Buffer): Buffer {
  const first = bytes.findIndex(isLower);
  if (first < 0) return bytes;
  const upper = Buffer.from(bytes);
  for (let at = first; at < upper.length; at++) {
    const byte = upper[at] ?? 0;
    if (isLower(byte)) upper[at] = byte - 0x20;
  }
  return upper;
}

function isLower(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
