import { beforeAll, describe, expect, it } from 'vitest';
import { type ResolvedRouting, resolveRouting } from '../../../src/planner/keys/resolve-routing.ts';
import { PlanCache } from '../../../src/planner/plan-cache.ts';
import { planStatement } from '../../../src/planner/plan-statement.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { demoMap, demoSchema } from '../../support/demo-schema.ts';

type Bound = {
  readonly values?: readonly (Buffer | string | null)[];
  readonly formats?: readonly number[];
  readonly typeOids?: readonly number[];
};

function requestOf(text: string) {
  const [lexed] = lexStatements(text, { standardConformingStrings: true });
  if (lexed === undefined) throw new Error('there is no statement');
  const { tables } = demoMap;
  return { lexed, text, schema: demoSchema(), tables, searchPath: ['public'] };
}

function resolve(text: string, bound: Bound = {}): ResolvedRouting {
  const request = requestOf(text);
  const plan = planStatement(request);
  if (plan.kind !== 'select' && plan.kind !== 'modify') throw new Error(JSON.stringify(plan));
  const values = {
    text,
    literals: request.lexed.literals,
    typeOids: bound.typeOids ?? [],
    formats: bound.formats ?? [],
    values: (bound.values ?? []).map((value) =>
      typeof value === 'string' ? Buffer.from(value) : value,
    ),
    timeZone: null,
  };
  return resolveRouting(plan.routing, values, demoMap);
}

/** In short: the shards' names, or what it is instead. */
function shards(text: string, bound: Bound = {}): string {
  const resolved = resolve(text, bound);
  if (resolved.kind === 'single') return resolved.shard;
  if (resolved.kind === 'many') return resolved.shards.join(' ');
  return resolved.kind === 'error' ? resolved.error.sqlState : resolved.kind;
}

const int8 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};

function arrayOf(elementOid: number, elements: readonly (Buffer | null)[]): Buffer {
  const head = Buffer.alloc(20);
  [1, 1, elementOid, elements.length, 1].forEach((word, index) => {
    head.writeInt32BE(word, index * 4);
  });
  const parts = elements.map((element) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(element === null ? -1 : element.length);
    return Buffer.concat([length, element ?? Buffer.alloc(0)]);
  });
  return Buffer.concat([head, ...parts]);
}

beforeAll(loadParser);

