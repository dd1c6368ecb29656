import type { Column } from '../scope.ts';

/** Types without a default equality, which has nothing to do with an operator called `=`. */
const ungroupable = new Set(
  'json xml point line lseg box path polygon circle jsonpath refcursor txid_snapshot'.split(' '),
);

/** `typeName` as in pg_type.typname. Whoever makes a type gives it an equality. */
export function isGroupable(typeName: string): boolean {
  return !ungroupable.has(typeName.replace(/^_/, ''));
}

/** False, too, for a column of a query. */
export function isGroupableColumn({ base }: Column): boolean {
  return base !== null && isGroupable(base.typeName);
}
