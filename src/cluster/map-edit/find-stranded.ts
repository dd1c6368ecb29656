import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { MapOutline } from '../../sharding/map-outline.ts';
import { quoteLiteral } from '../../sharding/placement-sql.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { ControlConnection, controlLogin } from '../control-connection.ts';
import { type RowCheck, rowChecks } from './row-checks.ts';

/** Rows on a shard where nobody would look for them any more. */
export type StrandedRows = {
  /** `schema.table`. */
  readonly table: string;
  readonly shard: ShardId;
  readonly rows: number;
  /** Why, for an operator to read. */
  readonly because: string;
};

export type MapEdit = {
  readonly before: MapOutline;
  readonly after: MapOutline;
  readonly config: Pick<Config, 'database' | 'controlUser' | 'serverEncryption'>;
  /** The primary of a shard of either map; rejects with PgError when there is none to ask. */
  nodeOf(shard: ShardId): Promise<NodeAddress>;
};

/** For one table of one shard: all its rows are read. */
const statementTimeoutMs = 60 * 60 * 1000;
/** Who alters a table is waited for; row level security must not hide rows. */
const settings = { lock_timeout: '5s', row_security: 'off' };

/**
 * Counts the rows that the edit would strand. Reads all rows of the tables whose rows it would look for
 * elsewhere, and none when there are no such tables. Rejects with PgError when a server cannot be asked.
 */
export async function findStranded(edit: MapEdit): Promise<readonly StrandedRows[]> {
  const checks = rowChecks(edit.before, edit.after);
  const shards = [...new Set(checks.flatMap((check) => check.shards))];
  const connections = new Map<ShardId, ControlConnection>();
  try {
    for (const shard of shards) {
      const node = await edit.nodeOf(shard);
      const login = controlLogin(edit.config);
      const options = { node, login, settings, timeoutMs: statementTimeoutMs };
      connections.set(shard, await ControlConnection.open(options));
    }
    const ask = new Question(connections);
    const found: StrandedRows[] = [];
    for (const check of checks) found.push(...(await ask.about(check)));
    return found;
  } finally {
    for (const connection of connections.values()) connection.close();
  }
}

type Content = { readonly rows: number; readonly sum: string };

class Question {
  readonly #connections: ReadonlyMap<ShardId, ControlConnection>;

  constructor(connections: ReadonlyMap<ShardId, ControlConnection>) {
    this.#connections = connections;
  }

  async about(check: RowCheck): Promise<readonly StrandedRows[]> {
    switch (check.kind) {
      case 'owned':
        return await this.#onAll(check.shards, check.table, (shard, sql) =>
          this.#notOwned(shard, check.table, sql, check.ownerSql),
        );
      case 'empty':
        return await this.#onAll(check.shards, check.table, async (shard, sql) => {
          const { rows } = await this.#content(shard, sql);
          const because = `the table would not be looked for on ${shard}`;
          return rows === 0 ? [] : [{ table: check.table, shard, rows, because }];
        });
      case 'same':
        return await this.#copies(check.table, check.shards);
      case 'home':
        return await this.#newHome(check.listed, check.shards);
      default:
        return unreachable(check);
    }
  }

  /** Of the shards that have the table. */
  async #onAll(
    shards: readonly ShardId[],
    table: string,
    each: (shard: ShardId, sql: string) => Promise<readonly StrandedRows[]>,
  ): Promise<readonly StrandedRows[]> {
    const sql = quotedName(table);
    const found = await Promise.all(
      shards.map(async (shard) => ((await this.#has(shard, sql)) ? await each(shard, sql) : [])),
    );
    return found.flat();
  }

  async #notOwned(
    shard: ShardId,
    table: string,
    sql: string,
    ownerSql: string,
  ): Promise<readonly StrandedRows[]> {
    const answer = await this.#of(shard).query<{ owner: string | null; rows: string }>(
      `select (${ownerSql})::text as owner, count(*)::text as rows from ${sql}
       where (${ownerSql}) is distinct from ${quoteLiteral(shard)} group by 1 order by 1`,
    );
    return answer.map(({ owner, rows }) => {
      const because = owner === null ? 'no shard owns them' : `${owner} owns them`;
      return { table, shard, rows: Number(rows), because };
    });
  }

  async #copies(table: string, shards: readonly ShardId[]): Promise<readonly StrandedRows[]> {
    const sql = quotedName(table);
    const contents = await Promise.all(
      shards.map(async (shard) =>
        (await this.#has(shard, sql)) ? await this.#content(shard, sql) : { rows: 0, sum: '0' },
      ),
    );
    const [first] = shards;
    const [content] = contents;
    return shards.flatMap((shard, index) => {
      const other = contents[index];
      if (content === undefined || other === undefined || isEqual(content, other)) return [];
      return [{ table, shard, rows: other.rows, because: `the copy is not that of ${first}` }];
    });
  }

  async #newHome(
    listed: readonly string[],
    [from, to]: readonly [ShardId, ShardId],
  ): Promise<readonly StrandedRows[]> {
    const names = await this.#of(from).query<{ name: string; sql: string }>(
      `select nspname || '.' || relname as name, format('%I.%I', nspname, relname) as sql
       from pg_class c join pg_namespace n on n.oid = relnamespace
       where relkind in ('r', 'p') and not relispartition and relpersistence <> 't'
         and nspname not in ('information_schema', 'pgweave') and nspname !~ '^pg_'
       order by 1`,
    );
    const found: StrandedRows[] = [];
    for (const { name, sql } of names.filter((each) => !listed.includes(each.name))) {
      const content = await this.#content(from, sql);
      if (content.rows === 0) continue;
      const isThere = (await this.#has(to, sql)) && isEqual(content, await this.#content(to, sql));
      const because = `the new home ${to} has not the same rows`;
      if (!isThere) found.push({ table: name, shard: from, rows: content.rows, because });
    }
    return found;
  }

  async #has(shard: ShardId, sql: string): Promise<boolean> {
    const question = 'select to_regclass($1) is not null as there';
    const [answer] = await this.#of(shard).query<{ there: boolean }>(question, [sql]);
    return answer?.there === true;
  }

  async #content(shard: ShardId, sql: string): Promise<Content> {
    const [answer] = await this.#of(shard).query<{ rows: string; sum: string }>(
      `select count(*)::text as rows,
         coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text as sum from ${sql} t`,
    );
    return { rows: Number(answer?.rows ?? 0), sum: answer?.sum ?? '0' };
  }

  #of(shard: ShardId): ControlConnection {
    const connection = this.#connections.get(shard);
    if (connection !== undefined) return connection;
    throw new PgError(SqlState.internalError, `shard ${shard} was not connected to`);
  }
}

function isEqual(one: Content, other: Content): boolean {
  return one.rows === other.rows && one.sum === other.sum;
}

/** Names of the map have no quotes, and one dot. */
function quotedName(table: string): string {
  const [schema = '', name = ''] = table.split('.');
  return `"${schema}"."${name}"`;
}
