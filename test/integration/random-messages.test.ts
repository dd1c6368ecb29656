import { serialize } from 'pg-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeErrorFields } from '../../src/protocol/error-response.ts';
import { decodeRowDescription } from '../../src/protocol/row-description.ts';
import { BothSides } from '../support/both-sides.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { RawClient, startupPacket } from '../support/raw-client.ts';
import { entrySchema } from '../support/served-cluster.ts';

// Quick by default; more with MESSAGES_SESSIONS=1000.
const seed = Number(process.env['MESSAGES_SEED'] ?? 1);
const sessions = Number(process.env['MESSAGES_SESSIONS'] ?? 25);
const turns = 12;

let sides: BothSides;

beforeAll(async () => {
  sides = await BothSides.start({
    shards: ['a', 'b'],
    schema: `${entrySchema};
      create function told(number int) returns int language plpgsql as $$
        begin perform set_config('app.told', number::text, false); return number; end $$`,
    more: 'hba: [{ user: [app, reader], address: 127.0.0.1, method: trust }]\n',
  });
  const values = [1, 2, 3, 4, 5, 1_000_001, 1_000_002, 1_000_003].map((id) => `(${id}, 'n ${id}')`);
  const { served, plain } = await sides.run([
    `insert into entry values ${values.join(', ')}`,
    "insert into setting values ('one', '1'), ('two', '2')",
  ]);
  expect(served).toEqual(plain);
});

afterAll(async () => {
  await sides?.stop();
});

/** Over shards, on one, on the home shard, on none; those that fail at once, and on the way. */
const statements: readonly string[] = [
  'select id from entry order by id',
  'select id, note from entry order by id desc',
  'select count(*) from entry',
  'select id from entry where id = 3',
  'select note from entry where id = 1000002',
  'select value from setting order by name',
  'select g from generate_series(1, 4) g',
  'select told(g) from generate_series(1, 4) g',
  "select nullif(current_setting('app.told', true), '')",
  'select 10 / (id - 3) from entry order by id',
  'select 1 / 0',
  'select id from entry where id = 3 and 1 / (id - 3) > 0',
  'update entry set note = note where id = 2',
  'update entry set note = note',
  'update entry set note = note where id in (1, 1000001) returning id',
  'update entry set note = note where id in (2, 1000001, 1000002) returning 1 as one',
  "update setting set value = value where name = 'one' returning value",
  'begin',
  'commit',
  'rollback',
  'savepoint s',
  'rollback to s',
  'release s',
  "set application_name = 'x'",
  'show application_name',
  'declare c no scroll cursor for select id from entry order by id',
  'declare h no scroll cursor with hold for select id from entry order by id',
  'declare o no scroll cursor for select note from entry where id = 4',
  'fetch 2 from c',
  'fetch 2 from h',
  'fetch 1 from o',
  'move 1 in c',
  'move 1 in x',
  'close c',
  'close h',
  'copy (select id from entry order by id) to stdout',
  'prepare q as select id from entry order by id',
  'deallocate q',
];

const names = ['', '', 'x', 'y'];

function message(random: Random): Buffer {
  const portal = random.pick(names);
  switch (random.integer(0, 9)) {
    case 0:
    case 1:
    case 2:
      return serialize.parse({ name: random.pick(names), text: random.pick(statements) });
    case 3:
    case 4:
      return serialize.bind({ portal, statement: random.pick(names) });
    case 5:
    case 6:
      return serialize.execute({
        portal: random.pick([...names, 'c']),
        rows: random.pick([0, 0, 2]),
      });
    case 7:
      return serialize.describe({ type: random.pick(['P', 'S']), name: portal });
    case 8:
      return serialize.close({ type: random.pick(['P', 'S']), name: portal });
    default:
      return random.integer(0, 1) === 0 ? serialize.flush() : serialize.sync();
  }
}

/** The usual way, with an end that both sides must come to. */
function turn(random: Random): Buffer {
  if (random.integer(0, 3) === 0) {
    const texts = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () =>
      random.pick(statements),
    );
    return serialize.query(texts.join('; '));
  }
  const portal = random.pick(names);
  const usual = [
    serialize.parse({ text: random.pick(statements) }),
    serialize.bind({ portal }),
    serialize.describe({ type: 'P', name: portal }),
    serialize.execute({ portal, rows: random.pick([0, 0, 3]) }),
  ];
  const others = Array.from({ length: random.integer(0, 6) }, () => message(random));
  const first = random.integer(0, 2) > 0 ? usual : [];
  return Buffer.concat([...first, ...others, serialize.sync()]);
}

