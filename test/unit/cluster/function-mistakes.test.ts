import { expect, it } from 'vitest';
import { functionMistakes } from '../../../src/cluster/catalogue/function-mistakes.ts';
import type { ServerFunction } from '../../../src/cluster/catalogue/read-functions.ts';
import { buildShardMap } from '../../../src/sharding/build-shard-map.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const [a, b] = ['a', 'b'] as ShardId[] as [ShardId, ShardId];

function catalogue(...functions: readonly (readonly [name: string, definition: string])[]) {
  return {
    functions: functions.map(
      ([name, definition]): ServerFunction => ({
        ...{ schema: 'public', name, definition, kind: 'function', isImmutable: false },
        ...{ isBuiltinName: false, isHidden: false },
      }),
    ),
  };
}

it('tells of functions in the shard map that are missing or differ, shard by shard', () => {
  const functions = ['public.alike', 'public.uneven', 'public.away', 'public.nowhere'];
  const map = { version: 1, shards: [a, b], home: a, distributions: [], tables: [], functions };
  const mistakes = functionMistakes(
    buildShardMap(map),
    new Map([
      [a, catalogue(['alike', '1'], ['uneven', '1'], ['away', '1'])],
      [b, catalogue(['alike', '1'], ['uneven', '2'])],
    ]),
  );
  expect(mistakes.map(({ shard, message }) => `${shard}: ${message}`)).toEqual([
    'b: the function public.uneven is not the one of shard a',
    'b: the function public.away does not exist',
    'a: the function public.nowhere does not exist',
    'b: the function public.nowhere does not exist',
  ]);
});
