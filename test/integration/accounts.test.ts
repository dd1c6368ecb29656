import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { md5Hash } from '../../src/protocol/md5-password.ts';
import { buildScramVerifier } from '../../src/protocol/scram-verifier.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';
import { replaceHba } from '../support/server-access.ts';

let served: ServedCluster;
const verifier = (password: string) => buildScramVerifier(password, Buffer.alloc(16, 9), 4096);
/** A role that tries to say more than its name. */
const hostile = 'o"connor\'; drop table entry; --\n$1\\';

const hashedSecret = md5Hash({ user: 'hashed', password: 'hashed pw' });

const userlist = `;; made by hand
"filed" "${verifier('filed pw')}" "ignored"
"plain ""quoted""" "pl""ain"
"hashed" "${hashedSecret}"

`;
const more = `users_file: userlist.txt
auth_query: { user: asker, password: asker, cache: 300ms }
allow_md5: true
hba:
  - { user: hashed, method: md5 }
  - { user: reader, database: pgweave, address: 127.0.0.1, method: scram-sha-256 }
  - { method: scram-sha-256 }
`;

/** Roles on every shard; the servers ask all of them for passwords. */
async function prepareRoles(
  cluster: Parameters<NonNullable<Parameters<typeof ServedCluster.start>[0]['prepare']>>[0],
) {
  for (const { primary } of cluster.shards) {
    await withSession(primary, cluster.login, async (session) => {
      await session.query("create role asker superuser login password 'asker'");
      const roles: readonly (readonly [string, string])[] = [
        ['filed', verifier('filed pw')],
        ['plain "quoted"', 'pl"ain'],
        ['hashed', hashedSecret],
        ['queried', verifier('queried pw')],
        ['later', 'later pw'],
        [hostile, verifier('hostile pw')],
      ];
      for (const [name, password] of roles) {
        const role = session.escapeIdentifier(name);
        await session.query(
          `create role ${role} login in role app password ${session.escapeLiteral(password)}`,
        );
      }
      await session.query("create role expired login password 'x' valid until '2001-01-01'");
      await session.query("create role nologin_role nologin password 'x'");
    });
    await replaceHba(primary, cluster.login, [
      'host all hashed 127.0.0.1/32 md5',
      'host all all 127.0.0.1/32 scram-sha-256',
    ]);
  }
  return ({ id }: { readonly id: string }) => id;
}

async function whoAmI(user: string, password: string): Promise<string> {
  const client = await served.connect({ user, password });
  try {
    // On both shards, with nothing but what the login has shown.
    await client.query('select count(*) from entry');
    return (await client.query('select current_user::text as name')).rows[0].name;
  } finally {
    await client.end();
  }
}

