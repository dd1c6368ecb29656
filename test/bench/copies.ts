import { createConnection } from 'node:net';
import { serialize } from 'pg-protocol';
import { login, onServer, shards, startPgweaveOn, startServers } from './bench-cluster.ts';

const table = 'bench_copied (aid int8 primary key, bid int4, abalance int4, filler char(84))';
/** As pgbench writes them, a message for every 8 KB. */
const messageBytes = 8192;

type Undo = (() => unknown)[];
type Address = { readonly host: string; readonly port: number };

/**
 * COPY of rows like those of pgbench_accounts into one PostgreSQL and, through pgweave, into four
 * shards of the same machine, in turn. The result is a text of one line for each round and their median.
 */
export async function compareCopies(rows: number, rounds: number, undo: Undo): Promise<string> {
  const cluster = await startServers();
  undo.push(() => cluster.stop());
  for (const name of ['whole', ...shards]) await onServer(cluster, name, `create table ${table}`);
  const sharding = `home: s1
distributions:
  account: { type: int8, modulo: [${shards.join(', ')}] }
tables:
  bench_copied: { distribution: account, key: aid }`;
  const pgweave = await startPgweaveOn(cluster, shards, sharding);
  undo.push(() => pgweave.stop());
  const data = messages(rows);
  const ratios: number[] = [];
  const lines: string[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const name of ['whole', ...shards]) {
      await onServer(cluster, name, 'truncate bench_copied');
    }
    const plainMs = await copyMs(cluster.shard('whole').primary, data);
    const shardedMs = await copyMs(pgweave, data);
    // The first round warms both up.
    if (round === 0) continue;
    ratios.push(plainMs / shardedMs);
    const perSecond = (ms: number) => `${Math.round(rows / ms)}k rows/s`;
    lines.push(
      `one PostgreSQL ${perSecond(plainMs)}, pgweave over four shards ${perSecond(shardedMs)}`,
    );
  }
  const median = [...ratios].sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 0;
  return `${lines.join('\n')}\nmedian ratio of throughput: ${median.toFixed(2)}`;
}

function messages(rows: number): readonly Buffer[] {
  const found: Buffer[] = [];
  let text = '';
  for (let aid = 1; aid <= rows; aid++) {
    text += `${aid}\t${1 + Math.floor(aid / 100_000)}\t0\t${' '.repeat(84)}\n`;
    if (text.length < messageBytes && aid < rows) continue;
    found.push(serialize.copyData(Buffer.from(text)));
    text = '';
  }
  return found;
}

/** From the statement to its CommandComplete. */
async function copyMs({ host, port }: Address, data: readonly Buffer[]): Promise<number> {
  const socket = createConnection(port, host);
  const answers = codes(socket);
  const until = async (code: string) => {
    for (let found = ''; found !== code; ) {
      const next = await answers.next();
      if (next.done === true || next.value === 'E') throw new Error('the COPY failed');
      found = next.value;
    }
  };
  try {
    socket.write(serialize.startup(login));
    await until('Z');
    const startedAt = performance.now();
    socket.write(serialize.query('copy bench_copied from stdin'));
    await until('G');
    for (const message of data) {
      if (!socket.write(message)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    socket.write(serialize.copyDone());
    await until('Z');
    return performance.now() - startedAt;
  } finally {
    socket.destroy();
  }
}

/** The codes of a server's messages. */
async function* codes(socket: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      yield String.fromCharCode(rest[0] ?? 0);
      rest = rest.subarray(1 + rest.readInt32BE(1));
    }
  }
}
