import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { explainPlan } from '../../../src/planner/explain-plan.ts';
import { planStatement } from '../../../src/planner/plan-statement.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { demoMap, demoSchema } from '../../support/demo-schema.ts';

// A case: lines beginning with `#` say what it shows, then the SQL, `----`, the plan. Cases are
// separated by blank lines. GOLDEN_ACCEPT=1 writes the plans that the planner makes now.

type Case = { readonly comment: string; readonly sql: string; readonly plan: string };

const directory = import.meta.dirname;
const accept = process.env['GOLDEN_ACCEPT'] === '1';

function casesOf(text: string): readonly Case[] {
  return text
    .split(/\n\n+/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.trimEnd().split('\n');
      const comment = lines.filter((line) => line.startsWith('# ')).join('\n');
      const rest = lines.filter((line) => !line.startsWith('# '));
      const bar = rest.indexOf('----');
      const sql = rest.slice(0, bar === -1 ? undefined : bar).join('\n');
      return { comment, sql, plan: bar === -1 ? '' : rest.slice(bar + 1).join('\n') };
    });
}

function planText(sql: string): string {
  const schema = demoSchema();
  const plans = lexStatements(sql, { standardConformingStrings: true }).map((lexed) =>
    planStatement({ lexed, text: sql, schema, tables: demoMap.tables, searchPath: ['public'] }),
  );
  return plans.flatMap((plan) => explainPlan(plan)).join('\n');
}

beforeAll(loadParser);

for (const file of readdirSync(directory).filter((name) => name.endsWith('.txt'))) {
  const path = join(directory, file);
  const cases = casesOf(readFileSync(path, 'utf8'));
  describe(file, () => {
    it.skipIf(!accept)('is rewritten', () => {
      const texts = cases.map(({ comment, sql }) => `${comment}\n${sql}\n----\n${planText(sql)}\n`);
      writeFileSync(path, texts.join('\n'));
    });
    for (const { comment, sql, plan } of accept ? [] : cases) {
      it(`${comment.replace(/^# /gm, '')}: ${sql}`, () => {
        expect(comment).not.toBe('');
        expect(planText(sql)).toBe(plan);
      });
    }
  });
}
