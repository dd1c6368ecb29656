import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadParser } from '../../../src/sql/parser.ts';
import { demoSchema } from '../../support/demo-schema.ts';
import { splitSql } from '../../support/split-sql.ts';

// A case: a line beginning with `#` says what it shows, then the SQL, `----`, the shards' query and the
// query over the rows of all. GOLDEN_ACCEPT=1 writes the queries that the planner makes now.

const path = join(import.meta.dirname, 'combine.txt');
const accept = process.env['GOLDEN_ACCEPT'] === '1';
const cases = readFileSync(path, 'utf8')
  .split(/\n\n+/)
  .map((block) => {
    const [comment = '', sql = '', , ...queries] = block.trimEnd().split('\n');
    return { comment, sql, queries: queries.join('\n') };
  });

function queriesOf(sql: string): string {
  const split = splitSql(demoSchema(), sql);
  if (split === null) return 'not cut';
  const all = split.final('ROWS', (column) => `type_of_c${column + 1}`);
  const definition = `WITH __pgweave_result_0(${split.columns.join(', ')}) AS (SELECT ROWS) `;
  expect(all.startsWith(definition)).toBe(true);
  const final = all.slice(definition.length).replaceAll('__pgweave_result_0', 'result');
  return `${split.partial}\n${final}`;
}

beforeAll(loadParser);

describe('a query cut in two', () => {
  it.skipIf(!accept)('is rewritten', () => {
    const texts = cases.map(({ comment, sql }) => `${comment}\n${sql}\n----\n${queriesOf(sql)}\n`);
    writeFileSync(path, texts.join('\n'));
  });
  for (const { comment, sql, queries } of accept ? [] : cases) {
    it(comment.replace(/^# /, ''), () => {
      expect(comment).toMatch(/^# /);
      expect(queriesOf(sql)).toBe(queries);
    });
  }
});
