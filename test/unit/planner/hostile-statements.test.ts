import { beforeAll, describe, expect, it, vi } from 'vitest';
import { splitNames } from '../../../src/executor/session/search-path.ts';
import { resolveRouting } from '../../../src/planner/keys/resolve-routing.ts';
import { PlanCache } from '../../../src/planner/plan-cache.ts';
import { planStatement } from '../../../src/planner/plan-statement.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { meansTheSame } from '../../../src/sql/means-the-same.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { demoMap, demoSchema } from '../../support/demo-schema.ts';

// What a client may send to stop a worker, or to keep it busy for everybody else: each must be planned
// or refused, and in a moment. One that is not takes minutes, or the process with it.

// A moment on a machine with nothing else to do.
vi.setConfig({ testTimeout: 60_000 });

const schema = demoSchema();
const tooDeep = { kind: 'reject', sqlState: '54001', message: 'statement is nested too deeply' };
const levels = 10_000;

beforeAll(loadParser);

function requests(text: string) {
  return lexStatements(text, { standardConformingStrings: true }).map((lexed) => {
    return { lexed, text, schema, tables: demoMap.tables, searchPath: ['public'] };
  });
}

function planOf(text: string) {
  const [request, ...others] = requests(text);
  if (request === undefined || others.length > 0) throw new Error('one statement is wanted');
  return planStatement(request);
}

function nested(before: string, after: string, count = levels): string {
  return `${before.repeat(count)}1${after.repeat(count)}`;
}

describe('a statement that is too deep for the grammar', () => {
  it.each([
    ['parentheses', `select ${nested('(', ')')}`],
    ['functions', `select ${nested('abs(', ')')}`],
    ['subqueries', `select ${nested('(select ', ')')}`],
    ['arrays', `select ${nested('array[', ']')}`],
    ['signs', `select ${nested('- ', '')}`],
    ['NOT', `select ${nested('not ', '')}`],
    ['casts', `select ${nested('', '::int')}`],
    ['additions', `select ${nested('', ' + 1')}`],
    ['CASE', `select ${nested('case when a then ', ' end')}`],
    ['CASE with AND', `select ${nested('case when a and b then ', ' end')}`],
    ['CASE with ELSE', `select ${nested('case when a or b then 1 else ', ' end')}`],
    ['BETWEEN with NOT', `select ${nested('1 between 2 and not ', '')}`],
    ['BETWEEN behind a point', `create view v as select ${nested('1. between 2 and not ', '')}`],
    ['UNION', `select 1 ${'union select 1 '.repeat(50_000)}`],
    ['joins', `select from a ${'join a on true '.repeat(levels)}`],
    ['CTEs', `${nested('with a as (', ') select 1').replace('1', 'select 1')}`],
    ['FROM', `select * from ${nested('(select * from ', ') a').replace('1', 'a')}`],
    ['CREATE VIEW', `create view v as select ${nested('(', ')')}`],
    ['what a string seems to hold', `create view v as select E'\\'' || ${nested('(', ')')}`],
    ['what a name seems to quote', `select a$b$ + ${nested('(', ')')}`],
    ['what a name with a mark hides', `create view v as select e$e$, ${nested('(', ')')}, $e$`],
    ['a name like a word', `select a.case, ${nested('case when a and b then ', ' end')}`],
    ['an end that is none', `select ${nested('case when a.end and b then ', ' end')}`],
  ])('is refused: %s', (_, text) => {
    expect(planOf(text)).toMatchObject(tooDeep);
  });

  it.each([
    ['an OR of 10,000 terms', `select note from note where ${'id = 1 or '.repeat(10_000)}id = 2`],
    ['an AND of 10,000 terms', `select id from note where ${'id > 1 and '.repeat(10_000)}id < 2`],
    ['a list of 100,000 values', `select id from note where id in (1${', 2'.repeat(100_000)})`],
    [
      'a CASE of 5,000 branches',
      `select case ${'when id = 1 and id = 2 then 3 '.repeat(5_000)}end from note`,
    ],
    [
      'a hundred levels',
      `select ${nested('(', ')', 100)}, ${nested('case when true then ', ' end', 100)}`,
    ],
    ['as many parentheses as are allowed', `select ${nested('(', ')', 1_500)}`],
    ['as many functions as are allowed', `select ${nested('abs(', ')', 1_000)} from note`],
    ['as many subqueries as are allowed', `select ${nested('(select ', ')', 400)} from note`],
    ['as many additions as are allowed', `select ${nested('', ' + 1', 1_500)} from note`],
    [
      'as many CASEs as are allowed',
      `select ${nested('case when true then ', ' end', 600)} from note`,
    ],
  ])('is planned when it is only long: %s', (_, text) => {
    expect(planOf(text).kind).toBe('select');
  });

  it.each([
    ['event', 'event_id'],
    ['note', 'id'],
  ])('is planned or refused at every depth, over %s', (table, column) => {
    for (const count of [500, 1_700, 3_400]) {
      for (const [before, after] of [
        ['(', ')'],
        ['not ', ''],
        ['(select ', ')'],
        ['coalesce(', ')'],
        [`(select ${column} from ${table} where ${column} = `, ')'],
      ] as const) {
        const text = `select * from ${table} where ${column} = ${nested(before, after, count)}`;
        expect(['select', 'reject', 'utility']).toContain(planOf(text).kind);
      }
    }
  });
});

