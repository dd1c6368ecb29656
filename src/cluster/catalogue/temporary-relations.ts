import { temporarySchema } from '../../planner/commands/temporary-schema.ts';
import type { CollationKind, RelationSchema } from '../../planner/schema.ts';
import { type RelationRow, relationOf, relationsSql } from './shard-catalogue.ts';

/** The temporary relations of the session that asks, one a row. */
export const temporaryRelationsSql = relationsSql('n.oid = pg_catalog.pg_my_temp_schema()');

/** Reads the rows of `temporaryRelationsSql` as one JSON array. */
export function readTemporaryRelations(
  json: string,
  defaultCollation: CollationKind,
): readonly RelationSchema[] {
  const rows = JSON.parse(json) as readonly RelationRow[];
  return rows.map((row) => ({
    ...relationOf(row, defaultCollation),
    schema: temporarySchema,
    sharding: { kind: 'local' },
    readsDistributed: false,
    residence: { kind: 'home' },
    isTemporary: true,
  }));
}
