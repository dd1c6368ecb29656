/**
 * The elements of an array in text format with one dimension and no bounds, `{a,"b c",NULL}`
 * (manual, 8.15.6); null for others, and for what a server would refuse. Looks at each character once:
 * the text is the client's, and may be as long as a message.
 */
export function arrayElements(text: string): readonly (string | null)[] | null {
  const elements: (string | null)[] = [];
  let at = behindBlanks(text, 0);
  if (text[at] !== '{') return null;
  at = behindBlanks(text, at + 1);
  if (text[at] === '}') return isEnd(text, at) ? elements : null;
  for (;;) {
    const element = text[at] === '"' ? quotedElement(text, at) : plainElement(text, at);
    if (element === null) return null;
    elements.push(element.value);
    at = behindBlanks(text, element.end);
    if (text[at] === '}') return isEnd(text, at) ? elements : null;
    if (text[at] !== ',') return null;
    at = behindBlanks(text, at + 1);
  }
}

type Element = { readonly value: string | null; readonly end: number };

function quotedElement(text: string, open: number): Element | null {
  let value = '';
  let from = open + 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '"') return { value: value + text.slice(from, at), end: at + 1 };
    if (text[at] !== '\\') continue;
    value += text.slice(from, at);
    from = at + 1;
    at += 1;
  }
  return null;
}

/** Ends before its separator, and before the blanks in front of that. */
function plainElement(text: string, start: number): Element | null {
  let value = '';
  let from = start;
  let end = start;
  for (let at = start; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === ',' || letter === '}') return plainValue(text, { start, from, end, value });
    if (letter === '"' || letter === '{') return null;
    if (letter === '\\') {
      value += text.slice(from, at);
      from = at + 1;
      at += 1;
      end = at + 1;
    } else if (!isBlank(letter)) end = at + 1;
  }
  return null;
}

function plainValue(
  text: string,
  { start, from, end, value }: { start: number; from: number; end: number; value: string },
): Element | null {
  if (end === start) return null;
  const isEscaped = from > start;
  const isNull = !isEscaped && end - start === 4 && text.slice(start, end).toUpperCase() === 'NULL';
  return { value: isNull ? null : value + text.slice(from, end), end };
}

function behindBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charAt(at))) at += 1;
  return at;
}

function isEnd(text: string, brace: number): boolean {
  return behindBlanks(text, brace + 1) === text.length;
}

/** array_isspace: no blanks beyond ASCII. */
function isBlank(letter: string): boolean {
  return letter !== '' && ' \t\n\v\f\r'.includes(letter);
}
