import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { residenceOf } from '../catalogue/catalogue-schema.ts';
import type { CatalogueSnapshot } from '../catalogue/catalogue-snapshot.ts';
import { readDefinitions, readerSettings } from '../catalogue/read-definitions.ts';
import { fullName } from '../catalogue/shard-catalogue.ts';
import { ControlConnection, controlLogin } from '../control-connection.ts';
import { type Drift, findDrift } from './find-drift.ts';
import { readSchemaDigest, readSchemaObjects, type SchemaObject } from './schema-objects.ts';

export type DriftQuestion = {
  readonly config: Config;
  /** Which relations are the home shard's alone. */
  readonly catalogue: CatalogueSnapshot;
  readonly primaryOf: (shard: ShardId) => NodeAddress | null;
};

/** A database with ten thousands of objects takes a while. */
const statementTimeoutMs = 30_000;

/**
 * Asks each shard for a digest of its schema, and those that differ from the home shard for all of
 * it. The shards are not asked at one moment: what is being changed just now shows, too. Rejects with
 * a PgError when a shard cannot be asked.
 */
export async function readDrift(question: DriftQuestion): Promise<readonly Drift[]> {
  const { config, catalogue } = question;
  const { shardMap } = config;
  const relations = new Map(
    catalogue.relations.map((relation) => [fullName(relation), relation] as const),
  );
  const homeOnly = [...relations]
    .filter(([, relation]) => residenceOf(relation, relations, shardMap).kind === 'home')
    .map(([name]) => name);
  const sessions = new Map<ShardId, ControlConnection>();
  try {
    await eachShard(shardMap.shards, async (shard) => {
      sessions.set(shard, await openSession(question, shard));
    });
    const digests = await ofEach(sessions, (session) => readSchemaDigest(session, homeOnly));
    const model = digests.get(shardMap.home);
    if ([...digests.values()].every((digest) => digest === model)) return [];
    const differing = [...sessions].filter(
      ([shard]) => shard === shardMap.home || digests.get(shard) !== model,
    );
    const read = await ofEach(new Map(differing), (session) =>
      readSchemaObjects(session, homeOnly),
    );
    const ofHome = read.get(shardMap.home) ?? [];
    const objects = new Map<ShardId, readonly SchemaObject[]>(
      shardMap.shards.map((shard) => [shard, read.get(shard) ?? ofHome]),
    );
    return findDrift(shardMap, catalogue.relations, objects);
  } finally {
    for (const session of sessions.values()) session.close();
  }
}

async function openSession(
  { config, primaryOf }: DriftQuestion,
  shard: ShardId,
): Promise<ControlConnection> {
  const node = primaryOf(shard);
  if (node === null) {
    throw new PgError(
      SqlState.cannotConnectNow,
      `the schemas cannot be compared: shard "${shard}" has no primary`,
    );
  }
  return await ControlConnection.open({
    node,
    login: controlLogin(config),
    settings: readerSettings,
    timeoutMs: statementTimeoutMs,
  });
}

async function ofEach<Answer>(
  sessions: ReadonlyMap<ShardId, ControlConnection>,
  ask: (session: ControlConnection) => Promise<Answer>,
): Promise<ReadonlyMap<ShardId, Answer>> {
  const answers = new Map<ShardId, Answer>();
  await eachShard([...sessions.keys()], async (shard) => {
    const session = sessions.get(shard);
    if (session !== undefined) answers.set(shard, await readDefinitions(() => ask(session)));
  });
  return answers;
}

/** At the same time; when one fails, after all have ended, so that nothing goes on unseen. */
async function eachShard(
  shards: readonly ShardId[],
  work: (shard: ShardId) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(shards.map(work));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
