// Stringprep for passwords (RFC 4013), as far as it changes the bytes that are hashed. Where it
// would refuse a password, PostgreSQL falls back to the password as it is, and so do we. The table
// of code points unassigned in Unicode 3.2 is left out: such characters (emoji, say) normalize to
// themselves, so that refusing and accepting give the same bytes.

const mappedToSpace = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
const mappedToNothing =
  /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;
const prohibited =
  /[\p{Cc}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\uffff\u{1d173}-\u{1d17a}\p{Co}\p{Cs}\ufdd0-\ufdef\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u{e0001}\u{e0020}-\u{e007f}]|\u0340|\u0341/u;
const rightToLeft =
  /[\u05be\u05c0\u05c3\u05d0-\u05f4\u061b-\u064a\u066d-\u06d5\u06e5\u06e6\u06fa-\u07b1\ufb1d-\ufdfc\ufe70-\ufefc]/u;
const leftToRight =
  /[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u02b8\u0370-\u0482\u048a-\u0556\u1100-\ud7a3]/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what ASCII means
const ascii = /^[\x00-\x7f]*$/;

export function saslPrep(password: string): string {
  if (ascii.test(password)) return password;
  const mapped = password.replace(mappedToSpace, ' ').replace(mappedToNothing, '');
  const normalized = mapped.normalize('NFKC');
  const refused =
    normalized === '' || prohibited.test(normalized) || !isProperlyDirected(normalized);
  return refused ? password : normalized;
}

/** RFC 3454, section 6: right-to-left text has no left-to-right letter and encloses itself. */
function isProperlyDirected(text: string): boolean {
  if (!rightToLeft.test(text)) return true;
  if (leftToRight.test(text)) return false;
  return rightToLeft.test(text.slice(0, 1)) && rightToLeft.test(text.slice(-1));
}
