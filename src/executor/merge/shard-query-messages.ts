import type { ServerConnection } from '../../backend/server-connection.ts';
import type { PlanNode } from '../../planner/plan.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeDescribe } from '../../protocol/describe-message.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { bindMessage, boundQuery } from '../intermediate/bound-query.ts';
import type { MultiShardSelect } from '../select/multi-shard-select.ts';
import { serverTypeOids } from '../server-type-oids.ts';

export type RoutePlan = Extract<PlanNode, { readonly kind: 'route' }>;

/** What starts a shard's query, the same for every shard. */
export type ShardQueryMessages = {
  /** Parse, Bind (in pieces when it is long), Describe, Execute, Sync. */
  readonly first: readonly Buffer[];
  /** A named portal that is read in pieces; null: everything in one go. */
  readonly portal: string | null;
  /** Of a named portal: rows of the first Execute; null: there is none, it is only opened. */
  readonly firstRows: number | null;
  /** A write: only RETURNING makes rows. */
  readonly mayLackRows?: boolean;
};

/** The same for every shard; the first message is what `parse` says. */
export type SharedQueryMessages = ShardQueryMessages & {
  readonly parse: { readonly sql: string; readonly typeOids: readonly number[] };
};

/** Rows of the first piece at most, while nothing is known about their size. */
export const firstPieceRows = 64;

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
 * binary. `parameterOids` are the types that Parse declares; `how` as in ShardQueryMessages.
 */
export function shardQueryMessages(
  route: RoutePlan,
  request: MultiShardSelect,
  parameterOids: readonly number[],
  how: Pick<ShardQueryMessages, 'portal' | 'firstRows'>,
): SharedQueryMessages {
  const { portal, firstRows } = how;
  const bound = boundQuery(route.query, request, parameterOids);
  const name = portal ?? '';
  const parse = { sql: bound.sql, typeOids: bound.typeOids };
  return {
    parse,
    first: [
      encodeParse({ name: '', ...parse }),
      ...bindMessage(bound, name, shardFormats(route, request.resultFormats)),
      encodeDescribe({ kind: 'portal', name }),
      ...(firstRows === null
        ? []
        : [encodeExecute({ portal: name, rowsMax: portal === null ? 0 : firstRows })]),
      syncMessage,
    ],
    portal,
    firstRows,
  };
}

/** They say what the home shard understands; `connection` may have other OIDs. */
export function messagesFor(
  messages: SharedQueryMessages,
  connection: ServerConnection,
): ShardQueryMessages {
  if (connection.types === null) return messages;
  const { sql, typeOids } = messages.parse;
  const parse = encodeParse({ name: '', sql, typeOids: serverTypeOids(connection, typeOids) });
  return { ...messages, first: [parse, ...messages.first.slice(1)] };
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
