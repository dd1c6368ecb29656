import { expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';

function load(functions: string): LoadedConfig {
  const text = `database: app
home: a
shards: { a: { nodes: [x:1] } }
control: { user: postgres }
authentication: trust
functions: ${functions}`;
  return loadConfig(text, { path: 'pgweave.yaml', environment: {} });
}

it('knows functions that any shard may run, with their schemas', () => {
  const loaded = load('{ f: { shards: any }, s.g: { shards: any } }');
  const functions = loaded.kind === 'loaded' ? [...loaded.config.shardMap.functions] : [];
  expect(functions).toEqual(['public.f', 's.g']);
});

it('refuses functions that are listed twice, with arguments or for other shards', () => {
  const loaded = load(
    '{ f: { shards: any }, public.f: { shards: any }, g(int): { shards: any }, h: { shards: home } }',
  );
  const mistakes = loaded.kind === 'rejected' ? loaded.mistakes : [];
  expect(mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
    '6:34 the function public.f is listed twice',
    '6:61 "g(int)" is not a function name',
    '6:99 "home" is not a value of "functions.h.shards"',
  ]);
});
