import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { NodeAddress } from '../../config/config.ts';
import { type ControlConnection, controlApplicationName } from '../control-connection.ts';
import { fencedNames } from '../failover/fence.ts';
import { namesFor, type SynchronousSet, waitsForAllOf } from '../failover/synchronous-names.ts';
import { pause } from '../pause.ts';
import { startedAtSql } from '../started-at.ts';
import type { ReadySessions } from './ready-sessions.ts';
import { lockSettings, type SettingsTurn } from './settings-lock.ts';

export type NodeCommandsParts = { readonly sessions: ReadySessions } & SettingsTurn;

/** Reloading is asynchronous: after this long a changed setting counts in every backend. */
const reloadMs = 100;
const pollMs = 2;
const catchUpMs = 5000;
const drainMs = 1000;

/** What the machine has done to servers, apart from making one primary. All bounded in time. */
export class NodeCommands {
  readonly #parts: NodeCommandsParts;

  constructor(parts: NodeCommandsParts) {
    this.#parts = parts;
  }

  /** Resolves with the primary's start time: see TaskResult `armed`. */
  async arm(primary: NodeAddress, set: SynchronousSet): Promise<string> {
    return await this.#locked(primary, async (session) => {
      const names = await setting(session, 'synchronous_standby_names');
      if (!waitsForAllOf(names, set)) await setNames(session, namesFor(set));
      await pause(this.#parts.clock, reloadMs);
      const [sample] = await session.query<{ lsn: string; started_at: string }>(
        `select pg_current_wal_flush_lsn()::text as lsn, ${startedAtSql} as started_at`,
      );
      const { names: members } = set;
      await this.#until(`${members.join()} to confirm ${sample?.lsn}`, catchUpMs, async () => {
        const rows = await session.query<{ name: string }>(
          `select application_name as name from pg_stat_replication
            where flush_lsn >= $1::pg_lsn and state = 'streaming'
              and sync_state in ('sync', 'quorum', 'potential')`,
          [sample?.lsn ?? '0/0'],
        );
        return members.every((member) => rows.some(({ name }) => name === member));
      });
      return sample?.started_at ?? '';
    });
  }

  async disarm(primary: NodeAddress, names: string): Promise<void> {
    await this.#locked(primary, async (session) => {
      await setNames(session, names);
      await pause(this.#parts.clock, reloadMs);
    });
  }

  /** Best effort: whoever owns the server can undo it. */
  async fence(node: NodeAddress): Promise<void> {
    await this.#locked(node, async (session) => {
      await raiseFence(session);
      await terminateClients(session);
    });
  }

  /**
   * For a switchover. Lets running transactions end for a while, then makes the primary unable to
   * acknowledge anything, and waits until the candidate has all that it ever acknowledged.
   * `freezeOthers` never rejects.
   */
  async drain(
    primary: NodeAddress,
    candidate: NodeAddress,
    freezeOthers: () => Promise<unknown>,
  ): Promise<void> {
    await this.#locked(primary, async (session) => {
      await this.#untilIdle(session);
      const frozen = freezeOthers();
      await raiseFence(session);
      await this.#untilReloaded(primary);
      await frozen;
      await terminateClients(session);
      // Who is in a transaction could still commit behind the position that is sampled now. Who is idle
      // takes the fence before anything else, however long it lives on.
      await this.#until('the last transaction to end', drainMs, async () => {
        return (await clients(session, busy)).length === 0;
      });
      const [sample] = await session.query<{ lsn: string }>(
        'select pg_current_wal_flush_lsn()::text as lsn',
      );
      await this.#parts.sessions.borrow(candidate, async (standby) => {
        await this.#until(`${candidate.id} to replay ${sample?.lsn}`, catchUpMs, async () => {
          const [row] = await standby.query<{ replayed: boolean }>(
            'select pg_last_wal_replay_lsn() >= $1::pg_lsn as replayed',
            [sample?.lsn ?? '0/0'],
          );
          return row?.replayed === true;
        });
      });
    });
  }

  async #untilIdle(session: ControlConnection): Promise<void> {
    const { clock } = this.#parts;
    const deadline = clock.now() + drainMs;
    while (clock.now() < deadline) {
      if ((await clients(session, busy)).length === 0) return;
      await pause(clock, pollMs);
    }
  }

  /** A new session has what the postmaster has: from then on nobody is born without the fence. */
  async #untilReloaded(node: NodeAddress): Promise<void> {
    await this.#until(`${node.id} to reload its settings`, drainMs, () =>
      this.#parts.sessions.withNew(node, async (session) => {
        return (await setting(session, 'synchronous_standby_names')) === fencedNames;
      }),
    );
  }

  async #until(what: string, timeoutMs: number, reached: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#parts;
    const deadline = clock.now() + timeoutMs;
    while (!(await reached())) {
      if (clock.now() >= deadline) {
        throw new PgError(
          SqlState.objectNotInPrerequisiteState,
          `waited ${timeoutMs} ms for ${what}`,
        );
      }
      await pause(clock, pollMs);
    }
  }

  async #locked<Result>(
    node: NodeAddress,
    work: (session: ControlConnection) => Promise<Result>,
  ): Promise<Result> {
    return await this.#parts.sessions.with(node, async (session) => {
      await lockSettings(session, this.#parts);
      return await work(session);
    });
  }
}

/** ALTER SYSTEM takes no parameters. */
export async function setNames(session: ControlConnection, names: string): Promise<void> {
  await session.execute(
    `alter system set synchronous_standby_names = '${names.replaceAll("'", "''")}'`,
  );
  await session.execute('select pg_reload_conf()');
}

async function raiseFence(session: ControlConnection): Promise<void> {
  await session.execute('alter system set default_transaction_read_only = on');
  await setNames(session, fencedNames);
}

/** One that the activity says nothing of is busy as well. */
const busy = "and state is distinct from 'idle'";

/** Sessions that are not ours. */
async function clients(
  session: ControlConnection,
  condition: string,
): Promise<readonly { readonly pid: number }[]> {
  return await session.query<{ pid: number }>(
    `select pid from pg_stat_activity
      where backend_type = 'client backend' and application_name <> $1 ${condition} limit 1`,
    [controlApplicationName],
  );
}

/** Also ends commits that wait for a standby: without a tag, so nobody takes them for done. */
async function terminateClients(session: ControlConnection): Promise<void> {
  await session.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where backend_type = 'client backend' and application_name <> $1`,
    [controlApplicationName],
  );
}

export async function setting(session: ControlConnection, name: string): Promise<string> {
  const [row] = await session.query<{ value: string }>('select current_setting($1) as value', [
    name,
  ]);
  return row?.value ?? '';
}
