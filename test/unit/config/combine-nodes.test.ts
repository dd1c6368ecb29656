import { expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';

function load(combine: string): LoadedConfig {
  const text = `database: app
home: a
shards: { a: { nodes: [x:1] } }
control: { user: postgres }
authentication: trust
${combine}`;
  return loadConfig(text, { path: 'pgweave.yaml', environment: {} });
}

function nodesOf(combine: string) {
  const loaded = load(combine);
  if (loaded.kind === 'rejected') throw new Error(JSON.stringify(loaded.mistakes));
  return loaded.config.combineNodes;
}

it('knows servers of no shard, by names that no shard can have', () => {
  expect(nodesOf('')).toEqual([]);
  expect(nodesOf('combine: {}')).toEqual([]);
  expect(nodesOf('combine: { nodes: [c1, "[::2]:5433"] }')).toEqual([
    { id: 'c1:5432', host: 'c1', port: 5432, shard: '(combine c1:5432)' },
    { id: '[::2]:5433', host: '::2', port: 5433, shard: '(combine [::2]:5433)' },
  ]);
});

it('refuses one that belongs to a shard, and what is no address', () => {
  const loaded = load('combine: { nodes: [x:1, "y z"] }');
  const mistakes = loaded.kind === 'rejected' ? loaded.mistakes : [];
  expect(mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
    '6:20 the node x:1 is listed twice (first in line 3)',
    '6:25 "y z" is not an address',
  ]);
});
