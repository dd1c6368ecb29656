import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ShardQuery } from '../../planner/plan.ts';
import { encodeBind } from '../../protocol/bind-message.ts';
import { encodeLongBind, type LongValue } from '../../protocol/long-bind.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import type { BoundParameters } from '../select/multi-shard-select.ts';
import { queryText, type TextSource } from './query-text.ts';
import { TextArray } from './text-array.ts';

/** FirstNormalObjectId: OIDs from here on are given out by each server on its own. */
export const userOidMin = 16_384;

/** Bind counts in 16 bits. */
const parametersMax = 65_535;

const noElements = new TextArray().finish();

/** A text for the servers with its parameters: the client's, then the arrays that it reads. */
export type BoundQuery = {
  readonly sql: string;
  /** For Parse, as the home shard calls them: see serverTypeOids. */
  readonly typeOids: readonly number[];
  readonly parameters: Omit<BoundParameters, 'typeOids'>;
  /** In order; null: the rows are not here, and count as none. */
  readonly arrays: readonly (LongValue | null)[];
};

/** `typeOids` are those of the client's parameters as far as they are known. Throws 54000. */
export function boundQuery(
  query: ShardQuery,
  source: TextSource & { readonly parameters: BoundParameters },
  typeOids: readonly number[],
): BoundQuery {
  const { values, formats } = source.parameters;
  const numbers = new Map<string, number>();
  const arrays: (LongValue | null)[] = [];
  const sql = queryText(query, source, (result, column) => {
    const key = `${result} ${column}`;
    let number = numbers.get(key);
    if (number === undefined) {
      arrays.push(source.results?.[result]?.arrays?.[column] ?? null);
      number = values.length + arrays.length;
      numbers.set(key, number);
    }
    return `$${number}`;
  });
  if (values.length + arrays.length > parametersMax) throw tooManyParameters();
  const unused = typeOids.map((oid, index) => oid >= userOidMin && !mentions(sql, index + 1));
  return {
    sql,
    typeOids: [
      // A server that sees no use of a parameter must be told a type, and needs no value.
      ...typeOids.map((oid, index) => (unused[index] === true ? TypeOid.text : oid)),
      ...(arrays.length === 0 ? [] : zeros(values.length - typeOids.length)),
      ...arrays.map(() => TypeOid.textArray),
    ],
    parameters: {
      formats,
      values: values.map((value, index) => (unused[index] === true ? null : value)),
    },
    arrays,
  };
}

/** Bind for its values, as pieces to be sent in order. */
export function bindMessage(
  bound: BoundQuery,
  portal: string,
  resultFormats: readonly number[],
): readonly Buffer[] {
  const { formats, values } = bound.parameters;
  const names = { portal, statement: '' };
  if (bound.arrays.length === 0) return [encodeBind({ ...names, formats, values, resultFormats })];
  return encodeLongBind({
    ...names,
    formats: values.map((_, index) => formats[index] ?? 0),
    values,
    longValues: bound.arrays.map((array) => array ?? noElements),
    resultFormats,
  });
}

/** Perhaps only in a string: then the server asks for the type, which is an error and no harm. */
export function mentions(sql: string, number: number): boolean {
  return new RegExp(`\\$${number}(?![0-9])`).test(sql);
}

function zeros(count: number): readonly number[] {
  return new Array<number>(Math.max(0, count)).fill(0);
}

function tooManyParameters(): PgError {
  return new PgError(
    SqlState.programLimitExceeded,
    `the parameters and the columns that are gathered for this statement are more than ${parametersMax}`,
    { hint: 'Use fewer parameters, such as one array for many values.' },
  );
}
