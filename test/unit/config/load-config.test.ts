import { describe, expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';
import {
  hmac,
  parseScramVerifier,
  saltPassword,
  sha256,
} from '../../../src/protocol/scram-verifier.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const base = {
  database: 'app',
  shards: '{ a: { nodes: [db1, "[::1]:5433"] }, b: { nodes: [db2:5432] } }',
  home: 'a',
  authentication: 'trust',
  control: '{ user: postgres }',
};
type Options = { readonly [option: string]: string };

describe('a configuration', () => {
  it('gets the documented defaults', () => {
    expect(loaded({ workers: '3' })).toMatchObject({
      database: 'app',
      listen: { host: '127.0.0.1', port: 6432 },
      admin: { host: '127.0.0.1', port: 9632 },
      workers: 3,
      controlUser: { name: 'postgres', password: null },
      allowCleartextToServers: false,
      tls: null,
      limits: {
        clientsMax: 10_000,
        serverConnectionsMax: 20,
        reservedConnectionsMax: 10,
        messageBytesMax: 64 * 1024 * 1024,
        acquireTimeoutMs: 10_000,
        serverIdleTimeoutMs: 600_000,
        clientBufferBytes: 1024 * 1024,
      },
      failover: {
        enabled: true,
        probeIntervalMs: 100,
        hangMs: 700,
        stateDirectory: '/etc/pgweave/state',
      },
      log: { level: 'info' },
    });
  });

  it('knows the nodes of each shard in file order', () => {
    expect(loaded({}).nodes.get('a' as ShardId)).toEqual([
      { id: 'db1:5432', host: 'db1', port: 5432, shard: 'a' },
      { id: '[::1]:5433', host: '::1', port: 5433, shard: 'a' },
    ]);
  });

  it('reads durations and sizes with units or plain', () => {
    const limits =
      '{ hold_max: 1500, acquire_timeout: 2min, merge_bytes_max: 1gb, client_buffer_bytes: 65536 }';
    expect(loaded({ limits }).limits).toMatchObject({
      holdMaxMs: 1500,
      acquireTimeoutMs: 120_000,
      mergeBytesMax: 1024 ** 3,
      clientBufferBytes: 65_536,
    });
  });

  it('is frozen all the way down', () => {
    const config = loaded({ distributions: '{ d: { type: int, ring: { a: 1 } } }' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.limits)).toBe(true);
    expect(Object.isFrozen(config.shardMap.distributions.get('d'))).toBe(true);
    expect(Object.isFrozen(config.nodes.get('a' as ShardId)?.[0])).toBe(true);
  });

  it('places keys as it says, whatever their YAML would mean elsewhere', () => {
    const distributions = `
  d: { type: text, ranges: [{ shard: a, to: no }, { shard: b, from: no, to: 'null' }, { shard: a, from: 'null', to: ~ }] }
  t: { type: timestamp with time zone, ranges: [{ shard: b, from: 2024-01-05 00:00:00Z }] }`;
    const map = loaded({ distributions, tables: '{ s.t: { distribution: d, key: k } }' }).shardMap;
    const owner = (text: string) =>
      map.distributions.get('d')?.shardOf({ kind: 'bytes', bytes: Buffer.from(text) });
    expect(['nn', 'no', 'ns', 'null', 'x'].map(owner)).toEqual(['a', 'b', 'b', 'a', 'a']);
    expect(map.distributions.get('t')?.portions).toMatchObject([{ shard: 'b', to: null }]);
    expect([...map.tables.keys()]).toEqual(['s.t']);
    expect(map.version).toBe(1);
  });

  it('makes a verifier of a password and keeps a verifier as it is', () => {
    const verifier =
      'SCRAM-SHA-256$4096:5VNZMYXeqYh5zy/TnlRhng==$KWN8B/5W69GuCQQ4JCmhSCXDiAGcLqPeM1QD/DWzqWM=:bQqJ2oP2/cQTIzQb3frpdcQnyjkV0d3Zx+8hzhKOEs8=';
    const users = `{ plain: { password: "\${SECRET}" }, stored: { password: "${verifier}", server_user: x } }`;
    const config = loaded({ users, authentication: 'scram-sha-256' }, { SECRET: 'p: {w}' });
    const plain = config.users.get('plain');
    expect(plain).toMatchObject({
      serverUser: 'plain',
      serverSecret: { kind: 'password', password: 'p: {w}' },
      admin: false,
    });
    const parsed = parseScramVerifier(plain?.verifier ?? '');
    const salted = saltPassword('p: {w}', parsed?.salt ?? Buffer.alloc(0), 4096);
    expect(parsed?.storedKey).toEqual(sha256(hmac(salted, 'Client Key')));
    expect(config.users.get('stored')).toMatchObject({
      verifier,
      serverUser: 'x',
      serverSecret: { kind: 'none' },
    });
  });

  it('gives way to the environment', () => {
    const environment = { PGWEAVE_LISTEN_PORT: '7000', PGWEAVE_LOG_LEVEL: 'debug' };
    const config = loaded({ listen: '{ host: 0.0.0.0, port: 6000 }' }, environment);
    expect(config.listen).toEqual({ host: '0.0.0.0', port: 7000 });
    expect(config.log).toEqual({ level: 'debug' });
    expect(mistakes({}, { PGWEAVE_WORKERS: '-1' })).toEqual([
      '1:1 "-1" is neither auto nor a number in range (set by the environment variable PGWEAVE_WORKERS)',
    ]);
  });
});

