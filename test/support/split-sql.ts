import { analyze } from '../../src/planner/analysis.ts';
import { splitQuery } from '../../src/planner/combine/split-query.ts';
import { Anchors } from '../../src/planner/intermediate/anchors.ts';
import { IntermediateResults } from '../../src/planner/intermediate-results.ts';
import type { QueryPiece, ShardQuery } from '../../src/planner/plan.ts';
import { refuse } from '../../src/planner/refuse.ts';
import { rewriteQuery } from '../../src/planner/rewrite-query.ts';
import type { Schema } from '../../src/planner/schema.ts';
import { bindSlots } from '../../src/sql/bind-slots.ts';
import { lexStatements } from '../../src/sql/lexer.ts';
import { parseStatement } from '../../src/sql/parser.ts';

export type SplitSql = {
  readonly partial: string;
  readonly columns: readonly string[];
  /** `rows` stands for everything after the SELECT of the result; `typeOf` names a column's type. */
  final(rows: string, typeOf: (column: number) => string): string;
};

/** The two texts of a SELECT; null when it is not split or one of them cannot be written. */
export function splitSql(schema: Schema, sql: string): SplitSql | null {
  const [lexed] = lexStatements(sql, { standardConformingStrings: true });
  if (lexed === undefined) throw new Error('no statement');
  const outcome = parseStatement(sql, lexed.fingerprint);
  if (outcome.kind !== 'parsed') throw new Error(`cannot be parsed: ${sql}`);
  const bound = bindSlots(outcome.statement, sql, lexed);
  const results = new IntermediateResults();
  const anchors = new Anchors();
  const source = { schema, searchPath: ['public'], lexed, results, anchors, ...bound };
  if (!('SelectStmt' in bound.statement)) throw new Error('no SELECT');
  const { context, block } = analyze(source, bound.statement.SelectStmt);
  if (block.body.kind !== 'select') throw new Error('no plain SELECT');
  const parts = splitQuery(context, block.body, results.nextName);
  if (parts === null) return null;
  const { columns } = parts;
  const whole = rewriteQuery(context, parts.partial);
  if (whole.kind === 'reject') return null;
  const multi = refuse('not planned here');
  results.add({ columns, advances: false, routing: { kind: 'any' }, whole, multi }, []);
  const final = rewriteQuery(context, parts.final);
  if (final.kind === 'reject') return null;
  const literal = (slot: number) => {
    const token = lexed.literals[slot];
    return token === undefined ? '' : sql.slice(token.start, token.end);
  };
  return {
    partial: textOf(whole, literal, '', () => ''),
    columns,
    final: (rows, typeOf) => textOf(final, literal, rows, typeOf),
  };
}

function textOf(
  query: ShardQuery,
  literal: (slot: number) => string,
  rows: string,
  typeOf: (column: number) => string,
): string {
  const write = (piece: QueryPiece): string => {
    if (typeof piece === 'string') return piece;
    switch (piece.kind) {
      case 'literal':
        return literal(piece.slot);
      case 'parameter':
        return `$${piece.index + 1}`;
      case 'intermediate-rows':
        return rows;
      case 'intermediate-type':
        return typeOf(piece.column);
      case 'intermediate-value':
        throw new Error('a query reads no single values');
    }
  };
  return query.kind === 'as-received' ? '' : query.pieces.map(write).join('');
}
