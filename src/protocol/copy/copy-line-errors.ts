import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';

/** PostgreSQL's words for data whose lines end in different ways. */
export function literalLineEnd(isCsv: boolean, name: 'carriage return' | 'newline'): PgError {
  const adjective = isCsv ? 'unquoted' : 'literal';
  const letter = name === 'newline' ? 'n' : 'r';
  return new PgError(SqlState.badCopyFileFormat, `${adjective} ${name} found in data`, {
    hint: isCsv
      ? `Use quoted CSV field to represent ${name}.`
      : `Use "\\${letter}" to represent ${name}.`,
  });
}

export function markerNotAlone(): PgError {
  return new PgError(SqlState.badCopyFileFormat, 'end-of-copy marker is not alone on its line');
}

export function markerStyle(): PgError {
  return new PgError(
    SqlState.badCopyFileFormat,
    'end-of-copy marker does not match previous newline style',
  );
}

export function keyTooFar(bytes: number): PgError {
  return new PgError(
    SqlState.programLimitExceeded,
    `the key does not come within the first ${bytes} bytes of a row`,
    { hint: 'Name the columns in COPY with the key first.' },
  );
}
