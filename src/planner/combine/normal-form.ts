import type { SqlNode } from '../../sql/ast.ts';
import { slotOf } from '../../sql/bind-slots.ts';
import { stringsOf } from '../../sql/names.ts';
import { reference } from '../outputs.ts';
import { canonical } from '../same-expression.ts';
import type { NamedItem, Scope } from '../scope.ts';
import { mapNodes } from './map-nodes.ts';

/** Equal for expressions that name the same columns, however they are qualified, and the same literals. */
export function normalForm(scope: Scope, expression: SqlNode): string {
  return canonical(mapNodes(expression, (node) => qualified(scope, node)));
}

/**
 * Equal also where literals differ: whether they do is known when the statement runs. In GROUP BY and
 * ORDER BY numbers stand for themselves, elsewhere they are slots.
 */
export function slotlessForm(scope: Scope, expression: SqlNode): string {
  const slotless = mapNodes(expression, (node): SqlNode | null => {
    const isSlot = 'ParamRef' in node && slotOf(node.ParamRef.number ?? 0) !== null;
    return isSlot || ('A_Const' in node && node.A_Const.isnull !== true) ? { ParamRef: {} } : null;
  });
  return normalForm(scope, slotless);
}

/** Names in a subquery are its own to resolve. */
function qualified(scope: Scope, node: SqlNode): SqlNode | null {
  if ('SubLink' in node) return node;
  if (!('ColumnRef' in node)) return null;
  const names = stringsOf(node.ColumnRef.fields);
  const name = names[names.length - 1];
  if (name === undefined || name === '*' || names.length === 2) return node;
  const items = scope.from.flatMap((from) => from.items).filter((item) => hasOne(item, name));
  const [first = null, second = null, third = null] = names;
  if (names.length === 3 && third !== null && second !== null) {
    const isSame = items.some((item) => item.alias === second && item.schema === first);
    return isSame ? reference([second, third]) : node;
  }
  // Of two items with that column neither is the merged column of USING.
  const [item, ...others] = items;
  return item === undefined || others.length > 0 || item.alias === ''
    ? node
    : reference([item.alias, name]);
}

function hasOne(item: NamedItem, name: string): boolean {
  return item.columns.filter((column) => column.name === name).length === 1;
}
