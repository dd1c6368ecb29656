import { unreachable } from '../../base/assert.ts';
import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { tagOf } from '../../sql/walk.ts';
import type { EveryShard, Plan, ShardQuery } from '../plan.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal, refuse } from '../refuse.ts';
import { rewriteUtility } from '../rewrite-query.ts';
import type { Residence } from '../schema.ts';
import { demandPossible } from './demand-possible.ts';
import { isOfEveryShard, relationOfName, residenceOf } from './relation-residence.ts';
import { homeRoutine } from './routine-residence.ts';
import { ownerOf, withoutHomeObjects } from './split-subjects.ts';
import { rangeVarsIn, type Subjects, subjectsOf } from './utility-subjects.ts';

const onServers = 'Run it on the servers, connected to them directly.';

/**
 * DDL and maintenance: what is about tables, views and sequences that only the home shard has runs
 * there, everything else on every shard (docs/ddl.md has the rules). null: the statement is of
 * another kind. Throws a PgError for what cannot be, or cannot be done, over shards.
 */
export function planUtilityShards(
  request: PlanRequest,
  statement: SqlNode,
  name: string,
): Plan | null {
  const tag = tagOf(statement);
  if (notOverShards.has(tag)) return refuse(`${name} is not supported`, onServers);
  const special = ofQuery(request, statement);
  const subjects = subjectsOf(statement);
  if (special === null && subjects.kind === 'unknown') return null;
  const residence = special ?? residenceOfAll(request, statement, subjects);
  demandPossible(request, statement, residence);
  return {
    kind: 'utility',
    tag: name,
    changesSchema: !unseen.has(tag),
    everyShard: everyShardOf(request, statement, residence),
  };
}

/** `mixed`: the statement is about things of both kinds. */
type StatementResidence = Residence | { readonly kind: 'mixed'; readonly text: ShardQuery };

function residenceOfAll(
  request: PlanRequest,
  statement: SqlNode,
  subjects: Subjects,
): StatementResidence {
  switch (subjects.kind) {
    case 'database':
      return homeRoutine(request, statement) ?? { kind: 'every-shard', lacking: [] };
    case 'relations':
      return ofRelations(request, statement, subjects.relations);
    case 'unknown':
      return { kind: 'home' };
    default:
      return unreachable(subjects);
  }
}

function ofRelations(
  request: PlanRequest,
  statement: SqlNode,
  relations: readonly RangeVarNode[],
): StatementResidence {
  // A table of any shard may come to use it, as in what pg_dump writes.
  if ('CreateSeqStmt' in statement && ownerOf(statement) === null) {
    return { kind: 'every-shard', lacking: [] };
  }
  const owner = ownerOf(statement);
  if (owner !== null) return ofOwnedSequence(request, statement, relations, owner);
  const residences = relations.map((node) => residenceOf(request, node));
  const elsewhere = residences.filter(isOfEveryShard);
  const [first] = elsewhere;
  if (first === undefined) return { kind: 'home' };
  if (elsewhere.some(({ lacking }) => lacking.join() !== first.lacking.join())) {
    throw refusal('not all of these are on the same shards', 'Name one in each statement.');
  }
  // A new partition or child is where the table is that it is a part of.
  if ('CreateStmt' in statement || elsewhere.length === residences.length) return first;
  return { kind: 'mixed', text: writtenText(withoutHomeObjects(request, statement)) };
}

/** A sequence is where the table is that it belongs to. */
function ofOwnedSequence(
  request: PlanRequest,
  statement: SqlNode,
  [sequence]: readonly RangeVarNode[],
  owner: RangeVarNode,
): StatementResidence {
  const residence = residenceOf(request, owner);
  if ('CreateSeqStmt' in statement || sequence === undefined) return residence;
  const present = residenceOf(request, sequence);
  if (residence.kind === present.kind) return present;
  if (residence.kind === 'every-shard') {
    const hint = 'Create the sequence anew, or let the table have a serial or identity column.';
    throw refusal(`sequence "${sequence.relname ?? ''}" is on the home shard only`, hint);
  }
  // From now on it is a part of that table.
  const items = [sequence.schemaname, sequence.relname].flatMap((sval) =>
    sval === undefined ? [] : [{ String: { sval } }],
  );
  const drop: SqlNode = {
    DropStmt: {
      objects: [{ List: { items } }],
      removeType: 'OBJECT_SEQUENCE',
      behavior: 'DROP_RESTRICT',
      missing_ok: true,
    },
  };
  return { kind: 'mixed', text: writtenText(drop) };
}

