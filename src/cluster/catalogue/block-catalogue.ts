import type { ShardMap } from '../../sharding/shard-map.ts';
import type { CallingObject, LeavingFunction } from '../leftovers/find-leftovers.ts';
import {
  leavingSql,
  leftoversOf,
  mergeLeftovers,
  objectsSql,
} from '../leftovers/read-leftovers.ts';
import { readSequences, type SequenceSession } from '../sequences/read-sequences.ts';
import type { CatalogueSnapshot, LeftoverNames, RelationSnapshot } from './catalogue-snapshot.ts';
import { type PlacementMistake, placementMistakes, placementText } from './placement-mistakes.ts';
import {
  type FunctionRow,
  type FunctionSnapshot,
  functionOf,
  functionsSql,
} from './read-functions.ts';
import {
  fullName,
  type RelationCatalogue,
  type RelationRow,
  relationCatalogue,
  relationsSql,
  usersOwn,
} from './shard-catalogue.ts';

export type BlockCatalogue = RelationCatalogue & {
  readonly functions: readonly FunctionSnapshot[];
  readonly leftovers: LeftoverNames;
};

/**
 * What a session in a transaction sees of its server's relations, its own changes included; the
 * system's are left out, and the definitions of views: PostgreSQL locks the tables that they read, and of
 * two sessions that have changed one each both would wait for ever. The session comes out as it was.
 */
export async function readBlockRelations(
  session: SequenceSession,
  { defaultCollation }: CatalogueSnapshot,
): Promise<RelationCatalogue> {
  const [, rows] = await Promise.all([
    session.query(beginReading),
    rowsOf<RelationRow>(session, relationsSql(usersOwn, 'null')),
    session.query(endReading),
  ]);
  return relationCatalogue(rows, [], defaultCollation);
}

/** The search path decides how names in a view's definition are spelt, and what ours mean. */
const beginReading = 'SAVEPOINT __pgweave_catalogue; SET LOCAL search_path TO pg_catalog';
const endReading =
  'ROLLBACK TO SAVEPOINT __pgweave_catalogue; RELEASE SAVEPOINT __pgweave_catalogue';

/** The same with definitions and all else that statements are planned by. */
export async function readBlockCatalogue(
  session: SequenceSession,
  { defaultCollation }: CatalogueSnapshot,
): Promise<BlockCatalogue> {
  // In one flight.
  const [, rows, functions, leaving, sequences] = await Promise.all([
    session.query(beginReading),
    rowsOf<RelationRow>(session, relationsSql(usersOwn)),
    rowsOf<FunctionRow>(session, functionsSql),
    rowsOf<LeavingFunction>(session, leavingSql),
    readSequences(session),
    session.query(endReading),
  ]);
  const leftovers = await leftoversOf(leaving, () => rowsOf<CallingObject>(session, objectsSql));
  return {
    ...relationCatalogue(rows, sequences, defaultCollation),
    functions: functions.map((row) => {
      const { definition: _, ...own } = functionOf(row);
      return { ...own, isAlike: true };
    }),
    leftovers,
  };
}

async function rowsOf<Row>(session: SequenceSession, sql: string): Promise<readonly Row[]> {
  const rows = await session.query(`SELECT row_to_json(r)::text AS answer FROM (${sql}) r`);
  return rows.map(({ answer }) => JSON.parse(String(answer)) as Row);
}

/**
 * `base` as the transaction sees it. What the home shard does not have, because it owns no part of
 * it, stays as it was.
 */
export function blockSnapshot(
  base: CatalogueSnapshot,
  home: BlockCatalogue,
  shardMap: ShardMap,
): CatalogueSnapshot {
  const before = new Map(base.relations.map((relation) => [fullName(relation), relation]));
  const changed = [...home.relations.values()].map((relation) => {
    const known = before.get(fullName(relation));
    return {
      ...relation,
      estimatedRows: known?.estimatedRows ?? relation.estimatedRows,
      lacking: known?.lacking ?? [],
    };
  });
  const kept = base.relations.filter(
    (relation) => isOfSystem(relation) || relation.lacking.includes(shardMap.home),
  );
  const leftovers = mergeLeftovers([base.leftovers, home.leftovers]);
  const functions = functionsOf(base, home);
  return { ...base, relations: [...kept, ...changed], functions, leftovers };
}

/** One that was not the same on all shards may be so still. */
function functionsOf(base: CatalogueSnapshot, home: BlockCatalogue): readonly FunctionSnapshot[] {
  const keyOf = ({ schema, name, isHidden }: FunctionSnapshot) =>
    JSON.stringify([schema, name, isHidden]);
  const before = new Map(base.functions.map((each) => [keyOf(each), each]));
  return home.functions.map(({ procedures, ...each }) => {
    const known = before.get(keyOf(each));
    const isImmutable = each.isImmutable && known?.isImmutable !== false;
    const isAlike = known?.isAlike !== false;
    const merged = { ...each, isImmutable, isAlike };
    return procedures === undefined || !isAlike ? merged : { ...merged, procedures };
  });
}

/** What the transaction has done that cannot hold over shards; what was so before is left alone. */
export function newMistake(
  base: CatalogueSnapshot,
  catalogue: RelationCatalogue,
  shardMap: ShardMap,
): PlacementMistake | null {
  const found = placementMistakes(shardMap, catalogue);
  return found.find((mistake) => !base.misplaced.includes(placementText(mistake))) ?? null;
}

function isOfSystem({ schema }: RelationSnapshot): boolean {
  return schema === 'pg_catalog' || schema === 'information_schema';
}
