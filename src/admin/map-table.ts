import { unreachable } from '../base/assert.ts';
import type { Config } from '../config/config.ts';
import type { Distribution, Portion } from '../sharding/distribution.ts';
import { keyText } from '../sharding/key-text.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { Cell, Table } from './show-tables.ts';

/**
 * Which keys and tables lie where: the portions of each distribution in key order, then the
 * reference tables, which every shard holds, and the home shard, which holds whatever is not listed.
 */
export function mapTable(config: Config): Table {
  const { shardMap } = config;
  const distributed = [...shardMap.distributions.values()].flatMap((distribution) => {
    const tables = colocated(shardMap, distribution);
    return distribution.portions.map((portion) => portionRow(distribution, portion, tables));
  });
  const references = tablesWhere(shardMap, (table) => table === 'reference');
  return {
    columns: ['distribution', 'method', 'shard', 'from', 'to', 'share', 'tables'],
    rows: [
      ...distributed,
      ...(references === '' ? [] : [[null, 'reference', null, null, null, null, references]]),
      [null, 'home', shardMap.home, null, null, null, null],
    ],
  };
}

function portionRow(distribution: Distribution, portion: Portion, tables: string): Cell[] {
  const { name, method, keyType } = distribution;
  switch (portion.kind) {
    case 'range': {
      const from = portion.from === null ? null : keyText(keyType, portion.from);
      const to = portion.to === null ? null : keyText(keyType, portion.to);
      return [name, method, portion.shard, from, to, null, tables];
    }
    case 'arcs':
      return [name, method, portion.shard, null, null, percent(portion.share), tables];
    case 'remainders': {
      const { remainders, modulus } = portion;
      const share = `${percent(remainders.length / modulus)}, mod ${modulus} in ${remainders}`;
      return [name, method, portion.shard, null, null, share, tables];
    }
    default:
      return unreachable(portion);
  }
}

function colocated(shardMap: ShardMap, distribution: Distribution): string {
  return tablesWhere(shardMap, (owner) => owner === distribution);
}

/** Of each listed table the owner is its distribution, or the word `reference`. */
function tablesWhere(
  shardMap: ShardMap,
  belongs: (owner: Distribution | 'reference') => boolean,
): string {
  return [...shardMap.tables]
    .filter(([, table]) => {
      return (
        table.kind !== 'local' &&
        belongs(table.kind === 'reference' ? 'reference' : table.distribution)
      );
    })
    .map(([name]) => name)
    .join(', ');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
