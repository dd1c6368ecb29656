import { describe, expect, it } from 'vitest';
import { isInNetwork, parseIpAddress, parseIpNetwork } from '../../../src/base/ip-network.ts';
import type { HbaRule } from '../../../src/config/hba.ts';
import { demandCertificate, hbaRuleFor, type Peer } from '../../../src/frontend/hba.ts';
import { trustLoopback } from '../../support/config-fixture.ts';

const any: HbaRule = { ...trustLoopback, method: 'scram-sha-256' };
const kim: Peer = {
  user: 'kim',
  database: 'app',
  address: '10.1.2.3',
  tls: true,
  certificate: { kind: 'none' },
  endPoint: null,
};

function networks(...texts: string[]) {
  return texts.map(parseIpNetwork).filter((network) => network !== null);
}

function methodFor(rules: readonly HbaRule[], changes: Partial<Peer> = {}): string {
  try {
    return hbaRuleFor(rules, { ...kim, ...changes }).method;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a network', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['::1', '::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::/0', '::ffff:10.1.1.1', false],
  ])('%s and %s: %s', (network, address, inside) => {
    const parsed = { network: parseIpNetwork(network), address: parseIpAddress(address) };
    expect(parsed.network && parsed.address && isInNetwork(parsed.address, parsed.network)).toBe(
      inside,
    );
  });

  it.each([
    '',
    'localhost',
    '10.0.0.1/8',
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '::1/x',
    '1.2.3.4/',
  ])('is not %j', (text) => expect(parseIpNetwork(text)).toBeNull());
});

describe('rules', () => {
  it('are tried in order, by kind of connection, user, database and address', () => {
    const rules: HbaRule[] = [
      { ...any, users: ['lee'], method: 'reject' },
      { ...any, type: 'hostnossl', method: 'md5' },
      { ...any, type: 'hostssl', addresses: networks('192.0.2.0/24', '::1'), method: 'cert' },
      { ...any, databases: ['sameuser'], method: 'trust' },
      { ...any, databases: ['app'] },
    ];
    expect(methodFor(rules)).toBe('scram-sha-256');
    expect(methodFor(rules, { tls: false })).toBe('md5');
    expect(methodFor(rules, { address: '192.0.2.9' })).toBe('cert');
    expect(methodFor(rules, { address: '::1' })).toBe('cert');
    expect(methodFor(rules, { database: 'kim' })).toBe('trust');
    expect(methodFor(rules, { user: 'lee' })).toBe(
      'the hba configuration rejects connection for host "10.1.2.3", user "lee", database "app", SSL encryption',
    );
    expect(methodFor(rules, { database: 'other' })).toBe(
      'no hba entry for host "10.1.2.3", user "kim", database "other", SSL encryption',
    );
    expect(methodFor(rules.slice(2, 3), { address: '' })).toContain('no hba entry');
  });

  it('compare the names of certificates', () => {
    const rule: HbaRule = { ...any, method: 'cert', clientCertificate: 'verify-full' };
    const valid = (commonName: string | null) =>
      ({ kind: 'valid', commonName, distinguishedName: `CN=${commonName},O=Acme` }) as const;
    const outcome = (changes: Partial<HbaRule>, certificate: Peer['certificate']) => {
      try {
        demandCertificate({ ...rule, ...changes }, { ...kim, certificate });
        return 'fine';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(outcome({}, valid('kim'))).toBe('fine');
    expect(outcome({}, valid('Kim'))).toContain('failed');
    expect(outcome({}, valid(null))).toContain('failed');
    expect(outcome({}, { kind: 'none' })).toContain('requires a valid client certificate');
    const identMap = [
      { systemUser: /^(.*)@acme$/u, user: '\\1' },
      { systemUser: 'boss', user: 'kim' },
    ];
    expect(outcome({ identMap }, valid('kim@acme'))).toBe('fine');
    expect(outcome({ identMap }, valid('boss'))).toBe('fine');
    expect(outcome({ identMap }, valid('kim'))).toContain('failed');
    expect(outcome({ identMap }, valid('$&@acme'))).toContain('failed');
    expect(outcome({ identMap: [] }, valid('kim'))).toContain('failed');
    const bySubject = {
      certificateName: 'DN',
      identMap: [{ systemUser: 'CN=k,O=Acme', user: 'kim' }],
    };
    expect(outcome(bySubject as Partial<HbaRule>, valid('k'))).toBe('fine');
    expect(outcome({ clientCertificate: 'verify-ca' }, valid('other'))).toBe('fine');
    const invalid = { kind: 'invalid', reason: 'CERT_HAS_EXPIRED' } as const;
    expect(outcome({ clientCertificate: 'none' }, invalid)).toContain('not valid');
  });
});
