import { beforeAll, describe, expect, it } from 'vitest';
import { TreeTest } from '../../../src/planner/combine/tree-test.ts';
import { loadParser, parseStatement } from '../../../src/sql/parser.ts';

beforeAll(loadParser);

describe('a test of trees', () => {
  it('judges each node once, however many trees around it are asked about', () => {
    const chain = `select ${Array.from({ length: 300 }, (_, index) => `c${index}`).join(' || ')}`;
    const outcome = parseStatement(chain, chain);
    if (outcome.kind !== 'parsed') throw new Error('the chain can be parsed');
    let judged = 0;
    const hasNoStar = new TreeTest((node) => {
      judged += 1;
      return 'A_Star' in node ? false : null;
    });
    const ask = (tree: unknown): void => {
      expect(hasNoStar.passes(tree)).toBe(true);
      if (typeof tree === 'object' && tree !== null) Object.values(tree).forEach(ask);
    };
    ask(outcome.statement);
    // An operator, its name, a column and its name for each link, and the SELECT around them.
    expect(judged).toBeLessThan(5 * 300);
  });

  it('asks no further where a verdict is given', () => {
    const sql = 'select (select a.*), b';
    const outcome = parseStatement(sql, sql);
    if (outcome.kind !== 'parsed') throw new Error('the text can be parsed');
    const outside = (verdict: boolean) =>
      new TreeTest((node) => {
        if ('SubLink' in node) return verdict;
        return 'A_Star' in node ? false : null;
      });
    expect(outside(true).passes(outcome.statement)).toBe(true);
    expect(outside(false).passes(outcome.statement)).toBe(false);
  });
});
