import { assert } from '../../base/assert.ts';
import type { QueryPiece, ShardQuery } from '../../planner/plan.ts';
import type { IntermediateRun } from '../target.ts';
import { queryText, resultsOf, type TextSource } from './query-text.ts';

/**
 * The query of a result for a server that has all the tables: it reads the results before it from
 * their own queries, so that their types need not be known. null as long as it names a type that is
 * not: `source.results` has those that are.
 */
export function wholeText(
  intermediate: readonly IntermediateRun[],
  number: number,
  source: TextSource,
): string | null {
  const numbers = readBy(intermediate, number);
  const wholes = [...numbers, number].map((each) => {
    const whole = intermediate[each]?.whole;
    assert(whole !== undefined, 'results are counted from 0');
    return whole;
  });
  const isKnown = (result: number) => (source.results?.[result] ?? null) !== null;
  if (!wholes.every((whole) => typesNamedBy(whole).every(isKnown))) return null;
  const texts = wholes.map((whole) => queryText(fromWholes(whole), source));
  const last = texts.pop() ?? '';
  if (numbers.length === 0) return last;
  // A comment at the end of a query ends with the line.
  const ctes = numbers.map((each, index) => `${nameOf(each)} AS (${texts[index]}\n)`);
  return `WITH ${ctes.join(', ')} SELECT * FROM (${last}\n) AS whole`;
}

/** The numbers of the results whose rows it reads, or they do, ascending. */
function readBy(intermediate: readonly IntermediateRun[], number: number): readonly number[] {
  const found = new Set<number>();
  const add = (query: ShardQuery | undefined) => {
    for (const other of query === undefined ? [] : resultsOf(query).read) {
      if (found.has(other)) continue;
      found.add(other);
      add(intermediate[other]?.whole);
    }
  };
  add(intermediate[number]?.whole);
  return [...found].sort((a, b) => a - b);
}

function typesNamedBy(query: ShardQuery): readonly number[] {
  if (query.kind === 'as-received') return [];
  return query.pieces.flatMap((piece) =>
    typeof piece !== 'string' && piece.kind === 'intermediate-type' ? [piece.result] : [],
  );
}

function fromWholes(query: ShardQuery): ShardQuery {
  if (query.kind === 'as-received') return query;
  const pieces = query.pieces.map((piece): QueryPiece => {
    if (typeof piece === 'string' || piece.kind !== 'intermediate-rows') return piece;
    return `* FROM ${nameOf(piece.result)}`;
  });
  return { kind: 'rewritten', pieces };
}

/** Names that begin so are the planner's and ours. */
function nameOf(result: number): string {
  return `__pgweave_whole_${result}`;
}