describe('resolveRouting', () => {
  it.each([
    ["select 1 from customer where cust_id = 'kim'", 'e_o'],
    ["select 1 from customer where cust_id = E'\\x6bim'", 'e_o'],
    ['select 1 from customer where cust_id = $$Zoe$$', 'v_z'],
    ["select 1 from customer where cust_id in ('kim', 'KAY', 'lee')", 'e_o'],
    ["select 1 from customer where cust_id in ('kim', 'ann')", 'a_d e_o'],
    ['select 1 from customer where cust_id = any(\'{kim,"ann b",NULL}\')', 'a_d e_o'],
    ["select 1 from customer where cust_id = any('{}')", 'none'],
    ["select 1 from customer where cust_id = any('{{kim}}')", 'a_d e_o p_u v_z'],
    ["select 1 from customer where cust_id = 'kim' and cust_id = 'zoe'", 'none'],
    ["select 1 from customer where cust_id = 'kim' or cust_id = 'zoe'", 'e_o v_z'],
    ["select 1 from customer where cust_id = 'kim' or vip", 'a_d e_o p_u v_z'],
    ['select 1 from customer where cust_id = null', 'none'],
    ['select 1 from customer where cust_id is null', 'none'],
    ["select 1 from customer where cust_id like 'k%'", 'e_o'],
    ["select 1 from customer where cust_id like 'k\\%%'", 'e_o'],
    ["select 1 from customer where cust_id like '%k'", 'a_d e_o p_u v_z'],
    ["select 1 from customer where cust_id ^@ 'z'", 'v_z'],
    [
      "select 1 from customer c, reservation r where c.cust_id = 'kim' and r.cust_id = 'lee'",
      'e_o',
    ],
    [
      "select 1 from customer c, reservation r where c.cust_id = 'kim' and r.cust_id = 'ann'",
      'a_d e_o',
    ],
    ["select 1 from note n, reservation r where r.cust_id = 'ann'", 'a_d'],
    ["select 1 from note n, reservation r where r.cust_id = 'kim'", 'a_d e_o'],
    ['select 1 from item', 'any'],
    ['select 1 from note', 'a_d'],
    ["select 1 from event where event_id = 'x'", 'none'],
    ['select 1 from event where event_id = 5.5', 'none'],
    // One type for the whole list: '2.0' is a numeric here, and no bigint by itself.
    ["select 1 from event where event_id in ('2.0', 5.5)", 'a_d e_o p_u v_z'],
    ["select 1 from event where event_id = any(array['2.0', 5.5])", 'a_d e_o p_u v_z'],
    ["select 1 from event where event_id in ('2.0', null::numeric)", 'a_d e_o p_u v_z'],
    ['select 1 from event where event_id in (5.5, 6.5)', 'none'],
    [
      "select 1 from (select event_id from event union all select 2.0) u where event_id = '2.0'",
      'a_d e_o p_u v_z',
    ],
    ["insert into customer (cust_id) values ('kim'), ('lee')", 'e_o'],
    ["insert into customer (cust_id) values ('kim'), ('ann')", 'a_d e_o'],
    ["update customer set cust_id = 'KIM' where cust_id = 'kim'", 'e_o'],
    ["update customer set cust_id = 'ann' where cust_id = 'kim'", 'a_d e_o'],
  ])('%s goes to %s', (text, expected) => {
    expect(shards(text)).toBe(expected);
  });

  it('finds the same shard for a number in every spelling', () => {
    const spellings = ['-5', '- 5', "'-5'", '-5.0', "'-5'::int4", '-0x5', '-(5)', "' -5 '"];
    const found = spellings.map((spelling) =>
      shards(`select 1 from event where event_id = ${spelling}`),
    );
    expect(new Set(found).size).toBe(1);
    const text = 'select 1 from event where event_id = $1';
    expect(shards(text, { values: ['-5'] })).toBe(found[0]);
    expect(shards(text, { values: [int8(-5n)], formats: [1], typeOids: [20] })).toBe(found[0]);
    expect(shards(text, { values: [int8(-5n)], formats: [1] })).toBe(found[0]);
  });

  it('does not read an untyped parameter alone that a list gives another type', () => {
    const everywhere = 'a_d e_o p_u v_z';
    const text = 'select 1 from event where event_id in ($1, $2)';
    expect(shards(text, { values: ['2.0', '5.5'], typeOids: [0, 1700] })).toBe(everywhere);
    expect(shards(text, { values: ['2', '2'], typeOids: [0, 23] })).not.toBe(everywhere);
    expect(shards(text, { values: ['2', '2'] })).not.toBe(everywhere);
  });

  it('tells a negative number from a positive one', () => {
    const signs = Array.from({ length: 20 }, (_, index) => [
      shards(`select 1 from event where event_id = ${index + 1}`),
      shards(`select 1 from event where event_id = -${index + 1}`),
    ]);
    expect(signs.some(([plus, minus]) => plus !== minus)).toBe(true);
  });

  it('reads parameters in both formats', () => {
    const text = 'select 1 from customer where cust_id = $1';
    expect(shards(text, { values: ['kim'] })).toBe('e_o');
    expect(shards(text, { values: ['kim'], formats: [1], typeOids: [25] })).toBe('e_o');
    expect(shards(text, { values: [null] })).toBe('none');
  });

  it('reads array parameters in both formats', () => {
    const text = 'select 1 from customer where cust_id = any($1)';
    expect(shards(text, { values: ['{kim,zoe}'] })).toBe('e_o v_z');
    const binary = arrayOf(25, [Buffer.from('kim'), null, Buffer.from('zoe')]);
    expect(shards(text, { values: [binary], formats: [1], typeOids: [1009] })).toBe('e_o v_z');
    expect(shards(text, { values: [null] })).toBe('none');
    expect(shards(text, { values: ['[0:1]={kim,zoe}'] })).toBe('a_d e_o p_u v_z');
  });

  it('does not guess the type of a parameter that also stands elsewhere', () => {
    const text = 'select 1 from event where event_id = $1 and amount > $1';
    expect(shards(text, { values: ['5'] })).toBe('a_d e_o p_u v_z');
    expect(shards(text, { values: ['5'], typeOids: [20] })).not.toContain(' ');
  });

  it('refuses to store what has no shard', () => {
    const insert = 'insert into customer (cust_id) values ($1)';
    expect(shards(insert, { values: [null] })).toBe('23502');
    expect(shards("insert into event (event_id) values ('x')")).toBe('22P02');
    expect(
      shards('update customer set cust_id = $1 where cust_id = $2', { values: [null, 'kim'] }),
    ).toBe('23502');
  });
});

describe('PlanCache', () => {
  it('plans a statement once for all values of its literals', () => {
    const cache = new PlanCache(10);
    const first = cache.plan(requestOf("select 1 from customer where cust_id = 'kim'"));
    const second = cache.plan(requestOf("select 1 from customer  where cust_id = 'zoe'"));
    expect(second).toBe(first);
    expect(cache.size).toBe(1);
  });

  it('keeps no settings, and no more plans than it may', () => {
    const cache = new PlanCache(2);
    cache.plan(requestOf('set work_mem = 5'));
    expect(cache.size).toBe(0);
    for (const column of ['name', 'city', 'vip'])
      cache.plan(requestOf(`select ${column} from customer`));
    expect(cache.size).toBe(2);
  });

  it('plans anew for another search path, and for another schema', () => {
    const cache = new PlanCache(10);
    const request = requestOf('select 1 from customer');
    const plan = cache.plan(request);
    expect(cache.plan({ ...request, searchPath: ['app'] })).not.toEqual(plan);
    const newer = { ...demoSchema(), version: 2, relation: () => null };
    expect(cache.plan({ ...request, schema: newer })).not.toEqual(plan);
  });
});

describe('planStatement', () => {
  it('refuses a statement that is nested too deeply for the grammar', () => {
    const plan = planStatement(requestOf(`select ${'a+'.repeat(20_000)}1`));
    expect(plan).toMatchObject({ kind: 'reject', sqlState: '54001' });
    expect(planStatement(requestOf('select 1')).kind).toBe('select');
  });

  it('finds literals behind letters that are longer in UTF-8', () => {
    expect(shards("select 'é한글🙂' from customer where name = '한' and cust_id = 'zoe'")).toBe(
      'v_z',
    );
  });

  it('refuses strings that only a server without conforming strings reads right', () => {
    const text = "select 1 from customer where cust_id = 'a\\' or 1 = 1 --'";
    const [lexed] = lexStatements(text, { standardConformingStrings: false });
    if (lexed === undefined) throw new Error('there is no statement');
    expect(planStatement({ ...requestOf(text), lexed }).kind).toBe('reject');
  });
});
