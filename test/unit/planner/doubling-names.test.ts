import { beforeAll, describe, expect, it } from 'vitest';
import { planStatement } from '../../../src/planner/plan-statement.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { loadParser } from '../../../src/sql/parser.ts';
import { demoMap, demoSchema } from '../../support/demo-schema.ts';

beforeAll(loadParser);

const doublings = 40;

function plansOf(innermost: string, from: string) {
  const names = Array.from(
    { length: doublings },
    (_, index) => `w${index + 1} as (select a.x from w${index} a, w${index} b)`,
  );
  const text = `with w0 as (${innermost}), ${names.join(', ')} select count(*) from ${from}`;
  const schema = demoSchema();
  return lexStatements(text, { standardConformingStrings: true }).map((lexed) =>
    planStatement({ lexed, text, schema, tables: demoMap.tables, searchPath: ['public'] }),
  );
}

describe('names of WITH that each stand twice in the next one', () => {
  it('are analysed once where they read no distributed table', () => {
    const [constants] = plansOf('select 1 as x', `w${doublings}, reservation`);
    expect(constants).toMatchObject({ kind: 'select', multi: { kind: 'multi-shard' } });
    const [atHome] = plansOf('select id as x from note', `w${doublings}`);
    expect(atHome).toMatchObject({ kind: 'select', routing: { kind: 'home' } });
  });

  it('are refused where they do', () => {
    const [plan] = plansOf('select reserve_id as x from reservation', `w${doublings}`);
    expect(plan).toMatchObject({
      kind: 'reject',
      message: 'too many distributed tables in one statement',
    });
  });
});
