/** What became of a transaction over several shards: on all of them the same. */
export type TransactionOutcome = 'committed' | 'rolled-back';
