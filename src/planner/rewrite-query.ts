import { assert } from '../base/assert.ts';
import type { SelectNode, SqlNode, WithNode } from '../sql/ast.ts';
import { slotOf } from '../sql/bind-slots.ts';
import { parseStatement } from '../sql/parser.ts';
import { resultName, resultsIn } from './intermediate-results.ts';
import type { QueryPiece, Reject, ResultValue, ShardQuery } from './plan.ts';
import { refuse } from './refuse.ts';
import { canonical } from './same-expression.ts';
import { printed, printedString, withSlots } from './sql-printer.ts';
import type { StatementContext } from './statement-context.ts';
import { hiddenPrefix, plainSelect, target } from './tree-builders.ts';

type WithHolder = { readonly withClause?: WithNode };

/** Parameters from here on stand for the rows of intermediate results; see bind-slots.ts. */
const resultBase = 3_000_000;

const slotPattern = /\$([123]\d{6})\b/;
const piecePattern = new RegExp(
  String.raw`\$([123]\d{6})\b|${printedString}|\b__pgweave_type_(\d+)_(\d+)\b|` +
    String.raw`\b__pgweave_value_(\d+)_(\d+)_(\d+)\b`,
  'g',
);

/**
 * Writes a changed tree as SQL again. The text is parsed once more and must give the same tree, so
 * that no mistake of the printer can change what a query means.
 */
export function rewriteQuery(context: StatementContext, select: SelectNode): ShardQuery | Reject {
  return rewritten(context, { SelectStmt: withResults(context, select) });
}

/** The same for INSERT, UPDATE, DELETE, MERGE and CREATE TABLE AS. */
export function rewriteWrite(context: StatementContext, statement: SqlNode): ShardQuery | Reject {
  const withOf = <Write extends WithHolder>(write: Write) => withResults(context, write);
  if ('InsertStmt' in statement) {
    return rewritten(context, { InsertStmt: withOf(statement.InsertStmt) });
  }
  if ('UpdateStmt' in statement) {
    return rewritten(context, { UpdateStmt: withOf(statement.UpdateStmt) });
  }
  if ('DeleteStmt' in statement) {
    return rewritten(context, { DeleteStmt: withOf(statement.DeleteStmt) });
  }
  if ('CreateTableAsStmt' in statement) {
    const node = statement.CreateTableAsStmt;
    assert(node.query !== undefined && 'SelectStmt' in node.query, 'a query that makes a table');
    const query = { SelectStmt: withOf(node.query.SelectStmt) };
    return rewritten(context, { CreateTableAsStmt: { ...node, query } });
  }
  assert('MergeStmt' in statement, 'a write');
  return rewritten(context, { MergeStmt: withOf(statement.MergeStmt) });
}

function rewritten(context: StatementContext, statement: SqlNode): ShardQuery | Reject {
  const { fingerprint } = context.lexed;
  const ambiguous = slotPattern.test(fingerprint) || fingerprint.includes(hiddenPrefix);
  if (!context.source.allSlotsFound || ambiguous) return cannotRewrite();
  const text = 'SelectStmt' in statement ? selectText(statement.SelectStmt) : printed(statement);
  const exact = spellings(text, statement).find((each) => means(each, statement));
  if (exact === undefined) return cannotRewrite();
  return { kind: 'rewritten', pieces: piecesOf(exact) };
}

/** A utility statement without literals. */
export function rewriteUtility(statement: SqlNode): ShardQuery | Reject {
  const text = printed(statement);
  if (text === null || !means(text, statement)) return cannotRewrite();
  return { kind: 'rewritten', pieces: [text] };
}

function means(text: string, statement: SqlNode): boolean {
  const outcome = parseStatement(text, text);
  return (
    outcome.kind === 'parsed' && withSlots(canonical(outcome.statement)) === canonical(statement)
  );
}

