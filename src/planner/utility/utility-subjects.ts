import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import { tagOf } from '../../sql/walk.ts';

/** What a utility statement is about, which decides where it runs. */
export type Subjects =
  /** Something that belongs to no table (a type, a function, a role ...), or to the whole database. */
  | { readonly kind: 'database' }
  /** These tables, views, sequences or indexes. */
  | { readonly kind: 'relations'; readonly relations: readonly RangeVarNode[] }
  /** What servers keep to themselves, or what does not say which table it belongs to. */
  | { readonly kind: 'unknown' };

const database: Subjects = { kind: 'database' };
const unknown: Subjects = { kind: 'unknown' };

/** Statements about what is the same on all servers of a cluster. */
const databaseTags = new Set(
  `AlterCollationStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterDatabaseStmt
  AlterDefaultPrivilegesStmt AlterDomainStmt AlterEnumStmt AlterEventTrigStmt
  AlterExtensionContentsStmt AlterExtensionStmt AlterFdwStmt AlterForeignServerStmt
  AlterFunctionStmt AlterOpFamilyStmt AlterOperatorStmt AlterRoleSetStmt AlterRoleStmt
  AlterTSConfigurationStmt AlterTSDictionaryStmt AlterTypeStmt AlterUserMappingStmt CheckPointStmt
  CompositeTypeStmt CreateAmStmt CreateCastStmt CreateConversionStmt CreateDomainStmt CreateEnumStmt
  CreateEventTrigStmt CreateExtensionStmt CreateFdwStmt CreateForeignServerStmt CreateFunctionStmt
  CreateOpClassStmt CreateOpFamilyStmt CreatePLangStmt CreateRangeStmt CreateRoleStmt
  CreateTransformStmt CreateUserMappingStmt DefineStmt DropOwnedStmt DropRoleStmt
  DropUserMappingStmt GrantRoleStmt ReassignOwnedStmt`.split(/\s+/),
);

/** Their table is in a field. */
const relationTags = new Set(
  `AlterPolicyStmt AlterSeqStmt AlterTableStmt ClusterStmt CreateForeignTableStmt CreatePolicyStmt
  CreateSeqStmt CreateStatsStmt CreateStmt CreateTrigStmt IndexStmt LockStmt RefreshMatViewStmt
  RuleStmt VacuumStmt`.split(/\s+/),
);

/** Objects that are named by a table, view, sequence or index. */
const relationTypes = new Set(
  `OBJECT_FOREIGN_TABLE OBJECT_INDEX OBJECT_MATVIEW OBJECT_SEQUENCE OBJECT_TABLE
  OBJECT_VIEW`.split(/\s+/),
);

/** Objects whose name follows that of their table. */
const partTypes = new Set(
  `OBJECT_COLUMN OBJECT_POLICY OBJECT_RULE OBJECT_TABCONSTRAINT OBJECT_TRIGGER`.split(/\s+/),
);

const serverTypes = new Set(
  `OBJECT_LARGEOBJECT OBJECT_PUBLICATION OBJECT_STATISTIC_EXT OBJECT_SUBSCRIPTION
  OBJECT_TABLESPACE`.split(/\s+/),
);

export function subjectsOf(statement: SqlNode): Subjects {
  const tag = tagOf(statement);
  if (databaseTags.has(tag)) return database;
  if ('DropStmt' in statement) {
    const { removeType, objects = [] } = statement.DropStmt;
    return named(removeType, objects);
  }
  if ('CommentStmt' in statement) return commented(statement.CommentStmt);
  if ('SecLabelStmt' in statement) return commented(statement.SecLabelStmt);
  if ('GrantStmt' in statement) {
    const { targtype, objtype = '', objects = [] } = statement.GrantStmt;
    if (serverTypes.has(objtype)) return unknown;
    const isOfTables = objtype === 'OBJECT_TABLE' || objtype === 'OBJECT_SEQUENCE';
    if (targtype !== 'ACL_TARGET_OBJECT' || !isOfTables) return database;
    return { kind: 'relations', relations: rangeVarsIn(objects) };
  }
  if ('RenameStmt' in statement) {
    const { renameType = '', relationType, relation } = statement.RenameStmt;
    return changed(renameType, relationType, relation);
  }
  const altered = alteredObject(statement);
  if (altered !== null) return changed(altered.objectType ?? '', undefined, altered.relation);
  if ('ReindexStmt' in statement) {
    const { relation } = statement.ReindexStmt;
    return relation === undefined ? database : { kind: 'relations', relations: [relation] };
  }
  if ('CreateSchemaStmt' in statement) {
    return (statement.CreateSchemaStmt.schemaElts ?? []).length === 0 ? database : unknown;
  }
  return relationTags.has(tag) ? ofTag(statement) : unknown;
}

