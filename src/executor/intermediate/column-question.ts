import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import type { ResultColumn } from './result-column.ts';

/**
 * A query whose answer, a row for each column, says how text becomes a value of the column again:
 * what no description contains. `whole` is embedded as a subquery that is never run; the outer join
 * gives its columns one row of NULLs to be asked about.
 *
 * All names come with their schemas, because the text that uses them runs on other servers. A
 * domain that forbids NULL is replaced by the type that it is over (as described): an outer join may
 * have made NULLs of it, and a cast would check them.
 */
export function columnQuestion(whole: string, columnCount: number): string {
  const names = Array.from({ length: columnCount }, (_, index) => `c${index + 1}`);
  const values = names.map((name, index) => {
    const column = `r.${name}`;
    const type = `pg_catalog.pg_typeof(${column})::pg_catalog.oid`;
    const collation = `CASE WHEN (SELECT typcollation FROM pg_catalog.pg_type WHERE oid = ${type}) <> 0 THEN pg_catalog.pg_collation_for(${column}) END`;
    return `(${index}, ${type}, ${collation})`;
  });
  // A comment at the end of `whole` ends with the line.
  return `SELECT t.typtype, t.oid,
  ${nameWith('-1')},
  CASE WHEN k.oid <> t.typcollation THEN ${qualified('kn.nspname', 'k.collname')} END,
  CASE WHEN f.pronargs = 1 AND EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = 25 AND casttarget = t.oid AND castmethod = 'f')
    THEN ${qualified('fn.nspname', 'f.proname')} END,
  CASE WHEN t.typcollation <> 0 AND k.oid IS NULL THEN 't' ELSE 'f' END
FROM (SELECT 1) AS one
LEFT JOIN (SELECT * FROM (${whole}
) AS whole(${names.join(', ')}) LIMIT 0) AS r ON true
CROSS JOIN LATERAL (VALUES ${values.join(',\n  ')}) AS v(place, type, collated)
CROSS JOIN LATERAL (
  WITH RECURSIVE chain(oid, base, not_null) AS (
    SELECT oid, typbasetype, typnotnull FROM pg_catalog.pg_type WHERE oid = v.type
    UNION ALL
    SELECT b.oid, b.typbasetype, b.typnotnull FROM chain JOIN pg_catalog.pg_type AS b ON b.oid = chain.base
  )
  SELECT pg_catalog.min(oid) FILTER (WHERE base = 0) AS base, pg_catalog.bool_or(not_null) AS not_null FROM chain
) AS d
JOIN ${typeTables} ON t.oid = CASE WHEN d.not_null THEN d.base ELSE v.type END
LEFT JOIN pg_catalog.pg_proc AS f ON f.oid = t.typinput
LEFT JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_collation AS k ON k.oid = pg_catalog.to_regcollation(v.collated)
LEFT JOIN pg_catalog.pg_namespace AS kn ON kn.oid = k.collnamespace
ORDER BY v.place`;
}

/** A type with the modifier that a description gives it. */
export type ModifiedType = { readonly typeOid: string; readonly typeModifier: number };

/** A query whose answer, a row for each, is its name with the modifier. */
export function modifierQuestion(types: readonly ModifiedType[]): string {
  const values = types.map(
    ({ typeOid, typeModifier }, index) => `(${index}, ${typeOid}::pg_catalog.oid, ${typeModifier})`,
  );
  return `SELECT ${nameWith('v.modifier')}
FROM (VALUES ${values.join(', ')}) AS v(place, type, modifier)
JOIN ${typeTables} ON t.oid = v.type
ORDER BY v.place`;
}

const typeTables = `(pg_catalog.pg_type AS t
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND e.typarray = t.oid
  LEFT JOIN pg_catalog.pg_namespace AS en ON en.oid = e.typnamespace)`;

/**
 * The type's name with its modifier: format_type knows the words of the standard and the schema of
 * what the search path does not reach, but only that.
 */
function nameWith(modifier: string): string {
  const formatted = `pg_catalog.format_type(t.oid, ${modifier})`;
  const element = `CASE WHEN e.oid IS NULL THEN ${qualified('tn.nspname', 't.typname')} ELSE ${qualified('en.nspname', 'e.typname')} END`;
  const inParentheses = `coalesce(substring(${formatted} from '[(][^()"]*[)](?=(?:[[][]])?$)'), '')`;
  const brackets = "CASE WHEN e.oid IS NULL THEN '' ELSE '[]' END";
  return `CASE WHEN tn.nspname = 'pg_catalog' THEN ${formatted} ELSE ${element} || ${inParentheses} || ${brackets} END`;
}

function qualified(schema: string, name: string): string {
  return `pg_catalog.quote_ident(${schema}) || '.' || pg_catalog.quote_ident(${name})`;
}

/** What is known of a column; `modified` is what `castName` lacks, null when it is complete. */
export type ColumnDraft = {
  readonly column: ResultColumn;
  readonly modified: ModifiedType | null;
};

/** Reads the answer. Throws 0A000 for what cannot travel as text, naming the column. */
export function answeredColumns(
  columns: readonly string[],
  fields: readonly FieldDescription[],
  rows: readonly (readonly (string | null)[])[],
): readonly ColumnDraft[] {
  return columns.map((name, index) => {
    const [kind, ownOid, typeName, collation, inputFunction, isAmbiguous] = rows[index] ?? [];
    const field = fields[index];
    if (field === undefined || !ownOid || !typeName) throw unexpected(name);
    if (kind === 'p') throw untyped(name, typeName);
    if (isAmbiguous === 't') throw ambiguous(name);
    const { typeOid, typeModifier } = field;
    const own = { collation: collation ?? null, inputFunction: inputFunction ?? null };
    const isComposed = typeOid >= composedMin && kind !== 'e';
    const column = { typeOid, typeName, castName: typeName, ...own, isComposed };
    // A domain brings the modifier of what it is over.
    const isModified = kind !== 'd' && typeModifier !== -1;
    return { column, modified: isModified ? { typeOid: ownOid, typeModifier } : null };
  });
}

/** FirstGenbkiObjectId: row types of catalogue tables, and all that users and extensions made. */
const composedMin = 10_000;

/** Reads the answer about the modifiers that some of the columns lack, in order. */
export function completeColumns(
  drafts: readonly ColumnDraft[],
  rows: readonly (readonly (string | null)[])[],
): readonly ResultColumn[] {
  const castNames = rows.map(([name]) => name ?? '');
  return drafts.map(({ column, modified }) =>
    modified === null ? column : { ...column, castName: castNames.shift() || column.castName },
  );
}

function unexpected(name: string): PgError {
  return new PgError(
    SqlState.protocolViolation,
    `a server does not say what type the intermediate column "${name}" has`,
  );
}

function untyped(name: string, type: string): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `column "${name}" has the pseudo-type ${type} and cannot be gathered from shards`,
    { hint: 'Select the fields one by one, or cast the value to a type with a name.' },
  );
}

function ambiguous(name: string): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `column "${name}" has two collations and cannot be gathered from shards`,
    { hint: 'Say which one is meant: add a COLLATE clause.' },
  );
}
