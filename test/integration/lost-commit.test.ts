import { createConnection } from 'node:net';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PrimaryIdentity } from '../../src/backend/primary-identity.ts';
import { shakeHands } from '../../src/backend/server-handshake.ts';
import { noServerTls } from '../../src/backend/server-tls.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { NodeId } from '../../src/config/config.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { encodeCancelRequest } from '../../src/protocol/startup-packet.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { ChaosWorld } from '../chaos/chaos-world.ts';

let world: ChaosWorld;
let nextId = 1;

beforeAll(async () => {
  // Longer than any test: commits wait for a standby that hangs.
  world = await ChaosWorld.start({
    standbys: 1,
    durability: 'sync',
    failover: 'degrade_after: 30s',
  });
});

afterAll(async () => {
  await world?.stop();
});

beforeEach(async () => {
  await world.restore();
});

type Waiting = {
  readonly id: number;
  readonly client: Client;
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** The tag of what waits, or the SQLSTATE of its error. */
  readonly answer: Promise<string>;
};

type Statement = 'block' | 'simple' | 'extended';

/** A commit that waits for a standby, which is stopped. */
async function startWaiting(kind: Statement): Promise<Waiting> {
  const id = nextId++;
  const primary = await world.primary();
  const [standby] = await world.standbys();
  if (standby === undefined) throw new Error('no standby');
  const client = await world.served.connect();
  const insert = `insert into entry values (${id}, 'written')`;
  if (kind === 'block') {
    await client.query('begin');
    await client.query(insert);
  }
  await standby.pause();
  const query = {
    block: () => client.query('commit'),
    simple: () => client.query(insert),
    extended: () => client.query('insert into entry values ($1, $2)', [id, 'written']),
  }[kind]();
  const answer = query.then(
    ({ command }) => command,
    (error: { readonly code?: string }) => String(error.code),
  );
  await world.served.until('the commit to wait', async () => (await waiters(primary)) === 1);
  return { id, client, primary, standby, answer };
}

async function ask(node: PostgresServer, sql: string): Promise<{ [column: string]: unknown }[]> {
  return await withSession(node, world.served.lab.login, async (session) => {
    await session.query('set synchronous_commit = local');
    return (await session.query(sql)).rows;
  });
}

async function waiters(node: PostgresServer): Promise<number> {
  const rows = await ask(
    node,
    "select from pg_stat_activity where usename = 'app' and wait_event = 'SyncRep'",
  );
  return rows.length;
}

async function isThere(id: number): Promise<boolean> {
  const client = await world.served.connect();
  const { rowCount } = await client.query('select from entry where id = $1', [id]);
  await client.end();
  return rowCount === 1;
}

async function settled(answer: Promise<string>, ms: number): Promise<string | null> {
  return await Promise.race([answer, sleep(ms).then(() => null)]);
}

