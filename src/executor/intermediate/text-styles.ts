import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ResultColumn } from './result-column.ts';

/** Settings that decide how a value looks as text, and whether it can be read again exactly. */
export type TextStyles = {
  readonly dates: boolean;
  readonly intervals: boolean;
  readonly floats: boolean;
};

/** OIDs in PostgreSQL's pg_type.dat: arrays and ranges; single values come as in exact-values.ts. */
const dates: ReadonlySet<number> = new Set([
  1182, 1115, 1185, 3908, 3909, 3910, 3911, 3912, 3913, 4533, 4534, 4535, 6152, 6153, 6155,
]);
const intervals: ReadonlySet<number> = new Set([1186, 1187]);
/** Arrays, and geometric types, which are made of float8. */
const floats: ReadonlySet<number> = new Set([
  1021, 1022, 600, 1017, 601, 1018, 602, 1019, 603, 1020, 604, 1027, 628, 629, 718, 719,
]);

export function textStyles(
  columns: readonly Pick<ResultColumn, 'typeOid' | 'isComposed'>[],
): TextStyles {
  const some = (types: ReadonlySet<number>) =>
    columns.some(({ typeOid, isComposed }) => isComposed || types.has(typeOid));
  return { dates: some(dates), intervals: some(intervals), floats: some(floats) };
}

/** Reported settings that decide what a query over rows that come with it answers. */
const combineSettings = [
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'integer_datetimes',
  'search_path',
  'server_encoding',
  'standard_conforming_strings',
];

/** Watches that the sessions of one statement write and read such values without any loss. */
export class StyleCheck {
  readonly #styles: TextStyles;
  /** What the first session has reported; null before it. */
  #first: ReadonlyMap<string, string> | null = null;

  constructor(styles: TextStyles) {
    this.#styles = styles;
  }

  /** `parameters`: the session's ParameterStatus values. null: it is fine. */
  errorOf(parameters: ReadonlyMap<string, string>): PgError | null {
    const { dates, intervals } = this.#styles;
    const dateStyle = parameters.get('DateStyle') ?? 'ISO';
    if (dates && !dateStyle.startsWith('ISO')) {
      return refused('dates', `DateStyle is "${dateStyle}"`, 'SET DateStyle TO ISO');
    }
    this.#first ??= new Map(parameters);
    if (intervals && !isSame('IntervalStyle', parameters, this.#first)) {
      return refused('intervals', 'the servers differ in IntervalStyle', 'SET IntervalStyle');
    }
    return null;
  }

  /** A server that shards do not depend on answers as the first one would. */
  isLikeFirst(parameters: ReadonlyMap<string, string>): boolean {
    const first = this.#first ?? parameters;
    return combineSettings.every((name) => isSame(name, parameters, first));
  }
}

function isSame(
  name: string,
  some: ReadonlyMap<string, string>,
  others: ReadonlyMap<string, string>,
): boolean {
  return some.get(name) === others.get(name);
}

function refused(values: string, why: string, remedy: string): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `${values} cannot be gathered from shards while ${why}`,
    { hint: `${remedy}, or cast the values to text.` },
  );
}
