import type { Random } from '../../support/random.ts';

/**
 * A SELECT over the tables of tables.ts whose answer is determined: the rows are, and, if it is
 * `ordered`, their order is too.
 */
export type DrawnQuery = { readonly sql: string; readonly ordered: boolean };

const keys = [
  'k',
  'g',
  'b',
  'd',
  'i2',
  'v',
  'c',
  'txt',
  'n',
  'i4 % 3',
  'lower(txt)',
  "coalesce(g, 'none')",
  "date_trunc('month', ts)",
  'extract(year from d)',
  "g || '-' || v",
  'r.name',
  "case when i4 > 5 then 'hi' else 'lo' end",
  'b is null',
  'bits',
  'length(txt)',
] as const;

const conditions = [
  'i4 > 3',
  'b',
  'not b',
  "g in ('a', 'b')",
  'n is not null',
  "txt > 'm'",
  'i2 % 2 = 0',
  "v like 'a%'",
  "d < '2024-06-01'",
  'k = 3',
  'r.name is not null',
  'f8 between 1 and 3',
  'false',
] as const;

const aggregates = [
  'count(*)',
  'count(g)',
  'count(distinct g)',
  'count(distinct (g, v))',
  'sum(i2)',
  'sum(i4)',
  'sum(i8)',
  'sum(n)',
  'sum(m)',
  'sum(f4)',
  'sum(f8)',
  'sum(iv)',
  'sum(i4 * 2)',
  'sum(i4 + n)',
  'sum(distinct i4)',
  'sum(case when b then n else 0 end)',
  'sum(length(txt))',
  'avg(i2)',
  'avg(i4)',
  'avg(i8)',
  'avg(n)',
  'avg(m)',
  'avg(f4)',
  'avg(f8)',
  'avg(iv)',
  'avg(i4 * n)',
  'avg(distinct i4)',
  'avg(length(txt))',
  'avg(round(n))',
  'avg(round(i4))',
  'sum(floor(f8))',
  'avg(round(m, 1))',
  'avg(case when b then 1 else 0 end)',
  'avg(f4 * i4)',
  'min(i4)',
  'max(n)',
  'min(txt)',
  'max(txt)',
  'min(g)',
  'max(v)',
  'min(c)',
  'max(d)',
  'min(ts)',
  'max(iv)',
  'min(f4)',
  'max(txt collate "C")',
  'max(distinct g)',
  'bool_and(b)',
  'bool_or(b)',
  'every(i4 > 1)',
  'bit_and(i4)',
  'bit_or(i2)',
  'bit_xor(i8)',
  'bit_and(bits)',
  'bit_xor(bits)',
  "string_agg(distinct txt, ',' order by txt)",
  'array_agg(distinct i4 order by i4 desc)',
  "string_agg(g || '!', ',' order by id)",
  'array_agg(v order by t.id desc)',
  'percentile_cont(0.5) within group (order by i4)',
  'mode() within group (order by i4)',
  'stddev(n)',
  'var_samp(i4)',
  'stddev_pop(m)',
  'variance(i8)',
  'stddev_samp(i8)',
  'var_pop(n * 1000)',
  'stddev(i4 / 1000.0)',
  'stddev(f8 * 0)',
  'jsonb_agg(i4 + 1 order by id)',
  "count(distinct lower(g) || 'x')",
  'sum((select r2.weight from ref r2 where r2.item = t.rid))',
  'count(r.name)',
  'trim_scale(min(m))',
  'sum(i4 order by id)',
  'min(i4 - 1)',
] as const;

const rowWindows = [
  'row_number() over (order by id)',
  'row_number() over (partition by g order by id)',
  'lag(i4, 1) over (order by id)',
  'lead(txt) over (partition by k order by id)',
  'sum(n) over (order by d, id rows between 2 preceding and current row)',
  'first_value(txt) over (partition by b order by txt, id)',
  'ntile(3) over (order by id)',
  'rank() over (order by txt)',
  'dense_rank() over (order by i4 % 3 desc nulls last)',
  'count(*) over ()',
  'count(*) filter (where b) over (partition by g)',
  'sum(i4 + 1) over (partition by k)',
  'max(lower(txt)) over w',
  'nth_value(v, 2) over w',
  'sum(i4) over (w rows unbounded preceding)',
  "avg(n * 2) over (partition by date_trunc('month', ts))",
  'percent_rank() over (order by g)',
] as const;