/** Tables, views and others that a part of a statement names. */
export function rangeVarsIn(part: unknown): readonly RangeVarNode[] {
  const found: RangeVarNode[] = [];
  collect(part, found);
  return found;
}

/** The relations that a statement names. Those whose columns LIKE takes over are not among them. */
export function relationsIn(statement: SqlNode): readonly RangeVarNode[] {
  const found: RangeVarNode[] = [];
  collect(statement, found, true);
  const isNamed = 'DropStmt' in statement || 'CommentStmt' in statement;
  const subjects = isNamed ? subjectsOf(statement) : unknown;
  return subjects.kind === 'relations' ? [...subjects.relations, ...found] : found;
}

function ofTag(statement: SqlNode): Subjects {
  const isOfType =
    'AlterTableStmt' in statement && statement.AlterTableStmt.objtype === 'OBJECT_TYPE';
  if (isOfType) return database;
  const relations = subjectRelations(statement);
  if (relations.length > 0) return { kind: 'relations', relations };
  return 'VacuumStmt' in statement || 'ClusterStmt' in statement ? database : unknown;
}

function subjectRelations(statement: SqlNode): readonly RangeVarNode[] {
  if ('CreateStmt' in statement) {
    const { relation, inhRelations } = statement.CreateStmt;
    return rangeVarsIn([relation, inhRelations]);
  }
  if ('CreateForeignTableStmt' in statement) {
    return rangeVarsIn(statement.CreateForeignTableStmt.base?.relation);
  }
  if ('AlterTableStmt' in statement) return rangeVarsIn(statement.AlterTableStmt.relation);
  if ('IndexStmt' in statement) return rangeVarsIn(statement.IndexStmt.relation);
  if ('CreateTrigStmt' in statement) return rangeVarsIn(statement.CreateTrigStmt.relation);
  if ('RuleStmt' in statement) return rangeVarsIn(statement.RuleStmt.relation);
  if ('CreatePolicyStmt' in statement) return rangeVarsIn(statement.CreatePolicyStmt.table);
  if ('AlterPolicyStmt' in statement) return rangeVarsIn(statement.AlterPolicyStmt.table);
  return rangeVarsIn(statement);
}

function named(type: string | undefined, objects: readonly SqlNode[]): Subjects {
  if (type === undefined || serverTypes.has(type)) return unknown;
  const isPart = partTypes.has(type);
  if (!isPart && !relationTypes.has(type)) return database;
  const relations = objects.flatMap((object) => {
    const parts = 'List' in object ? stringsOf(object.List.items) : [];
    return parts.length === 0 ? [] : [rangeVar(isPart ? parts.slice(0, -1) : parts)];
  });
  return { kind: 'relations', relations };
}

function commented(about: { readonly objtype?: string; readonly object?: SqlNode }): Subjects {
  return named(about.objtype, about.object === undefined ? [] : [about.object]);
}

type AlteredObject = {
  readonly objectType?: string;
  readonly relation?: RangeVarNode;
};

function alteredObject(statement: SqlNode): AlteredObject | null {
  if ('AlterObjectSchemaStmt' in statement) return statement.AlterObjectSchemaStmt;
  if ('AlterObjectDependsStmt' in statement) return statement.AlterObjectDependsStmt;
  return 'AlterOwnerStmt' in statement ? statement.AlterOwnerStmt : null;
}

function changed(
  type: string,
  relationType: string | undefined,
  relation: RangeVarNode | undefined,
): Subjects {
  if (serverTypes.has(type)) return unknown;
  // An attribute is a composite type's, which is named as a table would be.
  const isOfType = type === 'OBJECT_ATTRIBUTE' || relationType === 'OBJECT_TYPE';
  if (relation === undefined || isOfType) return database;
  return { kind: 'relations', relations: [relation] };
}

/** The tree holds most tables untagged, in fields like `relation`. */
function collect(value: unknown, found: RangeVarNode[], leavesOutLike = false): void {
  if (typeof value !== 'object' || value === null) return;
  if (leavesOutLike && 'TableLikeClause' in value) return;
  if ('relname' in value) found.push(value as RangeVarNode);
  for (const child of Object.values(value)) collect(child, found, leavesOutLike);
}

function rangeVar(parts: readonly string[]): RangeVarNode {
  const [name, schema] = [...parts].reverse();
  return { relname: name ?? '', ...(schema === undefined ? {} : { schemaname: schema }) };
}
