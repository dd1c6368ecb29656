import { type GlobalId, readGlobalId } from '../cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import { unquoted } from './operator-words.ts';

/** RESOLVE id COMMIT|ROLLBACK. */
export type ResolveWords = { readonly id: GlobalId; readonly outcome: TransactionOutcome };

const outcomes: ReadonlyMap<string, TransactionOutcome> = new Map([
  ['commit', 'committed'],
  ['rollback', 'rolled-back'],
]);

/** The words behind RESOLVE; a text says what is wrong with them. */
export function readResolveWords(words: readonly string[]): ResolveWords | string {
  const [name, wish, extra] = words;
  if (name === undefined) return 'RESOLVE needs the id of a transaction';
  const id = readGlobalId(unquoted(name));
  if (id === null) return `"${unquoted(name)}" is not the id of a transaction over several shards`;
  const outcome = outcomes.get(wish?.toLowerCase() ?? '');
  if (outcome === undefined) return 'RESOLVE needs to know whether to COMMIT or to ROLLBACK';
  if (extra === ';') return 'the admin console takes one command at a time';
  if (extra !== undefined) return `unexpected "${extra}" at the end of the command`;
  return { id, outcome };
}
