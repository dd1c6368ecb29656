/** A SQLSTATE to fail with; `forgets`: there is no transaction any more. */
export type Wish = 'dies' | 'hangs' | 'forgets' | { readonly fails: string };

/** What comments in the statements ask a ScriptedShard to do; see there. */
export class ScriptedDirectives {
  readonly shard: string;
  /** What the next statement of such words does. */
  at: { readonly words: string; readonly wish: Wish } | null = null;
  readonly #done = new Set<string>();

  constructor(shard: string) {
    this.shard = shard;
  }

  /** What is wished of the statement, once. */
  takeWish(sql: string): Wish | null {
    const [, words = ''] = /^\s*([a-z. ]*[a-z])/i.exec(sql) ?? [];
    if (this.at?.words !== words.toLowerCase()) return null;
    const { wish } = this.at;
    this.at = null;
    return wish;
  }

  /** The word behind the directive, '' without one; null when the statement does not have it. */
  find(sql: string, name: string): string | null {
    for (const [, words = ''] of sql.matchAll(/\/\*(.*?)\*\//g)) {
      const [, shard, wish = ''] = /^\s*(?:(\w+):)?\s*(.*?)\s*$/.exec(words) ?? [];
      if (shard !== undefined && shard !== this.shard) continue;
      const [verb, ...rest] = wish.split(' ');
      if (verb !== name) continue;
      if (rest.includes('once')) {
        if (this.#done.has(sql)) continue;
        this.#done.add(sql);
      }
      return rest[0] ?? '';
    }
    return null;
  }
}
