import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInNetwork, parseIpAddress, parseIpNetwork } from '../../../src/base/ip-network.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { readUserlist } from '../../../src/config/read-userlist.ts';
import { anyName, damaged } from '../../support/properties.ts';

const example = readFileSync(join(import.meta.dirname, '../../../config/pgweave.yaml'));
const rules = Buffer.from(`database: app
home: a
shards: { a: { nodes: ["db1:5432"] } }
control: { user: postgres }
hba:
  - { type: hostssl, database: [app, sameuser], user: [kim, "o'neil"], address: [10.0.0.0/8, "::1"], method: scram-sha-256 }
  - { address: 127.0.0.1, method: trust }
  - { method: reject }
users: { kim: { password: secret } }
`);

describe('a configuration', () => {
  it('is loaded or its mistakes are named with their places, whatever it says', () => {
    const text = fc.oneof(
      damaged(fc.constant(rules)).map(String),
      fc.string({ unit: 'binary', maxLength: 200 }),
    );
    fc.assert(
      fc.property(text, (written) => check(written)),
      { numRuns: 200 },
    );
  });

  it('of all options survives accidents', () => {
    fc.assert(
      fc.property(damaged(fc.constant(example)).map(String), (written) => check(written)),
      { numRuns: 25 },
    );
  });

  function check(text: string): void {
    const environment = { SHOP_PASSWORD: 'x' };
    const loaded = loadConfig(text, { path: '/etc/pgweave.yaml', environment });
    if (loaded.kind === 'loaded') return;
    expect(loaded.mistakes.length).toBeGreaterThan(0);
    for (const { line, column, message, remedy } of loaded.mistakes) {
      expect(line).toBeGreaterThan(0);
      expect(column).toBeGreaterThan(0);
      expect(message).not.toBe('');
      expect(remedy).not.toBe('');
    }
  }
});

describe('a userlist', () => {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const oneLine = anyName.map((text) => text.replace(/[\r\n]/g, ' '));

  it('gives back the names and passwords that were written', () => {
    const users = fc.dictionary(
      oneLine.filter((name) => name !== ''),
      oneLine,
      { maxKeys: 6 },
    );
    fc.assert(
      fc.property(users, (written) => {
        const pairs = Object.entries(written);
        const text = pairs
          .map(([name, password]) => `${quoted(name)} ${quoted(password)}\n`)
          .join('');
        const { entries, mistakes } = readUserlist(text);
        expect(mistakes).toEqual([]);
        expect(entries.map(({ name, password }) => [name, password])).toEqual(pairs);
      }),
    );
  });

  it('with mistakes names their lines', () => {
    const text = damaged(fc.constant(Buffer.from('"a" "b"\n; c\n"d""e" "f" # g\n\n'))).map(String);
    fc.assert(
      fc.property(text, (written) => {
        const lines = written.split('\n').length;
        for (const line of readUserlist(written).mistakes) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(lines);
        }
      }),
    );
  });
});

describe('a network', () => {
  it('holds its own first address, and is read from nothing but a network', () => {
    const written = fc.oneof(
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.tuple(fc.ipV4(), fc.nat(40)).map(([address, bits]) => `${address}/${bits}`),
      fc.tuple(fc.ipV6(), fc.nat(140)).map(([address, bits]) => `${address}/${bits}`),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    fc.assert(
      fc.property(written, written, (text, other) => {
        const network = parseIpNetwork(text);
        if (network === null) return;
        expect(isInNetwork(network.first, network)).toBe(true);
        const address = parseIpAddress(other);
        if (address !== null) isInNetwork(address, network);
      }),
    );
  });
});
