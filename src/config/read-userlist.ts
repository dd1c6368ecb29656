/** A line of a userlist: who, and the password as it is written. */
export type UserlistEntry = { readonly name: string; readonly password: string };

export type Userlist = {
  readonly entries: readonly UserlistEntry[];
  /** Numbers of lines that are none of PgBouncer's, from 1. */
  readonly mistakes: readonly number[];
};

const lineFormat = /^\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"/;

/**
 * PgBouncer's userlist.txt: `"name" "password"` on each line, a quote is written twice, what follows
 * is ignored, and so are empty lines and those that begin with `;`. The last line for a name wins.
 */
export function readUserlist(text: string): Userlist {
  const entries = new Map<string, UserlistEntry>();
  const mistakes: number[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith(';')) continue;
    const match = lineFormat.exec(line);
    const [, name = '', password = ''] = match ?? [];
    if (name === '') mistakes.push(index + 1);
    else entries.set(unquote(name), { name: unquote(name), password: unquote(password) });
  }
  return { entries: [...entries.values()], mistakes };
}

function unquote(text: string): string {
  return text.replaceAll('""', '"');
}
