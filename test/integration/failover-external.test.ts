import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { withSession } from '../../src/lab/sql.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// promotion: external
let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a'],
    standbys: 1,
    schema: entrySchema,
    external: true,
  });
});

afterAll(async () => {
  await served?.stop();
});

/** The tag, or the SQLSTATE. */
async function answerOf(query: Promise<{ readonly command: string }>): Promise<string> {
  return await query.then(
    ({ command }) => command,
    (error: { readonly code?: string }) => String(error.code),
  );
}

describe('a shard that somebody else fails over', () => {
  it('keeps what clients are promised: hold, 40001, 08007, sessions that go on', async () => {
    const { primary, standby } = served.lab.shard('a');
    if (standby === null) throw new Error('no standby');
    const onServer = (node: typeof primary, ...statements: string[]) =>
      withSession(node, served.lab.login, async (session) => {
        for (const statement of statements) await session.query(statement);
      });
    await onServer(
      primary,
      "alter system set synchronous_standby_names = '*'",
      'select pg_reload_conf()',
    );
    const [outside, inBlock, committing, idle] = await Promise.all(
      [1, 2, 3, 4].map(() => served.connect()),
    );
    if (!outside || !inBlock || !committing || !idle) throw new Error('no client');
    await idle.query("set application_name = 'kept'");
    const prepared = {
      name: 'count',
      text: 'select count(*)::int as rows from entry where id > $1',
    };
    await idle.query({ ...prepared, values: [0] });
    for (const [client, id] of [
      [inBlock, 1],
      [committing, 2],
    ] as const) {
      await client.query('begin');
      await client.query(`insert into entry values (${id}, 'in a block')`);
    }
    await standby.pause();
    const commit = answerOf(committing.query('commit'));
    await sleep(200);
    await primary.kill();
    await standby.resume();
    const insert = answerOf(outside.query("insert into entry values (3, 'waited')"));
    const waited = await Promise.race([insert, sleep(500).then(() => 'waits')]);
    expect(waited).toBe('waits');
    await onServer(
      standby,
      "alter system set synchronous_standby_names = ''",
      'select pg_reload_conf()',
      'select pg_promote()',
    );
    expect(await insert).toBe('INSERT');
    expect(await answerOf(inBlock.query('select 1'))).toBe('40001');
    // Only who promotes knows where the new line of history begins.
    expect(await commit).toBe('08007');
    expect((await idle.query({ ...prepared, values: [2] })).rows).toEqual([{ rows: 1 }]);
    expect((await idle.query('show application_name')).rows).toEqual([
      { application_name: 'kept' },
    ]);
    expect(await served.console('show shards')).toMatchObject([{ epoch: '2' }]);
    for (const client of [outside, inBlock, committing, idle]) await client.end();
  });
});
