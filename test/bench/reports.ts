import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { startTestCluster } from '../support/lab.ts';
import type { RunningPgweave } from '../support/pgweave.ts';
import { login, onServer, shards, startPgweaveOn } from './bench-cluster.ts';
import { treeUsage } from './process-tree.ts';
import { type Streamed, streamRows } from './row-stream.ts';

type Target = { readonly host: string; readonly port: number };
type Timing = { readonly floor: Streamed; readonly proxy: Streamed; readonly whole: Streamed };

const schema = `create table booking (id int8 not null, customer int8 not null,
  payment numeric(10,2) not null, made date not null)`;

/** What each shard holds of the rows: customers below, from one border to the next. */
const borders = [25_000, 50_000, 75_000];
const customers = 100_000;

const reports: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'monthly revenue report',
    sql: `select date_trunc('month', made) as month, count(*), sum(payment), avg(payment)
          from booking group by 1 order by 1`,
  },
  {
    name: 'top 10 of 1,000 groups',
    sql: `select customer % 1000 as segment, sum(payment) as revenue from booking
          group by 1 order by revenue desc limit 10`,
  },
  { name: 'count(*)', sql: 'select count(*) from booking' },
  {
    name: 'ORDER BY ... LIMIT 100',
    sql: 'select id, customer, payment from booking order by payment desc, id limit 100',
  },
];

/**
 * Reports over rows of four shards: through pgweave, on the shards themselves at the same time (the
 * slowest is the floor), and on one PostgreSQL with all rows; in turn, `rounds` times.
 */
export async function compareReports(
  rows: number,
  rounds: number,
  undo: (() => unknown)[],
): Promise<string> {
  const settings = { shared_buffers: '512MB', work_mem: '64MB' };
  const cluster = await startTestCluster({ shards: ['whole', ...shards], schema, settings });
  undo.push(() => cluster.stop());
  await fill(cluster, rows);
  const proxy = await startProxy(cluster);
  undo.push(() => proxy.stop());
  const servers = shards.map((shard) => cluster.shard(shard).primary);
  const whole = cluster.shard('whole').primary;
  const lines: string[] = [];
  for (const { name, sql } of reports) {
    const timings: Timing[] = [];
    await timing(servers, proxy, whole, sql);
    for (let round = 0; round < rounds; round++) {
      timings.push(await timing(servers, proxy, whole, sql));
    }
    lines.push(lineOf(name, timings));
  }
  return [
    '| report | slowest shard ms | pgweave ms | limit ms | one PostgreSQL ms |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
    await streaming(servers, proxy, Math.round(rows * 0.4)),
  ].join('\n');
}

async function timing(
  servers: readonly Target[],
  proxy: Target,
  whole: Target,
  sql: string,
): Promise<Timing> {
  return {
    floor: slowest(await Promise.all(servers.map((server) => streamRows(server, login, sql)))),
    proxy: await streamRows(proxy, login, sql),
    whole: await streamRows(whole, login, sql),
  };
}

function slowest(all: readonly Streamed[]): Streamed {
  return {
    rows: all.reduce((sum, each) => sum + each.rows, 0),
    firstRowMs: Math.max(...all.map((each) => each.firstRowMs)),
    allMs: Math.max(...all.map((each) => each.allMs)),
  };
}

function lineOf(name: string, timings: readonly Timing[]): string {
  const [floor, proxy, whole] = (['floor', 'proxy', 'whole'] as const).map((each) =>
    median(timings.map((timed) => timed[each].allMs)),
  );
  const numbers = [floor ?? 0, proxy ?? 0, (floor ?? 0) * 1.1 + 2, whole ?? 0];
  return `| ${name} | ${numbers.map((number) => number.toFixed(1)).join(' | ')} |`;
}

async function streaming(
  servers: readonly Target[],
  proxy: RunningPgweave,
  rows: number,
): Promise<string> {
  const sql = `select * from booking where id <= ${rows} order by made, id`;
  const floor = slowest(await Promise.all(servers.map((server) => streamRows(server, login, sql))));
  let peak = 0;
  const sample = () => {
    peak = Math.max(peak, treeUsage(proxy.pid).residentBytes);
  };
  const before = treeUsage(proxy.pid).residentBytes;
  const timer = setInterval(sample, 20);
  const streamed = await streamRows(proxy, login, sql);
  clearInterval(timer);
  const megabytes = ((peak - before) / 2 ** 20).toFixed(0);
  return (
    `ORDER BY of ${streamed.rows.toLocaleString('en')} rows: ${streamed.allMs.toFixed(0)} ms, ` +
    `${megabytes} MB of proxy memory at most; first row after ${streamed.firstRowMs.toFixed(0)} ms, ` +
    `of the slowest shard after ${floor.firstRowMs.toFixed(0)} ms`
  );
}

async function fill(cluster: LabCluster, rows: number): Promise<void> {
  await onServer(cluster, 'whole', fillSql(rows, 'true'));
  for (const [index, shard] of shards.entries()) {
    const low = borders[index - 1] ?? 0;
    const high = borders[index] ?? customers;
    await onServer(cluster, shard, fillSql(rows, `customer >= ${low} and customer < ${high}`));
  }
}

/** The same rows everywhere: nothing in them is random. */
function fillSql(rows: number, condition: string): string {
  return `insert into booking
    select id, customer, (id * 7919 % 1000003) / 100.0, date '2020-01-01' + (id * 31 % 1826)::int
    from (select id, id * 104729 % ${customers} as customer from generate_series(1::int8, ${rows}) id) one
    where ${condition}; vacuum analyze booking`;
}

function startProxy(cluster: LabCluster): Promise<RunningPgweave> {
  const ranges = shards.map((shard, index) => {
    const from = index === 0 ? '' : `, from: ${borders[index - 1]}`;
    const to = index === borders.length ? '' : `, to: ${borders[index]}`;
    return `      - { shard: ${shard}${from}${to} }`;
  });
  return startPgweaveOn(
    cluster,
    shards,
    `home: s1
distributions:
  customer:
    type: int8
    ranges:
${ranges.join('\n')}
tables:
  booking: { distribution: customer, key: customer }`,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
