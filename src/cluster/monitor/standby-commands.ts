import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { NodeAddress } from '../../config/config.ts';
import { nowhere, pointedTo, readConninfo } from '../conninfo.ts';
import type { ControlConnection } from '../control-connection.ts';
import type { FrozenStandby } from '../failover/failover-event.ts';
import { pause } from '../pause.ts';
import { setting } from './node-commands.ts';
import { ProbeQuery } from './probe-query.ts';
import type { ReadySessions } from './ready-sessions.ts';
import { lockSettings, type SettingsTurn } from './settings-lock.ts';

export type StandbyCommandsParts = { readonly sessions: ReadySessions } & SettingsTurn;

const quietMs = 20;
/** A receiver that hangs in a connect ends within the timeout of its connection. */
const receiverEndMs = 2000;
/** How long the others are waited for once one has not answered. */
const revokeMs = 2500;

/** What is done to standbys: where they receive from. All bounded in time. */
export class StandbyCommands {
  readonly #parts: StandbyCommandsParts;

  constructor(parts: StandbyCommandsParts) {
    this.#parts = parts;
  }

  /** Those that receive nothing any more; the others did not answer in time. */
  async revoke(nodes: readonly NodeAddress[]): Promise<readonly FrozenStandby[]> {
    const frozen: FrozenStandby[] = [];
    const all = nodes.map(async (node) => {
      const standby = await this.#freeze(node).catch(() => null);
      if (standby !== null) frozen.push(standby);
    });
    await Promise.race([Promise.all(all), pause(this.#parts.clock, revokeMs)]);
    return [...frozen];
  }

  /** A slot that the standby uses is made on the primary first. */
  async repoint(node: NodeAddress, primary: NodeAddress): Promise<void> {
    const { sessions } = this.#parts;
    await sessions.with(node, async (session) => {
      const slot = await setting(session, 'primary_slot_name');
      if (slot !== '') await sessions.with(primary, (other) => makeSlot(other, slot));
      await lockSettings(session, this.#parts);
      await point(session, primary);
    });
  }

  async #freeze(node: NodeAddress): Promise<FrozenStandby> {
    const { clock, sessions } = this.#parts;
    return await sessions.with(node, async (session) => {
      await lockSettings(session, this.#parts);
      await point(session, nowhere);
      await this.#untilQuiet(session, node);
      const askedAt = clock.now();
      return { node: node.id, answer: await new ProbeQuery().ask(session), askedAt };
    });
  }

  /**
   * Twice in a row, since a receiver that was told of the old primary may be starting at this moment;
   * one that is pointed nowhere ends as soon as it has begun.
   */
  async #untilQuiet(session: ControlConnection, node: NodeAddress): Promise<void> {
    const { clock } = this.#parts;
    const deadline = clock.now() + receiverEndMs;
    for (let quiet = 0; quiet < 2; ) {
      if (clock.now() >= deadline) {
        throw new PgError(SqlState.objectNotInPrerequisiteState, `${node.id} goes on receiving`);
      }
      await pause(clock, quietMs);
      quiet = (await receives(session)) ? 0 : quiet + 1;
    }
  }
}

/** ALTER SYSTEM takes no parameters. Everything but the address stays as the operator wrote it. */
async function point(
  session: ControlConnection,
  address: { readonly host: string; readonly port: number },
): Promise<void> {
  const before = await setting(session, 'primary_conninfo');
  const options = readConninfo(before);
  if (options.get('host') === address.host && options.get('port') === String(address.port)) return;
  const after = pointedTo(before, address).replaceAll("'", "''");
  await session.execute(`alter system set primary_conninfo = '${after}'`);
  await session.execute('select pg_reload_conf()');
}

/** Whether or not it is connected yet. */
async function receives(session: ControlConnection): Promise<boolean> {
  const [row] = await session.query<{ receives: boolean }>(
    "select exists (select from pg_stat_activity where backend_type = 'walreceiver') as receives",
  );
  return row?.receives === true;
}

async function makeSlot(session: ControlConnection, slot: string): Promise<void> {
  await session.query(
    `select pg_create_physical_replication_slot($1, true)
      where not exists (select from pg_replication_slots where slot_name = $1)`,
    [slot],
  );
}
