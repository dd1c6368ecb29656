import type { z } from 'zod';
import type { TableDescription } from '../sharding/build-shard-map.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import { qualifiedName } from './qualified-name.ts';
import { readEntries } from './read-shape.ts';
import { suggest } from './suggest.ts';

const entrySchema = configFile.shape.tables.def.innerType.valueType;
type Entry = z.output<typeof entrySchema>;

/** Tables by `schema.table`; a name without schema means `public`. */
export function readTables(source: ConfigSource): readonly TableDescription[] {
  const tables = new Map<string, TableDescription>();
  for (const [name, entry] of readEntries(source, ['tables'], entrySchema)) {
    const path = ['tables', name];
    const table = qualifiedName(source, path, 'table');
    const description = table === null ? null : readTable(source, path, { table, entry });
    if (description === null) continue;
    if (tables.has(description.table)) {
      const message = `the table ${description.table} is listed twice`;
      source.reportName(path, message, 'a name without schema means public: remove one of the two');
    }
    tables.set(description.table, description);
  }
  return [...tables.values()];
}

function readTable(
  source: ConfigSource,
  path: ConfigPath,
  { table, entry }: { readonly table: string; readonly entry: Entry },
): TableDescription | null {
  const { distribution, key, reference } = entry;
  const isDistributed = distribution !== undefined || key !== undefined;
  if (reference === isDistributed) {
    const message = reference
      ? `the table ${table} is both a reference table and distributed`
      : `the table ${table} says neither distribution and key nor reference`;
    const remedy = 'write { distribution: ..., key: ... } or { reference: true }';
    source.reportName(path, message, remedy);
    return null;
  }
  if (reference) return { kind: 'reference', table };
  const known = source.names(['distributions']);
  if (distribution === undefined || key === undefined) {
    const missing = key === undefined ? 'key' : 'distribution';
    const example = key === undefined ? 'the distribution column' : known.join(' or ');
    source.reportName(path, `the table ${table} has no ${missing}`, `add "${missing}: ${example}"`);
    return null;
  }
  if (known.includes(distribution)) return { kind: 'distributed', table, distribution, key };
  const message = `there is no distribution "${distribution}"`;
  source.report([...path, 'distribution'], message, suggest(distribution, known));
  return null;
}
