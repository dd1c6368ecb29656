import type { TableSharding } from '../../sharding/shard-map.ts';
import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { writtenIn } from '../function-reach.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal } from '../refuse.ts';
import { isListed, relationOfName, residenceOf } from './relation-residence.ts';
import { rangeVarsIn } from './utility-subjects.ts';

type Where = { readonly kind: 'home' | 'every-shard' | 'mixed' };

/**
 * Throws 0A000 for what would leave rows where nobody looks for them, or would refer to rows and
 * tables of other shards. What only shows when the statement is done (keys, constraints) is found
 * then: see `placementMistakes`.
 */
export function demandPossible(request: PlanRequest, statement: SqlNode, where: Where): void {
  demandNames(request, statement);
  demandParents(request, statement);
  demandQuery(request, statement);
  demandKey(request, statement);
  demandTurns(request, statement);
  if (where.kind === 'home') demandNoDistributed(request, statement);
  else demandNoHome(request, statement);
}

/** The shard map goes by names. */
function demandNames(request: PlanRequest, statement: SqlNode): void {
  const fixed = 'Change the shard map, create the table anew, and copy its rows.';
  if ('RenameStmt' in statement) {
    const { renameType, relation, newname = '' } = statement.RenameStmt;
    if (relation === undefined || !/_(?:TABLE|VIEW|MATVIEW|SEQUENCE)$/.test(renameType ?? ''))
      return;
    if (renameType === 'OBJECT_TABLE' && isListed(request, relation)) {
      throw refusal('ALTER TABLE RENAME of a table of the shard map is not supported', fixed);
    }
    demandUnlisted(request, { ...relation, relname: newname });
  }
  if ('AlterObjectSchemaStmt' in statement) {
    const { objectType, relation, newschema = '' } = statement.AlterObjectSchemaStmt;
    if (relation === undefined) return;
    if (objectType === 'OBJECT_TABLE' && isListed(request, relation)) {
      throw refusal('ALTER TABLE SET SCHEMA of a table of the shard map is not supported', fixed);
    }
    demandUnlisted(request, { ...relation, schemaname: newschema });
  }
  if ('ViewStmt' in statement) demandUnlisted(request, statement.ViewStmt.view);
  if ('CreateSeqStmt' in statement) demandUnlisted(request, statement.CreateSeqStmt.sequence);
  if ('CreateTableAsStmt' in statement) {
    demandUnlisted(request, statement.CreateTableAsStmt.into?.rel);
  }
  if ('CreateForeignTableStmt' in statement) {
    demandUnlisted(request, statement.CreateForeignTableStmt.base?.relation);
  }
}

/** Throws for the name of a listed table. */
export function demandUnlisted(request: PlanRequest, node: RangeVarNode | undefined): void {
  if (node === undefined || !isListed(request, node)) return;
  throw refusal(
    `"${node.relname ?? ''}" is a table of the shard map, and can only come from CREATE TABLE with columns`,
    'CREATE TABLE it with its columns, then INSERT the rows.',
  );
}

/** Where the rows of a part lie is decided by the table that it is a part of, or by the shard map. */
function demandParents(request: PlanRequest, statement: SqlNode): void {
  if (!('AlterTableStmt' in statement)) return;
  const { relation, cmds = [], objtype } = statement.AlterTableStmt;
  if (relation === undefined || objtype !== 'OBJECT_TABLE') return;
  for (const cmd of cmds) {
    const subtype = 'AlterTableCmd' in cmd ? cmd.AlterTableCmd.subtype : undefined;
    const [other] = rangeVarsIn(cmd);
    if (other === undefined) continue;
    if (subtype === 'AT_DetachPartition') demandListed(request, other);
    else if (subtype === 'AT_DropInherit') demandListed(request, relation);
    else if (subtype === 'AT_AttachPartition' || subtype === 'AT_AddInherit') {
      demandAlike(request, relation, other);
    }
  }
}

function demandListed(request: PlanRequest, part: RangeVarNode): void {
  const sharding = relationOfName(request, part)?.sharding ?? localTable;
  if (sharding.kind === 'local' || isListed(request, part)) return;
  throw refusal(
    'taking a part away from a sharded table is not supported',
    'Its rows would lie on all shards, where nobody looks for them: copy them, and drop the part.',
  );
}

function demandAlike(request: PlanRequest, one: RangeVarNode, other: RangeVarNode): void {
  const [first, second] = [one, other].map((node) => {
    const sharding = relationOfName(request, node)?.sharding ?? localTable;
    if (sharding.kind !== 'distributed') return sharding.kind;
    return `${sharding.distribution.name} ${sharding.key}`;
  });
  if (first === second) return;
  throw refusal(
    'making a table a part of a table that is sharded in another way is not supported',
    'CREATE TABLE ... PARTITION OF (or INHERITS), or list both tables in the shard map.',
  );
}

const localTable: TableSharding = { kind: 'local' };

/** What is not made in a transaction cannot be looked at before it counts. */
function demandKey(request: PlanRequest, statement: SqlNode): void {
  if (!('IndexStmt' in statement)) return;
  const { concurrent, unique, relation, indexParams = [] } = statement.IndexStmt;
  if (concurrent !== true || unique !== true || relation === undefined) return;
  const sharding = relationOfName(request, relation)?.sharding;
  if (sharding?.kind !== 'distributed') return;
  const { key } = sharding;
  if (indexParams.some((param) => 'IndexElem' in param && param.IndexElem.name === key)) return;
  throw refusal(
    `a unique index of "${relation.relname ?? ''}" must contain the key column "${key}"`,
    'No server sees the rows of the others: without the key it is unique within a shard only.',
  );
}

