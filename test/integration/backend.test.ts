import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionPool } from '../../src/backend/connection-pool.ts';
import type { ServerConnection } from '../../src/backend/server-connection.ts';
import { emptySettings, type SessionSettings } from '../../src/backend/session-settings.ts';
import { PgError } from '../../src/base/pg-error.ts';
import type { NodeAddress, NodeId, User } from '../../src/config/config.ts';
import { encodeBind } from '../../src/protocol/bind-message.ts';
import { syncMessage } from '../../src/protocol/constant-messages.ts';
import { encodeDescribe } from '../../src/protocol/describe-message.ts';
import { encodeExecute } from '../../src/protocol/execute-message.ts';
import { encodeParse } from '../../src/protocol/parse-message.ts';
import { encodeQuery } from '../../src/protocol/query-message.ts';
import { buildScramVerifier, parseScramVerifier } from '../../src/protocol/scram-verifier.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';
import { exclusive, poolOn, run, shared, until } from '../support/pool-fixture.ts';
import { recordedExchange } from '../support/recorded-exchange.ts';

// Ligatures, full-width letters and soft hyphens are what password preparation changes.
const odd = 'ﬁ\u00adＡ 비밀 \u2168';

let plain: PlainPostgres;
let node: NodeAddress;
const pools: ConnectionPool[] = [];

function pool(connectionsMax = 2, allowCleartext = false): ConnectionPool {
  // A busy machine is no reason to fail: nothing here is about running out of time.
  const changed = { acquireTimeoutMs: 10_000, connectTimeoutMs: 5_000 };
  const made = poolOn({ node, connectionsMax, changed, allowCleartext, onNodeTrouble: () => {} });
  pools.push(made);
  return made;
}

function roleWith(name: string, serverPassword: string | null): User {
  const serverSecret: User['serverSecret'] =
    serverPassword === null ? { kind: 'none' } : { kind: 'password', password: serverPassword };
  const rights = { admin: false, stats: false, safeWrites: null };
  return { name, verifier: null, md5Hash: null, serverUser: name, serverSecret, ...rights };
}

const postgres = roleWith('postgres', null);

async function rows(connection: ServerConnection, sql: string): Promise<string[]> {
  const events = await run(connection, sql);
  const failure = events.find((event) => /^(error|lost)/.test(event));
  if (failure !== undefined) throw new Error(`${failure}: ${sql}`);
  return events.filter((event) => event.startsWith('row ')).map((event) => event.slice(4));
}

beforeAll(async () => {
  plain = await startPlainPostgres();
  const { host, port, id, dataDirectory } = plain.server;
  node = { id: id as NodeId, host, port, shard: 'a' as ShardId };
  const connection = await exclusive(pool(), { user: postgres });
  for (const [role, encryption, password] of [
    ['by_scram', 'scram-sha-256', 'pencil'],
    ['by_odd_scram', 'scram-sha-256', odd],
    ['by_md5', 'md5', 'pencil'],
    ['by_cleartext', 'scram-sha-256', 'pencil'],
  ]) {
    await rows(connection, `set password_encryption = '${encryption}'`);
    await rows(connection, `create role ${role} login password '${password}'`);
  }
  const hbaFile = join(dataDirectory, 'pg_hba.conf');
  const rules = [
    'by_scram scram-sha-256',
    'by_odd_scram scram-sha-256',
    'by_md5 md5',
    'by_cleartext password',
  ]
    .map((rule) => `host all ${rule.replace(' ', ' 127.0.0.1/32 ')}\n`)
    .join('');
  await writeFile(hbaFile, rules + (await readFile(hbaFile, 'utf8')));
  await rows(connection, 'select pg_reload_conf()');
  connection.release();
  // The postmaster reads the file a moment later.
  await until(async () => !(await accepts('by_scram', 'wrong')));
});

afterAll(async () => {
  for (const each of pools) each.close(new PgError('57P01', 'the test is over'));
  await plain?.stop();
});

