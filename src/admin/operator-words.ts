/** A command that changes the roles of servers, as the operator wrote it, names without quotes. */
export type OperatorWords = {
  readonly kind: 'failover' | 'switchover' | 'pause' | 'resume' | 'rejoin';
  /** Of a shard; for `rejoin` of a node. */
  readonly name: string;
  /** TO node. */
  readonly to: string | null;
  /** ALLOW DATA LOSS. */
  readonly allowDataLoss: boolean;
  /** WITH DRY RUN. */
  readonly dryRun: boolean;
};

export const operatorKinds = ['failover', 'switchover', 'pause', 'resume', 'rejoin'] as const;

/** The words behind the first one; a text says what is wrong with them. */
export function readOperatorWords(
  kind: OperatorWords['kind'],
  words: readonly string[],
): OperatorWords | string {
  const what = kind === 'rejoin' ? 'node' : 'shard';
  const named = words[0]?.toLowerCase() === what && words.length > 1 ? words.slice(1) : words;
  const [name, ...options] = named;
  if (name === undefined) return `${kind.toUpperCase()} needs the name of a ${what}`;
  let to: string | null = null;
  let allowDataLoss = false;
  let dryRun = false;
  let rest = options;
  for (;;) {
    const phrase = (count: number) => rest.slice(0, count).join(' ').toLowerCase();
    if (phrase(3) === 'with dry run') {
      dryRun = true;
      rest = rest.slice(3);
    } else if (kind === 'failover' && phrase(3) === 'allow data loss') {
      allowDataLoss = true;
      rest = rest.slice(3);
    } else if ((kind === 'failover' || kind === 'switchover') && phrase(1) === 'to') {
      const [, node, ...more] = rest;
      if (node === undefined) return 'TO needs the name of a node';
      to = unquoted(node);
      rest = more;
    } else break;
  }
  const [word] = rest;
  if (word === ';') return 'the admin console takes one command at a time';
  if (word !== undefined) return `unexpected "${word}" at the end of the command`;
  return { kind, name: unquoted(name), to, allowDataLoss, dryRun };
}

export function unquoted(word: string): string {
  const quote = word[0];
  if (word.length < 2 || (quote !== '"' && quote !== "'") || !word.endsWith(quote)) return word;
  return word.slice(1, -1).replaceAll(quote + quote, quote);
}
