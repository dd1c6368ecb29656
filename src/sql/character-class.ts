/** Character classes of PostgreSQL's scanner (scan.l), by UTF-16 code unit. */

const identifierStart = 1;
const identifierPart = 2;
const digit = 4;
const space = 8;

const classes = new Uint8Array(128);
for (let code = 0; code < 128; code += 1) classes[code] = classOf(String.fromCharCode(code));

function classOf(character: string): number {
  if (/[A-Za-z_]/.test(character)) return identifierStart | identifierPart;
  if (/[0-9]/.test(character)) return digit | identifierPart;
  if (character === '$') return identifierPart;
  return /[ \t\n\r\f\v]/.test(character) ? space : 0;
}

function has(code: number, mask: number): boolean {
  return ((classes[code] ?? 0) & mask) !== 0;
}

export const characterClass = {
  /** Every character beyond ASCII counts as a letter, as it does on a server. */
  isIdentifierStart: (code: number) => code >= 128 || has(code, identifierStart),
  isIdentifierPart: (code: number) => code >= 128 || has(code, identifierPart),
  isDigit: (code: number) => has(code, digit),
  isSpace: (code: number) => has(code, space),
} as const;
