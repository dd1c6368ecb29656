import { serialize } from 'pg-protocol';
import { sleep } from '../../src/base/clock.ts';
import { encodeSaslInitialResponse } from '../../src/protocol/authentication.ts';
import { RawClient, requestPacket, startupPacket } from '../support/raw-client.ts';
import type { EnduranceWorld } from './endurance-world.ts';
import { addressOf, LoadClient } from './load-client.ts';

const bigSql = "select repeat('x', 1000) from generate_series(1, 20000)";
/** Hours of reading, which nobody waits for any more. A write would be finished, as PostgreSQL does. */
const longSql = 'select count(*) from generate_series(1, 1000000000000)';
const parsed = serialize.parse({ text: 'select * from entry where id < $1 order by id' });
const bound = serialize.bind({ values: ['1000400'] });
const app = { user: 'app', database: 'app' };
const first = encodeSaslInitialResponse('SCRAM-SHA-256', 'n,,n=,r=dying');

/** States before the login is done: what has been sent by then. */
const strangers: readonly (readonly [string, readonly Buffer[]])[] = [
  ['connected', []],
  ['within the startup packet', [startupPacket(app).subarray(0, 9)]],
  ['SSLRequest', [requestPacket(80_877_103)]],
  ['GSSENCRequest', [requestPacket(80_877_104)]],
  ['asked for a password', [startupPacket(app)]],
  ['half of its first SCRAM message', [startupPacket(app), first.subarray(0, 20)]],
  ['challenged', [startupPacket(app), first]],
  ['a cancel request', [serialize.cancel(1, 2)]],
];

/** States of a session: messages, each in a write of its own. */
const sessions: readonly (readonly [string, readonly Buffer[]])[] = [
  ['logged in', []],
  ['within a message', [serialize.query('select 1').subarray(0, 7)]],
  ['in a query', [serialize.query(longSql)]],
  ['in a query over shards', [serialize.query(`select count(*) from entry, (${longSql}) as long`)]],
  ['with an answer unread', [serialize.query(bigSql)]],
  ['after Parse', [parsed]],
  ['after Bind', [parsed, bound]],
  ['after Flush', [parsed, bound, serialize.flush()]],
  ['after Execute', [parsed, bound, serialize.execute({}), serialize.flush()]],
  ['with a suspended portal', [parsed, bound, serialize.execute({ rows: 2 }), serialize.flush()]],
  ['after an error, before Sync', [serialize.parse({ text: 'select nothing' }), serialize.flush()]],
  ['in COPY in', [serialize.query('copy setting from stdin')]],
  [
    'in COPY in with data',
    [serialize.query('copy entry from stdin'), serialize.copyData(Buffer.from('77777\tx\n1'))],
  ],
  ['in COPY out', [serialize.query(`copy (${bigSql}) to stdout`)]],
  ['in COPY out over shards', [serialize.query('copy entry to stdout')]],
  ['in a transaction', [serialize.query('begin; update pair set half = half where id = 1')]],
  ['in a transaction over shards', [serialize.query('begin; update pair set half = half')]],
  ['in a failed transaction', [serialize.query('begin'), serialize.query('select 1/0')]],
  ['with a cursor', [serialize.query('begin; declare c cursor for select 1; fetch 1 from c')]],
  [
    'with a cursor over shards',
    [
      serialize.query(
        'begin; declare c cursor for select * from entry order by id; fetch 1 from c',
      ),
    ],
  ],
  ['listening', [serialize.query('listen news')]],
  ['with a temporary table', [serialize.query('create temp table mine (id int)')]],
  ['with a session lock', [serialize.query('select pg_advisory_lock(424242)')]],
  ['with a prepared statement', [serialize.query('prepare p as select * from entry where id = 1')]],
  [
    'in COMMIT',
    [
      serialize.query('begin; update pair set half = half where id in (2, 1000002)'),
      serialize.query('commit'),
    ],
  ],
];

const leave: readonly ((client: RawClient | LoadClient) => void)[] = [
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.resetAndDestroy(),
  ({ socket }) => socket.end(serialize.end()),
];

/** How many clients died, `rounds` in each state and way. */
export async function dieInEveryState(world: EnduranceWorld, rounds: number): Promise<number> {
  let deaths = 0;
  for (let round = 0; round < rounds; round++) {
    for (const go of leave) {
      const dying = [
        ...strangers.map(([, messages]) => dieAsStranger(world, messages, go)),
        ...sessions.map(([, messages], index) => dieInSession(world, messages, go, index)),
      ];
      await Promise.all(dying);
      deaths += dying.length;
    }
  }
  return deaths;
}

async function dieAsStranger(
  { served }: EnduranceWorld,
  messages: readonly Buffer[],
  go: (client: RawClient) => void,
): Promise<void> {
  const client = await RawClient.connect(served.port);
  for (const message of messages) {
    client.socket.write(message);
    await sleep(10);
  }
  await sleep(20);
  go(client);
  client.close();
}

async function dieInSession(
  world: EnduranceWorld,
  messages: readonly Buffer[],
  go: (client: LoadClient) => void,
  index: number,
): Promise<void> {
  const client = await LoadClient.connect({ ...world.app, from: addressOf(index) });
  client.socket.pause();
  for (const message of messages) {
    client.write(message);
    await sleep(15);
  }
  await sleep(30);
  go(client);
  client.socket.resume();
  await sleep(5);
  client.socket.destroy();
}
