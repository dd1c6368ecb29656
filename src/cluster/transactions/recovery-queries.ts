import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ControlConnection } from '../control-connection.ts';
import { makeDecisionTableSql } from './decision-table.ts';
import { type GlobalId, globalIdPrefix, readGlobalId } from './global-id.ts';
import type { TransactionOutcome } from './transaction-outcome.ts';

/** A prepared transaction of this database. */
export type PreparedTransaction = {
  readonly id: GlobalId;
  /** null: the role was dropped. */
  readonly owner: string | null;
  /** By the clocks of the servers that have been its primary, so perhaps negative. */
  readonly ageMs: number;
};

export type Decision = { readonly outcome: TransactionOutcome; readonly decidedBy: string };

/** Those who may ask how their transaction ended do so within this time. */
const keptFor = "interval '30 s'";
const rowsMax = 10_000;

/** True when it had to be made. */
export async function makeDecisionTable(session: ControlConnection): Promise<boolean> {
  const [row] = await session.query<{ exists: boolean }>(
    "select to_regclass('pgweave.decision') is not null as exists",
  );
  if (row?.exists === true) return false;
  await session.execute(makeDecisionTableSql);
  return true;
}

export async function readPrepared(
  session: ControlConnection,
): Promise<readonly PreparedTransaction[]> {
  const rows = await session.query<{ gid: string; owner: string | null; age: number }>(
    `select gid, owner::text as owner,
        (extract(epoch from clock_timestamp() - prepared) * 1000)::float8 as age
      from pg_prepared_xacts
      where database = current_database() and starts_with(gid, $1)`,
    [globalIdPrefix],
  );
  return rows.flatMap(({ gid, owner, age }) => {
    const id = readGlobalId(gid);
    return id === null ? [] : [{ id, owner, ageMs: age }];
  });
}

/** What has been decided on this shard; see `confirm`. */
export async function readDecisions(
  session: ControlConnection,
  ids: readonly GlobalId[],
): Promise<ReadonlyMap<string, Decision>> {
  const rows = await session.query<{ id: string; outcome: string; role: string }>(
    `select id, outcome, decided_by::text as role from pgweave.decision where ${isAnyOf}`,
    [JSON.stringify(ids)],
  );
  return new Map(
    rows.map(({ id, outcome, role }) => [
      id,
      { outcome: outcome === 'commit' ? 'committed' : 'rolled-back', decidedBy: role },
    ]),
  );
}

/**
 * Decides against the transaction, unless somebody has decided already. `running`: the transaction
 * itself has inserted its row and not ended yet.
 */
export async function abandon(
  session: ControlConnection,
  id: GlobalId,
): Promise<'abandoned' | 'decided' | 'running'> {
  try {
    const rows = await session.query(
      `insert into pgweave.decision (id, outcome) values ($1, 'abort')
        on conflict (id) do nothing returning id`,
      [id],
    );
    return rows.length > 0 ? 'abandoned' : 'decided';
  } catch (error) {
    if (error instanceof PgError && error.sqlState === SqlState.lockNotAvailable) return 'running';
    throw error;
  }
}

/**
 * A commit of its own, which waits for the standbys as any other. Whatever this session has read
 * before is then as durable as an acknowledged commit: what a server shows may be a commit that was
 * replicated to nobody, after a crash or when its session was ended while it waited.
 */
export async function confirm(session: ControlConnection): Promise<void> {
  await session.query("select pg_logical_emit_message(true, 'pgweave', '')");
}

/** False when it is not prepared here any more. */
export async function endPrepared(
  session: ControlConnection,
  id: GlobalId,
  outcome: TransactionOutcome,
): Promise<boolean> {
  try {
    await session.execute(`${outcome === 'committed' ? 'commit' : 'rollback'} prepared '${id}'`);
    return true;
  } catch (error) {
    if (error instanceof PgError && error.sqlState === SqlState.undefinedObject) return false;
    throw error;
  }
}

/** Ends the session that is about to decide the transaction, unless it is committing now. */
export async function endDecider(session: ControlConnection, id: GlobalId): Promise<void> {
  await session.query(
    `select pg_terminate_backend(pid, 2000) from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%'
        and starts_with(query, 'INSERT INTO pgweave.decision') and position($1 in query) > 0`,
    [`'${id}'`],
  );
}

/** Transactions that were committed here a while ago. */
export async function readOldCommits(session: ControlConnection): Promise<readonly string[]> {
  const rows = await session.query<{ id: string }>(
    `select id from pgweave.decision
      where outcome = 'commit' and decided_at < clock_timestamp() - ${keptFor}
      order by decided_at limit ${rowsMax}`,
  );
  return rows.map(({ id }) => id);
}

export async function forgetCommits(
  session: ControlConnection,
  ids: readonly string[],
): Promise<void> {
  await session.query(`delete from pgweave.decision where ${isAnyOf}`, [JSON.stringify(ids)]);
}

/**
 * The row keeps the transaction from deciding for as long as it is open: it began before it was
 * abandoned. A session that hides when its transaction began keeps all rows.
 */
export async function forgetAbandoned(
  session: ControlConnection,
  keptForMs: number,
): Promise<void> {
  await session.query(
    `delete from pgweave.decision d
      where outcome = 'abort'
        and decided_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
        and not exists (
          select from pg_stat_activity
          where xact_start <= d.decided_at or query = '<insufficient privilege>')`,
    [keptForMs],
  );
}

const isAnyOf = 'id = any (array(select json_array_elements_text($1::json)))';
