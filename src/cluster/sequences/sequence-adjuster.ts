import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { ControlConnection, controlLogin } from '../control-connection.ts';
import { decideSql } from '../transactions/decision-table.ts';
import type { GlobalIds } from '../transactions/global-id.ts';
import { makeDecisionTable } from '../transactions/recovery-queries.ts';
import { adjustSequences } from './adjust-sequences.ts';

export type SequenceAdjusterParts = {
  readonly telemetry: Telemetry;
  readonly globalIds: GlobalIds;
  readonly primaryOf: (config: Config, shard: ShardId) => NodeAddress | null;
};

/** For a statement. Tables that are written all the time are waited for, but not for long. */
const timeoutMs = 5_000;
const settings = { lock_timeout: '1s' };

type Sessions = ReadonlyMap<ShardId, ControlConnection>;

/**
 * Adjusts the sequences of distributed tables whoever has made them, in a transaction over all
 * shards. It ends as one of a client does: by its decision row, and by recovery when this process or a
 * server is lost meanwhile.
 */
export class SequenceAdjuster {
  readonly #parts: SequenceAdjusterParts;
  #failing = false;

  constructor(parts: SequenceAdjusterParts) {
    this.#parts = parts;
  }

  /** Never rejects: what could not be adjusted is found again by the next look. */
  async adjust(config: Config): Promise<void> {
    const { telemetry } = this.#parts;
    const sessions = new Map<ShardId, ControlConnection>();
    try {
      await this.#open(config, sessions);
      const names = await adjustSequences(sessions, config.shardMap);
      if (names.length > 0) await this.#commit(sessions, config.shardMap.home);
      for (const sequence of names)
        telemetry.log('info', 'a sequence counts on all shards now', { sequence });
      this.#failing = false;
    } catch (error) {
      // Once per outage, not every few seconds.
      const message = 'sequences could not be adjusted, shards may give equal ids';
      if (!this.#failing) telemetry.log('warn', message, { error });
      this.#failing = true;
    } finally {
      // What was not committed is rolled back by its server.
      for (const session of sessions.values()) session.close();
    }
  }

  async #open(config: Config, sessions: Map<ShardId, ControlConnection>): Promise<void> {
    const { shardMap } = config;
    const login = controlLogin(config);
    await Promise.all(
      shardMap.shards.map(async (shard) => {
        const node = this.#parts.primaryOf(config, shard);
        if (node === null) {
          throw new PgError(SqlState.cannotConnectNow, `shard "${shard}" has no primary`);
        }
        const session = await ControlConnection.open({ node, login, timeoutMs, settings });
        sessions.set(shard, session);
        if (shard === shardMap.home) await makeDecisionTable(session);
        await session.execute('begin isolation level read committed read write');
      }),
    );
  }

  async #commit(sessions: Sessions, coordinator: ShardId): Promise<void> {
    const id = this.#parts.globalIds.mint(coordinator);
    const others = [...sessions].flatMap(([shard, session]) =>
      shard === coordinator ? [] : [session],
    );
    const decider = sessions.get(coordinator);
    assert(decider !== undefined, 'the home shard is one of the map');
    const prepared = await Promise.allSettled([
      decider.execute(decideSql(id)),
      ...others.map((session) => session.execute(`prepare transaction '${id}'`)),
    ]);
    const failed = prepared.find((each) => each.status === 'rejected');
    if (failed !== undefined) {
      await decider.execute('rollback');
      await Promise.allSettled(
        others.map((session) => session.execute(`rollback prepared '${id}'`)),
      );
      throw failed.reason;
    }
    await decider.execute('commit');
    await Promise.all(others.map((session) => session.execute(`commit prepared '${id}'`)));
  }
}
