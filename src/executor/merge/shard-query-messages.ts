import { assert } from '../../base/assert.ts';
import type { PlanNode } from '../../planner/plan.ts';
import { encodeBind } from '../../protocol/bind-message.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeDescribe } from '../../protocol/describe-message.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import type { MultiShardSelect } from '../multi-shard-select.ts';

export type RoutePlan = Extract<PlanNode, { readonly kind: 'route' }>;

/** What starts a shard's query, the same for every shard. */
export type ShardQueryMessages = {
  /** Parse, Bind, Describe, Execute, Sync. */
  readonly first: readonly Buffer[];
  /** A named portal that is read in pieces; null: everything in one go. */
  readonly portal: string | null;
};

/** Rows of the first piece, while nothing is known about their size. */
const firstPieceRows = 64;

/** FirstNormalObjectId: OIDs from here on are given out by each server on its own. */
export const userOidMin = 16_384;

/**
 * Whether the parameters' types must be learned from the client's own text: a rewritten one may
 * lack some of the parameters, or give a server less to infer their types from.
 */
export function lacksParameterTypes(route: RoutePlan, request: MultiShardSelect): boolean {
  const { typeOids, values } = request.parameters;
  return (
    route.query.kind === 'rewritten' && values.some((_, index) => (typeOids[index] ?? 0) === 0)
  );
}

/**
 * The query with the client's values; visible columns in the client's formats, hidden ones in
 * binary. `parameterOids` are the types that Parse declares; `portal` as in ShardQueryMessages.
 */
export function shardQueryMessages(
  route: RoutePlan,
  request: MultiShardSelect,
  parameterOids: readonly number[],
  portal: string | null,
): ShardQueryMessages {
  const { formats, values } = request.parameters;
  const typeOids = parameterOids.map((oid) => (oid < userOidMin ? oid : 0));
  const name = portal ?? '';
  return {
    first: [
      encodeParse({ name: '', sql: queryText(route, request), typeOids }),
      encodeBind({
        portal: name,
        statement: '',
        formats,
        values,
        resultFormats: shardFormats(route, request.resultFormats),
      }),
      encodeDescribe({ kind: 'portal', name }),
      encodeExecute({ portal: name, rowsMax: portal === null ? 0 : firstPieceRows }),
      syncMessage,
    ],
    portal,
  };
}

/** The text for the shards, the client's literals in their places. */
export function queryText(
  { query }: RoutePlan,
  request: Pick<MultiShardSelect, 'statementText' | 'literalText'>,
): string {
  if (query.kind === 'as-received') return request.statementText;
  return query.pieces
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      if (piece.kind === 'literal') return request.literalText(piece.slot);
      assert(piece.kind === 'parameter', 'intermediate results have come in');
      return `$${piece.index + 1}`;
    })
    .join('');
}

function shardFormats(route: RoutePlan, asked: readonly number[]): readonly number[] {
  if (route.hiddenCount === 0) return asked;
  const visible = Array.from({ length: route.visibleCount }, (_, column) =>
    formatOf(asked, column),
  );
  return [...visible, ...new Array<number>(route.hiddenCount).fill(1)];
}

/** Bind's rule: none is text for all, one is for all, else one per column. */
export function formatOf(asked: readonly number[], column: number): 0 | 1 {
  const format = asked.length > 1 ? asked[column] : asked[0];
  return format === 1 ? 1 : 0;
}