async function accepts(role: string, password: string): Promise<boolean> {
  try {
    (await exclusive(pool(), { user: roleWith(role, password) })).release();
    return true;
  } catch {
    return false;
  }
}

describe('logins on a real server', () => {
  it.each([
    ['by_scram', 'pencil'],
    ['by_odd_scram', odd],
    ['by_md5', 'pencil'],
  ])('work for %s', async (role, password) => {
    const connection = await exclusive(pool(), { user: roleWith(role, password) });
    expect(await rows(connection, 'select current_user')).toEqual([role]);
    await expect(exclusive(pool(), { user: roleWith(role, `${password}x`) })).rejects.toMatchObject(
      {
        sqlState: '28P01',
      },
    );
  });

  it('give a cleartext password only where that is allowed', async () => {
    const user = roleWith('by_cleartext', 'pencil');
    await expect(exclusive(pool(), { user })).rejects.toMatchObject({ sqlState: '28000' });
    expect((await exclusive(pool(1, true), { user })).alive).toBe(true);
  });

  it('find the verifiers that we would store ourselves', async () => {
    const connection = await exclusive(pool(), { user: postgres });
    for (const [role, password] of [
      ['by_scram', 'pencil'],
      ['by_odd_scram', odd],
    ] as const) {
      const [stored = ''] = await rows(
        connection,
        `select rolpassword from pg_authid where rolname = '${role}'`,
      );
      const { salt, iterations } = parseScramVerifier(stored) ?? {
        salt: Buffer.alloc(0),
        iterations: 1,
      };
      expect(buildScramVerifier(password, salt, iterations)).toBe(stored);
    }
  });
});

describe('pipelines on a real server', () => {
  it('answer each of many shared statements with its own row', async () => {
    const twoConnections = pool(2);
    await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const exchange = await shared(twoConnections, `select ${index}`, { user: postgres });
        await exchange.ended;
        expect(exchange.events.filter((event) => event !== '.')).toEqual([
          'T',
          `row ${index}`,
          'C',
          'ready idle 0',
        ]);
      }),
    );
  });

  it('carry extended batches, and skip to Sync after an error', async () => {
    const connection = await exclusive(pool(), { user: postgres });
    const batch = (sql: string, value: string) => [
      encodeParse({ name: '', sql, typeOids: [] }),
      encodeBind({ portal: '', statement: '', formats: [0], values: [value], resultFormats: [0] }),
      encodeDescribe({ kind: 'portal', name: '' }),
      encodeExecute({ portal: '', rowsMax: 0 }),
      syncMessage,
    ];
    const exchange = recordedExchange(3);
    const messages = ['41', 'not a number', '43'].flatMap((value) =>
      batch('select $1::int + 1', value),
    );
    connection.send(exchange, messages);
    await exchange.ended;
    expect(exchange.events.filter((event) => event !== '.')).toEqual([
      ...['1', '2', 'T', 'row 42', 'C', 'ready idle 2'],
      ...['1', 'error 22P02', 'ready idle 1'],
      ...['1', '2', 'T', 'row 44', 'C', 'ready idle 0'],
    ]);
  });

  it('relay a row of 30 MB in parts', async () => {
    const connection = await exclusive(pool(), { user: postgres });
    const recorded = recordedExchange();
    let bytes = 0;
    const onFramePart = (_code: number, _chunk: Buffer, start: number, end: number): void => {
      bytes += end - start;
    };
    connection.send({ ...recorded, onFramePart }, [encodeQuery("select repeat('x', 30000000)")]);
    await recorded.ended;
    expect(bytes).toBe(30_000_000 + 11);
  });

  it('cancel what runs, and leave the next statement alone', async () => {
    const connection = await exclusive(pool(), { user: postgres });
    for (let round = 0; round < 10; round++) {
      const exchange = recordedExchange();
      connection.send(exchange, [encodeQuery('select pg_sleep(100)')]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      connection.cancel(exchange);
      await exchange.ended;
      expect(exchange.events).toContain('error 57014');
    }
  });

  it('never let a late cancel request hit the next client', async () => {
    const one = pool(1);
    for (let round = 0; round < 50; round++) {
      const connection = await exclusive(one, { user: postgres });
      const exchange = recordedExchange();
      connection.send(exchange, [encodeQuery('select 1')]);
      connection.cancel(exchange);
      await exchange.ended;
      connection.release();
      const next = await exclusive(one, { user: postgres });
      expect(await rows(next, 'select pg_sleep(0.005), 2')).toHaveLength(1);
      next.release();
    }
  });

  it('tell that the server ended the session', async () => {
    const connection = await exclusive(pool(), { user: postgres });
    const [pid] = await rows(connection, 'select pg_backend_pid()');
    const exchange = recordedExchange();
    connection.send(exchange, [encodeQuery('select pg_sleep(100)')]);
    const killer = await exclusive(pool(), { user: postgres });
    await until(
      async () =>
        (
          await rows(
            killer,
            `select 1 from pg_stat_activity where pid = ${pid} and state = 'active'`,
          )
        ).length > 0,
    );
    await rows(killer, `select pg_terminate_backend(${pid})`);
    await exchange.ended;
    expect(exchange.events.filter((event) => event !== '.')).toEqual([
      'T',
      'error 57P01',
      'lost 57P01',
    ]);
  });
});

