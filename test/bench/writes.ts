import { ServedCluster } from '../support/served-cluster.ts';
import { type Load, type Measurement, measure, rowCount } from './pgbench.ts';

const schema = `
  create table bench_account (id int primary key, balance int4 not null) with (fillfactor = 50);
  insert into bench_account select n, 0 from generate_series(1, ${rowCount}) n`;

const script = `\\set id random(1, ${rowCount})
update bench_account set balance = balance + 1 where id = :id;
`;

const setups = [
  { name: 'no fsync', fsync: 'off' },
  { name: 'fsync', fsync: 'on' },
] as const;

/** The same load without and with resolve_writes. */
type Pair = { readonly off: Measurement; readonly on: Measurement };

/**
 * Writes of one row outside of transactions, on a shard with a synchronous standby, with
 * `failover.resolve_writes` off and on in turn, so that what else the machine does hits both alike.
 * Medians; Markdown.
 */
export async function compareWrites(
  rounds: number,
  seconds: number,
  undo: (() => unknown)[],
): Promise<string> {
  const lines: string[] = [];
  for (const { name, fsync } of setups) {
    const served = await ServedCluster.start({
      shards: ['a'],
      standbys: 1,
      schema,
      settings: { fsync, max_connections: '200', shared_buffers: '64MB' },
      tables: ['bench_account: { distribution: by_id, key: id }'],
      failover: 'resolve_writes: false',
      more: 'authentication: trust\n',
    });
    undo.push(() => served.stop());
    await served.untilArmed();
    for (const mode of ['simple', 'extended', 'prepared'] as const) {
      for (const clients of [1, 16]) {
        const pairs = await measurePairs(served, { mode, clients, seconds }, rounds);
        lines.push(`| ${name}, ${mode} | ${clients} | ${cells(pairs).join(' | ')} |`);
      }
    }
    await undo.pop()?.();
  }
  return [
    '| servers, protocol | clients | statements/s off | on | ratio | median ms off | on | CPU of pgweave, us, off | on |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}

async function measurePairs(served: ServedCluster, load: Load, rounds: number): Promise<Pair[]> {
  await measureWith(served, false, { ...load, seconds: 1 });
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const off = await measureWith(served, false, load);
    pairs.push({ off, on: await measureWith(served, true, load) });
  }
  return pairs;
}

async function measureWith(served: ServedCluster, on: boolean, load: Load): Promise<Measurement> {
  await served.reconfigure((text) =>
    text.replace('resolve_writes: false', `resolve_writes: ${on}`),
  );
  await served.untilArmed();
  const { port, run } = served;
  const measured = await measure({ name: 'pgweave', port, pid: run.pid }, load, script);
  if (measured === null) throw new Error(`pgbench failed:\n${run.stderr}`);
  return measured;
}

function cells(pairs: readonly Pair[]): readonly string[] {
  const of = (pick: (measured: Measurement) => number, digits: number) => [
    median(pairs.map(({ off }) => pick(off))).toFixed(digits),
    median(pairs.map(({ on }) => pick(on))).toFixed(digits),
  ];
  const ratio = median(
    pairs.map(({ off, on }) => on.transactionsPerSecond / off.transactionsPerSecond),
  );
  return [
    ...of(({ transactionsPerSecond }) => transactionsPerSecond, 0),
    ratio.toFixed(2),
    ...of(({ medianMs }) => medianMs, 2),
    ...of(({ cpuMicroseconds }) => cpuMicroseconds ?? Number.NaN, 0),
  ];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
