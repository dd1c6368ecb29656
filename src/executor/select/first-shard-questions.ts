import type { ServerConnection } from '../../backend/server-connection.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { describeStatement, type StatementDescription } from '../describe-statement.ts';
import { readFloatDigits } from '../session/read-float-digits.ts';

/** What a select over several shards must know first and one server can tell. */
export type Questions = {
  /** The client's statement, to be described; null: no need. */
  readonly statement: {
    readonly text: string;
    readonly parameterOids: readonly number[];
  } | null;
  readonly floatDigits: boolean;
  /** Fails with 0A000 when the session shortens floating-point numbers. */
  readonly exactFloats: boolean;
};

export type Answers = {
  readonly description: StatementDescription | null;
  /** The session's extra_float_digits; 1, the default, when not asked. */
  readonly extraFloatDigits: number;
};

export type AnswersOutcome =
  | { readonly kind: 'answered'; readonly answers: Answers }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/**
 * Asks in one flight; `done` is called once, when the last answer has ended, or at once when there
 * is nothing to ask. The first failure counts.
 */
export function askFirstShard(
  connection: ServerConnection,
  questions: Questions,
  done: (outcome: AnswersOutcome) => void,
): void {
  let description: StatementDescription | null = null;
  let extraFloatDigits = 1;
  let failure: PgError | { readonly frame: Buffer } | null = null;
  const asksForDigits = questions.floatDigits || questions.exactFloats;
  let open = (asksForDigits ? 1 : 0) + (questions.statement === null ? 0 : 1);
  const answered = () => {
    open--;
    if (open > 0) return;
    if (failure !== null) done({ kind: 'failed', error: failure });
    else done({ kind: 'answered', answers: { description, extraFloatDigits } });
  };
  if (open === 0) {
    done({ kind: 'answered', answers: { description, extraFloatDigits } });
    return;
  }
  if (questions.statement !== null) {
    describeStatement(connection, questions.statement, (outcome) => {
      if (outcome.kind === 'described') description = outcome.description;
      else failure ??= outcome.error;
      answered();
    });
  }
  if (asksForDigits) {
    readFloatDigits(connection, (outcome) => {
      if (outcome.kind === 'read') extraFloatDigits = outcome.extraFloatDigits;
      else failure ??= outcome.error;
      if (questions.exactFloats && extraFloatDigits < 1) failure ??= shortFloats();
      answered();
    });
  }
}

/** Asks in front of what is sent next; `failed` hears that floating point would lose digits. */
export function demandFloatDigits(
  connection: ServerConnection,
  failed: (error: PgError | { readonly frame: Buffer }) => void,
): void {
  readFloatDigits(connection, (outcome) => {
    if (outcome.kind === 'failed') failed(outcome.error);
    else if (outcome.extraFloatDigits < 1) failed(shortFloats());
  });
}

function shortFloats(): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    'floating-point numbers cannot be gathered from shards while extra_float_digits is below 1',
    { hint: 'SET extra_float_digits TO 1, which is the default, or cast the numbers to numeric.' },
  );
}
