import { startTestCluster } from '../support/lab.ts';
import { WireClient } from '../support/wire-client.ts';
import { login, startPgweaveOn } from './bench-cluster.ts';

type Undo = (() => unknown)[];

/** Milliseconds of COMMIT alone, and of the whole transaction. */
type Cost = { readonly commit: number; readonly whole: number };

const schema = `
  create table bench_account (id int8 primary key, balance int4 not null);
  insert into bench_account select n, 0 from generate_series(1, 2000) n`;
const sharding = `home: s1
distributions:
  account: { type: int8, ranges: [{ shard: s1, to: 1001 }, { shard: s2, from: 1001 }] }
tables:
  bench_account: { distribution: account, key: id }`;

const setups = [
  { name: 'no standbys, no fsync', standbys: 0, fsync: 'off' },
  { name: 'no standbys, fsync', standbys: 0, fsync: 'on' },
  { name: 'synchronous standbys, no fsync', standbys: 1, fsync: 'off' },
  { name: 'synchronous standbys, fsync', standbys: 1, fsync: 'on' },
] as const;

/**
 * Transactions of one client that write on one shard and on two, in turn, so that what else the
 * machine does hits both alike. Medians; Markdown.
 */
export async function compareCommits(rounds: number, undo: Undo): Promise<string> {
  const lines: string[] = [];
  for (const { name, standbys, fsync } of setups) {
    const names = ['s1', 's2'];
    const cluster = await startTestCluster({
      shards: names,
      standbys,
      schema,
      settings: { fsync },
    });
    undo.push(() => cluster.stop());
    const pgweave = await startPgweaveOn(cluster, names, sharding);
    undo.push(() => pgweave.stop());
    const { host, port } = pgweave;
    const client = await WireClient.connect({ host, port, ...login });
    const costs: { readonly one: Cost[]; readonly two: Cost[] } = { one: [], two: [] };
    for (let turn = 0; turn < rounds; turn += 1) {
      const id = 1 + (turn % 1000);
      const one = await cost(client, [turn % 2 === 0 ? id : id + 1000]);
      const two = await cost(client, turn % 2 === 0 ? [id, id + 1000] : [id + 1000, id]);
      // Not measured: what compiles itself while it runs.
      if (turn < rounds / 5) continue;
      costs.one.push(one);
      costs.two.push(two);
    }
    client.close();
    for (const step of undo.splice(-2).reverse()) await step();
    const cells = (['commit', 'whole'] as const).flatMap((what) => {
      const one = median(costs.one.map((each) => each[what]));
      const two = median(costs.two.map((each) => each[what]));
      return [one.toFixed(2), two.toFixed(2), (two / one).toFixed(2)];
    });
    lines.push(`| ${name} | ${cells.join(' | ')} |`);
  }
  return [
    '| servers | COMMIT on one shard, ms | on two | ratio | whole transaction | on two | ratio |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}

async function cost(client: WireClient, ids: readonly number[]): Promise<Cost> {
  const startedAt = performance.now();
  await client.query('begin');
  for (const id of ids) {
    await client.query(`update bench_account set balance = balance + 1 where id = ${id}`);
  }
  const commitAt = performance.now();
  await client.query('commit');
  const endedAt = performance.now();
  return { commit: endedAt - commitAt, whole: endedAt - startedAt };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
