import { assert, unreachable } from '../../base/assert.ts';
import type { QueryPiece, ResultValue, ShardQuery } from '../../planner/plan.ts';
import { type GatheredResult, literalText, rowsText } from './result-column.ts';
import { ResultRows } from './result-rows.ts';

/** What is known when a text for the servers is written. */
export type TextSource = {
  /** The client's. */
  readonly statementText: string;
  /** The token of a literal of the client's text. */
  literalText(slot: number): string;
  /** By their numbers in the plan; null, or not there, if no text needs it (yet). */
  readonly results?: readonly (GatheredResult | null)[] | undefined;
};

/** The text of a query; `arrayOf` stands for the text[] of a column of a result. */
export function queryText(
  query: ShardQuery,
  source: TextSource,
  arrayOf: (result: number, column: number) => string = () => 'NULL',
): string {
  if (query.kind === 'as-received') return source.statementText;
  const readValue = valueReader(source);
  return query.pieces.map((piece) => pieceText(piece, source, arrayOf, readValue)).join('');
}

/** The numbers of the results that a query mentions, and of those whose rows it reads. */
export function resultsOf(query: ShardQuery): {
  readonly mentioned: ReadonlySet<number>;
  readonly read: ReadonlySet<number>;
} {
  const mentioned = new Set<number>();
  const read = new Set<number>();
  for (const piece of query.kind === 'rewritten' ? query.pieces : []) {
    if (typeof piece === 'string') continue;
    if (piece.kind === 'literal' || piece.kind === 'parameter') continue;
    mentioned.add(piece.result);
    if (piece.kind !== 'intermediate-type') read.add(piece.result);
  }
  return { mentioned, read };
}

function pieceText(
  piece: QueryPiece,
  source: TextSource,
  arrayOf: (result: number, column: number) => string,
  readValue: (value: ResultValue) => string,
): string {
  if (typeof piece === 'string') return piece;
  switch (piece.kind) {
    case 'literal':
      return source.literalText(piece.slot);
    case 'parameter':
      return `$${piece.index + 1}`;
    case 'intermediate-rows': {
      const { result } = piece;
      return rowsText(columnsOf(source, result), (column) => arrayOf(result, column));
    }
    case 'intermediate-type': {
      const column = columnsOf(source, piece.result)[piece.column];
      assert(column !== undefined, 'a result has the columns that its readers name');
      return column.typeName;
    }
    case 'intermediate-value':
      return readValue(piece);
    default:
      return unreachable(piece);
  }
}

/** Each result is cut into its rows once. */
function valueReader(source: TextSource): (value: ResultValue) => string {
  const known = new Map<number, ResultRows>();
  return ({ result, column, row }) => {
    const gathered = source.results?.[result] ?? null;
    const described = columnsOf(source, result)[column];
    assert(gathered !== null && described !== undefined, 'a result comes before its readers');
    const rows = known.get(result) ?? new ResultRows(gathered);
    known.set(result, rows);
    return literalText(described, rows.value(row, column));
  };
}

function columnsOf(source: TextSource, result: number) {
  const gathered = source.results?.[result] ?? null;
  assert(gathered !== null, 'a result comes before the texts that read it');
  return gathered.columns;
}
