import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

type Manifest = { readonly [group: string]: { readonly [name: string]: string } | undefined };
type Entry = Manifest & {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly link?: boolean;
};

const root = join(import.meta.dirname, '../..');
const groups = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

/** `npm ci` refuses a lock file that lacks something; this says more, and needs no registry. */
describe.each(['.', 'test/clients'])('the lock file of %s', (directory) => {
  const read = (name: string): unknown => {
    return JSON.parse(readFileSync(join(root, directory, name), 'utf8'));
  };
  const manifest = read('package.json') as Manifest;
  const lock = read('package-lock.json') as {
    readonly lockfileVersion: number;
    readonly packages: { readonly [path: string]: Entry };
  };
  const entries = Object.entries(lock.packages).filter(([path]) => path !== '');

  it('says what package.json says', () => {
    expect(lock.lockfileVersion).toBe(3);
    for (const group of groups) expect(lock.packages['']?.[group]).toEqual(manifest[group]);
  });

  it('has an exact version for each package that any of them asks for', () => {
    const inexact = entries.filter(([, { version }]) => !/^\d+\.\d+\.\d+/.test(version ?? ''));
    expect(inexact).toEqual([]);
    const wanted = groups.flatMap((group) => Object.keys(manifest[group] ?? {}));
    const missing = wanted.filter((name) => lock.packages[`node_modules/${name}`] === undefined);
    expect(missing).toEqual([]);
  });

  it('names no place that packages come from, and their contents by hash', () => {
    const placed = entries.filter(([, { resolved, link }]) => resolved !== undefined || link);
    expect(placed.map(([path]) => path)).toEqual([]);
    // Other platforms' builds of tools: docs/decisions, "Some entries of the lock file have no integrity".
    const unhashed = entries.filter(([, { integrity, optional }]) => {
      return integrity === undefined && optional !== true;
    });
    expect(unhashed.map(([path]) => path)).toEqual([]);
  });
});
