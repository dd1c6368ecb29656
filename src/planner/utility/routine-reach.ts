import { unreachable } from '../../base/assert.ts';
import { lexStatements } from '../../sql/lexer.ts';
import { builtinName } from '../../sql/names.ts';
import { parseStatement } from '../../sql/parser.ts';
import { walk } from '../../sql/walk.ts';
import type { EveryShard, Plan } from '../plan.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal } from '../refuse.ts';
import { rangeVarsIn } from './utility-subjects.ts';

/** Plans a statement that another one runs. */
export type PlanInner = (request: PlanRequest) => Plan;

/** Where the statements of a body run when each is looked at by itself. */
export type RoutineReach = {
  /** Some of them on the home shard. */
  usesHome: boolean;
  /** Some of them on every shard; null: none. */
  everyShard: EveryShard | null;
  changesSchema: boolean;
  /** COMMIT or ROLLBACK is in it. */
  endsTransaction: boolean;
};

export function reachesNothing(): RoutineReach {
  return { usesHome: false, everyShard: null, changesSchema: false, endsTransaction: false };
}

const split = 'Run its statements one by one, in a transaction if need be.';

/** Throws 0A000 for a statement that has no place in a body that one server runs. */
export function reachOf(
  request: PlanRequest,
  statements: readonly string[],
  name: string,
  planInner: PlanInner,
): RoutineReach {
  const reach = reachesNothing();
  for (const text of statements) {
    const options = { standardConformingStrings: true };
    for (const lexed of lexStatements(text, options)) {
      addPlan(reach, planInner({ ...request, lexed, text }), name, () =>
        readsCatalogOnly(request, text.slice(lexed.start, lexed.end), lexed.fingerprint),
      );
    }
  }
  return reach;
}

/** Throws when it would have to run in two ways at once. */
export function demandOneWay(reach: RoutineReach, name: string): void {
  if (reach.everyShard === null) return;
  if (reach.usesHome) {
    throw refusal(
      `${name} that changes all shards and uses tables of the home shard is not supported`,
      split,
    );
  }
  if (reach.endsTransaction) {
    throw refusal(`COMMIT in ${name} that changes all shards is not supported`, split);
  }
}

function addPlan(reach: RoutineReach, plan: Plan, name: string, isOfCatalog: () => boolean): void {
  if ('effect' in plan && plan.effect !== undefined) {
    throw refusal(`${name} that changes the session is not supported`, split);
  }
  switch (plan.kind) {
    case 'empty':
      return;
    case 'select':
      if (plan.routing.kind === 'by-key' || plan.expandsViews) throw distributed(name);
      if (plan.routing.kind === 'home' && plan.routing.anywhere && plan.readOnly) return;
      if (!plan.readOnly || !isOfCatalog()) reach.usesHome = true;
      return;
    case 'modify':
      if (plan.routing.kind !== 'home' || !plan.isWhole) throw distributed(name);
      reach.usesHome = true;
      return;
    case 'utility':
      reach.changesSchema ||= plan.changesSchema;
      if (plan.everyShard === null) reach.usesHome = true;
      else reach.everyShard = together(plan, plan.everyShard, reach.everyShard, name);
      return;
    case 'setting':
      if (plan.command.kind === 'set' && plan.command.local && !decidesNames(plan.command.name)) {
        return;
      }
      throw refusal(`SET in ${name} is not supported`, 'Use SET LOCAL, or set it before.');
    case 'reject':
      throw refusal(`${name}: ${plan.message}`, plan.hint ?? split);
    case 'transaction':
      reach.endsTransaction = true;
      return;
    case 'recalled':
      throw refusal(`currval() and lastval() in ${name} are not supported`, split);
    case 'copy':
    case 'cursor':
    case 'prepared':
    case 'explain':
      throw refusal(`${plan.kind} statements in ${name} are not supported`, split);
    default:
      unreachable(plan);
  }
}

function distributed(name: string): Error {
  return refusal(
    `${name} that reads or writes rows of sharded tables is not supported`,
    'The rows lie on several shards, and it runs on one: run its statements one by one.',
  );
}

/** The names that follow would mean something else. */
function decidesNames(setting: string): boolean {
  return ['search_path', 'role', 'session_authorization'].includes(setting);
}

function together(
  { tag }: Extract<Plan, { readonly kind: 'utility' }>,
  one: EveryShard,
  other: EveryShard | null,
  name: string,
): EveryShard {
  const isWhole = one.elsewhere.kind === 'as-received' || isRoutine(tag);
  const isPlain = one.how === 'together' && isWhole;
  if (isPlain && (other === null || other.lacking.join() === one.lacking.join())) {
    return { ...one, elsewhere: { kind: 'as-received' } };
  }
  throw refusal(`${name} that not all shards can run as it stands is not supported`, split);
}

/** What differs elsewhere is only what is checked. */
function isRoutine(tag: string): boolean {
  return tag === 'CREATE FUNCTION' || tag === 'CREATE PROCEDURE';
}

/** Another value each time, so that shards could go different ways. */
const changing = new Set(
  'clock_timestamp gen_random_uuid random random_normal timeofday uuidv4 uuidv7'.split(' '),
);

const catalogSchemas = ['pg_catalog', 'information_schema'];

/** Each shard answers for itself: `IF NOT EXISTS (SELECT FROM pg_type ...)`. */
function readsCatalogOnly(request: PlanRequest, text: string, fingerprint: string): boolean {
  const outcome = parseStatement(text, fingerprint);
  if (outcome.kind !== 'parsed') return false;
  const tables = rangeVarsIn(outcome.statement);
  const ofCatalog = tables.every(({ schemaname = null, relname = '' }) => {
    const relation = request.schema.relation(schemaname, relname, request.searchPath);
    if (relation !== null) return catalogSchemas.includes(relation.schema);
    return schemaname === null ? relname.startsWith('pg_') : catalogSchemas.includes(schemaname);
  });
  let isSteady = true;
  walk(outcome.statement, (node) => {
    const called = 'FuncCall' in node ? builtinName(node.FuncCall.funcname) : null;
    if (called !== null && changing.has(called)) isSteady = false;
    return isSteady;
  });
  return tables.length > 0 && ofCatalog && isSteady;
}
