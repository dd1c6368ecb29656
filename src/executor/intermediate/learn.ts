import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import { describeStatement, type StatementDescription } from '../describe-statement.ts';
import type { BoundParameters } from '../select/multi-shard-select.ts';
import type { IntermediateRun } from '../target.ts';
import { askRows } from './ask-rows.ts';
import { type BoundQuery, mentions } from './bound-query.ts';
import {
  answeredColumns,
  type ColumnDraft,
  columnQuestion,
  completeColumns,
  modifierQuestion,
} from './column-question.ts';
import type { LearnedStatement } from './learned-statements.ts';
import type { ResultColumn } from './result-column.ts';
import { wholeText } from './whole-text.ts';

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
 * says it, and about those `results` that `known` lacks. All that can be asked leaves in one flight:
 * what depends on answers is in the next one (types with modifiers, results that read parameters
 * of unknown types). `done` is called once; the connection is free then. Returns what a cancel calls.
 */
export function learn(
  connection: ServerConnection,
  request: LearnRequest,
  known: LearnedStatement | null,
  results: readonly number[],
  done: (outcome: LearnOutcome) => void,
): () => void {
  const lesson = new Lesson(connection, request, known, results, done);
  lesson.askMore();
  return () => lesson.cancel();
}

type Failure = PgError | { readonly frame: Buffer };
type Rows = readonly (readonly (string | null)[])[];

class Lesson {
  readonly #connection: ServerConnection;
  readonly #request: LearnRequest;
  readonly #done: (outcome: LearnOutcome) => void;
  #statement: Pick<LearnedStatement, 'parameterOids' | 'columns'> | null;
  readonly #learned: Map<number, readonly ResultColumn[]>;
  readonly #missing: Set<number>;
  /** Results of whose columns some lack a modifier. */
  readonly #drafts = new Map<number, readonly ColumnDraft[]>();
  /** Of this flight, those that have not ended. */
  readonly #running = new Set<Exchange>();
  /** The first. */
  #failure: Failure | null = null;

  constructor(
    connection: ServerConnection,
    request: LearnRequest,
    known: LearnedStatement | null,
    results: readonly number[],
    done: (outcome: LearnOutcome) => void,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#done = done;
    this.#statement = known;
    this.#learned = new Map(known?.results);
    this.#missing = new Set(results.filter((number) => !this.#learned.has(number)));
  }

  /** Whoever cancels is not interested in the outcome, which still comes. */
  cancel(): void {
    this.#failure ??= cancelled();
    for (const exchange of this.#running) this.#connection.cancel(exchange);
  }

  /** The next flight; or nothing is left to ask. */
  askMore(): void {
    const questions = this.#failure === null ? this.#questions() : [];
    if (this.#failure !== null) this.#done({ kind: 'failed', error: this.#failure });
    else if (questions.length > 0) for (const ask of questions) ask();
    else {
      assert(this.#statement !== null && this.#missing.size === 0, 'all questions were asked');
      const statement = { ...this.#statement, results: this.#learned };
      this.#done({ kind: 'learned', statement });
    }
  }

  #questions(): readonly (() => void)[] {
    const questions: (() => void)[] = [];
    if (this.#statement === null) questions.push(() => this.#askStatement());
    const drafts = [...this.#drafts];
    if (drafts.length > 0) questions.push(() => this.#askModifiers(drafts));
    for (const number of this.#missing) {
      if (this.#drafts.has(number)) continue;
      const query = this.#queryOf(number);
      if (query !== null) questions.push(() => this.#askColumns(number, query));
    }
    return questions;
  }

  #askStatement(): void {
    const { statementText, parameters } = this.#request;
    const statement = { text: statementText, parameterOids: parameters.typeOids };
    this.#describe(statement, ({ parameterOids, columns }) => {
      if (parameterOids.length !== parameters.values.length) {
        throw wrongParameterCount(parameters.values.length, parameterOids.length);
      }
      this.#statement = { parameterOids, columns: columns ?? [] };
    });
  }

  #askColumns(number: number, query: BoundQuery): void {
    const { columns } = this.#resultOf(number);
    let fields: NonNullable<StatementDescription['columns']> = [];
    this.#describe({ text: query.sql, parameterOids: query.typeOids }, (description) => {
      fields = description.columns ?? [];
      if (fields.length !== columns.length) throw otherColumnCount(columns, fields.length);
    });
    this.#askRows({ ...query, sql: columnQuestion(query.sql, columns.length) }, (rows) => {
      const drafts = answeredColumns(columns, fields, rows);
      const isComplete = drafts.every(({ modified }) => modified === null);
      if (isComplete) this.#complete(number, completeColumns(drafts, []));
      else this.#drafts.set(number, drafts);
    });
  }