// Each case: what is written, and every mistake in it as `line:column message`. The option under
// test begins in line 6, after those of `base`.
const cases: readonly (readonly [title: string, Options, readonly string[]])[] = [
  ['an unknown option', { lisen: '{}' }, ['6:1 unknown option "lisen"']],
  ['an unknown option within', { limits: '{ clients: 5 }' }, ['6:11 unknown option "clients"']],
  ['a missing section', { control: '' }, ['5:1 "control" has no value']],
  ['a missing home', { home: '' }, ['3:1 "home" is missing']],
  ['a home that is no shard', { home: 'c' }, ['3:7 there is no shard "c"']],
  [
    'no shards',
    { shards: '{}', home: 'a' },
    ['2:1 there are no shards', '3:7 there is no shard "a"'],
  ],
  [
    'a list instead of a mapping',
    { limits: '[1]', users: 'x' },
    ['6:9 "limits" is not a mapping', '7:8 "users" is not a mapping'],
  ],
  [
    'nodes listed twice, and no nodes',
    { shards: '{ a: { nodes: [x:1, y:1, x:1] }, b: { nodes: [] }, "c d": { nodes: [y:1] } }' },
    [
      '2:34 the node x:1 is listed twice (first in line 2)',
      '2:54 shard "b" has no nodes',
      '2:60 "c d" is not a shard name',
      '2:77 the node y:1 is listed twice (first in line 2)',
    ],
  ],
  [
    'numbers out of range or without sense',
    { limits: '{ hold_max: 2d, plan_cache_entries: many, client_buffer_bytes: 1kB }' },
    ['6:21 "2d" is out of range', '6:45 "many" is not a number', '6:72 "1kB" is out of range'],
  ],
  [
    'a key type that does not exist',
    { distributions: '{ d: { type: txt, ring: { a: 1 } } }' },
    ['6:29 "txt" is not a type that a key can have'],
  ],
  [
    'no way of placement, or two',
    { distributions: '{ d: { type: int }, e: { type: int, modulo: [a], ring: { a: 1 } } }' },
    [
      '6:18 distribution "d" needs one of ranges, ring and modulo',
      '6:36 distribution "e" needs one of ranges, ring and modulo',
    ],
  ],
  [
    'citext without folding, folding without text',
    {
      distributions:
        '{ c: { type: citext, ring: { a: 1 } }, i: { type: int, fold: upper, ring: { a: 1 } } }',
    },
    [
      '6:18 citext keys are equal in upper and lower case, so placement must fold them',
      '6:77 keys of type int4 have no upper case',
    ],
  ],
  [
    'unknown shards and bad weights',
    {
      distributions:
        '{ r: { type: int, ring: { c: 1, a: 0 } }, s: { type: int, ring: { c: 1 } }, m: { type: int, modulo: [a, d] } }',
    },
    [
      '6:42 there is no shard "c"',
      '6:51 "0" is not a weight',
      '6:82 there is no shard "c"',
      '6:120 there is no shard "d"',
    ],
  ],
  [
    'no ring members',
    { distributions: '{ r: { type: int, ring: {} } }' },
    ['6:40 the ring has no shards'],
  ],
  [
    'no ranges',
    { distributions: '{ r: { type: int, ranges: [] } }' },
    ['6:42 there are no ranges'],
  ],
  [
    'bounds of the wrong type',
    { distributions: ranged('int', '{ shard: a, to: x }', '{ shard: b, from: 99999999999 }') },
    [
      '11:22 invalid input syntax for type integer: "x"',
      '12:24 value "99999999999" is out of range for type integer',
    ],
  ],
  [
    'dates that settings decide',
    { distributions: ranged('date', '{ shard: a, to: 01/02/2024 }') },
    ['11:22 a date key must be written in ISO format, not as "01/02/2024"'],
  ],
  [
    'a timestamptz without offset',
    { distributions: ranged('timestamptz', '{ shard: a, to: 2024-01-05 10:00 }') },
    ["11:22 the session's time zone decides the key: 2024-01-05 10:00"],
  ],
  [
    'bounds that folded keys never reach',
    { distributions: ranged('text, fold: upper', '{ shard: a, to: e }', '{ shard: b, from: E }') },
    ['11:22 "e" is never reached: keys are compared in upper case'],
  ],
  [
    'empty and backward ranges',
    {
      distributions: ranged('int', '{ shard: a, from: 5, to: 5 }', '{ shard: b, from: 20, to: 9 }'),
    },
    ['11:6 the range from 5 to 5 is empty', '12:6 the range from 20 to 9 runs backwards'],
  ],
  [
    'a gap',
    { distributions: ranged('text', '{ shard: b, from: P }', '{ shard: a, to: O }') },
    ["11:6 keys from 'O' to below 'P' have no shard"],
  ],
  [
    'overlaps, also with a range that contains others',
    {
      distributions: ranged(
        'int',
        '{ shard: a, to: 100 }',
        '{ shard: b, from: 10, to: 20 }',
        '{ shard: c, from: 50 }',
      ),
    },
    [
      '12:6 the range overlaps the one in line 11, which reaches to 100',
      '13:6 the range overlaps the one in line 11, which reaches to 100',
      '13:15 there is no shard "c"',
    ],
  ],
  [
    'two ranges that are open on the same side',
    { distributions: ranged('int', '{ shard: a }', '{ shard: b }') },
    ['12:6 the range overlaps the one in line 11, which reaches to the end'],
  ],
  [
    'tables that say too little, too much or the wrong thing',
    {
      distributions: '{ d: { type: int, ring: { a: 1 } } }',
      tables:
        '{ t: {}, u: { reference: true, key: x }, v: { key: x }, w: { distribution: e, key: x }, x.y.z: { reference: true } }',
    },
    [
      '7:11 the table public.t says neither distribution and key nor reference',
      '7:18 the table public.u is both a reference table and distributed',
      '7:50 the table public.v has no distribution',
      '7:84 there is no distribution "e"',
      '7:97 "x.y.z" is not a table name',
    ],
  ],
  [
    'a table under both its names',
    { tables: '{ t: { reference: true }, public.t: { reference: true } }' },
    ['6:35 the table public.t is listed twice'],
  ],
  [
    'users without credentials, or with the wrong ones',
    {
      authentication: 'scram-sha-256',
      users: `{ a: { admin: true }, b: { password: md5${'0'.repeat(32)} }, c: { password: SCRAM-SHA-256$x } }`,
    },
    [
      '6:10 the user "a" has no password, so cannot log in',
      '6:45 an md5 hash cannot be used as password without "allow_md5"',
      '6:99 the SCRAM-SHA-256 verifier is damaged',
    ],
  ],
  [
    'no users',
    { authentication: 'scram-sha-256' },
    ['1:1 there are no users, so nobody can log in'],
  ],
  [
    'a variable that is not set',
    { users: '{ a: { password: "$' + '{NOT_SET}" } }' },
    ['6:25 the environment variable NOT_SET is not set'],
  ],
  [
    'one port for two things',
    { listen: '{ port: 5000 }', admin: '{ port: 5000 }' },
    ['7:16 listen and admin share the port 5000'],
  ],
  [
    'failover that contradicts itself',
    { failover: '{ probe_interval: 1s, suspect_after: 500ms, hang_after: 400ms }' },
    [
      '6:48 a node is suspected before the next probe is due',
      '6:67 a node is given up before it is suspected',
    ],
  ],
  [
    'failover that may lose commits without anybody having said so',
    { failover: '{ durability: async }' },
    ['6:25 async failover may lose acknowledged commits, and nothing fences an old primary'],
  ],
  [
    'a fence that is required and missing',
    { failover: '{ durability: async, hooks: { fence_required: true } }' },
    ['6:57 a fence is required, and there is no program for it'],
  ],
];

