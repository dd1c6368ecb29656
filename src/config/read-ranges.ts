import type { DistributionDescription } from '../sharding/build-shard-map.ts';
import { compareKeys } from '../sharding/compare-keys.ts';
import type { Key, KeyType } from '../sharding/distribution.ts';
import type { KeyRange } from '../sharding/key-ranges.ts';
import { quotedKeyText } from '../sharding/key-text.ts';
import { keyFromText } from '../sharding/key-value.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import { readShard } from './read-topology.ts';

export type RangesText = {
  readonly ranges: readonly RangeText[];
  readonly keyType: KeyType;
  readonly fold: boolean;
};

type RangeText = {
  readonly shard: string;
  readonly from?: string | null | undefined;
  readonly to?: string | null | undefined;
};

/** A range whose bounds could be read; the shard may still be unknown. */
type ReadRange = Omit<KeyRange, 'shard'> & {
  readonly shard: KeyRange['shard'] | null;
  readonly path: ConfigPath;
};

/**
 * Ranges must follow each other without gap or overlap. The ends of the key space may stay
 * uncovered: keys there have no shard.
 */
export function readRanges(
  source: ConfigSource,
  distributionPath: ConfigPath,
  text: RangesText,
): DistributionDescription['placement'] | null {
  const path = [...distributionPath, 'ranges'];
  if (text.ranges.length === 0) {
    source.report(path, 'there are no ranges', 'add one like "- { shard: a, to: M }"');
    return null;
  }
  const read = text.ranges.map((range, index) =>
    readRange(source, [...path, index], { ...text, range }),
  );
  const ranges = read.filter((range) => range !== null);
  // With a range missing from the picture every neighbour would look wrong.
  if (ranges.length < read.length) return null;
  checkNeighbours(source, text.keyType, ranges);
  return {
    method: 'ranges',
    ranges: ranges.flatMap(({ shard, from, to }) => (shard === null ? [] : [{ shard, from, to }])),
  };
}

type OneRange = { readonly range: RangeText; readonly keyType: KeyType; readonly fold: boolean };

function readRange(
  source: ConfigSource,
  path: ConfigPath,
  { range, keyType, fold }: OneRange,
): ReadRange | null {
  const shard = readShard(source, [...path, 'shard'], range.shard);
  const from = readBound(source, [...path, 'from'], { text: range.from ?? null, keyType, fold });
  const to = readBound(source, [...path, 'to'], { text: range.to ?? null, keyType, fold });
  if (from === 'mistake' || to === 'mistake') return null;
  if (from !== null && to !== null && compareKeys(from, to) >= 0) {
    const isEmpty = compareKeys(from, to) === 0;
    const bounds = `from ${quotedKeyText(keyType, from)} to ${quotedKeyText(keyType, to)}`;
    const message = isEmpty ? `the range ${bounds} is empty` : `the range ${bounds} runs backwards`;
    const order = keyType === 'bytea' || fold || isTextual(keyType) ? ' in byte order' : '';
    const remedy = `"from" belongs to the range, "to" no more: "from" must be smaller${order}`;
    source.report(path, message, remedy);
    return null;
  }
  return { shard, from, to, path };
}

type BoundText = {
  readonly text: string | null;
  readonly keyType: KeyType;
  readonly fold: boolean;
};

function readBound(
  source: ConfigSource,
  path: ConfigPath,
  { text, keyType, fold }: BoundText,
): Key | null | 'mistake' {
  if (text === null) return null;
  const reading = keyFromText({ keyType, valueType: 'unknown', use: 'compare' }, text);
  if (reading.kind !== 'key') {
    const isExplained = reading.kind === 'invalid' || reading.kind === 'unknown';
    const message = isExplained ? reading.error.message : `"${text}" is not a key`;
    const hint = isExplained ? reading.error.hint : undefined;
    source.report(path, message, hint ?? `write a value of type ${keyType}`);
    return 'mistake';
  }
  if (fold && /[a-z]/.test(text)) {
    const message = `"${text}" is never reached: keys are compared in upper case`;
    const upper = text.replace(/[a-z]/g, (letter) => letter.toUpperCase());
    source.report(path, message, `write "${upper}"`);
    return 'mistake';
  }
  return reading.key;
}

function checkNeighbours(
  source: ConfigSource,
  keyType: KeyType,
  ranges: readonly ReadRange[],
): void {
  const sorted = ranges.toSorted((a, b) => {
    if (a.from === null || b.from === null)
      return Number(a.from !== null) - Number(b.from !== null);
    return compareKeys(a.from, b.from);
  });
  const bound = (key: Key | null) => (key === null ? 'the end' : quotedKeyText(keyType, key));
  let [previous] = sorted;
  for (const range of sorted.slice(1)) {
    if (previous === undefined) return;
    const order =
      previous.to === null || range.from === null ? 1 : compareKeys(previous.to, range.from);
    const line = source.lineOf(previous.path);
    if (order > 0) {
      const message = `the range overlaps the one in line ${line}, which reaches to ${bound(previous.to)}`;
      source.report(range.path, message, 'let each range begin where the one before ends');
    } else if (order < 0) {
      const message = `keys from ${bound(previous.to)} to below ${bound(range.from)} have no shard`;
      const remedy = `let this range begin at ${bound(previous.to)}, or add one in between`;
      source.report(range.path, message, remedy);
    }
    previous = reachesFurther(range, previous) ? range : previous;
  }
}

function reachesFurther(range: ReadRange, other: ReadRange): boolean {
  if (range.to === null || other.to === null) return range.to === null;
  return compareKeys(range.to, other.to) > 0;
}

function isTextual(keyType: KeyType): boolean {
  return ['text', 'varchar', 'bpchar', 'citext'].includes(keyType);
}
