import { describe, expect, it } from 'vitest';
import { findLeftovers, leavingPattern } from '../../../src/cluster/leftovers/find-leftovers.ts';

const leaves = new RegExp(leavingPattern, 'i');

describe('bodies of functions', () => {
  it.each([
    "begin set work_mem to '7MB'; end",
    'SET timezone = utc',
    "select 1; SET app.tenant TO 'red'",
    'if x then set role clerk; end if;',
    'begin -- why\n  set role clerk; end',
    'begin /* why */ set role clerk; end',
    "begin <<here>> set search_path to ''; end",
    "perform set_config('app.tenant', t, false)",
    "perform set_config('app.tenant', coalesce(t, ''), is_local)",
    "begin perform set_config('a.b', 'c', true); perform set_config('a.c', 'd', local); end",
    "execute format('select %L', x)",
    'create temp table t (id int)',
    'create local temporary view v as select 1',
    'select 1 into temp t',
    'create table pg_temp.t ()',
    'perform pg_advisory_lock(1)',
    'select pg_try_advisory_lock_shared(1)',
    'declare c cursor with hold for select 1',
    "load 'auto_explain'",
    'listen news',
  ])('may leave something: %s', (body) => {
    expect(leaves.test(body)).toBe(true);
  });

  it.each([
    'begin update t set x = 1 where id = 2; return new; end',
    'update t\n  set x = 1',
    'insert into t values (1) on conflict (id) do update set x = 1',
    'merge into t using s on true when matched then update set x = 1',
    'begin set local work_mem to 1; set constraints all deferred; end',
    "perform set_config('app.tenant', t::text, true)",
    'perform pg_advisory_xact_lock(1)',
    'new.updated_at := now(); new.temp := old.temporary; new.hold := 1; return new;',
    'select executed, prepared, discarded, listener from load',
  ])('leave nothing: %s', (body) => {
    expect(leaves.test(body)).toBe(false);
  });

  it('name parameters that no server lists', () => {
    const body = `begin set session App.Zone = 1; perform set_config('app.tenant', x, false); end`;
    const { settings } = findLeftovers([{ name: 'f', body }], []);
    expect(settings).toEqual(['app.tenant', 'app.zone']);
  });
});

describe('what may call them', () => {
  it('is found over any number of steps, with operators', () => {
    const objects = [
      { name: 'g', text: 'select public.F(1)' },
      { name: 'report', text: 'SELECT g() FROM entry' },
      { name: '<~>', text: 'app.g' },
      { name: 'h', text: 'select 1 <~> 2' },
      { name: 'off', text: 'select off_f(), gg()' },
    ];
    const { names } = findLeftovers([{ name: 'F', body: '' }], objects);
    expect(names).toEqual(['<~>', 'f', 'g', 'h', 'report']);
  });
});
