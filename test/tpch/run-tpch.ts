import { difference, isRefusal, rowText } from '../differential/compare.ts';
import type { Text } from '../differential/query.ts';
import type { WireAnswer } from '../support/wire-client.ts';
import { type TpchQuery, tpchQueries } from './queries.ts';
import type { TpchWorld } from './tpch-world.ts';

export type TpchOutcome = {
  readonly query: TpchQuery;
  readonly answer:
    | { readonly kind: 'equal'; readonly rows: number }
    | { readonly kind: 'refused'; readonly message: string }
    | { readonly kind: 'different'; readonly what: string };
  /** Null when refused. */
  readonly proxyMs: number | null;
  readonly plainMs: number;
};

/** All 22, one after the other, through pgweave and on one PostgreSQL. */
export async function runTpch(world: TpchWorld, scale: number): Promise<readonly TpchOutcome[]> {
  const outcomes: TpchOutcome[] = [];
  for (const query of tpchQueries(scale)) outcomes.push(await runQuery(world, query));
  return outcomes;
}

/** Markdown. */
export function tpchTable(outcomes: readonly TpchOutcome[]): string {
  const lines = outcomes.map(({ query, answer, proxyMs, plainMs }) => {
    const times = `${proxyMs === null ? '' : proxyMs.toFixed(0)} | ${plainMs.toFixed(0)}`;
    return `| ${query.number} | ${query.name} | ${answerText(answer)} | ${times} |`;
  });
  return [
    '| query | | answer | pgweave ms | PostgreSQL ms |',
    '| ---: | --- | --- | ---: | ---: |',
    ...lines,
  ].join('\n');
}

async function runQuery(world: TpchWorld, query: TpchQuery): Promise<TpchOutcome> {
  const [plain, plainMs] = await timed(() => ask(world.plain, query));
  if (plain.error !== null) throw new Error(`query ${query.number}: ${plain.error.message}`);
  const rows = plain.results[0]?.rows ?? [];
  if (rows.length === 0 || (rows.length === 1 && rows[0]?.[0] === null)) {
    throw new Error(`query ${query.number} finds nothing at this scale`);
  }
  const [proxied, proxyMs] = await timed(() => ask(world.proxy, query));
  if (isRefusal(proxied)) {
    const message = proxied.error?.message ?? '';
    return { query, answer: { kind: 'refused', message }, proxyMs: null, plainMs };
  }
  const compared: Text = { kind: 'text', text: [query.sql], sortedBy: query.sortedBy };
  const what = difference(compared, proxied, plain, null);
  const answer =
    what === null
      ? ({ kind: 'equal', rows: rows.length } as const)
      : ({ kind: 'different', what: `${what}; ${sample(proxied)}` } as const);
  return { query, answer, proxyMs, plainMs };
}

function ask(client: TpchWorld['plain'], query: TpchQuery): Promise<WireAnswer> {
  return client.request({ protocol: 'simple', text: query.sql });
}

async function timed<Result>(work: () => Promise<Result>): Promise<[Result, number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}

function sample(answer: WireAnswer): string {
  if (answer.error !== null) return answer.error.message;
  const first = answer.results[0]?.rows[0];
  return first === undefined ? 'no rows' : `first row ${rowText(first)}`;
}

function answerText(answer: TpchOutcome['answer']): string {
  switch (answer.kind) {
    case 'equal':
      return `equal, ${answer.rows} ${answer.rows === 1 ? 'row' : 'rows'}`;
    case 'refused':
      return `refused: ${answer.message}`;
    case 'different':
      return `DIFFERENT: ${answer.what}`;
  }
}
