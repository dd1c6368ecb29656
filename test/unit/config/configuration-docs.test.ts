import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configFile } from '../../../src/config/config-file.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { overrides } from '../../../src/config/overrides.ts';

type Schema = {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
};
type Option = { readonly name: string; readonly default: unknown };

const root = join(import.meta.dirname, '../../..');
const reference = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
const example = readFileSync(join(root, 'config/pgweave.yaml'), 'utf8');
const options = optionsOf(z.toJSONSchema(configFile, { io: 'input' }) as Schema, '');
const passwords = { APP_PASSWORD: 'a', CONTROL_PASSWORD: 'c' };

describe('the reference of the configuration', () => {
  it('lists every option once, with its default', () => {
    expect(options.length).toBeGreaterThan(40);
    const rows = reference.split('\n').filter((line) => line.startsWith('| `'));
    for (const { name, default: value } of options) {
      const row = rows.filter((line) => line.startsWith(`| \`${name}\` |`));
      expect([name, row.length]).toEqual([name, 1]);
      if (value !== undefined) expect(row[0]).toContain(`| \`${String(value)}\` |`);
    }
  });

  it('lists no option that does not exist', () => {
    const names = [...reference.matchAll(/^\| `([a-z][^`]*)` \|/gm)].map(([, name]) => name);
    const known = options.map(({ name }) => name);
    expect(names.filter((name) => name?.includes('.') && !known.includes(name ?? ''))).toEqual([]);
  });

  it('lists every variable of the environment', () => {
    for (const { variable, path } of overrides) {
      expect(reference).toContain(`| \`${variable}\` | \`${path.join('.')}\` |`);
    }
  });
});

describe('the example', () => {
  it('has no mistakes', () => {
    const loaded = loadConfig(example, { path: 'pgweave.yaml', environment: passwords });
    expect(loaded.kind === 'rejected' ? loaded.mistakes : []).toEqual([]);
  });

  it('shows every option and, for limits and failover, the defaults', () => {
    for (const { name, default: value } of options) {
      const option = name
        .replace(/\[\]|\.<[a-z]+>/g, '')
        .split('.')
        .at(-1);
      expect(example, name).toMatch(new RegExp(`\\b${option}:`));
      if (value === undefined || !/^(limits|failover)\./.test(name)) continue;
      expect(example).toMatch(new RegExp(`\\b${option}: ${value}\\s`));
    }
  });
});

/** Every single value that the file may hold, as `limits.clients_max` or `shards.<name>.nodes`. */
function optionsOf(schema: Schema, name: string): readonly Option[] {
  const under = (step: string) => (name === '' ? step : `${name}.${step}`);
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([step, child]) =>
      optionsOf(child, under(step)),
    );
  }
  if (schema.additionalProperties) {
    const step = name.endsWith('.ring') ? '<shard>' : '<name>';
    return optionsOf(schema.additionalProperties, under(step));
  }
  if (schema.items !== undefined && name !== 'shards.<name>.nodes') {
    return optionsOf(schema.items, `${name}[]`);
  }
  return [{ name, default: schema.default }];
}
