import { AggregateCalls } from './aggregate-calls.ts';
import { CommonTables } from './common-tables.ts';
import type { Dice } from './dice.ts';
import { sql } from './fragment.ts';
import { Functions } from './functions.ts';
import { Groups } from './groups.ts';
import { OwnFunctions } from './own-functions.ts';
import type { Predicates } from './predicates.ts';
import { plainText, type Query, unordered } from './query.ts';
import { Relations } from './relations.ts';
import type { Selects } from './selects.ts';
import { SetOperations } from './set-operations.ts';
import { Shapes } from './shapes.ts';
import { Subqueries } from './subqueries.ts';
import type { Table, Tables } from './table.ts';
import type { ConstructName } from './weights.ts';
import { Windows } from './windows.ts';

type Makers = { readonly [Name in ConstructName]?: () => Query };

/** A maker for each construct that only reads and may be refused. */
export function readMakers(
  dice: Dice,
  tables: Tables,
  predicates: Predicates,
  selects: Selects,
): Makers {
  const relations = new Relations(dice, predicates, tables);
  const calls = new AggregateCalls(dice, predicates);
  const shapes = new Shapes(dice, selects);
  const groups = new Groups(dice, selects, calls);
  const windows = new Windows(dice, selects);
  const functions = new Functions(dice);
  const ownFunctions = new OwnFunctions(dice);
  const subqueries = new Subqueries(dice, tables, { predicates, selects, shapes, calls });
  const setOperations = new SetOperations(dice, tables, { predicates, selects, relations });
  const commonTables = new CommonTables(dice, predicates, tables);
  const distributed = () => relations.distributed();
  const keyed = () => (dice.chance(0.05) ? tables.item : distributed());
  const any = () => relations.any();
  /** A relation whose first source has the key of a distribution. */
  const byKey = () => (dice.chance(0.7) ? relations.single(distributed()) : relations.colocated());
  const aggregated = (name: 'distinct' | 'collecting' | 'statistical' | 'rare' | 'filtered') => {
    const relation = any();
    const call = () => (dice.chance(0.75) ? calls[name](relation) : calls.simple(relation));
    const first = () => calls[name](relation);
    return dice.chance(0.4) ? groups.ungrouped(relation, first) : groups.grouped(relation, call);
  };
  return {
    'several keys': () => selects.manyKeys(keyed()),
    scan: () => selects.scan(distributed()),
    'sorted scan': () =>
      dice.chance(0.5) ? selects.sorted(distributed()) : shapes.sorted(relations.any()),
    distinct: () => (dice.chance(0.5) ? selects.distinct(distributed()) : shapes.distinct(any())),
    'distinct on': () => shapes.distinctOn(any()),
    'with ties': () => shapes.withTies(any()),
    'reference or home read': () => selects.sorted(dice.pick([tables.item, tables.note])),
    aggregate: () => {
      const relation = any();
      return groups.ungrouped(relation, () => calls.simple(relation));
    },
    'group by': () => {
      const relation = any();
      return groups.grouped(relation, () => calls.simple(relation));
    },
    'group by key': () => {
      const relation = byKey();
      return groups.byKey(relation, () => calls.any(relation));
    },
    having: () => groups.having(any()),
    'grouping sets': () => groups.sets(any()),
    'distinct aggregate': () => aggregated('distinct'),
    'collecting aggregate': () => aggregated('collecting'),
    'statistical aggregate': () => aggregated('statistical'),
    'rare aggregate': () => aggregated('rare'),
    'filtered aggregate': () => aggregated('filtered'),
    'expression over aggregates': () => {
      const relation = any();
      const call = () => calls.combined(relation);
      return dice.chance(0.5) ? groups.ungrouped(relation, call) : groups.grouped(relation, call);
    },
    'co-located join': () => shapes.any(relations.colocated()),
    'outer join': () => shapes.any(relations.outer()),
    'reference join': () => shapes.any(relations.withReference()),
    'home join': () => shapes.any(relations.withHome()),
    'join off the key': () => shapes.any(relations.offKey()),
    'natural join or using': () => shapes.any(relations.naturally()),
    lateral: () => shapes.any(relations.lateral()),
    'derived table': () => shapes.any(relations.derived()),
    'grouped derived table': () => shapes.any(relations.grouped()),
    'common table expression': () => shapes.any(relations.common()),
    'several common table expressions': () => commonTables.several(),
    'recursive common table expression': () => commonTables.recursive(),
    'subquery in where': () => subqueries.inWhere(),
    'subquery in select list': () => subqueries.inColumns(),
    'subquery in having': () => subqueries.inHaving(),
    'subquery in order by': () => subqueries.inOrderBy(),
    'subquery in join': () => subqueries.inJoin(),
    'subquery without from': () => subqueries.alone(),
    'set operation': () => setOperations.any(),
    values: () => setOperations.values(),
    window: () => windows.over(any(), false),
    'window by key': () => windows.over(byKey(), true),
    'top of each partition': () => windows.top(byKey(), dice.chance(0.6)),
    'set-returning function': () => functions.sets(any()),
    json: () => functions.json(any()),
    'time of the statement': () => functions.moments(any()),
    'volatile function': () => functions.volatile(any()),
    'own function': () => ownFunctions.any(any()),
    'locking read': () => locking(dice, distributed(), predicates),
  };
}

/** FOR UPDATE and what samples rows. */
function locking(dice: Dice, table: Table, predicates: Predicates): Query {
  const where = sql` where ${predicates.filter({ table, alias: '' })}`;
  const strength = dice.pick(['update', 'share', 'no key update', 'key share']);
  return dice.pick([
    () => unordered(sql`select rid from ${table.name}${where} for ${strength}`),
    () => plainText(`select count(*) from ${table.name} tablesample system (100)`),
    () => unordered(sql`select rid from ${table.name}${where} order by rid for ${strength} nowait`),
  ])();
}