const groupWindows = [
  'rank() over (order by count(*) desc)',
  'sum(count(*)) over ()',
  'sum(sum(i4)) over (order by min(id))',
  'row_number() over (order by max(id))',
  'lag(count(*)) over (order by min(id))',
] as const;

const orders = ['', ' desc', ' nulls first', ' desc nulls last', ' desc nulls first'] as const;

const froms = [
  't left join ref r on r.item = t.rid',
  't left join ref r on r.item = t.rid',
  't join ref r on t.rid = r.item',
  '(select * from t where i4 < 8) t left join ref r on r.item = t.rid',
  '(select t.*, r.item as rrid from t, ref r where r.item = t.rid) t join ref r on r.item = rrid',
] as const;

const others = [
  'upper(v)',
  'i4 + 1',
  'n * 2',
  "txt || 'x'",
  'abs(i4 - 5)',
  "to_char(d, 'YYYY-MM')",
  'j ->> $$a$$',
  'j',
  '(select r2.name from ref r2 where r2.item = t.rid)',
  'row(g, v)::text',
  'array[i4, i2]',
  'm',
  "'const'",
  '7',
  "coalesce(txt, g, 'z')",
  'current_date is null',
  'i4 in (1, 2, 3)',
  "g is distinct from 'a'",
  'iv * 2',
] as const;

export function drawQuery(random: Random): DrawnQuery {
  switch (random.integer(0, 5)) {
    case 0:
    case 1:
    case 2:
      return groupedQuery(random);
    case 3:
      return windowQuery(random);
    case 4:
      return distinctQuery(random);
    default:
      return sortedQuery(random);
  }
}

function groupedQuery(random: Random): DrawnQuery {
  const groups = some(random, keys, random.pick([0, 1, 1, 2, 3]));
  const { outputs, clause } = grouping(random, groups);
  const calls = some(random, aggregates, random.integer(groups.length === 0 ? 1 : 0, 3));
  const list = [...outputs, ...calls.map((call) => aggregateOutput(random, call))];
  const isSet = /rollup|cube|sets/.test(clause);
  if (random.integer(0, 4) === 0) list.push(isSet ? groupWindows[0] : random.pick(groupWindows));
  if (clause === ' group by r.item') list.push('r.name', "r.name || '?'");
  if (list.length === 0) list.push("'only'");
  const having = random.pick([
    '',
    '',
    '',
    ' having count(*) > 2',
    " having max(g) > 'a' or sum(i4) > 5",
  ]);
  const distinct = random.integer(0, 7) === 0 ? 'distinct ' : '';
  const head = `select ${distinct}${list.join(', ')}`;
  const hidden =
    distinct === '' && random.integer(0, 3) === 0 ? [withFilter(random, 'count(*)')] : [];
  return finish(random, `${head}${source(random)}${clause}${having}`, list, hidden);
}

function grouping(random: Random, groups: readonly string[]) {
  const list = groups.join(', ');
  if (groups.length === 0)
    return { outputs: [], clause: random.pick(['', '', '', ' group by r.item']) };
  const ordinals = groups.map((_, index) => index + 1).join(', ');
  const [first = ''] = groups;
  const forms = [
    list,
    list,
    ordinals,
    ordinals,
    `(${list})`,
    `rollup (${list})`,
    `cube (${list})`,
    `grouping sets ((${list}), (${first}), ())`,
    `rollup (${ordinals})`,
    `grouping sets (${list}), ${first}`,
  ];
  const clause = ` group by ${random.pick(forms)}`;
  const isByOrdinal = clause.includes(ordinals);
  const isSet = /rollup|cube|sets/.test(clause);
  const outputs = isByOrdinal ? [...groups] : some(random, groups, groups.length);
  if (isSet && random.integer(0, 1) === 0 && !isByOrdinal) outputs.push(`grouping(${first})`);
  return {
    outputs: outputs.map((each) =>
      random.integer(0, 9) === 0 && !isSet ? `${each} is null` : each,
    ),
    clause,
  };
}