function writtenText(statement: SqlNode | null): ShardQuery {
  const text = statement === null ? null : rewriteUtility(statement);
  if (text === null || text.kind === 'reject') {
    throw refusal(
      'tables of the home shard together with sharded tables are not supported here',
      'Name them in statements of their own.',
    );
  }
  return text;
}

/** Views, and tables made from a query; null for everything else. */
function ofQuery(request: PlanRequest, statement: SqlNode): Residence | null {
  if ('ViewStmt' in statement) {
    const { view, query } = statement.ViewStmt;
    const reads = rangeVarsIn(query).map((node) => residenceOf(request, node));
    const isOnAll = reads.length > 0 && reads.every(isOfEveryShard);
    const residence: Residence = isOnAll ? { kind: 'every-shard', lacking: [] } : { kind: 'home' };
    const present = view === undefined ? null : relationOfName(request, view);
    const isOfAll = present?.kind === 'view' && isOfEveryShard(present.residence);
    if (isOfAll && residence.kind === 'home') {
      throw refusal(
        `view "${view?.relname ?? ''}" is on every shard, its new query reads tables of the home shard`,
        'Drop the view, and create it anew.',
      );
    }
    return residence;
  }
  return 'CreateTableAsStmt' in statement ? { kind: 'home' } : null;
}

function everyShardOf(
  request: PlanRequest,
  statement: SqlNode,
  residence: StatementResidence,
): EveryShard | null {
  const how = howOf(statement);
  switch (residence.kind) {
    case 'home':
      return null;
    case 'every-shard': {
      const { lacking } = residence;
      // Where it is to be made it is missing.
      const isNew = 'CreateStmt' in statement || 'CreateSeqStmt' in statement;
      return { how, lacking: isNew ? [] : lacking, elsewhere: elsewhereOf(request, statement) };
    }
    case 'mixed':
      return { how, lacking: [], elsewhere: residence.text };
    default:
      return unreachable(residence);
  }
}

/** The home shard has checked the body of a routine, whose tables others may not have. */
function elsewhereOf({ lexed, text }: PlanRequest, statement: SqlNode): ShardQuery {
  if (!('CreateFunctionStmt' in statement)) return { kind: 'as-received' };
  const unchecked = 'SET LOCAL check_function_bodies TO off; ';
  return { kind: 'rewritten', pieces: [unchecked, text.slice(lexed.start, lexed.end)] };
}

function howOf(statement: SqlNode): EveryShard['how'] {
  if ('LockStmt' in statement) return 'in-block';
  if ('VacuumStmt' in statement) {
    return statement.VacuumStmt.is_vacuumcmd === true ? 'apart' : 'either';
  }
  if ('ClusterStmt' in statement) {
    return statement.ClusterStmt.relation === undefined ? 'apart' : 'either';
  }
  if ('ReindexStmt' in statement) {
    const { relation, params = [] } = statement.ReindexStmt;
    return relation === undefined || params.some(isConcurrently) ? 'apart' : 'either';
  }
  if ('CheckPointStmt' in statement) return 'either';
  const isConcurrent =
    ('IndexStmt' in statement && statement.IndexStmt.concurrent === true) ||
    ('DropStmt' in statement && statement.DropStmt.concurrent === true);
  return isConcurrent ? 'apart' : 'together';
}

function isConcurrently(option: SqlNode): boolean {
  return 'DefElem' in option && option.DefElem.defname === 'concurrently';
}

/** They are about a server, its files, or its connections to others. */
const notOverShards = new Set(
  `AlterDatabaseStmt AlterPublicationStmt AlterSubscriptionStmt AlterSystemStmt
  AlterTableMoveAllStmt AlterTableSpaceOptionsStmt CreatePublicationStmt CreateSubscriptionStmt
  CreateTableSpaceStmt CreatedbStmt DropSubscriptionStmt DropTableSpaceStmt DropdbStmt
  ImportForeignSchemaStmt LoadStmt`.split(/\s+/),
);

/** What they change is nowhere in the catalogue as the planner sees it. */
const unseen = new Set(
  `AlterDatabaseSetStmt AlterDefaultPrivilegesStmt AlterEventTrigStmt AlterOpFamilyStmt
  AlterOperatorStmt AlterPolicyStmt AlterRoleSetStmt AlterRoleStmt CheckPointStmt ClusterStmt
  CommentStmt CreateCastStmt CreateConversionStmt CreateEventTrigStmt CreateOpClassStmt
  CreateOpFamilyStmt CreatePolicyStmt CreateRoleStmt CreateStatsStmt CreateTransformStmt
  DropRoleStmt GrantRoleStmt GrantStmt LockStmt RefreshMatViewStmt ReindexStmt SecLabelStmt
  VacuumStmt`.split(/\s+/),
);
