import { type MapRow, mapColumns, mapRows } from './map-rows.ts';
import type { ShardMap } from './shard-map.ts';

/** The map as an aligned table in plain text, lines ended by line feeds. */
export function mapText(map: ShardMap): string {
  const lines = [[...mapColumns], ...mapRows(map).map(cellsOf)];
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

/** What is open or goes without saying in the row, in words. */
function cellsOf(row: MapRow): readonly string[] {
  const isRange = row.method === 'ranges';
  const words: { readonly [Column in keyof MapRow]?: string } = {
    from: isRange ? 'start' : '',
    to: isRange ? 'end' : '',
    shard: 'every shard',
    tables: 'all other tables',
  };
  return mapColumns.map((column) => row[column] ?? words[column] ?? '');
}
