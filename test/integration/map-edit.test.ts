import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { ChildRun } from '../support/child-run.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// Rows on a: 1, 600, 700. Rows on b: 1000001. Whatever is edited, no row may be lost from sight.

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: `${entrySchema}; create table note (id int, body text)`,
    workers: 2,
  });
  const client = await served.connect();
  await client.query("insert into entry values (1, 'x'), (600, 'x'), (700, 'x'), (1000001, 'x')");
  await client.query("insert into note values (1, 'home')");
  await client.end();
});

afterAll(async () => {
  await served?.stop();
});

beforeEach(async () => {
  await writeFile(served.configPath, served.configText);
});

const moved = (text: string) =>
  text.replace('from: 1000000', 'from: 500').replace('to: 1000000', 'to: 500');

async function edit(change: (text: string) => string): Promise<void> {
  const text = change(served.configText);
  expect(text).not.toBe(served.configText);
  await writeFile(served.configPath, text);
}

async function onConsole(command: string) {
  const client = await served.connect({ database: 'pgweave' });
  const notices: (string | undefined)[] = [];
  client.on('notice', ({ message }) => notices.push(message));
  try {
    const { rows, command: tag } = await client.query(command);
    return { rows, tag, notices };
  } finally {
    await client.end();
  }
}

async function on(shard: 'a' | 'b', sql: string): Promise<void> {
  const { primary } = served.lab.shard(shard);
  await withSession(primary, { database: 'app', password: null }, (session) => session.query(sql));
}

async function countEntries(): Promise<number> {
  const client = await served.connect();
  const { rows } = await client.query('select count(*)::int as count from entry');
  await client.end();
  return rows[0].count;
}

const stranding = {
  code: '55000',
  message: 'the edit of the shard map would strand rows that are there',
  detail: 'public.entry: 2 rows on a, b owns them',
  hint: expect.stringContaining('RELOAD ALLOW STRANDED ROWS'),
};

describe('an edit of the shard map that would strand rows', () => {
  it('is refused by RELOAD, with the rows that it concerns', async () => {
    await edit(moved);
    await expect(onConsole('reload')).rejects.toMatchObject(stranding);
    expect((await served.console('show map'))[0]).toMatchObject({ to: '1000000' });
    expect(await countEntries()).toBe(4);
  });

  it('is refused on SIGHUP, and logged', async () => {
    await edit(moved);
    const refused = () =>
      served.run.log.filter(({ msg }) => msg === 'reload refused, the running configuration stays');
    const before = refused().length;
    served.run.kill('SIGHUP');
    await served.until('the refusal', () => refused().length > before);
    expect(refused().at(-1)).toMatchObject({ mistakes: stranding.detail });
  });

  it('is shown by a dry run, with what it changes', async () => {
    await edit(moved);
    const { rows, notices } = await onConsole('reload with dry run');
    expect(notices).toEqual(['dry run: refused: rows that are there would not be found any more']);
    expect(rows).toContainEqual({
      change: 'strand',
      what: 'public.entry: b owns them',
      shard: 'a',
      rows: '2',
    });
    expect(rows.map(({ change, shard }) => [change, shard])).toEqual([
      ['remove', 'a'],
      ['remove', 'b'],
      ['add', 'a'],
      ['add', 'b'],
      ['strand', 'a'],
    ]);
  });

  it.each([
    [
      'a table is no longer listed',
      (text: string) => text.replace(/^ {2}entry: \{.*\n/m, ''),
      'public.entry: 1 row on b, the table would not be looked for on b',
    ],
    [
      'a table of the home shard becomes a reference table',
      (text: string) => text.replace('  entry: {', '  note: { reference: true }\n  entry: {'),
      'public.note: 0 rows on b, the copy is not that of a',
    ],
    [
      'another home shard',
      (text: string) => text.replace('home: a', 'home: b'),
      'public.note: 1 row on a, the new home b has not the same rows',
    ],
  ])('is found whatever it changes: %s', async (_, change, detail) => {
    await edit(change);
    await expect(onConsole('reload')).rejects.toMatchObject({ code: '55000', detail });
  });

  it('is refused when a server cannot say', async () => {
    await edit(moved);
    await on('b', 'alter table entry rename to hidden');
    await on('b', 'create view entry as select id, note from hidden where 1 / (id - id) > 0');
    await expect(onConsole('reload')).rejects.toMatchObject({
      code: '55000',
      message: 'it cannot be told whether the edit of the shard map would strand rows',
      detail: expect.stringContaining('division by zero'),
    });
    await on('b', 'drop view entry');
    await on('b', 'alter table hidden rename to entry');
  });

  it('is adopted when the rows have been moved first, or when nobody minds', async () => {
    await edit(moved);
    await on('a', 'delete from entry where id in (600, 700)');
    await on('b', "insert into entry values (600, 'x'), (700, 'x')");
    expect((await onConsole('reload with dry run')).notices).toEqual([
      'dry run: the file would be adopted',
    ]);
    expect((await onConsole('reload')).tag).toBe('RELOAD');
    expect((await served.console('show map'))[0]).toMatchObject({ to: '500' });
    expect(await countEntries()).toBe(4);
    const client = await served.connect();
    expect((await client.query('select id from entry where id = 600')).rowCount).toBe(1);
    await client.end();
    await writeFile(served.configPath, served.configText);
    await expect(onConsole('reload')).rejects.toMatchObject({
      detail: 'public.entry: 2 rows on b, a owns them',
    });
    await onConsole('reload allow stranded rows');
    expect((await served.console('show map'))[0]).toMatchObject({ to: '1000000' });
    await on('b', 'delete from entry where id in (600, 700)');
    await on('a', "insert into entry values (600, 'x'), (700, 'x')");
  });

  it('is refused at the start when the file was edited meanwhile', async () => {
    await edit(moved);
    await served.run.stop();
    const refused = new ChildRun(['serve', '--config', served.configPath]);
    expect(await refused.ended()).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain(stranding.detail);
    expect(refused.stderr).toContain('--allow-stranded-rows');
    const allowed = new ChildRun(['serve', '--config', served.configPath, '--allow-stranded-rows']);
    await allowed.ready();
    await allowed.stop();
  });
});
