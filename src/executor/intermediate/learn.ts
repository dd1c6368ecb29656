import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { describeStatement } from '../describe-statement.ts';
import type { BoundParameters } from '../multi-shard-select.ts';
import type { IntermediateRun } from '../target.ts';
import { askRows } from './ask-rows.ts';
import { type BoundQuery, boundQuery } from './bound-query.ts';
import { answeredColumns, columnQuestion } from './column-question.ts';
import type { LearnedStatement } from './learned-statements.ts';
import type { GatheredResult, ResultColumn } from './result-column.ts';

export type LearnRequest = {
  /** The client's, with what it declares. */
  readonly statementText: string;
  literalText(slot: number): string;
  readonly parameters: BoundParameters;
  readonly intermediate: readonly IntermediateRun[];
};

export type LearnOutcome =
  | { readonly kind: 'learned'; readonly statement: LearnedStatement }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/**
 * Asks one server, which must have all the tables, about the client's statement, unless `known`
 * says it, and about those `results` that `known` lacks, each after those that it refers to.
 * `done` is called once; the connection is free then. Returns what a cancel calls.
 */
export function learn(
  connection: ServerConnection,
  request: LearnRequest,
  known: LearnedStatement | null,
  results: readonly number[],
  done: (outcome: LearnOutcome) => void,
): () => void {
  const lesson = new Lesson(connection, request, results, done);
  if (known === null) lesson.askStatement();
  else lesson.askResults(known);
  return () => lesson.cancel();
}

class Lesson {
  readonly #connection: ServerConnection;
  readonly #request: LearnRequest;
  readonly #results: readonly number[];
  readonly #done: (outcome: LearnOutcome) => void;
  #running: Exchange | null = null;
  #isCancelled = false;

  constructor(
    connection: ServerConnection,
    request: LearnRequest,
    results: readonly number[],
    done: (outcome: LearnOutcome) => void,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#results = results;
    this.#done = done;
  }

  /** Whoever cancels is not interested in the outcome, which still comes. */
  cancel(): void {
    this.#isCancelled = true;
    if (this.#running !== null) this.#connection.cancel(this.#running);
  }

  askStatement(): void {
    const { statementText, parameters } = this.#request;
    const statement = { text: statementText, parameterOids: parameters.typeOids };
    this.#running = describeStatement(this.#connection, statement, (outcome) => {
      this.#running = null;
      if (outcome.kind === 'failed') {
        this.#fail(outcome.error);
        return;
      }
      const { parameterOids, columns } = outcome.description;
      if (parameterOids.length !== parameters.values.length) {
        this.#fail(wrongParameterCount(parameters.values.length, parameterOids.length));
        return;
      }
      this.askResults({ parameterOids, columns: columns ?? [], results: new Map() });
    });
  }

  /** One after the other: a result's columns may depend on those before it. */
  askResults(statement: LearnedStatement): void {
    const next = this.#results.find((number) => !statement.results.has(number));
    if (next === undefined) {
      this.#done({ kind: 'learned', statement });
      return;
    }
    const result = this.#request.intermediate[next];
    assert(result !== undefined, 'results are counted from 0');
    this.#askColumns(statement, result, (columns) => {
      statement.results.set(next, columns);
      this.askResults(statement);
    });
  }

  #askColumns(
    statement: LearnedStatement,
    { columns, whole }: IntermediateRun,
    learned: (columns: readonly ResultColumn[]) => void,
  ): void {
    const query = orError(() => this.#withoutValues(statement, whole));
    if (this.#isCancelled || query instanceof PgError) {
      this.#fail(query instanceof PgError ? query : cancelled());
      return;
    }
    const asked = { text: query.sql, parameterOids: query.typeOids };
    this.#running = describeStatement(this.#connection, asked, (outcome) => {
      this.#running = null;
      if (outcome.kind === 'failed') {
        this.#fail(outcome.error);
        return;
      }
      const fields = outcome.description.columns ?? [];
      if (fields.length !== columns.length) {
        this.#fail(otherColumnCount(columns, fields.length));
        return;
      }
      const question = { ...query, sql: columnQuestion(query.sql, fields) };
      this.#running = askRows(this.#connection, question, (answer) => {
        this.#running = null;
        if (answer.kind === 'failed') {
          this.#fail(answer.error);
          return;
        }
        const answered = orError(() => answeredColumns(columns, fields, answer.rows));
        if (answered instanceof PgError) this.#fail(answered);
        else learned(answered);
      });
    });
  }

  /** The client's values make no difference to types. */
  #withoutValues(statement: LearnedStatement, whole: IntermediateRun['whole']): BoundQuery {
    const request = this.#request;
    const results = request.intermediate.map((_, number): GatheredResult | null => {
      const columns = statement.results.get(number);
      return columns === undefined ? null : { columns, arrays: null };
    });
    const values = request.parameters.values.map(() => null);
    const source = {
      statementText: request.statementText,
      literalText: (slot: number) => request.literalText(slot),
      parameters: { ...request.parameters, values },
      results,
    };
    return boundQuery(whole, source, statement.parameterOids);
  }

  #fail(error: PgError | { readonly frame: Buffer }): void {
    this.#done({ kind: 'failed', error });
  }
}

function wrongParameterCount(sent: number, wanted: number): PgError {
  return new PgError(
    SqlState.protocolViolation,
    `bind message supplies ${sent} parameters, but prepared statement "" requires ${wanted}`,
  );
}

function otherColumnCount(columns: readonly string[], found: number): PgError {
  return new PgError(
    SqlState.datatypeMismatch,
    `an intermediate result has ${found} columns where ${columns.length} were planned`,
    { hint: 'Run the statement again: a table was changed meanwhile.' },
  );
}

/** Never seen: nobody listens to what was cancelled. */
function cancelled(): PgError {
  return new PgError(SqlState.queryCanceled, 'canceling statement due to user request');
}

function orError<Value>(make: () => Value): Value | PgError {
  try {
    return make();
  } catch (error) {
    if (error instanceof PgError) return error;
    throw error;
  }
}
