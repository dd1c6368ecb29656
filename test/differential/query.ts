import { type Fragment, join, sql } from './fragment.ts';

export type OrderItem = {
  readonly expression: Fragment;
  /** ` desc nulls last` and the like, or ''. */
  readonly direction: string;
  /** Index of the output column with the same value, so that the order can be checked; or null. */
  readonly output: number | null;
};

/** A SELECT in pieces, so that shrinking can drop them. */
export type Select = {
  readonly kind: 'select';
  readonly distinct: boolean;
  readonly columns: readonly Fragment[];
  readonly from: Fragment;
  readonly where: readonly Fragment[];
  readonly groupBy: readonly Fragment[];
  readonly having: readonly Fragment[];
  readonly orderBy: readonly OrderItem[];
  readonly limit: Fragment | null;
  readonly offset: Fragment | null;
  /** No two rows are equal in `orderBy`, so the order of the answer is fixed. */
  readonly isTotal: boolean;
};

export type Query =
  | Select
  /** Everything else; rows are compared in order only where `isOrdered`. */
  | { readonly kind: 'text'; readonly text: Fragment; readonly isOrdered: boolean };

export const emptySelect: Select = {
  kind: 'select',
  distinct: false,
  columns: [],
  from: [],
  where: [],
  groupBy: [],
  having: [],
  orderBy: [],
  limit: null,
  offset: null,
  isTotal: false,
};

export function plainText(...lines: readonly string[]): Query {
  return { kind: 'text', text: [lines.join(' ')], isOrdered: false };
}

export function render(query: Query): Fragment {
  if (query.kind === 'text') return query.text;
  const clause = (word: string, parts: readonly Fragment[], separator: string): Fragment =>
    parts.length === 0 ? [] : [` ${word} `, ...join(parts, separator)];
  const order = query.orderBy.map(({ expression, direction }) => sql`${expression}${direction}`);
  return [
    query.distinct ? 'select distinct ' : 'select ',
    ...join(query.columns, ', '),
    ...clause('from', query.from.length === 0 ? [] : [query.from], ''),
    ...clause('where', query.where, ' and '),
    ...clause('group by', query.groupBy, ', '),
    ...clause('having', query.having, ' and '),
    ...clause('order by', order, ', '),
    ...clause('limit', query.limit === null ? [] : [query.limit], ''),
    ...clause('offset', query.offset === null ? [] : [query.offset], ''),
  ];
}

/** The same query without one of its pieces, for each piece: what shrinking tries. */
export function simplerQueries(query: Query): readonly Query[] {
  if (query.kind === 'text') return [];
  const without = <Part>(parts: readonly Part[]) =>
    parts.map((_, dropped) => parts.filter((_, index) => index !== dropped));
  const tried: Select[] = [];
  if (query.limit !== null) tried.push({ ...query, limit: null });
  if (query.offset !== null) tried.push({ ...query, offset: null });
  if (query.distinct) tried.push({ ...query, distinct: false });
  for (const having of without(query.having)) tried.push({ ...query, having });
  for (const where of without(query.where)) tried.push({ ...query, where });
  for (const orderBy of without(query.orderBy)) tried.push({ ...query, orderBy, isTotal: false });
  for (const groupBy of without(query.groupBy)) tried.push({ ...query, groupBy });
  const ordinals = query.orderBy.some((item) => item.output !== null);
  if (query.columns.length > 1 && !ordinals) {
    for (const columns of without(query.columns)) tried.push({ ...query, columns });
  }
  return tried;
}
