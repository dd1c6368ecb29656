/** What a client cannot do through pgweave as on one PostgreSQL, and why. */
export type KnownDifference = {
  readonly client: string;
  readonly thing: string;
  readonly reason: string;
};

/** SQL-level DEALLOCATE of a statement that the protocol prepared. */
const deallocate = 'the driver closes its statements with DEALLOCATE, which is refused';
const currval = 'the id of the last insert is asked with currval(): use RETURNING';
const dump = 'pg_dump sets settings with names that it reads from pg_settings: dump the shards';

export const knownDifferences: readonly KnownDifference[] = [
  {
    client: 'asyncpg',
    thing: 'move',
    reason: 'a portal over several shards is read with Execute, not with FETCH and MOVE',
  },
  ...[
    ...['crud', 'types', 'nulls', 'own key', 'in list', 'page', 'transaction', 'batch', 'prepared'],
  ].map((thing) => ({ client: 'pyodbc', thing, reason: deallocate })),
  ...['savepoint', 'transaction', 'prepared', 'stream', 'errors', 'copy'].map((thing) => ({
    client: 'php-pdo',
    thing,
    reason: deallocate,
  })),
  ...['dbd-pg', 'php-pdo'].map((client) => ({ client, thing: 'migration', reason: currval })),
  ...['dump of a home table', 'dump of the schema', 'dump of rows'].map((thing) => ({
    client: 'pg_dump',
    thing,
    reason: dump,
  })),
];
