import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { loadParser } from '../../../src/sql/parser.ts';
import { supportPage } from './support-page.ts';

const root = join(import.meta.dirname, '../../..');
const page = join(root, 'docs/sql-support.md');
const read = (path: string) => readFileSync(path, 'utf8');

beforeAll(loadParser);

it('describes in docs/sql-support.md what the planner does', () => {
  const cases = read(join(import.meta.dirname, 'cases.txt'));
  const counts = JSON.parse(read(join(import.meta.dirname, 'refusals.json')));
  const text = supportPage(cases, counts);
  if (process.env['GOLDEN_ACCEPT'] === '1') writeFileSync(page, text);
  expect(read(page)).toBe(text);
});
