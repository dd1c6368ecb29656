/** What a client cannot do through pgweave as on one PostgreSQL, and why. */
export type KnownDifference = {
  readonly client: string;
  readonly thing: string;
  readonly reason: string;
};

const dump = 'there is no snapshot across shards: dump the rows of each server';

export const knownDifferences: readonly KnownDifference[] = [
  { client: 'pg_dump', thing: 'dump of rows', reason: dump },
];
