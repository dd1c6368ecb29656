import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import type { ResultColumn } from './result-column.ts';

/**
 * A query whose answer, a row for each column, says how text becomes a value of the column again:
 * what no description contains. `whole` is embedded as a subquery that is never run; the outer join
 * gives its columns one row of NULLs to be asked about. `fields` are what describing it says, on
 * the same server.
 *
 * All names come with their schemas, because the text that uses them runs on other servers. A
 * domain that forbids NULL is replaced by the type that it is over (as described): an outer join may
 * have made NULLs of it, and a cast would check them.
 */
export function columnQuestion(whole: string, fields: readonly FieldDescription[]): string {
  const names = fields.map((_, index) => `c${index + 1}`);
  const values = fields.map(({ typeOid, typeModifier }, index) => {
    const column = `r.c${index + 1}`;
    const type = `pg_catalog.pg_typeof(${column})::pg_catalog.oid`;
    const collation = `CASE WHEN (SELECT typcollation FROM pg_catalog.pg_type WHERE oid = ${type}) <> 0 THEN pg_catalog.pg_collation_for(${column}) END`;
    return `(${index}, ${type}, ${typeOid}::pg_catalog.oid, ${typeModifier}, ${collation})`;
  });
  // A comment at the end of `whole` ends with the line.
  return `SELECT t.typtype,
  ${nameWith("CASE WHEN t.typtype = 'd' THEN -1 ELSE v.modifier END")},
  ${nameWith('-1')},
  CASE WHEN k.oid <> t.typcollation THEN ${qualified('kn.nspname', 'k.collname')} END,
  CASE WHEN f.pronargs = 1 AND EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = 25 AND casttarget = t.oid AND castmethod = 'f')
    THEN ${qualified('fn.nspname', 'f.proname')} END,
  CASE WHEN t.typcollation <> 0 AND k.oid IS NULL THEN 't' ELSE 'f' END
FROM (SELECT 1) AS one
LEFT JOIN (SELECT * FROM (${whole}
) AS whole(${names.join(', ')}) LIMIT 0) AS r ON true
CROSS JOIN LATERAL (VALUES ${values.join(',\n  ')}) AS v(place, type, base, modifier, collated)
JOIN pg_catalog.pg_type AS d ON d.oid = v.type
JOIN pg_catalog.pg_type AS t ON t.oid = CASE WHEN d.typtype = 'd' AND d.typnotnull THEN v.base ELSE v.type END
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND e.typarray = t.oid
LEFT JOIN pg_catalog.pg_namespace AS en ON en.oid = e.typnamespace
LEFT JOIN pg_catalog.pg_proc AS f ON f.oid = t.typinput
LEFT JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_collation AS k ON k.oid = pg_catalog.to_regcollation(v.collated)
LEFT JOIN pg_catalog.pg_namespace AS kn ON kn.oid = k.collnamespace
ORDER BY v.place`;
}

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

/** Reads the answer. Throws 0A000 for what cannot travel as text, naming the column. */
export function answeredColumns(
  columns: readonly string[],
  fields: readonly FieldDescription[],
  rows: readonly (readonly (string | null)[])[],
): readonly ResultColumn[] {
  return columns.map((name, index) => {
    const [kind, castName, typeName, collation, inputFunction, isAmbiguous] = rows[index] ?? [];
    const typeOid = fields[index]?.typeOid;
    if (typeOid === undefined || !castName || !typeName) throw unexpected(name);
    if (kind === 'p') throw untyped(name, typeName);
    if (isAmbiguous === 't') throw ambiguous(name);
    const own = { collation: collation ?? null, inputFunction: inputFunction ?? null };
    return { typeOid, typeName, castName, ...own };
  });
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
