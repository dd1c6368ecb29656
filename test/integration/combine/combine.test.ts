import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../../src/lab/sql.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { type PlainPostgres, startPlainPostgres } from '../../support/lab.ts';
import { seededRandom } from '../../support/random.ts';
import { type SplitSql, splitSql } from '../../support/split-sql.ts';
import { drawQuery } from './queries.ts';
import { collationSql, combineSchema, drawRows, tablesSql } from './tables.ts';
import { traps } from './traps.ts';

// Each schema of one server is a shard; the schema `whole` has all their rows and is the judge.

const seed = Number(process.env['SEED'] ?? 20_261_122);
const queryCount = Number(process.env['QUERIES'] ?? 600);
const shardCount = 4;
const schemas = Array.from({ length: shardCount }, (_, shard) => `s${shard}`);
const schema = combineSchema();
let postgres: PlainPostgres;

type Rows = readonly (readonly (string | null)[])[];

beforeAll(async () => {
  await loadParser();
  postgres = await startPlainPostgres();
  await inSession(async (session) => {
    await session.query(collationSql);
    const rows = drawRows(seededRandom(seed), 70);
    for (const [shard, name] of [...schemas, 'whole'].entries()) {
      // The last shard stays empty.
      const own = rows.filter(
        ([key]) => name === 'whole' || Number(key) % (shardCount - 1) === shard,
      );
      await session.query(`create schema ${name}; set search_path to ${name}; ${tablesSql}`);
      const values = own.map((row) => `(${row.join(', ')})`);
      if (values.length > 0) await session.query(`insert into t values ${values.join(', ')}`);
    }
  });
});

afterAll(async () => {
  await postgres?.stop();
});

describe('a query cut in two answers as one server does', () => {
  it.each(traps)('%s', async (sql) => {
    await inSession(async (session) => {
      const split = splitSql(schema, sql);
      if (split === null) throw new Error('not split');
      const expected = await ask(session, 'whole', sql);
      expect(await combined(session, split)).toEqual(expected);
    });
  });

  it(`for ${queryCount} queries drawn with seed ${seed}`, { timeout: 600_000 }, async () => {
    const random = seededRandom(seed);
    const counts = { equal: 0, uncut: 0, refused: 0 };
    const differences: string[] = [];
    await inSession(async (session) => {
      for (let index = 0; index < queryCount; index += 1) {
        const { sql, ordered } = drawQuery(random);
        const split = splitSql(schema, sql);
        const expected = await attempt(() => ask(session, 'whole', sql));
        if (typeof expected === 'string') {
          counts.refused += 1;
          continue;
        }
        if (split === null) {
          counts.uncut += 1;
          continue;
        }
        const actual = await attempt(() => combined(session, split));
        if (isSame(actual, expected, ordered)) counts.equal += 1;
        else differences.push(report(sql, split, actual, expected));
      }
    });
    expect(differences.join('\n\n')).toBe('');
    // Nearly every query that a server answers is cut.
    expect(counts.equal).toBeGreaterThan(0.7 * queryCount);
    expect(counts.uncut).toBeLessThan(0.05 * queryCount);
  });
});

function inSession<Result>(work: (session: Client) => Promise<Result>): Promise<Result> {
  return withSession(postgres.server, { database: 'app', password: null }, work);
}

/** An error is its message. */
async function attempt(work: () => Promise<Rows>): Promise<Rows | string> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function ask(session: Client, searchPath: string, text: string, values: unknown[] = []) {
  const { rows } = await query(session, searchPath, text, values);
  return rows;
}

async function query(session: Client, searchPath: string, text: string, values: unknown[] = []) {
  await session.query(`set search_path to ${searchPath}, public`);
  // Every value as the server writes it.
  const types = { getTypeParser: () => (value: string) => value };
  const answer = await session.query<(string | null)[]>({ text, values, rowMode: 'array', types });
  return { rows: answer.rows, fields: answer.fields };
}

/** What the proxy does, with the rows of all shards in the order in which they come. */
async function combined(session: Client, split: SplitSql): Promise<Rows> {
  const answers = [];
  for (const name of schemas) answers.push(await query(session, name, split.partial));
  const rows = answers.flatMap((answer) => answer.rows);
  const fields = answers[0]?.fields ?? [];
  const types: string[] = [];
  const bare: string[] = [];
  for (const { name, dataTypeID, dataTypeModifier } of fields) {
    const [[type = '', plain = '', collates = ''] = []] = await ask(
      session,
      'public',
      `select format_type(oid, $2), format_type(oid, null), typcollation <> 0
       from pg_type where oid = $1`,
      [dataTypeID, dataTypeModifier],
    );
    bare.push(plain ?? '');
    types.push(`${type}${collates === 't' ? await collationOf(session, split, name) : ''}`);
  }
  const names = types.map((type, index) => `t.c${index}::${type}`);
  const arrays = types.map((_, index) => `$${index + 1}::text[]`);
  const columns = types.map((_, index) => `c${index}`);
  const text = `${names.join(', ')} from unnest(${arrays.join(', ')}) as t(${columns.join(', ')})`;
  const values = types.map((_, index) => rows.map((row) => row[index] ?? null));
  return ask(
    session,
    's3',
    split.final(text, (column) => bare[column] ?? ''),
    values,
  );
}

async function collationOf(session: Client, { partial }: SplitSql, name: string): Promise<string> {
  const text = `select pg_collation_for(q.${name}) from (select) as one left join (${partial} limit 0) as q on true`;
  const limited = partial.includes(' LIMIT ') || partial.includes(' FETCH ');
  const whole = limited ? text.replace(' limit 0', '') : text;
  const [[collation = null] = []] = await ask(session, 's3', whole);
  return collation === null || collation === '"default"' ? '' : ` collate ${collation}`;
}

function isSame(actual: Rows | string, expected: Rows, ordered: boolean): boolean {
  if (typeof actual === 'string') return false;
  const text = (rows: Rows) => rows.map((row) => JSON.stringify(row));
  const [a, b] = [text(actual), text(expected)];
  return JSON.stringify(ordered ? a : a.sort()) === JSON.stringify(ordered ? b : b.sort());
}

function report(sql: string, split: SplitSql, actual: Rows | string, expected: Rows): string {
  const few = (rows: Rows | string) => JSON.stringify(rows).slice(0, 400);
  const final = split.final('...', (column) => `type_${column}`);
  return [sql, split.partial, final, `actual ${few(actual)}`, `expected ${few(expected)}`].join(
    '\n',
  );
}
