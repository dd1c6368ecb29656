import { unreachable } from '../base/assert.ts';
import type { Distribution, Portion } from './distribution.ts';
import { quotedKeyText } from './key-text.ts';
import type { ShardMap, TableSharding } from './shard-map.ts';

/** One line of the shard map. */
export type MapRow = {
  /** null for what no distribution places. */
  readonly distribution: string | null;
  /** `ranges`, `ring`, `modulo`; `reference` (on every shard) and `home` (whatever is not listed). */
  readonly method: string;
  /** Bounds of a range as SQL literals: `from` belongs to it, `to` does not; null is open. */
  readonly from: string | null;
  readonly to: string | null;
  /** `21.3 %` of a ring, the remainders `0, 2 of 4`. */
  readonly share: string | null;
  /** null is every shard. */
  readonly shard: string | null;
  /** `public.customer, public.reservation`, by name; null is all others. */
  readonly tables: string | null;
};

/** The columns of mapRows in the order in which they are read. */
export const mapColumns = [
  'distribution',
  'method',
  'from',
  'to',
  'share',
  'shard',
  'tables',
] as const satisfies readonly (keyof MapRow)[];

/** The whole map: distributions in file order with their portions, then references, then home. */
export function mapRows(map: ShardMap): readonly MapRow[] {
  const distributed = [...map.distributions.values()].flatMap((distribution) =>
    distribution.portions.map((portion) => portionRow(map, distribution, portion)),
  );
  const blank = { distribution: null, from: null, to: null, share: null };
  const references = tablesOf(map, (sharding) => sharding.kind === 'reference');
  const reference = { ...blank, method: 'reference', shard: null, tables: references };
  const home = { ...blank, method: 'home', shard: map.home, tables: null };
  return [...distributed, ...(references === '' ? [] : [reference]), home];
}

function portionRow(map: ShardMap, distribution: Distribution, portion: Portion): MapRow {
  const { name, method, keyType } = distribution;
  const tables = tablesOf(
    map,
    (sharding) => sharding.kind === 'distributed' && sharding.distribution === distribution,
  );
  const row = { distribution: name, method, from: null, to: null, share: null, tables };
  switch (portion.kind) {
    case 'range': {
      const from = portion.from === null ? null : quotedKeyText(keyType, portion.from);
      const to = portion.to === null ? null : quotedKeyText(keyType, portion.to);
      return { ...row, from, to, shard: portion.shard };
    }
    case 'arcs':
      return { ...row, share: `${(portion.share * 100).toFixed(1)} %`, shard: portion.shard };
    case 'remainders': {
      const share = `${portion.remainders.join(', ')} of ${portion.modulus}`;
      return { ...row, share, shard: portion.shard };
    }
    default:
      return unreachable(portion);
  }
}

function tablesOf(map: ShardMap, matches: (sharding: TableSharding) => boolean): string {
  const names = [...map.tables].flatMap(([name, sharding]) => (matches(sharding) ? [name] : []));
  return names.toSorted().join(', ');
}
