import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import type { ShardCatalogue } from './shard-catalogue.ts';

/** Where a function that the shard map lists is not the one of the home shard. */
export type FunctionMistake = {
  readonly shard: ShardId;
  readonly message: string;
  readonly remedy: string;
};

/** Functions that the shard map lists and that are not the same everywhere: they stay refused. */
export function functionMistakes(
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, Pick<ShardCatalogue, 'functions'>>,
): readonly FunctionMistake[] {
  const model = shardMap.home;
  return [...shardMap.functions].flatMap((name) =>
    [...catalogues].flatMap(([shard, catalogue]): readonly FunctionMistake[] => {
      const found = definitionOf(catalogue, name);
      const expected = definitionOf(catalogues.get(model), name);
      if (found !== '' && found === expected) return [];
      const isMissing = found === '';
      const message = `the function ${name} ${isMissing ? 'does not exist' : `is not the one of shard ${model}`}`;
      const remedy = isMissing
        ? 'create it, or take it out of the list of functions'
        : `make it as on shard ${model}`;
      return isMissing || expected !== '' ? [{ shard, message, remedy }] : [];
    }),
  );
}

/** Of all its overloads; empty: there is none. */
function definitionOf(
  catalogue: Pick<ShardCatalogue, 'functions'> | undefined,
  name: string,
): string {
  const named = (catalogue?.functions ?? []).filter(
    (each) => `${each.schema}.${each.name}` === name,
  );
  return named.map(({ definition }) => definition).join(' ');
}
