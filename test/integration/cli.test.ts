import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildRun } from '../support/child-run.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({ shards: ['a', 'b'], schema: entrySchema });
});

afterAll(async () => {
  await served?.stop();
});

function besideConfig(name: string): string {
  return join(served.configPath, '..', name);
}

describe('the command line', () => {
  it('tells what it can do', async () => {
    const asked = [['--help'], ['help'], [], ['serve', '--help']];
    for (const { code, stdout, stderr } of await Promise.all(asked.map(ChildRun.finish))) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const command of ['demo', 'serve', 'check', 'explain', 'where']) {
        expect(stdout).toMatch(new RegExp(`pgweave ${command}`));
      }
    }
    expect((await ChildRun.finish(['--version'])).stdout).toMatch(/^pgweave \d+\.\d+\.\d+\n$/);
  });

  it.each([
    [['serv'], 'unknown command "serv"'],
    [['serve'], 'serve needs --config FILE'],
    [['demo', '--port', 'many'], '--port'],
    [['demo', '--shards', '99'], '--shards'],
    [['check', '--config', 'a', 'b'], 'check takes nothing'],
    [['serve', '--config', 'a', '--verbose'], '--verbose'],
  ])('says what is wrong with %j, exit code 2', async (words, message) => {
    const { code, stdout, stderr } = await ChildRun.finish(words);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/Try pgweave --help\.\n$/);
  });

  it('checks a configuration', async () => {
    const good = await ChildRun.finish(['check', '--config', served.configPath]);
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toContain('no mistakes');
    const file = besideConfig('wrong.yaml');
    const text = served.configText.replace('workers: 2', 'workers: many\nworkres: 2');
    await writeFile(file, text.replace('home: a', 'home: nowhere'));
    const { code, stdout } = await ChildRun.finish(['check', '--config', file]);
    expect(code).toBe(1);
    expect(stdout).toContain(`${file}:2:10: `);
    expect(stdout).toContain(`${file}:3:1: `);
    expect(stdout).toMatch(/wrong\.yaml:\d+:7: .*nowhere/);
    expect(stdout).toMatch(/3 mistakes\n$/);
    for (const command of ['serve', 'explain']) {
      const words = [command, '--config', file, ...(command === 'explain' ? ['select 1'] : [])];
      const refused = await ChildRun.finish(words);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`${file}:3:1: `);
    }
  });

  it('says in one line when a file is missing', async () => {
    for (const words of [['serve'], ['check'], ['where', 'entry'], ['explain', 'select 1']]) {
      const [command = '', ...rest] = words;
      const { code, stderr } = await ChildRun.finish([
        command,
        '--config',
        '/nowhere.yaml',
        ...rest,
      ]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^pgweave: cannot read \/nowhere\.yaml: .*\n$/);
    }
  });

  it('says which shard owns a key, and why', async () => {
    const where = ['where', '--config', served.configPath];
    const owner = await ChildRun.finish([...where, 'entry', '1000000']);
    expect(owner).toMatchObject({ code: 0, stdout: expect.stringMatching(/^b\n {4}\S/) });
    expect(await ChildRun.finish([...where, 'setting'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^a\n/),
    });
    expect(await ChildRun.finish([...where, 'entry', 'Kim'])).toMatchObject({ code: 1 });
  });

  it('explains a statement without running it', async () => {
    const explain = (sql: string) =>
      ChildRun.finish(['explain', '--config', served.configPath, sql]);
    const [one, all, write, refused, wrong] = await Promise.all(
      [
        'select * from entry where id = 1000001',
        'select count(*) from entry',
        "insert into entry values (7, 'never')",
        'select ctid, count(*) from entry group by 1',
        'selec 1',
      ].map(explain),
    );
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one?.stdout).toMatch(/b: select \* from entry where id = 1000001/);
    expect(all?.stdout).toMatch(/a: .*count[\s\S]*b: .*count/);
    expect(write?.stdout).toMatch(/a: insert into entry/);
    const client = await served.connect();
    expect((await client.query('select count(*) from entry')).rows).toEqual([{ count: '0' }]);
    await client.end();
    expect(refused?.code).toBe(1);
    expect(refused?.stderr).toMatch(/^pgweave: \S/);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong?.stderr).toBe('pgweave: the statement has a syntax error\n');
  });

  it('explains only what the servers tell', async () => {
    const file = besideConfig('elsewhere.yaml');
    const text = served.lab.nodes.reduce(
      (changed, { id }) => changed.replace(id, '127.0.0.1:1'),
      served.configText.replace(/b: \{ nodes.*\n/, 'b: { nodes: ["127.0.0.1:2"] }\n'),
    );
    await writeFile(file, text);
    const { code, stderr } = await ChildRun.finish(['explain', '--config', file, 'select 1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^pgweave: shard a has no primary that can be asked\n/);
  });
});
