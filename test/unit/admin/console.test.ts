import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { showSubjects } from '../../../src/admin/admin-command.ts';
import { createAdminConsole } from '../../../src/admin/console.ts';
import { silentTelemetry } from '../../../src/base/telemetry.ts';
import type { AdminResult } from '../../../src/frontend/admin-console.ts';
import { clusterViewFixture } from '../../support/cluster-view-fixture.ts';

const operator = { name: 'ops', admin: true };
const visitor = { name: 'app', admin: false };

function run(sql: string, user = operator): Promise<AdminResult> {
  return createAdminConsole(clusterViewFixture().view, silentTelemetry).execute(sql, user);
}

describe('the admin console', () => {
  it('shows the shards', async () => {
    expect(await run('SHOW SHARDS')).toEqual({
      tag: 'SHOW',
      notice: null,
      columns: [
        'shard',
        'state',
        'primary',
        'standbys',
        'epoch',
        'durability',
        'failovers',
        'reason',
        'no_promotion',
      ],
      rows: [
        ['a_m', 'open', '127.0.0.1:5433', '127.0.0.1:5434', '4', 'armed', '1', null, null],
        [
          'n_z',
          'promoting',
          null,
          '',
          '2',
          'solo',
          '0',
          'promoting 127.0.0.1:5436',
          'the standby may lack acknowledged commits',
        ],
      ],
    });
  });

  it('shows the nodes, NULL for what is not known', async () => {
    expect((await run('show nodes')).rows).toEqual([
      ['a_m', '127.0.0.1:5433', 'primary', 'up', null, '4', '4711', null],
      ['a_m', '127.0.0.1:5434', 'standby', 'up', '128', '4', null, null],
    ]);
  });

  it('adds pools up over the workers, and takes the longest wait', async () => {
    expect((await run('show pools')).rows).toEqual([
      ['a_m', '127.0.0.1:5433', '4', '2', '0', '0', '6', '99.0'],
    ]);
  });

  it('shows the clients', async () => {
    const { columns, rows } = await run('show clients');
    expect(rows).toEqual([
      [
        'app',
        'shop',
        'in-transaction',
        '10.0.0.7',
        '40000',
        'yes',
        'psql',
        'a_m',
        '2024-01-31T12:00:00.000Z',
        '0',
        '5',
      ],
    ]);
    expect(columns).toHaveLength(rows[0]?.length ?? 0);
  });

  it('shows where the schemas of the shards differ', async () => {
    expect((await run('show drift')).rows).toEqual([
      [
        'column',
        'public.customer.name',
        'n_z',
        'is "text", on a_m it is "text not null"',
        'make it on n_z as on a_m, or the other way round',
      ],
    ]);
  });

  it('shows workers and statements', async () => {
    expect((await run('show workers')).rows).toEqual([
      ['0', '100', 'ready', '1', '0'],
      ['1', null, 'resting', '0', '2'],
    ]);
    expect((await run('show stats')).rows).toEqual([
      ['single-shard', '15'],
      ['home', '1'],
    ]);
  });

  it('shows the shard map with its tables', async () => {
    expect((await run('show map')).rows).toEqual([
      ['customers', 'ranges', null, "'N'", null, 'a_m', 'public.customer'],
      ['customers', 'ranges', "'N'", null, null, 'n_z', 'public.customer'],
      [null, 'reference', null, null, null, null, 'public.item'],
      [null, 'home', null, null, null, 'a_m', null],
    ]);
  });

  it('shows the configuration without a password or a verifier', async () => {
    const { rows } = await run('show config');
    const values = new Map(rows.map(([name, value]) => [name, value]));
    expect(values.get('limits.acquire_timeout')).toBe('10000ms');
    expect(values.get('limits.clients_max')).toBe('100');
    expect(values.get('users')).toBe('app');
    expect(JSON.stringify(rows)).not.toMatch(/hunter|SCRAM|c2FsdA/);
  });

  it('names options as the configuration file does', async () => {
    const manual = readFileSync(
      join(import.meta.dirname, '../../../docs/configuration.md'),
      'utf8',
    );
    for (const [name] of (await run('show config')).rows) {
      if (name?.startsWith('(')) continue;
      for (const part of name?.split('.') ?? []) expect(manual).toContain(part);
    }
  });

  it.each([
    'show shards;',
    '  Show   SHARDS ; ; ',
    'SHOW shards -- all of them',
    '/* monitoring */ show/**/shards',
    'show\nshards\n;',
  ])('takes %j as an operator types it', async (sql) => {
    expect((await run(sql)).tag).toBe('SHOW');
  });

  it.each(['', ' ; ', '-- nothing'])('answers %j with nothing', async (sql) => {
    expect(await run(sql)).toEqual({ columns: [], rows: [], tag: '', notice: null });
  });

  it.each([
    ['show shrads', 'did you mean "shards"?'],
    ['shwo shards', 'did you mean "show"?'],
    ['show', 'see SHOW HELP'],
    ['show shards nodes', 'see SHOW HELP'],
    ['show shards; show nodes', 'see SHOW HELP'],
    ['select * from pg_class', 'see SHOW HELP'],
    ['set search_path to x', 'RELOAD'],
    ['begin', 'see SHOW HELP'],
    ['failover', 'see SHOW HELP'],
    ['reload now', 'see SHOW HELP'],
    ['"', 'see SHOW HELP'],
    [`show ${' '.repeat(1_000)}`, 'see SHOW HELP'],
  ])('refuses %j and says what to do', async (sql, hint) => {
    await expect(run(sql)).rejects.toMatchObject({
      sqlState: '42601',
      hint: expect.stringContaining(hint),
    });
  });

  it('takes a command at its limit of characters', async () => {
    expect((await run('show shards'.padEnd(1_000))).tag).toBe('SHOW');
  });

  it.each([
    'SET extra_float_digits = 3',
    "set client_encoding to 'UTF8'",
    "SET SESSION timezone TO 'UTC'",
    "set time zone 'UTC'",
    'set application_name = "x"',
  ])('accepts %j, which drivers send on connecting', async (sql) => {
    expect(await run(sql, visitor)).toEqual({ columns: [], rows: [], tag: 'SET', notice: null });
  });

  it('answers the questions by which pools see that a connection lives', async () => {
    expect(await run('SELECT 1', visitor)).toMatchObject({ rows: [['1']], tag: 'SELECT 1' });
    expect((await run('select version();', visitor)).rows).toEqual([['pgweave 1.2.3']]);
  });

  it('reloads, and passes on what only a restart changes', async () => {
    expect(await run('RELOAD;')).toEqual({
      columns: [],
      rows: [],
      tag: 'RELOAD',
      notice: 'workers: 4 takes effect after a restart',
    });
  });

  it.each([
    ['reload', 'reload'],
    ['reload allow stranded rows', 'reload all the same'],
  ])('strands rows only when it is told to: %j', async (sql, done) => {
    const { view, changed } = clusterViewFixture();
    await createAdminConsole(view, silentTelemetry).execute(sql, operator);
    expect(changed).toEqual([done]);
  });

  it('says what a reload would change, and strand, and changes nothing', async () => {
    const { view, changed } = clusterViewFixture();
    const answer = await createAdminConsole(view, silentTelemetry).execute(
      'RELOAD WITH DRY RUN',
      visitor,
    );
    expect(answer).toEqual({
      columns: ['change', 'what', 'shard', 'rows'],
      rows: [
        ['remove', 'home', 'a_m', null],
        ['add', 'home', 'n_z', null],
        ['strand', 'public.entry: a_m owns them', 'n_z', '3'],
      ],
      tag: 'RELOAD',
      notice: 'dry run: refused: rows that are there would not be found any more',
    });
    expect(changed).toEqual([]);
  });

  it.each([
    ['failover a_m', 'a_m failover'],
    ['FAILOVER SHARD a_m;', 'a_m failover'],
    ['failover "a_m"', 'a_m failover'],
    ["failover 'a_m'", 'a_m failover'],
    ['failover A_M', 'a_m failover'],
    ['failover a_m to 127.0.0.1:5434', 'a_m failover 127.0.0.1:5434'],
    ['failover a_m to 127.0.0.1:5434 allow data loss', 'a_m failover 127.0.0.1:5434 true'],
    ['FAILOVER a_m ALLOW DATA LOSS TO "127.0.0.1:5434"', 'a_m failover 127.0.0.1:5434 true'],
    ['switchover a_m', 'a_m switchover'],
    ['switchover a_m to 127.0.0.1:5434', 'a_m switchover 127.0.0.1:5434'],
    ['pause a_m', 'a_m pause'],
    ['RESUME a_m;', 'a_m resume'],
    ['rejoin 127.0.0.1:5434', 'a_m rejoin 127.0.0.1:5434'],
    ['rejoin node "127.0.0.1:5434"', 'a_m rejoin 127.0.0.1:5434'],
  ])('understands %j', async (sql, command) => {
    const { view, changed } = clusterViewFixture();
    const result = await createAdminConsole(view, silentTelemetry).execute(sql, operator);
    expect(changed).toEqual([command]);
    expect(result.tag).toBe(command.split(' ')[1]?.toUpperCase());
    expect(result.notice).toBe('it is done');
  });

  it.each([
    ['switchover', 'SWITCHOVER needs the name of a shard'],
    ['rejoin', 'REJOIN needs the name of a node'],
    ['failover a_m to', 'TO needs the name of a node'],
    ['switchover a_m allow data loss', 'unexpected "allow" at the end of the command'],
    ['pause a_m to 127.0.0.1:5434', 'unexpected "to" at the end of the command'],
    ['failover a_m with dry', 'unexpected "with" at the end of the command'],
    ['failover a_m; failover n_z', 'the admin console takes one command at a time'],
  ])('refuses %j', async (sql, message) => {
    await expect(run(sql)).rejects.toMatchObject({ sqlState: '42601', message });
  });

  it('tells what a command would do, also to those who may not give it', async () => {
    const { view, changed } = clusterViewFixture();
    const console = createAdminConsole(view, silentTelemetry);
    expect(await console.execute('switchover a_m with dry run', visitor)).toEqual({
      columns: ['node', 'may_become_primary', 'lag_bytes', 'reason'],
      rows: [
        ['127.0.0.1:5433', 'no', null, 'is the primary'],
        ['127.0.0.1:5434', 'yes', '12', null],
      ],
      tag: 'SWITCHOVER',
      notice: 'dry run: refused: the shard is not armed',
    });
    expect(changed).toEqual([]);
  });

  it('shows past failovers and what each shard promises', async () => {
    const [failover = []] = (await run('show failovers')).rows;
    expect(failover.slice(-3)).toEqual([
      'it has no standby',
      '3 below 100 ms, 1 below 250 ms',
      '3 of 40001',
    ]);
    expect(failover.slice(0, 11)).toEqual([
      '2026-01-02T03:04:05.000Z',
      'a_m',
      'failure',
      '127.0.0.1:5434',
      '127.0.0.1:5433',
      '4',
      '61',
      '70',
      '120',
      '131',
      'it refuses connections',
    ]);
    expect((await run('show durability')).rows.map((row) => row.slice(0, 6))).toEqual([
      ['a_m', 'sync', 'armed', '1 of 127.0.0.1:5434', 'no', 'automatic'],
      ['n_z', 'sync', 'solo', null, 'no', 'none: the standby may lack acknowledged commits'],
    ]);
  });

  it('shows transactions in doubt, and what can be done about them', async () => {
    expect((await run('show transactions')).rows).toEqual([
      [
        'pgweave/a_m/0123456789abcdef/1z',
        'a_m',
        'n_z',
        'app',
        '12346',
        'unknown',
        'a_m cannot be asked; RESOLVE ends it by your word',
      ],
    ]);
  });

  it('ends a transaction by an operator', async () => {
    const id = 'pgweave/a_m/0123456789abcdef/1z';
    const { view, changed } = clusterViewFixture();
    const console = createAdminConsole(view, silentTelemetry);
    const admin = { name: 'root', admin: true };
    expect(await console.execute(`RESOLVE ${id} COMMIT`, admin)).toMatchObject({
      tag: 'RESOLVE',
      notice: 'the transaction is ended',
    });
    await console.execute(`resolve '${id}' rollback;`, admin);
    expect(changed).toEqual([`resolve ${id} committed`, `resolve ${id} rolled-back`]);
    const user = { name: 'app', admin: false };
    await expect(console.execute(`resolve ${id} commit`, user)).rejects.toMatchObject({
      sqlState: '42501',
    });
  });

  it.each([
    ['resolve', 'RESOLVE needs the id of a transaction'],
    ['resolve x commit', '"x" is not the id of a transaction over several shards'],
    ['resolve pgweave/a/0123456789abcdef/1', 'whether to COMMIT or to ROLLBACK'],
    ['resolve pgweave/a/0123456789abcdef/1 commit now', 'unexpected "now"'],
    ['resolve pgweave/a/0123456789abcdef/1 commit; x', 'one command at a time'],
  ])('refuses %s', async (command, message) => {
    await expect(run(command)).rejects.toMatchObject({
      sqlState: '42601',
      message: expect.stringContaining(message),
    });
  });

  it('names the node that was meant', async () => {
    await expect(run('failover a_m to 127.0.0.1:5435')).rejects.toMatchObject({
      sqlState: '22023',
      message: 'node "127.0.0.1:5435" does not exist',
    });
  });

  it('passes on why a failover is refused', async () => {
    await expect(run('failover n_z')).rejects.toMatchObject({ sqlState: '55000' });
  });

  it('names the shard that was meant', async () => {
    await expect(run('failover a_n')).rejects.toMatchObject({
      sqlState: '22023',
      message: 'shard "a_n" does not exist',
      hint: 'did you mean "a_m"?',
    });
  });

  it.each(['RELOAD', 'FAILOVER a_m', 'PAUSE a_m', 'REJOIN 127.0.0.1:5434'])(
    'keeps %s for admins',
    async (sql) => {
      const { view, changed } = clusterViewFixture();
      const refused = createAdminConsole(view, silentTelemetry).execute(sql, visitor);
      await expect(refused).rejects.toMatchObject({ sqlState: '42501' });
      expect(changed).toEqual([]);
      expect((await run('SHOW MAP', visitor)).tag).toBe('SHOW');
    },
  );

  it('lists every SHOW in its help', async () => {
    const listed = (await run('help')).rows.map(([command]) => command);
    for (const subject of showSubjects) expect(listed).toContain(`SHOW ${subject.toUpperCase()}`);
  });

  it.each(showSubjects)('documents the columns of SHOW %s', async (subject) => {
    const manual = readFileSync(join(import.meta.dirname, '../../../docs/admin.md'), 'utf8');
    const { columns } = await run(`show ${subject}`);
    const heading = `### \`SHOW ${subject.toUpperCase()}\``;
    const section = manual.split(heading)[1]?.split('\n### ')[0] ?? '';
    const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
    expect(documented).toEqual(columns);
  });
});
