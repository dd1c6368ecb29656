/** What a keyword means to the lexer; `none` for every other identifier. */
export type LexerWord =
  | 'none'
  | 'by'
  | 'order'
  | 'group'
  | 'distinct'
  | 'on'
  | 'clause'
  | 'type'
  | 'begin'
  | 'atomic'
  | 'case'
  | 'end';

const meanings: { readonly [Meaning in Exclude<LexerWord, 'none'>]: string } = {
  by: 'by',
  order: 'order',
  group: 'group',
  distinct: 'distinct',
  on: 'on',
  // Words that end a list of sort or grouping keys.
  clause: 'limit offset fetch for having window union intersect except',
  // Words whose numbers in parentheses are part of a type.
  type:
    'bit bpchar char character dec decimal float interval nchar numeric second time timestamp ' +
    'timestamptz timetz varchar varying',
  begin: 'begin',
  atomic: 'atomic',
  case: 'case',
  end: 'end',
};

/** Statements whose literals may be cut out; everything else is kept as it stands. */
const cutStatements = ['select', 'insert', 'update', 'delete', 'with', 'values', 'table', 'merge'];

type Entry = { readonly codes: readonly number[]; readonly meaning: LexerWord };

const lengthMax = 16;
/** By length and first letter: nearly every identifier finds an empty place. */
const entries: (Entry[] | undefined)[] = new Array(lengthMax * 32);
for (const [meaning, words] of Object.entries(meanings)) {
  for (const word of words.split(' ')) {
    const codes = [...word].map((letter) => letter.charCodeAt(0));
    const place = word.length * 32 + (word.charCodeAt(0) & 31);
    const list = entries[place] ?? [];
    list.push({ codes, meaning: meaning as LexerWord });
    entries[place] = list;
  }
}

/** The unquoted identifier at `[start, end)`, in any case. */
export function lexerWord(text: string, start: number, end: number): LexerWord {
  const length = end - start;
  if (length >= lengthMax) return 'none';
  const list = entries[length * 32 + (text.charCodeAt(start) & 31)];
  if (list === undefined) return 'none';
  for (const entry of list) {
    if (matches(text, start, entry.codes)) return entry.meaning;
  }
  return 'none';
}

function matches(text: string, start: number, codes: readonly number[]): boolean {
  for (let index = 0; index < codes.length; index += 1) {
    if ((text.charCodeAt(start + index) | 0x20) !== codes[index]) return false;
  }
  return true;
}

export function isCutStatement(firstWord: string): boolean {
  return cutStatements.includes(firstWord.toLowerCase());
}