  #askModifiers(drafts: readonly (readonly [number, readonly ColumnDraft[]])[]): void {
    const modified = drafts.flatMap(([, columns]) =>
      columns.flatMap((draft) => (draft.modified === null ? [] : [draft.modified])),
    );
    const parameters = { formats: [], values: [] };
    const sql = modifierQuestion(modified);
    this.#askRows({ sql, typeOids: [], parameters, arrays: [] }, (rows) => {
      let from = 0;
      for (const [number, columns] of drafts) {
        const count = columns.filter((draft) => draft.modified !== null).length;
        this.#complete(number, completeColumns(columns, rows.slice(from, from + count)));
        from += count;
      }
    });
  }

  #complete(number: number, columns: readonly ResultColumn[]): void {
    this.#learned.set(number, columns);
    this.#missing.delete(number);
    this.#drafts.delete(number);
  }

  /** Without the client's values, which make no difference to types; null: it must wait. */
  #queryOf(number: number): BoundQuery | null {
    const { intermediate, parameters, statementText } = this.#request;
    const results = intermediate.map((_, other) => {
      const columns = this.#learned.get(other);
      return columns === undefined ? null : { columns, arrays: null };
    });
    const literalText = (slot: number) => this.#request.literalText(slot);
    const sql = wholeText(intermediate, number, { statementText, literalText, results });
    if (sql === null) return null;
    const known = this.#statement?.parameterOids ?? parameters.typeOids;
    const typeOids = parameters.values.map((_, index) =>
      mentions(sql, index + 1) ? (known[index] ?? 0) : TypeOid.text,
    );
    if (this.#statement === null && typeOids.includes(0)) return null;
    const values = parameters.values.map(() => null);
    return { sql, typeOids, parameters: { formats: parameters.formats, values }, arrays: [] };
  }

  #resultOf(number: number): IntermediateRun {
    const result = this.#request.intermediate[number];
    assert(result !== undefined, 'results are counted from 0');
    return result;
  }

  #describe(
    statement: { readonly text: string; readonly parameterOids: readonly number[] },
    take: (description: StatementDescription) => void,
  ): void {
    const exchange = describeStatement(this.#connection, statement, (outcome) => {
      if (outcome.kind === 'failed') this.#ended(exchange, outcome.error);
      else
        this.#ended(
          exchange,
          this.#taken(() => take(outcome.description)),
        );
    });
    this.#running.add(exchange);
  }

  #askRows(query: BoundQuery, take: (rows: Rows) => void): void {
    const exchange = askRows(this.#connection, query, (outcome) => {
      if (outcome.kind === 'failed') this.#ended(exchange, outcome.error);
      else
        this.#ended(
          exchange,
          this.#taken(() => take(outcome.rows)),
        );
    });
    this.#running.add(exchange);
  }

  /** After a failure answers are not looked at: they may follow from it. */
  #taken(take: () => void): PgError | null {
    if (this.#failure !== null) return null;
    try {
      take();
      return null;
    } catch (error) {
      if (error instanceof PgError) return error;
      throw error;
    }
  }

  #ended(exchange: Exchange, failure: Failure | null): void {
    this.#failure ??= failure;
    this.#running.delete(exchange);
    if (this.#running.size === 0) this.askMore();
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
