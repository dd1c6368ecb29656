import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SortKey } from '../../planner/plan.ts';
import { comparatorForType } from './comparators.ts';
import type { CompareValues } from './compare-values.ts';
import type { Row } from './row.ts';

/** Negative when `left` comes first. */
export type CompareRows = (left: Row, right: Row) => number;

type KeyComparator = {
  readonly column: number;
  readonly direction: 1 | -1;
  /** Result of the comparison when only the left value is NULL. */
  readonly nullLeft: 1 | -1;
  readonly compare: CompareValues;
};

/**
 * Order by `keys` over rows whose columns have the types `typeOids`; key columns are in binary
 * format. 0A000 for a type or collation whose order only a server knows.
 */
export function compareRowsBy(keys: readonly SortKey[], typeOids: readonly number[]): CompareRows {
  const comparators = keys.map((key) => keyComparator(key, typeOids[key.column] ?? 0));
  return (left, right) => {
    for (const comparator of comparators) {
      const order = compareKey(comparator, left, right);
      if (order !== 0) return order;
    }
    return 0;
  };
}

/** The plain ascending order of one key's type, without NULLs. */
export function valueOrder(key: SortKey, typeOid: number): CompareValues {
  const found = comparatorForType(typeOid);
  if (found === null) {
    throw new PgError(
      SqlState.featureNotSupported,
      `ordering by ${key.label} over several shards is not supported for the type with OID ${typeOid}`,
      { hint: 'Order by a cast to a type such as text COLLATE "C", bigint or numeric.' },
    );
  }
  if (found.collatable && key.collation === 'unknown') {
    throw new PgError(
      SqlState.featureNotSupported,
      `ordering text by ${key.label} over several shards is not supported under its collation`,
      { hint: `Use byte order: ${key.label} COLLATE "C".` },
    );
  }
  return found.compare;
}

function keyComparator(key: SortKey, typeOid: number): KeyComparator {
  return {
    column: key.column,
    direction: key.descending ? -1 : 1,
    nullLeft: key.nullsFirst ? -1 : 1,
    compare: valueOrder(key, typeOid),
  };
}

function compareKey(key: KeyComparator, left: Row, right: Row): number {
  const leftLength = left.valueLength(key.column);
  const rightLength = right.valueLength(key.column);
  if (leftLength < 0) return rightLength < 0 ? 0 : key.nullLeft;
  if (rightLength < 0) return -key.nullLeft;
  const leftStart = left.valueStart(key.column);
  const rightStart = right.valueStart(key.column);
  const order = key.compare(
    left.bytes,
    leftStart,
    leftStart + leftLength,
    right.bytes,
    rightStart,
    rightStart + rightLength,
  );
  return key.direction * order;
}