/** Each shard's sequence begins at another value, and leaves out the others'. */
function demandTurns(request: PlanRequest, statement: SqlNode): void {
  const { node, options } = sequenceOptions(statement);
  const relation = node === undefined ? null : relationOfName(request, node);
  if (relation === null) return;
  const isShared = relation.isInterleaved === true || relation.sharding.kind === 'distributed';
  const sets = options.some(
    (option) =>
      'DefElem' in option &&
      (option.DefElem.defname === 'increment' ||
        option.DefElem.defname === 'start' ||
        (option.DefElem.defname === 'restart' && option.DefElem.arg !== undefined)),
  );
  if (!isShared || !sets) return;
  throw refusal(
    'a sequence that counts on all shards cannot be given a start or an increment',
    "SELECT setval('sequence', value) sets it on all shards.",
  );
}

function sequenceOptions(statement: SqlNode): {
  readonly node: RangeVarNode | undefined;
  readonly options: readonly SqlNode[];
} {
  if ('AlterSeqStmt' in statement) {
    const { sequence, options = [] } = statement.AlterSeqStmt;
    return { node: sequence, options };
  }
  if (!('AlterTableStmt' in statement)) return { node: undefined, options: [] };
  const { relation, cmds = [] } = statement.AlterTableStmt;
  const options = cmds.flatMap((cmd) => {
    const def = 'AlterTableCmd' in cmd ? cmd.AlterTableCmd : {};
    if (def.subtype !== 'AT_SetIdentity' || def.def === undefined) return [];
    return 'List' in def.def ? (def.def.List.items ?? []) : [];
  });
  return { node: relation, options };
}

/** Its rows would have to come from all shards, whenever it is refreshed. */
function demandQuery(request: PlanRequest, statement: SqlNode): void {
  if (!('CreateTableAsStmt' in statement)) return;
  const { query } = statement.CreateTableAsStmt;
  if (!rangeVarsIn(query).some((node) => isDistributed(request, node))) return;
  throw refusal(
    'CREATE MATERIALIZED VIEW over distributed tables is not supported',
    'CREATE TABLE AS makes a table of its rows.',
  );
}

/** On the home shard it would see a part of the rows. */
function demandNoDistributed(request: PlanRequest, statement: SqlNode): void {
  const refers =
    'RuleStmt' in statement || 'CreatePolicyStmt' in statement || 'AlterPolicyStmt' in statement;
  const nodes = refers ? rangeVarsIn(statement) : referredTables(statement);
  const distributed = nodes.find((node) => isDistributed(request, node));
  if (distributed === undefined) return;
  throw refusal(
    `a table of the home shard cannot refer to the distributed table "${distributed.relname ?? ''}"`,
    'Its rows lie on several shards: refer to a reference table, or list both tables in the shard map.',
  );
}

/** The other shards do not have it. */
function demandNoHome(request: PlanRequest, statement: SqlNode): void {
  const makes =
    'CreateStmt' in statement ||
    'AlterTableStmt' in statement ||
    'CreateTrigStmt' in statement ||
    'RuleStmt' in statement ||
    'CreatePolicyStmt' in statement ||
    'AlterPolicyStmt' in statement;
  if (!makes) return;
  if ('RuleStmt' in statement) demandSameKind(request, statement.RuleStmt);
  const local = rangeVarsIn(statement).find((node) => {
    const relation = relationOfName(request, node);
    return relation !== null && residenceOf(request, node).kind === 'home';
  });
  if (local === undefined) return;
  throw refusal(
    `a sharded table cannot refer to "${local.relname ?? ''}", which is on the home shard only`,
    'Make that a reference table of the shard map.',
  );
}

/** What a rule does is done where the row is, once for each copy of it. */
function demandSameKind(request: PlanRequest, { relation, actions }: RuleNode): void {
  if (relation === undefined) return;
  const kindOf = (node: RangeVarNode) => relationOfName(request, node)?.sharding.kind;
  walk(actions, (node) => {
    const written = writtenIn(node);
    const kinds = [relation, ...(written === null ? [] : [written])].map(kindOf).sort();
    if (kinds.join() !== 'distributed,reference') return true;
    throw refusal(
      `a rule of "${relation.relname ?? ''}" that writes "${written?.relname ?? ''}" is not supported`,
      'Rows of one of them are on one shard, of the other on all: write to both in one transaction.',
    );
  });
}

type RuleNode = Extract<SqlNode, { readonly RuleStmt: unknown }>['RuleStmt'];

function referredTables(statement: SqlNode): readonly RangeVarNode[] {
  const found: RangeVarNode[] = [];
  walk(statement, (node) => {
    if ('Constraint' in node && node.Constraint.pktable !== undefined) {
      found.push(node.Constraint.pktable);
    }
    return true;
  });
  return found;
}

function isDistributed(request: PlanRequest, node: RangeVarNode): boolean {
  const relation = relationOfName(request, node);
  return relation?.sharding.kind === 'distributed' || relation?.readsDistributed === true;
}