function aggregateOutput(random: Random, drawn: string): string {
  const call = withFilter(random, drawn);
  switch (random.integer(0, 9)) {
    case 0:
      return `coalesce(count(*), 0) + 1`;
    case 1:
      return `${call} is null`;
    case 2:
      return `sum(i4) / nullif(count(*), 0)`;
    case 3:
      return `round(avg(n), 2)`;
    case 4:
      return `(${call})::text || '%'`;
    default:
      return call;
  }
}

function withFilter(random: Random, call: string): string {
  const canFilter = random.integer(0, 4) === 0 && !call.startsWith('trim');
  return canFilter ? `${call} filter (where ${random.pick(conditions)})` : call;
}

function windowQuery(random: Random): DrawnQuery {
  const list = [...some(random, rowWindows, random.integer(1, 2)), ...plainOutputs(random)];
  const window = list.some((each) => /over w|\(w /.test(each))
    ? ' window w as (partition by b order by id)'
    : '';
  return finish(random, `select ${list.join(', ')}${source(random)}${window}`, list, []);
}

function distinctQuery(random: Random): DrawnQuery {
  const list = some(random, [...keys, "g || 'x'"], random.integer(1, 3));
  if (random.integer(0, 1) === 0) {
    return finish(random, `select distinct ${list.join(', ')}${source(random)}`, list, []);
  }
  const outputs = ['id', ...plainOutputs(random)];
  const order = list.map((each) => `${each}${random.pick(orders)}`).join(', ');
  const head = `select distinct on (${list.join(', ')}) ${outputs.join(', ')}${source(random)}`;
  return { sql: `${head} order by ${order}, id`, ordered: true };
}

function sortedQuery(random: Random): DrawnQuery {
  const list = plainOutputs(random);
  if (random.integer(0, 5) === 0) list.push('generate_series(1, i4 % 3)');
  const hidden = random.integer(0, 1) === 0 ? [random.pick(keys)] : [];
  return finish(random, `select ${list.join(', ')}${source(random)}`, list, hidden);
}

function plainOutputs(random: Random): string[] {
  return ['id', ...some(random, [...keys, ...others], random.integer(1, 3))];
}

function source(random: Random): string {
  const where = random.integer(0, 2) === 0 ? ` where ${random.pick(conditions)}` : '';
  return ` from ${random.pick(froms)}${where}`;
}

/** ORDER BY all columns makes the order total; WITH TIES needs no total order. */
function finish(
  random: Random,
  head: string,
  list: readonly string[],
  hidden: readonly string[],
): DrawnQuery {
  const ordinals = list.flatMap((each, index) => (/^j$|jsonb/.test(each) ? [] : [`${index + 1}`]));
  const shuffled = some(random, ordinals, ordinals.length);
  const sorted = [...hidden, ...shuffled].map((each) => `${each}${random.pick(orders)}`);
  if (sorted.length === 0 || random.integer(0, 3) === 0) return { sql: head, ordered: false };
  const limit = `${random.integer(0, 9)}`;
  if (random.integer(0, 4) === 0) {
    const sql = `${head} order by ${sorted[0]} fetch first ${limit} rows with ties`;
    return { sql, ordered: false };
  }
  const tail = random.pick([
    '',
    '',
    ` limit ${limit}`,
    ` offset 2 limit ${limit}`,
    ' offset 3',
    ' limit all',
  ]);
  return { sql: `${head} order by ${sorted.join(', ')}${tail}`, ordered: true };
}

/** `count` different ones, in any order. */
function some<Value>(random: Random, from: readonly Value[], count: number): Value[] {
  const left = [...from];
  const taken: Value[] = [];
  while (taken.length < count && left.length > 0) {
    taken.push(...left.splice(random.integer(0, left.length - 1), 1));
  }
  return taken;
}