describe('session state on a real server', () => {
  async function shown(connection: ServerConnection, names: readonly string[]): Promise<string[]> {
    const values: string[] = [];
    for (const name of names) values.push(...(await rows(connection, `show ${name}`)));
    return values;
  }

  it('follows a session and never reaches another one', async () => {
    const one = pool(1);
    const names = ['timezone', 'search_path', 'app.tenant', 'role'];
    const settings: SessionSettings = emptySettings
      .with('timezone', "'Asia/Seoul'")
      .with('search_path', '"$user", pg_catalog')
      .with('app.tenant', "'it''s 7'")
      .with('role', "'by_md5'");
    const before = await exclusive(one, { user: postgres });
    const plainValues = await shown(
      before,
      names.filter((name) => name !== 'app.tenant'),
    );
    before.release();
    const connection = await exclusive(one, { user: postgres, settings });
    expect(connection).toBe(before);
    expect(await shown(connection, names)).toEqual([
      'Asia/Seoul',
      '"$user", pg_catalog',
      "it's 7",
      'by_md5',
    ]);
    expect(connection.parameters.get('TimeZone')).toBe('Asia/Seoul');
    connection.release();
    const after = await exclusive(one, { user: postgres });
    expect(after).toBe(before);
    expect(await shown(after, names)).toEqual([...plainValues.slice(0, 2), '', 'none']);
  });

  it('is gone after a tainted lease', async () => {
    const one = pool(1);
    const tainted = await exclusive(one, { user: postgres });
    await rows(tainted, 'create temporary table mine (id int)');
    await rows(tainted, 'select pg_advisory_lock(7)');
    await rows(tainted, 'listen news');
    await rows(tainted, "set work_mem = '9MB'");
    await rows(tainted, 'prepare p as select 1');
    tainted.taint();
    tainted.release();
    const next = await exclusive(one, { user: postgres });
    expect(next).toBe(tainted);
    const leaks = `select count(*) from pg_class where relname = 'mine' union all
      select count(*) from pg_locks where locktype = 'advisory' union all
      select count(*) from pg_listening_channels() union all
      select count(*) from pg_prepared_statements union all
      select count(*) from pg_settings where name = 'work_mem' and setting = '9216'`;
    expect(await rows(next, leaks)).toEqual(['0', '0', '0', '0', '0']);
  });

  it('refuses a lease whose settings the server does not take', async () => {
    const settings = emptySettings.with('timezone', "'Nowhere/At_All'");
    await expect(exclusive(pool(1), { user: postgres, settings })).rejects.toMatchObject({
      sqlState: '22023',
    });
  });
});