describe('a COMMIT whose connection is lost', () => {
  it('is answered with COMMIT when the primary has done it after all', async () => {
    const { id, client, primary, standby, answer } = await startWaiting('block');
    await world.front(primary).set({ kind: 'cut' });
    await world.front(primary).set({ kind: 'pass' });
    expect(await settled(answer, 300)).toBe(null);
    await standby.resume();
    expect(await answer).toBe('COMMIT');
    expect(await isThere(id)).toBe(true);
    // The session goes on.
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('is answered with COMMIT when the standby that is promoted has it', async () => {
    const { id, client, primary, standby, answer } = await startWaiting('block');
    // What the primary has sent is in the standby's socket.
    await primary.kill();
    await standby.resume();
    expect(await answer).toBe('COMMIT');
    expect(await world.primary()).toBe(standby);
    expect(await isThere(id)).toBe(true);
    await client.end();
  });

  it('is answered with 40001 when the standby that is promoted never got it', async () => {
    const [standby] = await world.standbys();
    if (standby === undefined) throw new Error('no standby');
    const primary = await world.primary();
    const client = await world.served.connect();
    const id = nextId++;
    await client.query('begin');
    await client.query(`insert into entry values (${id}, 'written')`);
    await world.upstream(standby).set({ kind: 'black-hole' });
    const answer = client.query('commit').then(
      () => 'COMMIT',
      (error) => error.code,
    );
    await world.served.until('the commit to wait', async () => (await waiters(primary)) === 1);
    await primary.kill();
    await world.upstream(standby).set({ kind: 'cut' });
    expect(await answer).toBe('40001');
    expect(await isThere(id)).toBe(false);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });
});

describe('a COMMIT before which the ID cannot be told', () => {
  it('fails for that reason, rather than pass for a commit', async () => {
    const primary = await world.primary();
    const grant = 'execute on function pg_current_xact_id_if_assigned()';
    await ask(primary, `revoke ${grant} from public`);
    const client = await world.served.connect();
    const id = nextId++;
    await client.query('begin');
    await client.query(`insert into entry values (${id}, 'written')`);
    await expect(client.query('commit')).rejects.toMatchObject({ code: '42501' });
    await ask(primary, `grant ${grant} to public`);
    expect(await isThere(id)).toBe(false);
    await client.end();
  });
});

describe('an idle session', () => {
  it('keeps its settings, its prepared statements and its place over a failover', async () => {
    const client = await world.served.connect();
    const select = { name: 'kept', text: 'select current_setting($1) as value from entry limit 1' };
    await client.query(`insert into entry values (${nextId++}, 'there')`);
    await client.query("set application_name to 'kept'");
    await client.query("set statement_timeout to '77s'");
    await client.query(select, ['statement_timeout']);
    const before = await world.primary();
    await before.kill();
    await world.served.until('another primary', async () => {
      const now = await world.findPrimary();
      return now !== null && now !== before;
    });
    const { rows } = await client.query(select, ['statement_timeout']);
    expect(rows).toEqual([{ value: '77s' }]);
    expect((await client.query('show application_name')).rows).toEqual([
      { application_name: 'kept' },
    ]);
    await client.end();
  });
});

describe('a commit whose wait for the standby is cancelled', () => {
  const cancelWaiters =
    "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and usename = 'app'";
  const tags = { block: 'COMMIT', simple: 'INSERT', extended: 'INSERT' };
  const kinds = ['block', 'simple', 'extended'] as const;

  it.each(kinds)('is acknowledged as soon as the standby has it (%s)', async (kind) => {
    const { id, client, primary, standby, answer } = await startWaiting(kind);
    await ask(primary, cancelWaiters);
    expect(await settled(answer, 500)).toBe(null);
    await standby.resume();
    expect(await answer).toBe(tags[kind]);
    expect(await isThere(id)).toBe(true);
    await client.end();
  });

  it.each(kinds)('is not acknowledged while no standby has it (%s)', async (kind) => {
    const { client, primary, standby, answer } = await startWaiting(kind);
    await ask(primary, cancelWaiters);
    expect(await answer).toBe('08007');
    await standby.resume();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('is not cancelled by its own client during COMMIT', async () => {
    const { client, primary, standby, answer } = await startWaiting('block');
    await cancel(client);
    expect(await settled(answer, 300)).toBe(null);
    expect(await waiters(primary)).toBe(1);
    await standby.resume();
    expect(await answer).toBe('COMMIT');
    await client.end();
  });

  it('is not acknowledged when its own client cancels a single statement', async () => {
    const { client, standby, answer } = await startWaiting('simple');
    await cancel(client);
    expect(await settled(answer, 500)).toBe(null);
    await standby.resume();
    expect(await answer).toBe('INSERT');
    await client.end();
  });
});

async function cancel(client: Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const socket = createConnection({ host: '127.0.0.1', port: world.served.port });
  socket.write(encodeCancelRequest({ backendId: processID, secret }));
  await new Promise<void>((resolve) => socket.on('close', () => resolve()).resume());
}

/** What the handshake of a pool's connection comes to. */
function logIn(server: PostgresServer, identity: PrimaryIdentity): Promise<string> {
  const { host, port, id } = server;
  const node = { host, port, id: id as NodeId, shard: 'a' as ShardId };
  const user = {
    name: 'app',
    verifier: null,
    md5Hash: null,
    serverUser: 'app',
    serverSecret: { kind: 'none' } as const,
    admin: false,
    stats: false,
    safeWrites: null,
  };
  const how = { clock: systemClock, timeoutMs: 2000, allowCleartext: false, tls: noServerTls };
  return new Promise((resolve) => {
    shakeHands(
      { node, user, database: 'app', identity, ...how },
      ({ link }) => {
        link.socket.destroy();
        resolve('welcome');
      },
      ({ sqlState, message }) => resolve(`${sqlState} ${message.replace(id, 'x')}`),
    );
  });
}

describe('a session on a primary', () => {
  it('is opened on the server that the shard has for its primary only', async () => {
    const primary = await world.primary();
    const [standby] = await world.standbys();
    const [row] = await ask(
      primary,
      `select system_identifier::text as id, (select uuid from pgweave.epoch order by epoch desc limit 1),
        ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int as timeline
        from pg_control_system()`,
    );
    const right: PrimaryIdentity = {
      systemId: String(row?.['id']),
      timeline: Number(row?.['timeline']),
      uuid: String(row?.['uuid']),
      synchronousCommit: 'on',
    };
    const refused = '57P03 server x is not the primary of shard "a": it';
    expect(await logIn(primary, right)).toBe('welcome');
    expect(await logIn(standby ?? primary, right)).toBe(`${refused} is in recovery`);
    expect(await logIn(primary, { ...right, uuid: 'other' })).toBe(
      `${refused} is of another epoch`,
    );
    expect(await logIn(primary, { ...right, systemId: '7' })).toBe(
      `${refused} belongs to another cluster`,
    );
    expect(await logIn(primary, { ...right, timeline: 77 })).toBe(
      `${refused} is on timeline ${right.timeline}, not 77`,
    );
  });

  it('waits for the standby whatever its role says', async () => {
    const primary = await world.primary();
    await ask(primary, 'alter role app set synchronous_commit = off');
    try {
      // Connections of before have the setting of before.
      await ask(
        primary,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'",
      );
      await sleep(200);
      const client = await world.served.connect();
      await client.query(`insert into entry values (${nextId++}, 'there')`);
      const { rows } = await client.query('select current_setting($1) as value from entry', [
        'synchronous_commit',
      ]);
      expect([...new Set(rows.map(({ value }) => value))]).toEqual(['on']);
      await client.end();
    } finally {
      await ask(primary, 'alter role app reset synchronous_commit');
    }
  });
});
