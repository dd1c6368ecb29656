import { type Fragment, join, simplerFragments, sql } from './fragment.ts';

export type OrderItem = {
  readonly expression: Fragment;
  /** ` desc nulls last` and the like, or ''. */
  readonly direction: string;
  /** Index of the output column with the same value, so that the order can be checked; or null. */
  readonly output: number | null;
};

/** What comes after the rows are made. */
type Tail = {
  readonly orderBy: readonly OrderItem[];
  readonly limit: Fragment | null;
  readonly offset: Fragment | null;
  /** LIMIT lets in what is equal to the last row in `orderBy`. */
  readonly withTies: boolean;
  /** No two rows are equal in `orderBy`, so the order of the answer is fixed. */
  readonly isTotal: boolean;
};

/** A SELECT in pieces, so that shrinking can drop them. */
export type Select = Tail & {
  readonly kind: 'select';
  /** `name as (...)`, one after the other. */
  readonly with: readonly Fragment[];
  readonly distinct: boolean;
  readonly columns: readonly Fragment[];
  readonly from: Fragment;
  readonly where: readonly Fragment[];
  readonly groupBy: readonly Fragment[];
  readonly having: readonly Fragment[];
};

/** SELECTs joined by UNION and the like. */
export type Compound = Tail & {
  readonly kind: 'compound';
  readonly with: readonly Fragment[];
  readonly first: Fragment;
  /** What follows, each with its word: ` except all (select ...)`. */
  readonly others: readonly Fragment[];
};

/** Everything else. */
export type Text = {
  readonly kind: 'text';
  readonly text: Fragment;
  /** `all`: the rows come in one order. Otherwise the output columns that they are sorted by. */
  readonly sortedBy: 'all' | readonly number[];
};

export type Query = Select | Compound | Text;

const noTail: Tail = { orderBy: [], limit: null, offset: null, withTies: false, isTotal: false };

export const emptySelect: Select = {
  kind: 'select',
  with: [],
  distinct: false,
  columns: [],
  from: [],
  where: [],
  groupBy: [],
  having: [],
  ...noTail,
};

export function compound(first: Fragment, others: readonly Fragment[]): Compound {
  return { kind: 'compound', with: [], first, others, ...noTail };
}

/** Its rows may come in any order. */
export function unordered(text: Fragment): Text {
  return { kind: 'text', text, sortedBy: [] };
}

export function ordered(text: Fragment): Text {
  return { kind: 'text', text, sortedBy: 'all' };
}

export function plainText(...lines: readonly string[]): Text {
  return unordered([lines.join(' ')]);
}

export function render(query: Query): Fragment {
  if (query.kind === 'text') return query.text;
  const withClause: Fragment =
    query.with.length === 0 ? [] : ['with ', ...join(query.with, ', '), ' '];
  const body =
    query.kind === 'select' ? renderSelect(query) : [query.first, ...query.others].flat();
  const order = query.orderBy.map(({ expression, direction }) => sql`${expression}${direction}`);
  const offset = query.offset === null ? [] : sql` offset ${query.offset}`;
  return [
    ...withClause,
    ...body,
    ...clause('order by', order, ', '),
    ...(query.withTies
      ? sql`${offset} fetch first ${query.limit ?? '1'} rows with ties`
      : sql`${query.limit === null ? [] : sql` limit ${query.limit}`}${offset}`),
  ];
}

/** The same query without one of its pieces, for each piece: what shrinking tries. */
export function simplerQueries(query: Query): readonly Query[] {
  switch (query.kind) {
    case 'text':
      return simplerFragments(query.text).map((text) => ({ ...query, text }));
    case 'compound':
      return [
        ...simplerTails(query),
        ...simplerLists(query, ['with', 'others']),
        ...simplerFragments(query.first).map((first) => ({ ...query, first })),
      ];
    case 'select': {
      const lists = simplerLists(query, ['having', 'where', 'groupBy', 'with']);
      const ordinals = query.orderBy.some((item) => item.output !== null);
      const columns = query.columns.length > 1 && !ordinals ? simplerLists(query, ['columns']) : [];
      const from = simplerFragments(query.from).map((from) => ({ ...query, from }));
      const distinct = query.distinct ? [{ ...query, distinct: false }] : [];
      return [...simplerTails(query), ...distinct, ...lists, ...columns, ...from];
    }
  }
}

function renderSelect(select: Select): Fragment {
  return [
    select.distinct ? 'select distinct ' : 'select ',
    ...join(select.columns, ', '),
    ...clause('from', select.from.length === 0 ? [] : [select.from], ''),
    ...clause('where', select.where, ' and '),
    ...clause('group by', select.groupBy, ', '),
    ...clause('having', select.having, ' and '),
  ];
}

function clause(word: string, parts: readonly Fragment[], separator: string): Fragment {
  return parts.length === 0 ? [] : [` ${word} `, ...join(parts, separator)];
}

function simplerTails<Some extends Select | Compound>(query: Some): readonly Some[] {
  const tried: Some[] = [];
  if (query.withTies) tried.push({ ...query, withTies: false, isTotal: false });
  if (query.limit !== null && !query.withTies) tried.push({ ...query, limit: null });
  if (query.offset !== null) tried.push({ ...query, offset: null });
  for (const [dropped] of query.orderBy.entries()) {
    const orderBy = query.orderBy.filter((_, index) => index !== dropped);
    if (orderBy.length > 0 || !query.withTies) tried.push({ ...query, orderBy, isTotal: false });
  }
  return tried;
}

/** One piece less in one of the lists, or a simpler piece. */
function simplerLists<Some extends Query, Name extends keyof Some>(
  query: Some,
  names: readonly Name[],
): readonly Some[] {
  return names.flatMap((name) => {
    const parts = query[name] as readonly Fragment[];
    const shorter = parts.map((_, dropped) => parts.filter((_, index) => index !== dropped));
    const simpler = parts.flatMap((part, changed) =>
      simplerFragments(part).map((simple) => parts.with(changed, simple)),
    );
    return [...shorter, ...simpler].map((list) => ({ ...query, [name]: list }));
  });
}
