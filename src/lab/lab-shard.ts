import { mkdir } from 'node:fs/promises';
import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { createDataDirectory, type DataDirectoryOptions } from './data-directory.ts';
import type { PostgresServer } from './postgres-server.ts';
import { runTogether } from './run-together.ts';
import { type Login, withSession } from './sql.ts';
import {
  cloneRunning,
  configurePrimary,
  configureStandby,
  copyStopped,
  isStandby,
  waitForStreaming,
} from './standby.ts';

/** One primary and, unless it stands alone, its streaming standbys. */
export class LabShard {
  readonly name: string;
  /** As first created; which one is primary later is for the servers to tell. */
  readonly primary: PostgresServer;
  readonly standbys: readonly PostgresServer[];

  constructor(name: string, [primary, ...standbys]: readonly PostgresServer[]) {
    assert(primary !== undefined, `shard ${name} has no server`);
    this.name = name;
    this.primary = primary;
    this.standbys = standbys;
  }

  /** The first one; null: there is none. */
  get standby(): PostgresServer | null {
    return this.standbys[0] ?? null;
  }

  get nodes(): readonly PostgresServer[] {
    return [this.primary, ...this.standbys];
  }

  /** Makes the data directories. A standby is a copy from before the primary's first start. */
  async create(options: DataDirectoryOptions): Promise<void> {
    const { primary, standbys } = this;
    await mkdir(primary.directory);
    await createDataDirectory(primary.directory, options);
    for (const standby of standbys) {
      await mkdir(standby.directory);
      await copyStopped(primary, standby);
    }
  }

  /** Writes who follows whom; the ports are settled by now. */
  async assignRoles(password: string | null): Promise<void> {
    const { primary, standbys } = this;
    await configurePrimary(primary, standbys);
    for (const standby of standbys) await configureStandby(standby, primary, password);
  }

  /** Starts all nodes in the roles that their data directories hold. */
  async start(signal?: AbortSignal): Promise<void> {
    await runTogether(this.nodes, (node, stop) => node.start(stop), signal);
  }

  /** Resolves when every node that is a standby streams from the node that is not. */
  async waitForReplication(login: Login, signal?: AbortSignal): Promise<void> {
    const roles = await Promise.all(this.nodes.map(isStandby));
    const primary = this.nodes[roles.indexOf(false)];
    const standbys = this.nodes.filter((_, index) => roles[index]);
    if (primary === undefined || standbys.length === roles.length) return;
    await Promise.all(standbys.map((standby) => waitForStreaming(primary, standby, login, signal)));
  }

  /**
   * Makes `node` a standby of the shard's current primary, whatever it was before: stopped, wiped,
   * cloned, started, streaming. What only it knew is lost.
   */
  async rebuild(node: PostgresServer, login: Login, signal: AbortSignal): Promise<void> {
    assert(this.nodes.includes(node), `${node.name} is not a node of ${this.name}`);
    const primary = await this.#primaryBeside(node, login);
    await node.stop('immediate');
    await cloneRunning(primary, node, login);
    await configureStandby(node, primary, login.password);
    await node.start(signal);
    await waitForStreaming(primary, node, login, signal);
  }

  /** Of several that take writes, an old primary among them, the one of the newest timeline. */
  async #primaryBeside(node: PostgresServer, login: Login): Promise<PostgresServer> {
    let newest: { readonly server: PostgresServer; readonly timeline: number } | null = null;
    for (const server of this.nodes) {
      if (server === node || server.pid === null) continue;
      const timeline = await timelineOf(server, login);
      if (timeline > (newest?.timeline ?? 0)) newest = { server, timeline };
    }
    if (newest !== null) return newest.server;
    throw new PgError(
      SqlState.objectNotInPrerequisiteState,
      `shard ${this.name} has no primary from which ${node.name} could be rebuilt`,
    );
  }
}

/** On which the server writes; 0: it is a standby. */
async function timelineOf(server: PostgresServer, login: Login): Promise<number> {
  const { rows } = await withSession(server, login, (session) =>
    session.query<{ timeline: number }>(
      `select case when pg_is_in_recovery() then 0
        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
        end as timeline`,
    ),
  );
  return rows[0]?.timeline ?? 0;
}
