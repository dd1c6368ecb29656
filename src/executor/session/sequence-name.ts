/** The parts of a name as SQL reads it: plain ones are folded to lower case. */
export function nameParts(text: string): readonly string[] {
  const parts = text.trim().matchAll(/"((?:[^"]|"")+)"|([^."\s]+)/g);
  return [...parts].map(([, quoted, plain = '']) =>
    quoted === undefined ? plain.toLowerCase() : quoted.replaceAll('""', '"'),
  );
}

/** One key for all spellings of a name that has its schema. */
export function sequenceName(text: string): string {
  return JSON.stringify(nameParts(text));
}
