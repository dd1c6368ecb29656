import { unreachable } from '../base/assert.ts';
import type { ShardQuery } from './plan.ts';

/**
 * The SQL text for the shards. `statementText` is the client's own statement, `literalText` gives
 * the token of a slot as it stands in it.
 */
export function renderQuery(
  query: ShardQuery,
  statementText: string,
  literalText: (slot: number) => string,
): string {
  switch (query.kind) {
    case 'as-received':
      return statementText;
    case 'rewritten': {
      let text = '';
      for (const piece of query.pieces) {
        if (typeof piece === 'string') text += piece;
        else text += piece.kind === 'literal' ? literalText(piece.slot) : `$${piece.index + 1}`;
      }
      return text;
    }
    default:
      return unreachable(query);
  }
}
