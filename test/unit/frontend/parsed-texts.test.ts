import { describe, expect, it } from 'vitest';
import { PlannedStatement } from '../../../src/executor/planned-statement.ts';
import { ShardTraffic } from '../../../src/executor/shard-traffic.ts';
import { ParsedTexts } from '../../../src/frontend/parsed-texts.ts';
import type { PreparedStatement } from '../../../src/frontend/prepared-statement.ts';
import { encodeParse } from '../../../src/protocol/parse-message.ts';
import { demoSchema } from '../../support/demo-schema.ts';

const schema = demoSchema();
const context = { settingsNumber: 1, schema };
const lexed = { start: 0, end: 0, fingerprint: '', literals: [], parameterCount: 0 };

/** What a read of this text makes; with `traffic` null a write. */
function statementOf(
  sql: string,
  traffic: ShardTraffic | null = new ShardTraffic(),
  basis = { schema, searchPath: [] },
): PreparedStatement {
  const planned = new PlannedStatement(sql, lexed, { kind: 'empty' }, traffic, [], basis);
  const tail = tailOf(sql);
  return { name: '', serverName: '', meaning: '', planned, typeOids: [], tail, told: null };
}

function tailOf(sql: string): Buffer {
  return encodeParse({ name: '', sql, typeOids: [] }).subarray(6);
}

/** The name that it has when it comes for the second time. */
function nameOfSecond(statement: PreparedStatement): string | undefined {
  const texts = new ParsedTexts();
  texts.add(context, statement);
  return texts.find(context, tailOf(statement.planned.source.text))?.serverName;
}

describe('parsed texts', () => {
  it('are found by their bytes', () => {
    const texts = new ParsedTexts();
    const statement = statementOf('select \u00fc');
    texts.add(context, statement);
    expect(texts.find(context, tailOf('select \u00fc'))?.planned).toBe(statement.planned);
    expect(texts.find(context, tailOf('select u'))).toBeNull();
  });

  it('are those of one set of settings', () => {
    const texts = new ParsedTexts();
    const other = { settingsNumber: 2, schema };
    texts.add(context, statementOf('select a'));
    expect(texts.find(other, tailOf('select a'))).toBeNull();
    texts.add(other, statementOf('select a'));
    const names = [context, other].map((each) => texts.find(each, tailOf('select a'))?.serverName);
    expect(new Set(names).size).toBe(2);
  });

  it('are forgotten when the catalogue changes, names and all', () => {
    const texts = new ParsedTexts();
    texts.add(context, statementOf('select a'));
    const before = texts.find(context, tailOf('select a'))?.serverName;
    const changed = { settingsNumber: 1, schema: demoSchema() };
    expect(texts.find(changed, tailOf('select a'))).toBeNull();
    const basis = { schema: changed.schema, searchPath: [] };
    texts.add(changed, statementOf('select a', new ShardTraffic(), basis));
    expect(texts.find(changed, tailOf('select a'))?.serverName).not.toBe(before);
  });

  it('keep their name as long as they are remembered', () => {
    const texts = new ParsedTexts();
    texts.add(context, statementOf('select a'));
    const found = texts.find(context, tailOf('select a'));
    expect(found?.serverName).toMatch(/^pgweave_/);
    expect(texts.find(context, tailOf('select a'))).toBe(found);
  });

  it('are remembered up to 8 kB each and a few MB in all, the used ones longest', () => {
    const texts = new ParsedTexts();
    const sqlOf = (number: number) => `select ${number} ${' '.repeat(8000)}`;
    texts.add(context, statementOf(`select ${'a'.repeat(8192)}`));
    expect(texts.find(context, tailOf(`select ${'a'.repeat(8192)}`))).toBeNull();
    texts.add(context, statementOf('select used'));
    for (let number = 0; number < 2000; number++) {
      texts.add(context, statementOf(sqlOf(number)));
      expect(texts.find(context, tailOf('select used'))).not.toBeNull();
    }
    const known = (number: number) => texts.find(context, tailOf(sqlOf(number))) !== null;
    expect(known(1999)).toBe(true);
    expect([0, 500, 900].map(known)).toEqual([false, false, false]);
  });

  it.each([
    'select balance from account where id = $1',
    'select "a b" from t where x in ($1, $2) and (y > 5 or z = any ($3)) limit 10',
    'select coalesce(a, $1) from t join u using (id) where exists (select 1 from v)',
  ])('get a name: %s', (sql) => {
    expect(nameOfSecond(statementOf(sql))).toMatch(/^pgweave_/);
  });

  it.each([
    ['a literal that is read while parsing', "select a from t where day = 'today'"],
    ['the same in dollars', 'select a from t where day = $$today$$'],
    ['the same in tagged dollars', 'select a from t where day = $x$today$x$'],
    ['a function, which may get a better fitting sister', 'select f(a) from t'],
    ['a quoted function', 'select "f" (a) from t'],
    ['a function of a schema', 'select s.f(a) from t'],
  ])('get none with %s', (_, sql) => {
    expect(nameOfSecond(statementOf(sql))).toBe('');
  });

  it('get none when they may write', () => {
    expect(nameOfSecond(statementOf('delete from t where id = $1', null))).toBe('');
  });
});
