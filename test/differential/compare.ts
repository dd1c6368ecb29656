import type { WireAnswer, WireColumn, WireResult } from '../support/wire-client.ts';
import { alignFloats } from './floats.ts';
import type { Compound, Query, Select } from './query.ts';

type Row = WireResult['rows'][number];

const firstUserOid = 16_384;

/** Codes with which pgweave says that it does not do this; everything else must be equal. */
const refusals = new Set(['0A000']);

export function isRefusal(answer: WireAnswer): boolean {
  return answer.error !== null && refusals.has(answer.error.sqlState);
}

/**
 * What differs, in words; null when the answers are equal. `unlimited` are the rows of the same
 * query without LIMIT and OFFSET: needed where these may choose any of several rows.
 */
export function difference(
  query: Query,
  proxied: WireAnswer,
  plain: WireAnswer,
  unlimited: readonly Row[] | null,
): string | null {
  const proxiedState = proxied.error?.sqlState ?? 'no error';
  const plainState = plain.error?.sqlState ?? 'no error';
  if (proxiedState !== plainState) return `SQLSTATE ${proxiedState} instead of ${plainState}`;
  if (proxied.status !== plain.status) {
    return `transaction status ${proxied.status} instead of ${plain.status}`;
  }
  if (proxied.results.length !== plain.results.length) {
    return `${proxied.results.length} results instead of ${plain.results.length}`;
  }
  for (const [index, expected] of plain.results.entries()) {
    const result = proxied.results[index];
    if (result === undefined) return 'a result is missing';
    const found = resultDifference(query, result, expected, unlimited);
    if (found !== null) return found;
  }
  return null;
}

/** Whether LIMIT or OFFSET may choose among several rows. */
export function choosesFreely(query: Query): query is Select | Compound {
  if (query.kind === 'text' || query.isTotal) return false;
  if (query.withTies) return query.offset !== null;
  return query.limit !== null || query.offset !== null;
}

function resultDifference(
  query: Query,
  result: WireResult,
  expected: WireResult,
  unlimited: readonly Row[] | null,
): string | null {
  if (result.tag !== expected.tag) return `tag ${result.tag} instead of ${expected.tag}`;
  const columns = columnsDifference(result.columns, expected.columns);
  if (columns !== null) return columns;
  if (result.rows.length !== expected.rows.length) {
    return `${result.rows.length} rows instead of ${expected.rows.length}`;
  }
  const isFree = choosesFreely(query);
  const possible = isFree ? (unlimited ?? expected.rows) : expected.rows;
  const rows = alignFloats(result.rows, possible, expected.columns ?? []);
  if (isOrdered(query)) return orderedDifference(rows, expected.rows);
  if (isFree && unlimited !== null) {
    const strays = surplus(rows, unlimited);
    if (strays.length > 0) return `a row that the query does not have: ${strays[0]}`;
  } else {
    const found = multisetDifference(rows, expected.rows);
    if (found !== null) return found;
  }
  return sortDifference(query, rows, expected.rows);
}

function isOrdered(query: Query): boolean {
  if (query.kind === 'text') return query.sortedBy === 'all';
  return query.isTotal && query.orderBy.length > 0;
}

function columnsDifference(
  columns: readonly WireColumn[] | null,
  expected: readonly WireColumn[] | null,
): string | null {
  const text = JSON.stringify(columns?.map(ofAnyServer));
  const expectedText = JSON.stringify(expected?.map(ofAnyServer));
  return text === expectedText ? null : `columns ${text} instead of ${expectedText}`;
}

/** Types that are not built in have another OID on each server. */
function ofAnyServer(column: WireColumn): WireColumn {
  return { ...column, typeOid: Math.min(column.typeOid, firstUserOid) };
}

function orderedDifference(rows: readonly Row[], expected: readonly Row[]): string | null {
  for (const [index, row] of expected.entries()) {
    const found = rows[index];
    if (found === undefined || rowText(found) !== rowText(row)) {
      return `row ${index + 1}: ${found && rowText(found)} instead of ${rowText(row)}`;
    }
  }
  return null;
}

function multisetDifference(rows: readonly Row[], expected: readonly Row[]): string | null {
  const strays = surplus(rows, expected);
  return strays.length === 0
    ? null
    : `row ${strays[0]} instead of ${surplus(expected, rows)[0]} (${strays.length} rows differ)`;
}

/** Ties may come in any order, so only the values that are sorted by can be compared in order. */
function sortDifference(
  query: Query,
  rows: readonly Row[],
  expected: readonly Row[],
): string | null {
  const outputs = sortedOutputs(query);
  const project = (row: Row) => outputs.map((output) => row[output] ?? null);
  return orderedDifference(rows.map(project), expected.map(project));
}

function sortedOutputs(query: Query): readonly number[] {
  if (query.kind === 'text') return query.sortedBy === 'all' ? [] : query.sortedBy;
  const outputs = query.orderBy.map(({ output }) => output);
  const unseen = outputs.indexOf(null);
  return outputs.slice(0, unseen < 0 ? undefined : unseen).filter((output) => output !== null);
}

/** Rows, as text, that occur more often in `rows` than in `among`. */
function surplus(rows: readonly Row[], among: readonly Row[]): string[] {
  const counts = new Map<string, number>();
  for (const row of among) counts.set(rowText(row), (counts.get(rowText(row)) ?? 0) + 1);
  return rows.map(rowText).filter((text) => {
    const left = counts.get(text) ?? 0;
    counts.set(text, left - 1);
    return left <= 0;
  });
}

export function rowText(row: Row): string {
  return `(${row.map((value) => (value === null ? 'NULL' : printable(value))).join(', ')})`;
}

/** Text as it is, anything else in hex: exact either way. */
function printable(value: Buffer): string {
  const text = value.toString();
  const isText = !text.includes('\ufffd') && !/\p{Cc}/u.test(text);
  return isText ? JSON.stringify(text) : `x${value.toString('hex')}`;
}
