/** What a client cannot do through pgweave as on one PostgreSQL, and why. */
export type KnownDifference = {
  readonly client: string;
  readonly thing: string;
  readonly reason: string;
};

const currval = 'the id of the last insert is asked with currval(): use RETURNING';
const dump = 'the rows of a sharded table lie on several servers: dump each of them';

export const knownDifferences: readonly KnownDifference[] = [
  {
    client: 'asyncpg',
    thing: 'move',
    reason: 'a portal over several shards is read with Execute, not with FETCH and MOVE',
  },
  ...['dbd-pg', 'php-pdo'].map((client) => ({ client, thing: 'migration', reason: currval })),
  ...['dump of the schema', 'dump of rows'].map((thing) => ({
    client: 'pg_dump',
    thing,
    reason: dump,
  })),
];