/** What a client is told, but for what may differ: when, and where a mistake was found. */
function told(received: Buffer): readonly string[] {
  const all: string[] = [];
  for (let at = 0; at + 5 <= received.length; ) {
    const end = at + 1 + received.readInt32BE(at + 1);
    if (end > received.length) break;
    const code = String.fromCharCode(received[at] ?? 0);
    const body = received.subarray(at + 5, end);
    if (code === 'E' || code === 'N') {
      const fields = decodeErrorFields(received, at, end);
      all.push(`${code} ${fields.get('C')} ${fields.get('M')}`);
    } else if (code === 'T') {
      const columns = decodeRowDescription(received, at, end);
      all.push(
        `T ${columns.map(({ name, typeOid, format }) => [name, typeOid, format].join(' '))}`,
      );
    } else if (code !== 'S') all.push(`${code} ${body.toString('latin1')}`);
    at = end;
  }
  // Rows over shards are described with the first of them: what stands before an error says nothing.
  return all.filter((line, index) => {
    const next = all.slice(index).find((other) => !/^[DTs] /.test(other)) ?? '';
    return !(/^[DT] /.test(line) && next.startsWith('E '));
  });
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.socket.write(
    startupPacket({ user: 'app', database: 'app', application_name: 'messages' }),
  );
  await answered(client, 1);
  return client;
}

async function answered(client: RawClient, readies: number): Promise<void> {
  const ready = () => client.ended || client.readyCount >= readies;
  await sides.served.until(`ReadyForQuery ${readies}: ${told(client.received)}`, ready);
}

function syncs(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    if ('SQ'.includes(String.fromCharCode(bytes[at] ?? 0))) count += 1;
  }
  return count;
}

function shown(bytes: Buffer): string {
  const all: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    all.push(
      `${String.fromCharCode(bytes[at] ?? 0)} ${bytes.subarray(at + 5, end).toString('latin1')}`,
    );
  }
  return all.join(' > ').replaceAll('\0', '|');
}

/** Which of several things a failed transaction does not take is told first may differ. */
function compared(lines: readonly string[], hasFailed: boolean): readonly string[] {
  let failed = hasFailed;
  return lines.filter((line) => {
    const counts = !failed || /^[CZ] /.test(line);
    if (line.startsWith('Z ')) failed = line === 'Z E';
    return counts;
  });
}

/** The first difference, with what led to it; null: there was none. */
async function difference(random: Random): Promise<string | null> {
  const [served, plain] = [
    await connect(sides.served.port),
    await connect(sides.plain.server.port),
  ];
  const said: string[] = [];
  let hasFailed = false;
  try {
    for (let count = 0; count < turns; count += 1) {
      const bytes = turn(random);
      said.push(shown(bytes));
      for (const client of [served, plain]) client.received = Buffer.alloc(0);
      const wanted = syncs(bytes);
      for (const client of [served, plain]) client.socket.write(bytes);
      for (const client of [served, plain]) await answered(client, wanted);
      const [ours, theirs] = [told(served.received), told(plain.received)];
      // What is refused is said in limits.md; from there on they are not in the same state.
      // A name that a COMMIT in the same batch has freed is looked up before that has run.
      if (ours.some((line) => /^E (0A000|42P03)/.test(line))) return null;
      if (plain.ended) return null;
      const [one, other] = [ours, theirs].map((lines) => compared(lines, hasFailed).join('\n'));
      hasFailed = theirs.at(-1) === 'Z E';
      if (one !== other) {
        return [...said, 'ours:', ...ours, 'theirs:', ...theirs].join('\n').replaceAll('\0', '|');
      }
    }
    return null;
  } finally {
    for (const client of [served, plain]) client.close();
  }
}

describe(`random messages (seed ${seed})`, () => {
  it('get the answers of one PostgreSQL', { timeout: 120_000 }, async () => {
    const differences: string[] = [];
    for (let number = 0; number < sessions && differences.length < 8; number += 1) {
      const found = await difference(seededRandom(seed * 1_000_003 + number));
      if (found !== null) differences.push(`session ${number}\n${found}`);
    }
    if (differences.length > 0) throw new Error(differences.join('\n\n'));
    expect(sides.served.run.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('RETURNING over shards', () => {
  it('is given in pieces when Execute has a row limit, and the write is done once', async () => {
    const [served, plain] = [
      await connect(sides.served.port),
      await connect(sides.plain.server.port),
    ];
    const text =
      'insert into entry select id + 10, note from entry where id < 6 returning 1 as one';
    const execute = (rows: number) => serialize.execute({ portal: 'x', rows });
    const describePortal = serialize.describe({ type: 'P', name: 'x' });
    const bytes = Buffer.concat([
      serialize.query('begin'),
      serialize.parse({ text }),
      serialize.bind({ portal: 'x' }),
      ...[describePortal, execute(2), describePortal, execute(2), serialize.sync()],
      ...[execute(2), execute(1), serialize.sync()],
      serialize.query('select count(*) from entry'),
      serialize.query('rollback'),
    ]);
    try {
      for (const client of [served, plain]) {
        client.received = Buffer.alloc(0);
        client.socket.write(bytes);
        await answered(client, syncs(bytes));
      }
      expect(told(served.received)).toEqual(told(plain.received));
      expect(told(served.received).filter((line) => line.startsWith('s '))).toHaveLength(2);
    } finally {
      for (const client of [served, plain]) client.close();
    }
  });
});