describe('a statement that takes long to read', () => {
  it('with a number of a million digits is a numeric', () => {
    const [request] = requests(
      `select * from reservation where reserve_id = ${'9'.repeat(1_000_000)}`,
    );
    expect(request?.lexed.literals).toMatchObject([{ kind: 'numeric' }]);
    const zeros = `0x${'0_0'.repeat(100_000)}1`;
    expect(requests(`select ${zeros}`)[0]?.lexed.literals).toMatchObject([{ kind: 'int4' }]);
  });

  it('with twenty million characters beyond ASCII is planned', () => {
    const plan = planOf(`select * from note where body = 'é${'x'.repeat(20_000_000)}' and id = 7`);
    expect(plan.kind).toBe('select');
  });

  it('with 15,000 rows is planned', () => {
    const rows = Array.from({ length: 15_000 }, (_, index) => `(${index}, 'x', -1)`);
    const text = `insert into note (id, body, cust_id) values ${rows.join(', ')}`;
    expect(planOf(text).kind).toBe('modify');
    const own = rows.map((row) => row.replace(/^\((\d+)/, "('k$1'"));
    const plan = planOf(
      `insert into reservation (cust_id, item_id, payment) values ${own.join(', ').replaceAll("'x'", '7')}`,
    );
    expect(plan.kind).toBe('modify');
  });

  it('with 60,000 parameters that are keys is planned', () => {
    const list = Array.from({ length: 60_000 }, (_, index) => `$${index + 1}`).join(', ');
    const plan = planOf(`select * from reservation where cust_id in (${list})`);
    expect(plan).toMatchObject({ kind: 'select' });
  });

  it('with an array of nothing but blanks is left to a server', () => {
    const array = `'{${' '.repeat(1_000_000)}'`;
    const text = `select * from reservation where cust_id = any(${array})`;
    const plan = planOf(text);
    if (plan.kind !== 'select') throw new Error('a SELECT is wanted');
    const values = {
      text,
      literals: requests(text)[0]?.lexed.literals ?? [],
      timeZone: null,
      typeOids: [],
      formats: [],
      values: [],
    };
    expect(resolveRouting(plan.routing, values, demoMap).kind).toBe('many');
  });

  it('with one word of a million letters may be kept or not', () => {
    expect(meansTheSame('a'.repeat(1_000_000))).toBe(false);
    expect(meansTheSame(`select ${'a, '.repeat(200_000)}`)).toBe(true);
  });
});

describe('a statement that is too long to hold', () => {
  it('is refused where names and not literals make it long', () => {
    const plan = planOf(`select ${'a,'.repeat(1_000_000)}b`);
    expect(plan).toMatchObject({ kind: 'reject', sqlState: '54000' });
    expect(planOf(`select '${'x'.repeat(3_000_000)}'`).kind).toBe('select');
  });

  it('is read in one piece where a name, a comment or a list is long', () => {
    const long = 'x'.repeat(8_000_000);
    expect(splitNames(`"${long}", '${long}'`)).toEqual([long, long]);
    expect(splitNames(`"${long}`)).toEqual([]);
    expect(planOf(`explain /* ${long} */ select 1`).kind).toBe('explain');
    expect(planOf(`prepare /* ${long} */ p as select 1`).kind).toBe('prepared');
    const ends = `copy (select 1) to '${') to '.repeat(20_000)}'`;
    expect(planOf(ends).kind).toBe('reject');
  });
});

describe('the plans of many statements', () => {
  it('take no more room when each is as long as can be', () => {
    const cache = new PlanCache(4096);
    for (let count = 0; count < 300; count++) {
      const [request] = requests(`select 1 as "${count} ${'x'.repeat(90_000)}"`);
      if (request !== undefined) cache.plan(request);
    }
    expect(cache.size).toBeGreaterThan(100);
    expect(cache.size).toBeLessThan(200);
  });
});
