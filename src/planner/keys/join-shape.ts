import type { JoinNode } from '../../sql/ast.ts';
import type { Shape } from '../scope.ts';

/**
 * The shape of a join whose distributed tables are all tied by their keys. The preserved side of an
 * outer join must be partitioned: a replicated row that finds no partner on one shard may find it
 * on another.
 */
export function joinShape(type: JoinNode['jointype'], left: Shape, right: Shape): Shape {
  if (left === 'replicated' && right === 'replicated') return 'replicated';
  switch (type) {
    case 'JOIN_INNER':
      return left === 'partitioned' || right === 'partitioned' ? 'partitioned' : 'dependent';
    case 'JOIN_LEFT':
      return left === 'partitioned' ? 'partitioned' : 'dependent';
    case 'JOIN_RIGHT':
      return right === 'partitioned' ? 'partitioned' : 'dependent';
    default:
      return 'dependent';
  }
}
