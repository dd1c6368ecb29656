import type { z } from 'zod';
import type { DistributionDescription } from '../sharding/build-shard-map.ts';
import type { KeyType } from '../sharding/distribution.ts';
import type { RingMember } from '../sharding/hash-ring.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import { readRanges } from './read-ranges.ts';
import { readEntries } from './read-shape.ts';
import { readShard } from './read-topology.ts';
import { suggest } from './suggest.ts';

const entrySchema = configFile.shape.distributions.def.innerType.valueType;
type Entry = z.output<typeof entrySchema>;
type Placement = DistributionDescription['placement'];

/** pg_type.typname and the names that SQL has for the same types. */
const keyTypes: ReadonlyMap<string, KeyType> = new Map([
  ['text', 'text'],
  ['varchar', 'varchar'],
  ['character varying', 'varchar'],
  ['bpchar', 'bpchar'],
  ['char', 'bpchar'],
  ['character', 'bpchar'],
  ['citext', 'citext'],
  ['int2', 'int2'],
  ['smallint', 'int2'],
  ['int4', 'int4'],
  ['int', 'int4'],
  ['integer', 'int4'],
  ['int8', 'int8'],
  ['bigint', 'int8'],
  ['uuid', 'uuid'],
  ['date', 'date'],
  ['timestamp', 'timestamp'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamptz', 'timestamptz'],
  ['timestamp with time zone', 'timestamptz'],
  ['bytea', 'bytea'],
]);
const textTypes: readonly KeyType[] = ['text', 'varchar', 'bpchar', 'citext'];
const remaindersMax = 1024;

export function readDistributions(source: ConfigSource): readonly DistributionDescription[] {
  checkRingMembers(source);
  const entries = readEntries(source, ['distributions'], entrySchema);
  return [...entries].flatMap(([name, entry]) => {
    const path = ['distributions', name];
    const keyType = readKeyType(source, path, entry.type);
    if (keyType === null) return [];
    const fold = entry.fold === 'upper';
    checkFold(source, path, { keyType, fold });
    const placement = readPlacement(source, path, { entry, keyType, fold });
    return placement === null ? [] : [{ name, keyType, fold, placement }];
  });
}

/** Apart from the rest, so that a bad weight does not hide an unknown shard. */
function checkRingMembers(source: ConfigSource): void {
  const known = source.names(['shards']);
  for (const distribution of source.names(['distributions'])) {
    const path = ['distributions', distribution, 'ring'];
    for (const name of source.names(path)) {
      if (known.includes(name)) continue;
      const message = `there is no shard "${name}"`;
      source.reportName([...path, name], message, suggest(name, known));
    }
  }
}

function readKeyType(source: ConfigSource, path: ConfigPath, written: string): KeyType | null {
  const keyType = keyTypes.get(written.toLowerCase()) ?? null;
  if (keyType === null) {
    const message = `"${written}" is not a type that a key can have`;
    source.report([...path, 'type'], message, suggest(written, [...keyTypes.keys()]));
  }
  return keyType;
}

function checkFold(
  source: ConfigSource,
  path: ConfigPath,
  { keyType, fold }: { readonly keyType: KeyType; readonly fold: boolean },
): void {
  if (fold && !textTypes.includes(keyType)) {
    const message = `keys of type ${keyType} have no upper case`;
    source.report([...path, 'fold'], message, 'remove "fold"');
  }
  if (!fold && keyType === 'citext') {
    const message = 'citext keys are equal in upper and lower case, so placement must fold them';
    source.report([...path, 'fold'], message, 'add "fold: upper"');
  }
}

type PlacementText = { readonly entry: Entry; readonly keyType: KeyType; readonly fold: boolean };

function readPlacement(
  source: ConfigSource,
  path: ConfigPath,
  { entry, keyType, fold }: PlacementText,
): Placement | null {
  const { ranges, ring, modulo } = entry;
  const methods = [ranges, ring, modulo].filter((method) => method !== undefined);
  if (methods.length !== 1) {
    const message = `distribution "${String(path.at(-1))}" needs one of ranges, ring and modulo`;
    const remedy = methods.length === 0 ? 'add one of them' : 'keep one of them';
    source.reportName(path, message, remedy);
    return null;
  }
  if (ranges !== undefined) return readRanges(source, path, { ranges, keyType, fold });
  if (ring !== undefined) return readRing(source, [...path, 'ring'], ring);
  return readModulo(source, [...path, 'modulo'], modulo ?? []);
}

function readRing(
  source: ConfigSource,
  path: ConfigPath,
  ring: { readonly [shard: string]: number },
): Placement | null {
  const members = Object.entries(ring).map(
    ([name, weight]): RingMember => ({ shard: name as ShardId, weight }),
  );
  if (members.length > 0) return { method: 'ring', members };
  source.report(path, 'the ring has no shards', 'write shards with weights, like { a: 1, b: 1 }');
  return null;
}

function readModulo(
  source: ConfigSource,
  path: ConfigPath,
  names: readonly string[],
): Placement | null {
  const owners = names.flatMap((name, index) => readShard(source, [...path, index], name) ?? []);
  if (names.length === 0 || names.length > remaindersMax) {
    const remedy = `list the owner of each remainder from 0, ${remaindersMax} at most`;
    source.report(path, `a modulo of ${names.length} shards`, remedy);
    return null;
  }
  return owners.length === names.length ? { method: 'modulo', owners } : null;
}
