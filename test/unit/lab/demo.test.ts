import { describe, expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';
import { demoConfigText } from '../../../src/lab/demo-config.ts';
import { demoReservationsCount, demoRows } from '../../../src/lab/demo-rows.ts';
import { demoShards } from '../../../src/lab/demo-shards.ts';
import { keyFromText } from '../../../src/sharding/key-value.ts';

function demoConfig(count: number): LoadedConfig {
  const shards = demoShards(count).map((shard, index) => ({
    ...shard,
    nodes: [`127.0.0.1:${20_000 + 2 * index}`, `127.0.0.1:${20_001 + 2 * index}`],
  }));
  const text = demoConfigText({
    database: 'app',
    shards,
    password: 'p"w\\d',
    port: 6432,
    adminPort: 9632,
    stateDirectory: '/tmp/a "b"/state',
  });
  return loadConfig(text, { path: '/tmp/pgweave.yaml', environment: {} });
}

describe('the shards of the demo', () => {
  it('cut the alphabet into the four known pieces', () => {
    expect(demoShards(4)).toEqual([
      { name: 'a_d', from: null, to: 'E' },
      { name: 'e_o', from: 'E', to: 'P' },
      { name: 'p_u', from: 'P', to: 'V' },
      { name: 'v_z', from: 'V', to: null },
    ]);
  });

  it('are one for everything, or one for each letter', () => {
    expect(demoShards(1)).toEqual([{ name: 'a_z', from: null, to: null }]);
    expect(
      demoShards(26)
        .map(({ name }) => name)
        .join(''),
    ).toBe('abcdefghijklmnopqrstuvwxyz');
  });

  it.each([0, 27, 1.5, -1, Number.NaN])('cannot be %d', (count) => {
    expect(() => demoShards(count)).toThrow(
      expect.objectContaining({
        sqlState: '22023',
        message: expect.stringContaining(`not ${count}`),
      }),
    );
  });
});

describe('the configuration of the demo', () => {
  it.each([1, 2, 3, 4, 5, 7, 12, 26])('has no mistakes with %d shards', (count) => {
    const loaded = demoConfig(count);
    expect(loaded.kind === 'rejected' ? loaded.mistakes : []).toEqual([]);
  });

  it('keeps whatever stands in passwords and paths', () => {
    const loaded = demoConfig(4);
    if (loaded.kind === 'rejected') throw new Error('rejected');
    expect(loaded.config.controlUser).toEqual({ name: 'postgres', password: 'p"w\\d' });
    expect(loaded.config.failover.stateDirectory).toBe('/tmp/a "b"/state');
  });
});

describe('the rows of the demo', () => {
  const rows = demoRows();

  it('are the same each time', () => {
    expect(demoRows()).toEqual(rows);
  });

  it('hold 200,000 reservations in four full years, each of an existing customer and item', () => {
    const reservations = rows.customers.flatMap((customer) => customer.reservations);
    expect(reservations.length).toBe(demoReservationsCount);
    expect(new Set(reservations.map(([id]) => id)).size).toBe(demoReservationsCount);
    const months = new Set(reservations.map(([, , , , date]) => date?.slice(0, 7)));
    expect(months.size).toBe(48);
    expect([...months].sort()[0]).toBe('2022-01');
    const items = new Set(rows.items.map(([id]) => id));
    for (const { custId, reservations: own } of rows.customers) {
      for (const [, owner, payment, item] of own) {
        if (owner !== custId || !items.has(item) || !/^\d+\.\d\d$/.test(payment ?? '')) {
          throw new Error(`a wrong reservation of ${custId}`);
        }
      }
    }
  });

  it('have distinct keys', () => {
    const ids = rows.customers.map(({ custId }) => custId);
    expect(new Set(ids).size).toBe(ids.length);
    const sessions = rows.chatSessions.map(({ id }) => id);
    expect(new Set(sessions).size).toBe(sessions.length);
  });

  it('begin with digits, either case, accents and Hangul, and reach every shard', () => {
    const loaded = demoConfig(4);
    if (loaded.kind === 'rejected') throw new Error('rejected');
    const { shardMap } = loaded.config;
    const owner = (table: string, text: string) => {
      const sharding = shardMap.tables.get(table);
      if (sharding?.kind !== 'distributed') throw new Error(`${table} is not distributed`);
      const { keyType } = sharding.distribution;
      const reading = keyFromText({ keyType, valueType: 'unknown', use: 'assign' }, text);
      return reading.kind === 'key' ? sharding.distribution.shardOf(reading.key) : null;
    };
    const beginnings = new Map<string, Set<string | null>>();
    for (const { custId } of rows.customers) {
      const kind =
        [/^\d/, /^[a-z]/, /^[A-Z]/, /^[가-힣]/].find((pattern) => pattern.test(custId))?.source ??
        'accent';
      const owners = beginnings.get(kind) ?? new Set();
      beginnings.set(kind, owners.add(owner('public.customer', custId)));
    }
    expect(
      Object.fromEntries([...beginnings].map(([kind, owners]) => [kind, owners.size])),
    ).toEqual({
      '^\\d': 1,
      '^[a-z]': 4,
      '^[A-Z]': 4,
      '^[가-힣]': 1,
      accent: 1,
    });
    const chats = new Set(rows.chatSessions.map(({ id }) => owner('public.chat_session', id)));
    expect(chats.size).toBe(4);
    expect(owner('public.customer', 'kim-0012')).toBe(owner('public.customer', 'Kim-0012'));
  });
});
