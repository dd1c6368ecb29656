import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { StrandedRows } from './find-stranded.ts';

/** 55000; `remedy` says how to go on all the same. */
export function strandedError(found: readonly StrandedRows[], remedy: string): PgError {
  return new PgError(
    SqlState.objectNotInPrerequisiteState,
    'the edit of the shard map would strand rows that are there',
    {
      detail: found.map(strandedText).join('\n'),
      hint: `Move the rows first, or take the edit back. ${remedy}`,
    },
  );
}

/** Nothing is known then, and what is not known is not done. */
export function uncheckedError(cause: PgError, remedy: string): PgError {
  return new PgError(
    SqlState.objectNotInPrerequisiteState,
    'it cannot be told whether the edit of the shard map would strand rows',
    { detail: cause.message, hint: remedy, cause },
  );
}

export function strandedText({ table, shard, rows, because }: StrandedRows): string {
  return `${table}: ${rows} ${rows === 1 ? 'row' : 'rows'} on ${shard}, ${because}`;
}