/** The printer leaves the DISTINCT of GROUP BY DISTINCT out, which belongs to one GROUP BY of all. */
function spellings(text: string | null, statement: SqlNode): readonly string[] {
  if (text === null) return [];
  if (!('SelectStmt' in statement) || statement.SelectStmt.groupDistinct !== true) return [text];
  return [...text.matchAll(/\bGROUP BY /g)].map(({ index, 0: found }) => {
    const end = index + found.length;
    return `${text.slice(0, end)}DISTINCT ${text.slice(end)}`;
  });
}

/** An expression as a person would write it; `?` stands for literals. */
export function expressionText(expression: SqlNode): string {
  return (printed(expression) ?? '?').replace(/\$[123]\d{6}\b/g, '?');
}

/** The client's own text where that is what runs. */
export function receivedQuery(context: StatementContext, select: SelectNode): ShardQuery | Reject {
  return context.isAsReceived ? { kind: 'as-received' } : rewriteQuery(context, select);
}

/** The printer leaves WITH TIES out. */
function selectText(select: SelectNode): string | null {
  const { limitCount, limitOption } = select;
  if (limitOption !== 'LIMIT_OPTION_WITH_TIES' || limitCount === undefined) {
    return printed({ SelectStmt: select });
  }
  const { limitCount: _, ...others } = select;
  const isPlain = select.limitOffset === undefined;
  const option = isPlain ? 'LIMIT_OPTION_DEFAULT' : 'LIMIT_OPTION_COUNT';
  const text = printed({ SelectStmt: { ...others, limitOption: option } });
  const count = printed(limitCount);
  return text === null || count === null ? null : `${text} FETCH FIRST (${count}) ROWS WITH TIES`;
}

function cannotRewrite(): Reject {
  return refuse(
    'this statement cannot be rewritten for several shards',
    'Write it in a simpler way, or restrict it to one key.',
  );
}

/** Defines the intermediate results that it reads: `WITH result (columns) AS (SELECT <rows>)`. */
function withResults<Holder extends WithHolder>(context: StatementContext, holder: Holder): Holder {
  const results = resultsIn(holder);
  if (results.length === 0) return holder;
  const ctes = results.map((result): SqlNode => {
    const columns = context.source.results.plans[result]?.columns ?? [];
    const rows = target({ ParamRef: { number: resultBase + result } });
    return {
      CommonTableExpr: {
        ctename: resultName(result),
        aliascolnames: columns.map((sval) => ({ String: { sval } })),
        ctematerialized: 'CTEMaterializeDefault',
        ctequery: { SelectStmt: { ...plainSelect, targetList: [rows] } },
      },
    };
  });
  const { withClause } = holder;
  return { ...holder, withClause: { ...withClause, ctes: [...ctes, ...(withClause?.ctes ?? [])] } };
}

function piecesOf(text: string): readonly QueryPiece[] {
  const pieces: QueryPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(piecePattern)) {
    pieces.push(text.slice(end, match.index), ...pieceOf(match));
    end = match.index + match[0].length;
  }
  pieces.push(text.slice(end));
  return pieces.filter((piece) => piece !== '');
}

/** What the printer writes for a value of a result. */
export function valueName({ result, column, row }: ResultValue): string {
  return `${hiddenPrefix}value_${result}_${column}_${row}`;
}

function pieceOf(match: RegExpMatchArray): readonly QueryPiece[] {
  const [, parameter, string, result, column, ...value] = match;
  const [of, at, row] = value.map(Number);
  if (value[0] !== undefined && of !== undefined && at !== undefined && row !== undefined) {
    return [{ kind: 'intermediate-value', result: of, column: at, row }];
  }
  const slot = parameter ?? string;
  if (slot === undefined) {
    return [{ kind: 'intermediate-type', result: Number(result), column: Number(column) }];
  }
  const number = Number(slot);
  if (number >= resultBase) return [{ kind: 'intermediate-rows', result: number - resultBase }];
  const ref = slotOf(number);
  assert(ref !== null, 'a slot');
  const literal = { kind: 'literal', slot: ref.slot } as const;
  return ref.negated ? ['(-', literal, ')'] : [literal];
}
