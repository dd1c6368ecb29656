import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CopyClient } from '../../support/copy-client.ts';
import { WriteWorld } from '../../support/write-world.ts';

const megabyte = 1024 * 1024;

let world: WriteWorld;
let client: CopyClient;

beforeAll(async () => {
  world = await WriteWorld.start();
  client = await CopyClient.connect(world.addresses.proxy);
}, 60_000);

afterAll(async () => {
  client?.close();
  await world?.stop();
});

/** Of pgweave's processes together: the most memory that each has ever had, in bytes. */
function peakBytes(): number {
  const isChild = (pid: string) => /^ \w (\d+) /.exec(statOf(pid))?.[1] === String(world.pid);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isChild(name));
  return [String(world.pid), ...pids].reduce((sum, pid) => {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return sum + Number(peak ?? 0) * 1024;
  }, 0);
}

/** Behind the name of the command: state and parent. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/, '');
  } catch {
    return '';
  }
}

describe('long rows', () => {
  it('pass through, in one message or many, without being held', async () => {
    const text = 'copy account (id, owner) from stdin';
    const long = Buffer.alloc(60 * megabyte, 'x');
    await client.run({ text, data: [Buffer.from('1\ta\n101\tb\n')] });
    const before = peakBytes();
    const one = Buffer.concat([Buffer.from('2\t'), long, Buffer.from('\n102\tb\n')]);
    expect((await client.run({ text, data: [one] })).tag).toBe('COPY 2');
    const many = [Buffer.from('103\t'), long, long, Buffer.from('\n3\tb\n')];
    expect((await client.run({ text, data: many })).tag).toBe('COPY 2');
    expect(peakBytes() - before).toBeLessThan(100 * megabyte);
    expect(await world.proxy.query('select id, length(owner) from account order by 1')).toEqual([
      ['1', '1'],
      ['2', String(60 * megabyte)],
      ['3', '1'],
      ['101', '1'],
      ['102', '1'],
      ['103', String(120 * megabyte)],
    ]);
  }, 120_000);

  it('come back as they are', async () => {
    for (const options of ['', '(format csv, header)', '(format binary)']) {
      const { data, tag } = await client.run({ text: `copy account (owner) to stdout ${options}` });
      expect([options, tag]).toEqual([options, 'COPY 6']);
      let xs = 0;
      for (const byte of data) if (byte === 0x78) xs += 1;
      expect(xs).toBe(180 * megabyte);
    }
  }, 120_000);

  it('leave nothing behind when a mistake or the end of the client comes within', async () => {
    const text = 'copy account (id, owner) from stdin';
    const long = Buffer.alloc(3 * megabyte, 'x');
    const start = Buffer.concat([Buffer.from('5\tok\n105\t'), long]);
    const extra = await client.run({ text, data: [start, Buffer.from('\tmore\n6\tz\n')] });
    expect(extra.error?.get('C')).toBe('22P04');
    expect(extra.error?.get('W')).toMatch(/^COPY account, line 2: /);
    const given = await client.run({ text, data: [start], fail: 'enough' });
    expect([given.error?.get('C'), given.error?.get('W')]).toEqual([
      '57014',
      'COPY account, line 2',
    ]);
    expect((await client.run({ text, data: [Buffer.from('105\ty\n')] })).tag).toBe('COPY 1');
    expect(await world.proxy.query('select count(*) from account')).toEqual([['7']]);
  }, 60_000);
});

describe('long messages into a table of the home shard', () => {
  it('pass through, and a mistake within does not mix with what follows', async () => {
    const text = 'copy memo (id, body) from stdin';
    const long = Buffer.alloc(20 * megabyte, 'x');
    const good = Buffer.concat([Buffer.from('1\t'), long, Buffer.from('\n')]);
    const bad = Buffer.concat([Buffer.from('no\t2\n'), long, Buffer.from('\n')]);
    for (const protocol of ['simple', 'extended'] as const) {
      expect((await client.run({ text, data: [good], protocol })).tag).toBe('COPY 1');
      expect((await client.run({ text, data: [bad], protocol })).error?.get('C')).toBe('22P02');
      expect((await client.run({ text: 'delete from memo' })).tag).toBe('DELETE 1');
    }
  }, 60_000);
});
