import { unreachable } from '../base/assert.ts';
import type { Distribution, Portion } from './distribution.ts';
import { quotedKeyText } from './key-text.ts';
import type { ShardMap, TableSharding } from './shard-map.ts';

/** One line of the shard map, every cell ready to be shown; '' where a cell says nothing. */
export type MapRow = {
  readonly distribution: string;
  /** `ranges`, `ring`, `modulo`; `reference` and `home` for what no distribution places. */
  readonly method: string;
  /** Bounds of a range: `from` belongs to it, `to` does not. */
  readonly from: string;
  readonly to: string;
  /** `21.3 %` of a ring, the remainders `0, 2 of 4`. */
  readonly share: string;
  readonly shard: string;
  /** `public.customer, public.reservation`; by name. */
  readonly tables: string;
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
  const blank = { distribution: '', from: '', to: '', share: '' };
  const references = tablesOf(map, (sharding) => sharding.kind === 'reference');
  const reference = { ...blank, method: 'reference', shard: 'every shard', tables: references };
  const home = { ...blank, method: 'home', shard: map.home, tables: 'all other tables' };
  return [...distributed, ...(references === '' ? [] : [reference]), home];
}

/** The map as an aligned table in plain text, lines ended by line feeds. */
export function mapText(map: ShardMap): string {
  const rows = mapRows(map).map((row) => mapColumns.map((column) => row[column]));
  const lines = [[...mapColumns], ...rows];
  const widths = mapColumns.map((_, index) =>
    Math.max(...lines.map((cells) => (cells[index] ?? '').length)),
  );
  const rendered = lines.map((cells) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${rendered.join('\n')}\n`;
}

function portionRow(map: ShardMap, distribution: Distribution, portion: Portion): MapRow {
  const { name, method, keyType } = distribution;
  const tables = tablesOf(
    map,
    (sharding) => sharding.kind === 'distributed' && sharding.distribution === distribution,
  );
  const row = { distribution: name, method, from: '', to: '', share: '', tables };
  switch (portion.kind) {
    case 'range': {
      const from = portion.from === null ? 'start' : quotedKeyText(keyType, portion.from);
      const to = portion.to === null ? 'end' : quotedKeyText(keyType, portion.to);
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
