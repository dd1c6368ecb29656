import { describe, expect, it } from 'vitest';
import type { RelationSnapshot } from '../../../src/cluster/catalogue/catalogue-snapshot.ts';
import { driftText, findDrift } from '../../../src/cluster/drift/find-drift.ts';
import type { SchemaObject } from '../../../src/cluster/drift/schema-objects.ts';
import { configFixture, firstShard, secondShard } from '../../support/config-fixture.ts';

const { shardMap } = configFixture();

function relation(name: string, changes: Partial<RelationSnapshot> = {}): RelationSnapshot {
  return {
    schema: 'public',
    name,
    kind: 'table',
    columns: [],
    uniqueKeys: [],
    indexes: [],
    ownedBy: null,
    lacking: [],
    estimatedRows: null,
    definition: null,
    hasRowTriggers: false,
    hasUserTriggers: false,
    referringColumns: [],
    parents: [],
    reads: [],
    usedBy: [],
    ...changes,
  };
}

function object(kind: string, name: string, of: string | null, definition = 'x'): SchemaObject {
  return { kind, name, relation: of, definition };
}

const table = 'public.customer';
const whole = [
  object('table', table, table),
  object('column', `${table}.id`, table, 'text not null'),
  object('type', 'public.mood', null, "enum ('sad', 'happy')"),
];

function drift(
  first: readonly SchemaObject[],
  second: readonly SchemaObject[],
  relations = [relation('customer')],
): readonly string[] {
  const objects = new Map([
    [firstShard, first],
    [secondShard, second],
  ]);
  return findDrift(shardMap, relations, objects).map(driftText);
}

describe('drift', () => {
  it('is nothing where all is the same', () => {
    expect(drift(whole, whole)).toEqual([]);
  });

  it('is told with both definitions', () => {
    const changed = whole.with(1, object('column', `${table}.id`, table, 'text'));
    expect(drift(whole, changed)).toEqual([
      'column public.customer.id on n_z: is "text", on a_m it is "text not null"; make it on n_z as on a_m, or the other way round',
    ]);
  });

  it('is told of a table that is missing, not of its parts', () => {
    expect(
      drift(whole, whole.slice(2), [relation('customer', { lacking: [secondShard] })]),
    ).toEqual([
      'table public.customer on n_z: does not exist, on a_m it does; create it on n_z, or drop it elsewhere',
    ]);
  });

  it('is found on the home shard, too', () => {
    expect(drift(whole.slice(0, 2), whole)).toEqual([
      'type public.mood on a_m: does not exist, on n_z it does; create it on a_m, or drop it elsewhere',
    ]);
  });

  it('is a table that nobody knows of, without its parts', () => {
    const stray = 'public.stray';
    const more = [object('table', stray, stray), object('index', 'public.stray_id_idx', stray)];
    expect(drift(whole, [...whole, ...more])).toEqual([
      'table public.stray on n_z: is not on the home shard, and in no shard map: nobody is sent there; drop it there, or list it in the shard map',
    ]);
  });

  it('shows long definitions from where they differ', () => {
    const body = (end: string) => `${'begin\n  '.repeat(40)}${end}${' end'.repeat(40)}`;
    const [line = ''] = drift(
      [object('function', 'f()', null, body('return 1'))],
      [object('function', 'f()', null, body('return 2'))],
    );
    expect(line).toMatch(
      /is "\.\.\.[^"]*return 2 end[^"]*\.\.\.", on a_m it is "\.\.\.[^"]*return 1/,
    );
    expect(line.length).toBeLessThan(400);
  });
});
