import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import {
  type ControlConnection,
  controlLogin,
  withControlConnection,
} from '../control-connection.ts';
import { readLeftovers } from '../leftovers/read-leftovers.ts';
import { readSequences } from '../sequences/read-sequences.ts';
import { type Definitions, LastDefinitions } from './last-definitions.ts';
import { isHindered, readDefinitions, readerSettings } from './read-definitions.ts';
import { functionsStateSql, readFunctions } from './read-functions.ts';
import {
  type RelationRow,
  readServerTraits,
  relationCatalogue,
  relationsSql,
  type ShardCatalogue,
  usersOwn,
} from './shard-catalogue.ts';
import type { SystemRelations } from './system-relations.ts';

/** A catalogue with ten thousands of relations takes a while. */
const statementTimeoutMs = 30_000;

/** Then the definitions that were read last are asked. */
const attemptsMax = 5;

const begin = 'begin isolation level repeatable read read only';

/** Reads the catalogue of one shard from its primary, again and again. */
export class ShardReader {
  readonly #shard: ShardId;
  /** Null: what pg_catalog and information_schema have, the same on every shard, is left out. */
  readonly #system: SystemRelations | null;
  #last = new LastDefinitions();
  #lastNode = '';

  constructor(shard: ShardId, system: SystemRelations | null) {
    this.#shard = shard;
    this.#system = system;
  }

  /** Rejects when it cannot be read, with 55P03 when somebody holds what has changed since the last reading. */
  async read(config: Config, node: NodeAddress | null): Promise<ShardCatalogue> {
    if (node === null) {
      throw new PgError(
        SqlState.cannotConnectNow,
        `the catalogue cannot be read: shard "${this.#shard}" has no primary`,
      );
    }
    const key = `${node.host} ${node.port}`;
    if (key !== this.#lastNode) this.#last = new LastDefinitions();
    this.#lastNode = key;
    const connection = {
      node,
      login: controlLogin(config),
      settings: readerSettings,
      timeoutMs: statementTimeoutMs,
    };
    const whole = () => withControlConnection(connection, (session) => this.#readWhole(session));
    if (this.#last.isEmpty) return await readDefinitions(whole);
    try {
      return await readDefinitions(whole, attemptsMax);
    } catch (error) {
      if (!isHindered(error)) throw error;
    }
    const completed = () => withControlConnection(connection, (session) => this.#complete(session));
    return (await readDefinitions(completed)) ?? (await readDefinitions(whole));
  }

  async #readWhole(session: ControlConnection): Promise<ShardCatalogue> {
    await session.execute(begin);
    const definitions = {
      relations: await session.query<RelationRow>(relationsSql(usersOwn)),
      functions: await readFunctions(session),
      leftovers: await readLeftovers(session),
    };
    this.#last.keep(definitions, await readFunctionsState(session));
    return await this.#readRest(session, definitions);
  }

  /** Null: some of the definitions may have changed. */
  async #complete(session: ControlConnection): Promise<ShardCatalogue | null> {
    await session.execute(begin);
    const relations = await session.query<RelationRow>(relationsSql(usersOwn, 'null'));
    const definitions = this.#last.complete(relations, await readFunctionsState(session));
    return definitions === null ? null : await this.#readRest(session, definitions);
  }

  async #readRest(
    session: ControlConnection,
    { relations, functions, leftovers }: Definitions,
  ): Promise<ShardCatalogue> {
    const traits = await readServerTraits(session);
    const system = this.#system === null ? [] : await this.#system.read(session);
    const sequences = await readSequences(session);
    await session.execute('commit');
    return {
      ...traits,
      shard: this.#shard,
      sequences,
      functions,
      leftovers,
      ...relationCatalogue([...system, ...relations], sequences, traits.defaultCollation),
    };
  }
}

async function readFunctionsState(session: ControlConnection): Promise<string> {
  const [row] = await session.query<{ readonly state: string }>(functionsStateSql);
  return row?.state ?? '';
}