describe('accounts', () => {
  beforeAll(async () => {
    served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      users: '  limited: { password: limited, server_user: app, server_password: app }\n',
      limits: 'clients_per_user_max: 3, login_timeout: 3s',
      more,
      prepare: prepareRoles,
      files: { 'userlist.txt': userlist },
    });
  });

  afterAll(async () => {
    await served?.stop();
  });

  it('of a userlist log in, and log in to the servers with what they have shown', async () => {
    expect(await whoAmI('filed', 'filed pw')).toBe('filed');
    expect(await whoAmI('plain "quoted"', 'pl"ain')).toBe('plain "quoted"');
    expect(await whoAmI('hashed', 'hashed pw')).toBe('hashed');
    await expect(whoAmI('filed', 'wrong')).rejects.toMatchObject({ code: '28P01' });
    await expect(whoAmI('hashed', 'wrong')).rejects.toMatchObject({ code: '28P01' });
  });

  it('of the home shard log in, whatever they are called', async () => {
    expect(await whoAmI('queried', 'queried pw')).toBe('queried');
    expect(await whoAmI(hostile, 'hostile pw')).toBe(hostile);
    for (const [user, password] of [
      ['queried', 'wrong'],
      ["queried' or '1'='1", 'queried pw'],
      ['nobody', 'x'],
      ['expired', 'x'],
      ['nologin_role', 'x'],
      [`${'n'.repeat(9_000)}`, 'x'],
    ] as const) {
      await expect(whoAmI(user, password)).rejects.toMatchObject({ code: '28P01' });
    }
    expect(
      (await served.connect().then((c) => c.query('select 1').finally(() => c.end()))).rowCount,
    ).toBe(1);
  });

  it('of the home shard that change their password are known by the new one soon', async () => {
    await whoAmI('queried', 'queried pw');
    for (const { primary } of served.lab.shards) {
      await withSession(primary, served.lab.login, (session) =>
        session.query(`alter role queried password '${verifier('another pw')}'`),
      );
    }
    await served.until('the new password to be taken', async () => {
      return (await whoAmI('queried', 'another pw').catch(() => '')) === 'queried';
    });
    // Each worker remembers for a few seconds what it was told.
    await served.until('the old password to be refused', async () => {
      const error = await whoAmI('queried', 'queried pw').catch((refusal) => refusal);
      return error.code === '28P01';
    });
  });

  it('of a userlist that is replaced are taken up at once, and a damaged one changes nothing', async () => {
    const file = join(served.configPath, '..', 'userlist.txt');
    const replaceBy = async (text: string) => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    const running = await served.connect({ user: 'filed', password: 'filed pw' });
    await replaceBy('this is no userlist\n');
    await served.until('the mistake to be told', () =>
      served.run.stderr.includes('is not a userlist'),
    );
    expect(await whoAmI('filed', 'filed pw')).toBe('filed');
    await replaceBy(`${userlist}"later" "later pw"\n`);
    await served.until('the new user to be known', async () => {
      return (await whoAmI('later', 'later pw').catch(() => '')) === 'later';
    });
    expect((await running.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await running.end();
    await replaceBy(userlist);
  });

  it('have no more clients than they may, over all workers', async () => {
    const login = { user: 'limited', password: 'limited' };
    const clients = [];
    for (let count = 0; count < 3; count++) clients.push(await served.connect(login));
    await expect(served.connect(login)).rejects.toMatchObject({
      code: '53300',
      message: 'too many connections for role "limited"',
    });
    await clients[0]?.end();
    await served.until('a place', async () => {
      const client = await served.connect(login).catch(() => null);
      if (client !== null) clients.push(client);
      return client !== null;
    });
    await Promise.all(clients.slice(1).map((client) => client.end()));
  });

  it('have no more clients to one database and from one address than they may', async () => {
    await served.reconfigure((text) =>
      text.replace('clients_per_user_max: 3', 'clients_per_database_max: 2'),
    );
    const two = [await served.connect(), await served.connect()];
    await expect(served.connect()).rejects.toMatchObject({
      code: '53300',
      message: 'too many connections for database "app"',
    });
    await served.reconfigure((text) =>
      text.replace('clients_per_user_max: 3', 'clients_per_address_max: 2'),
    );
    await Promise.all(two.map((client) => client.end()));
    const more = [await served.connect(), await served.connect()];
    await expect(served.connect()).rejects.toMatchObject({
      code: '53300',
      message: 'too many connections from address "127.0.0.1"',
    });
    await Promise.all(more.map((client) => client.end()));
    await served.until('a place for the console', async () => {
      return (await served.console('reload').catch(() => null)) !== null;
    });
  });

  it('leave no secret in the log, the console and the metrics', async () => {
    const secrets = [
      'filed pw',
      'queried pw',
      'hostile pw',
      'pl"ain',
      'SCRAM-SHA-256$',
      hashedSecret,
      'asker',
    ];
    const { text } = await served.page('/metrics');
    const shown = JSON.stringify([
      await served.console('show config'),
      await served.console('show clients'),
    ]);
    for (const place of [served.run.stderr, shown, text]) {
      for (const secret of secrets) expect(place).not.toContain(secret);
    }
    // A name cannot begin a line of its own.
    expect(
      served.run.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')),
    ).toEqual([]);
  });

  it('of the HTTP pages come with a token where one is asked for', async () => {
    await served.reconfigure((text) =>
      text
        .replace(
          /admin: \{ host: 127.0.0.1, /,
          'admin: { bearer_token: "a token", user: me, password: "p:w", host: 127.0.0.1, ',
        )
        .replace('clients_per_user_max: 3,', ''),
    );
    const status = async (path: string, authorization?: string) => {
      const headers = authorization === undefined ? {} : { authorization };
      const url = `http://127.0.0.1:${served.adminPort}${path}`;
      return (await fetch(url, { headers })).status;
    };
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(await status('/healthz')).toBe(200);
    expect(await status('/metrics')).toBe(401);
    expect(await status('/readyz', 'Bearer wrong')).toBe(401);
    expect(await status('/metrics', basic('me:pw'))).toBe(401);
    expect(await status('/metrics', basic('me:p:w'))).toBe(200);
  });
});
