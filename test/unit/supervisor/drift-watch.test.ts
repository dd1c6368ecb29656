import { describe, expect, it } from 'vitest';
import type { Drift } from '../../../src/cluster/drift/find-drift.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { DriftWatch } from '../../../src/supervisor/drift-watch.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';

function drift(name: string): Drift {
  return {
    kind: 'table',
    name,
    shards: ['b' as ShardId],
    difference: 'does not exist, on a it does',
    remedy: 'create it on b, or drop it elsewhere',
  };
}

/** Looks that find one thing after the other, the last one again and again; an Error is thrown. */
class Looks {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly watch: DriftWatch;
  reads = 0;
  readonly #found: (readonly string[] | Error)[];

  constructor(...found: (readonly string[] | Error)[]) {
    this.#found = found;
    this.watch = new DriftWatch({
      clock: this.clock,
      telemetry: {
        log: (level, message, fields) => {
          const told = fields?.['drift'];
          this.log.push([level, message, ...(Array.isArray(told) ? told : [])].join('|'));
        },
        statement: () => {},
        shardLatency: () => {},
        gathered: () => {},
        loginFailed: () => {},
        errorSent: () => {},
      },
      periodMs: () => 10_000,
      read: async () => this.#read(),
    });
  }

  #read(): readonly Drift[] {
    this.reads += 1;
    const [first = [], ...rest] = this.#found;
    if (rest.length > 0) this.#found.shift();
    if (first instanceof Error) throw first;
    return first.map(drift);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(100);
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }
}

const line = (name: string) =>
  `table ${name} on b: does not exist, on a it does; create it on b, or drop it elsewhere`;

describe('the watch over drift', () => {
  it('looks at once and then every period, and says what is new once', async () => {
    const looks = new Looks([], ['t'], ['t'], ['t'], ['t'], ['t', 'u'], ['t', 'u'], []);
    looks.watch.start();
    await looks.pass(9_000);
    expect(looks.watch.found).toEqual([]);
    expect(looks.log).toEqual([]);
    await looks.pass(45_000);
    expect(looks.log).toEqual([
      `warn|the schemas of the shards differ|${line('t')}`,
      `warn|the schemas of the shards differ|${line('u')}`,
      'info|the schemas of the shards are the same again',
    ]);
    looks.watch.stop();
    const { reads } = looks;
    await looks.pass(30_000);
    expect(looks.reads).toBe(reads);
  });

  it('believes only what two looks have found', async () => {
    const looks = new Looks(['t', 'u'], ['u', 'v']);
    const answer = looks.watch.look();
    await looks.pass(1_000);
    expect((await answer).map(({ name }) => name)).toEqual(['u']);
  });

  it('keeps what it knows while a shard cannot be asked, and says so once', async () => {
    const looks = new Looks(['t'], ['t'], new Error('gone'), new Error('gone'), []);
    looks.watch.start();
    await looks.pass(21_000);
    expect(looks.watch.found).toHaveLength(1);
    expect(looks.log).toEqual([
      `warn|the schemas of the shards differ|${line('t')}`,
      'warn|the schemas of the shards could not be compared',
    ]);
    await looks.pass(20_000);
    expect(looks.watch.found).toEqual([]);
  });

  it('tells who asks that a shard cannot be asked', async () => {
    const looks = new Looks(new Error('gone'));
    await expect(looks.watch.look()).rejects.toThrow('gone');
  });

  it('cuts a long list short in the log', async () => {
    const looks = new Looks(Array.from({ length: 14 }, (_, index) => `t${index}`));
    looks.watch.start();
    await looks.pass(1_000);
    expect(looks.log[0]?.split('|').slice(2)).toHaveLength(11);
    expect(looks.log[0]).toMatch(/and 4 more: SHOW DRIFT$/);
  });
});
