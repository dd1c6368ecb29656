import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';

/** The lines before `text` are 5. */
const rest = `database: app
shards: { a: { nodes: ['db:5432'] } }
home: a
control: { user: pgweave }
users: { a: { password: a } }
`;

function load(text: string) {
  return loadConfig(`${rest}${text}\n`, { path: '/etc/pgweave.yaml', environment: {} });
}

function mistakes(text: string): readonly string[] {
  const loaded = load(text);
  if (loaded.kind === 'loaded') return [];
  for (const { remedy } of loaded.mistakes) expect(remedy).not.toBe('');
  return loaded.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const rules = `authentication: scram-sha-256
hba:
  - { method: md5 }
  - { method: trust, address: all }
  - { method: trust, address: [10.0.0.0/8, "::/0"] }
  - { method: reject, address: 10.0.0.1/8 }
  - { type: hostssl, method: scram-sha-256 }
  - { method: cert }
  - { method: scram-sha-256, map: m }`;

describe('the configuration of authentication', () => {
  it('lets everybody log in by SCRAM without rules, and by trust on this machine only', () => {
    const hba = (text: string) => {
      const loaded = load(text);
      return loaded.kind === 'loaded' ? loaded.config.hba : [];
    };
    expect(hba('')).toMatchObject([{ type: 'host', addresses: 'all', method: 'scram-sha-256' }]);
    const [trust] = hba('authentication: trust');
    expect(trust?.method).toBe('trust');
    expect(trust?.addresses).toMatchObject([{ text: '127.0.0.0/8' }, { text: '::1/128' }]);
  });

  it('names every rule that cannot work, with its place', () => {
    expect(mistakes(rules)).toEqual([
      '6:1 "hba" decides, not "authentication"',
      '8:15 md5 is not switched on',
      '9:31 trust for every address lets everybody in',
      '10:44 trust for every address lets everybody in',
      '11:32 "10.0.0.1/8" is not an address',
      '12:13 no connection is encrypted without "tls"',
      '13:15 certificates of clients need TLS',
      '14:30 a map is for names of certificates',
      '14:35 there is no map "m" in "ident"',
    ]);
  });

  it.each([
    ['hba: [{ method: password }]', '6:17 "password" is not a value of "hba.method"'],
    ['hba: [{ method: reject, user: { a: b } }]', 'is neither a name nor a list of names'],
    ['ident: { m: [{ system_user: "/(", user: a }] }', '6:29 not a regular expression'],
    ['servers: { sslmode: verify-full }', '6:21 verify-full has nothing to verify with'],
    ['servers: { sslcert: x }', '6:10 sslkey is missing'],
    ['servers: { sslmode: require, sslrootcert: system }', '6:21 weak sslmode "require"'],
    ['admin: { user: me }', '6:8 "admin.password" is missing'],
    [
      'tls: { certificate_file: c, key_file: k }\nhba: [{ type: hostssl, method: cert }]',
      '7:32 certificates of clients cannot be verified',
    ],
  ])('%s: %s', (text, mistake) => {
    expect(mistakes(text)).toEqual([expect.stringContaining(mistake)]);
  });

  it('takes an md5 hash only where md5 is switched on', () => {
    const hashed = rest.replace('password: a', `password: md5${'0'.repeat(32)}`);
    const options = { path: '/etc/pgweave.yaml', environment: {} };
    expect(loadConfig(hashed, options).kind).toBe('rejected');
    expect(loadConfig(`${hashed}allow_md5: true\n`, options).kind).toBe('loaded');
  });
});
