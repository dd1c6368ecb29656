/** What comments in the statements ask a ScriptedShard to do; see there. */
export class ScriptedDirectives {
  readonly shard: string;
  /** What the next COMMIT does. */
  atCommit: 'commit' | 'fail' | 'die' | 'hang' = 'commit';
  readonly #done = new Set<string>();

  constructor(shard: string) {
    this.shard = shard;
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
