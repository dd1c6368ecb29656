import { serialize } from 'pg-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothSides } from '../support/both-sides.ts';
import { RawClient, startupPacket } from '../support/raw-client.ts';

// Drivers that ask for the columns of a prepared statement once, and read all its rows by them.

const schema = `
  create table entry (id int primary key, note text, kind int2);
  create table rate (kind int primary key, percent int2)`;

let both: BothSides;
/** Behind pgweave, and on the plain server. */
let sessions: readonly RawClient[];

beforeAll(async () => {
  const tables = ['rate: { reference: true }'];
  const more = 'authentication: trust';
  both = await BothSides.start({ shards: ['a', 'b'], schema, workers: 1, tables, more });
  await changeTables([
    "insert into entry values (1, 'a', 1), (2, 'b', 2), (1000001, 'c', 1)",
    'insert into rate values (1, 10), (2, 20)',
  ]);
  const ports = [both.served.port, both.plain.server.port];
  sessions = await Promise.all(ports.map((port) => login(port)));
});

afterAll(async () => {
  for (const session of sessions ?? []) session.close();
  await both?.stop();
});

async function changeTables(statements: readonly string[]): Promise<void> {
  for (const answers of Object.values(await both.run(statements))) {
    for (const answer of answers) expect(answer).toHaveProperty('tag');
  }
}

async function login(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.socket.write(startupPacket({ user: 'app', database: 'app' }));
  await both.served.until('the login', () => client.readyCount === 1);
  return client;
}

/** The rows, or SQLSTATE, message and routine of the error. */
async function answered(
  client: RawClient,
  messages: readonly Buffer[],
): Promise<readonly string[]> {
  client.received = Buffer.alloc(0);
  client.socket.write(Buffer.concat([...messages, serialize.sync()]));
  await both.served.until('ReadyForQuery', () => client.readyCount === 1);
  const [error] = client.messages('E');
  if (error === undefined)
    return client
      .messages('D')
      .map((row) => row.toString('hex'))
      .sort();
  return error
    .toString()
    .split('\0')
    .filter((field) => 'CMR'.includes(field.charAt(0)));
}

function onBothSides(messages: readonly Buffer[]): Promise<(readonly string[])[]> {
  return Promise.all(sessions.map((session) => answered(session, messages)));
}

const execute = (name: string, value: string) => [
  serialize.bind({ statement: name, values: [value], binary: true }),
  serialize.execute({}),
];

const texts: readonly (readonly [text: string, value: string])[] = [
  ['select * from entry where id = $1', '1'],
  ['select * from entry where id > $1', '0'],
  ['select max(kind) from entry where id > $1', '0'],
  ['select kind, count(*) from entry where id > $1 group by kind having count(*) > 0', '0'],
  ['select e.* from entry e join rate r on r.kind + 1 = e.kind and r.kind = $1', '1'],
  ['select * from rate where kind = $1', '2'],
  ['update entry set note = note where id > $1 returning kind, id', '0'],
];
/** Without the columns that change. */
const others: typeof texts = [
  ['select id, note from entry where id = $1', '2'],
  ['select count(*) from entry where id > $1', '0'],
  ['select note, count(*) from entry where id > $1 group by note having count(*) > 0', '0'],
];

describe('a described statement, executed after its tables have changed', () => {
  beforeAll(async () => {
    for (const [index, [text, value]] of [...texts, ...others].entries()) {
      const name = `s${index}`;
      const describing = serialize.describe({ type: 'S', name });
      await onBothSides([serialize.parse({ name, text }), describing]);
      const [served, plain] = await onBothSides(execute(name, value));
      expect(served).toEqual(plain);
    }
    await changeTables([
      'alter table entry alter column kind type int8',
      'alter table rate alter column percent type int8',
    ]);
  });

  it.each([...texts.entries()])('fails as in PostgreSQL: %i, %j', async (index, [, value]) => {
    for (let time = 0; time < 2; time++) {
      const [served, plain] = await onBothSides(execute(`s${index}`, value));
      expect(served).toEqual(plain);
      expect(served).toContain('RRevalidateCachedQuery');
    }
  });

  it.each([...others.entries()])(
    'goes on if its columns are the same: %i, %j',
    async (index, [, value]) => {
      for (let time = 0; time < 2; time++) {
        const [served, plain] = await onBothSides(execute(`s${texts.length + index}`, value));
        expect(served).toEqual(plain);
        expect(served).not.toContain('C0A000');
      }
    },
  );

  it('can be prepared again', async () => {
    const [[text = '', value = ''] = []] = texts;
    const again = [
      serialize.close({ type: 'S', name: 's0' }),
      serialize.parse({ name: 's0', text }),
      serialize.describe({ type: 'S', name: 's0' }),
    ];
    const [served, plain] = await onBothSides([...again, ...execute('s0', value)]);
    expect(served).toEqual(plain);
    expect(served).toHaveLength(1);
  });
});