describe('a configuration with mistakes', () => {
  for (const [title, options, expected] of cases) {
    it(`names ${title}`, () => {
      expect(mistakes(options)).toEqual(expected);
    });
  }

  it('gives a remedy for each', () => {
    for (const [, options] of cases) {
      const result = load(options);
      const remedies =
        result.kind === 'rejected' ? result.mistakes.map(({ remedy }) => remedy) : [];
      expect(remedies.every((remedy) => remedy.length > 5)).toBe(true);
    }
  });

  it('suggests the name that was meant', () => {
    const result = load({ limits: '{ clinets_max: 5 }', tables: '{ t: { refrence: true } }' });
    expect(result.kind === 'rejected' && result.mistakes.map(({ remedy }) => remedy)).toEqual([
      'did you mean "clients_max"?',
      'did you mean "reference"?',
    ]);
  });

  it('is refused for options that are written twice, aliases, and text that is not YAML', () => {
    expect(textMistakes('database: a\ndatabase: b\n')).toContain(
      '2:1 YAML: map keys must be unique',
    );
    expect(textMistakes('database: &x a\nhome: *x\n')).toContain(
      '2:7 YAML aliases are not understood',
    );
    expect(textMistakes('a: [1\n')).toHaveLength(1);
    expect(textMistakes('')).toContain('1:1 the configuration has no options');
    expect(textMistakes('- a\n')).toContain('1:1 the configuration has no options');
    expect(textMistakes('shards: no\n__proto__: x\n')).toContain('2:1 unknown option "__proto__"');
  });
});

/** A distribution whose ranges begin in line 11, one in each line, at column 6. */
function ranged(type: string, ...ranges: readonly string[]): string {
  const [keyType, fold = 'fold: none'] = type.split(', ');
  const lines = ranges.map((range) => `   - ${range}`);
  return ['', ' d:', `  type: ${keyType}`, `  ${fold}`, '  ranges:', ...lines].join('\n');
}

function textOf(options: Options): string {
  const all: Options = { ...base, ...options };
  return Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

function load(options: Options, environment: Options = {}): LoadedConfig {
  return loadConfig(textOf(options), { path: '/etc/pgweave/pgweave.yaml', environment });
}

function loaded(options: Options, environment: Options = {}) {
  const result = load(options, environment);
  if (result.kind === 'rejected') throw new Error(JSON.stringify(result.mistakes));
  return result.config;
}

function mistakes(options: Options, environment: Options = {}): readonly string[] {
  return places(load(options, environment));
}

function textMistakes(text: string): readonly string[] {
  return places(loadConfig(text, { path: 'pgweave.yaml', environment: {} }));
}

function places(result: LoadedConfig): readonly string[] {
  if (result.kind === 'loaded') return [];
  return result.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);
}
