import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { isCombineId } from '../../config/combine-id.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type {
  MultiShardCursor,
  MultiShardSelect,
  OpenMultiShardSelect,
} from '../select/multi-shard-select.ts';
import type { IntermediateRun } from '../target.ts';
import { CollectedRows } from './collected-rows.ts';
import { valueReaders } from './exact-values.ts';
import { GatherBudget } from './gather-budget.ts';
import { learn } from './learn.ts';
import type { LearnedStatement, LearnedStatements } from './learned-statements.ts';
import { type NeededResults, neededResults, queryOf } from './needed-results.ts';
import { openResult, type ResultEvents } from './open-result.ts';
import { resultsOf } from './query-text.ts';
import type { GatheredResult } from './result-column.ts';
import { mayRunElsewhere } from './run-elsewhere.ts';
import { StyleCheck, textStyles } from './text-styles.ts';

type Acquire = MultiShardSelect['acquire'];

export type GatherRequest = Pick<
  MultiShardSelect,
  | 'root'
  | 'statementText'
  | 'literalText'
  | 'parameters'
  | 'inTransaction'
  | 'mergeBytesMax'
  | 'acquire'
> & {
  /** In order; those that the query of `root` needs are gathered. */
  readonly intermediate: readonly IntermediateRun[];
  /** Results that are here already. */
  readonly given?: readonly (GatheredResult | null)[];
  /** A server that has all the tables of the statement. */
  readonly describedOn: ShardId;
  /** Like `acquire`, for a question about types, which takes no snapshot. */
  readonly acquireToAsk: Acquire;
  /** As in PlanningSession. */
  combineServer(): ShardId | null;
  readonly learned: LearnedStatements;
  readonly telemetry: Telemetry;
  /** From the configuration: bytes of all results together. */
  readonly gatherBytesMax: number;
  readonly open: OpenMultiShardSelect;
};

/** What the statement's last query is to be run with. */
export type Gathered = {
  readonly results: readonly (GatheredResult | null)[];
  /** Of the client's parameters, complete. */
  readonly parameterOids: readonly number[];
  /** Of the client's own text. */
  readonly description: readonly FieldDescription[];
  /** Like the request's, refusing servers that would misread the results, or answer differently. */
  readonly acquire: Acquire;
};

export type GatherEvents = {
  gathered(gathered: Gathered): void;
  /** Instead of it; the connections are as after a cursor that failed. */
  failed(error: PgError | { readonly frame: Buffer }): void;
  /** Valid in the call. */
  notice(frame: Buffer): void;
};

/** Hears what it takes. */
export type GatherWatcher = {
  shardBegun(result: number, shard: ShardId): void;
  shardEnded(
    result: number,
    shard: ShardId,
    received: { readonly rows: number; readonly bytes: number },
  ): void;
  collected(result: number, size: { readonly rows: number; readonly bytes: number }): void;
};

/** At the same time, because each of them takes a connection of every shard it reads. */
const gathersMax = 2;

/**
 * Runs the intermediate results that a query needs and keeps their rows as text; what types they
 * have is asked once per plan. Outside of transactions results that do not wait for each other are
 * gathered at the same time. Nothing is sent before it begins.
 */
export class Gathering {
  readonly #request: GatherRequest;
  readonly #events: GatherEvents;
  readonly #watcher: GatherWatcher | null;
  readonly #needed: NeededResults;
  readonly #budget: GatherBudget;
  #results: (GatheredResult | null)[];
  readonly #running = new Map<number, MultiShardCursor>();
  /** Gives up the question about types. */
  #stop: () => void = () => {};
  #isOver = false;

  constructor(request: GatherRequest, events: GatherEvents, watcher: GatherWatcher | null = null) {
    this.#request = request;
    this.#events = events;
    this.#watcher = watcher;
    this.#needed = neededResults(request.intermediate, queryOf(request.root), request.given);
    this.#budget = new GatherBudget(request.gatherBytesMax);
    const { given = [] } = request;
    this.#results = request.intermediate.map((_, number) => given[number] ?? null);
  }

  /** All of it. */
  begin(): void {
    this.learn((statement) => {
      const columns = this.#needed.rows.flatMap((number) => statement.results.get(number) ?? []);
      this.#gatherMore(statement, new StyleCheck(textStyles(columns)));
    });
  }

  /** Only what the types are. */
  learn(learned: (statement: LearnedStatement) => void): void {
    const { root, parameters, learned: memory } = this.#request;
    const known = memory.find(root, parameters.typeOids);
    if (known !== null && this.#needed.columns.every((number) => known.results.has(number))) {
      learned(known);
      return;
    }
    this.#ask(known, (statement) => {
      memory.keep(root, parameters.typeOids, statement);
      learned(statement);
    });
  }

  /** Stops what runs; no event follows. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stop();
    for (const cursor of this.#running.values()) cursor.close();
    this.#running.clear();
  }

  #ask(known: LearnedStatement | null, answered: (statement: LearnedStatement) => void): void {
    const { describedOn, acquireToAsk } = this.#request;
    let isWaiting = true;
    const giveUp = acquireToAsk(
      describedOn,
      (connection, release) => {
        isWaiting = false;
        if (this.#isOver) {
          release();
          return;
        }
        const { columns } = this.#needed;
        this.#stop = learn(connection, this.#request, known, columns, (outcome) => {
          this.#stop = () => {};
          release();
          if (this.#isOver) return;
          if (outcome.kind === 'failed') this.#fail(outcome.error);
          else answered(outcome.statement);
        });
      },
      (error) => {
        isWaiting = false;
        this.#stop = () => {};
        this.#fail(error);
      },
    );
    if (isWaiting) this.#stop = giveUp;
  }

  /** Begins what can begin now; ends when there is nothing more. */
  #gatherMore(statement: LearnedStatement, check: StyleCheck): void {
    const { rows } = this.#needed;
    const runningMax = this.#request.inTransaction ? 1 : gathersMax;
    for (const number of rows) {
      if (this.#running.size >= runningMax) return;
      if (this.#isReady(number)) this.#gather(number, statement, check);
      if (this.#isOver) return;
    }
    if (rows.every((number) => this.#isHere(number))) this.#finish(statement, check);
  }

  #isHere(number: number): boolean {
    return (this.#results[number] ?? null) !== null;
  }

  #isReady(number: number): boolean {
    if (this.#isHere(number) || this.#running.has(number)) return false;
    const run = this.#request.intermediate[number];
    assert(run !== undefined, 'results are counted from 0');
    return [...resultsOf(queryOf(run.root)).read].every((other) => this.#isHere(other));
  }

  #gather(number: number, statement: LearnedStatement, check: StyleCheck): void {
    const run = this.#request.intermediate[number];
    assert(run !== undefined, 'results are counted from 0');
    const server = run.combines ? this.#request.combineServer() : null;
    const gatherOn = (shards: readonly ShardId[], failed: ResultEvents['failed']) =>
      this.#gatherOn(number, { ...run, shards }, { statement, check }, failed);
    const failed: ResultEvents['failed'] = (error) => this.#fail(error);
    if (server === null) gatherOn(run.shards, failed);
    else {
      gatherOn([server], (error) => {
        if (mayRunElsewhere(error)) gatherOn(run.shards, failed);
        else failed(error);
      });
    }
  }

  #gatherOn(
    number: number,
    run: IntermediateRun,
    { statement, check }: { readonly statement: LearnedStatement; readonly check: StyleCheck },
    failed: ResultEvents['failed'],
  ): void {
    const columns = statement.results.get(number);
    assert(columns !== undefined, 'what is gathered is known');
    const rows = new CollectedRows(run.columns, valueReaders(columns), this.#budget);
    const { statementText, inTransaction, mergeBytesMax, open } = this.#request;
    const read = {
      statementText,
      literalText: (slot: number) => this.#request.literalText(slot),
      parameters: { ...this.#request.parameters, typeOids: statement.parameterOids },
      inTransaction,
      mergeBytesMax,
      results: this.#seen(statement),
      acquire: this.#acquire(number, check),
      shardEnded: this.#shardEnded(number),
    };
    const cursor = openResult(open, { run, columns, rows }, read, {
      collected: () => {
        this.#running.delete(number);
        this.#results[number] = { columns, arrays: rows.finish() };
        const size = { rows: rows.rowCount, bytes: rows.bytes };
        this.#request.telemetry.gathered(size);
        this.#watcher?.collected(number, size);
        this.#gatherMore(statement, check);
      },
      failed: (error) => {
        this.#running.delete(number);
        this.#budget.giveBack(rows.bytes);
        failed(error);
      },
      notice: (frame) => this.#events.notice(frame),
    });
    this.#running.set(number, cursor);
    cursor.fetch(0);
  }

  /** What a text may read or name the types of, as it is now. */
  #seen(statement: LearnedStatement): readonly (GatheredResult | null)[] {
    return this.#results.map((gathered, number) => {
      const columns = statement.results.get(number);
      return gathered ?? (columns === undefined ? null : { columns, arrays: null });
    });
  }

  #finish(statement: LearnedStatement, check: StyleCheck): void {
    this.#isOver = true;
    const results = this.#seen(statement);
    // They are whose they are handed to; this lives on in `acquire`.
    this.#results = [];
    this.#events.gathered({
      results,
      parameterOids: statement.parameterOids,
      description: statement.columns,
      acquire: this.#acquire(null, check),
    });
  }

  #fail(error: PgError | { readonly frame: Buffer }): void {
    if (this.#isOver) return;
    this.close();
    this.#request.learned.forget(this.#request.root);
    this.#events.failed(error);
  }

  #shardEnded(number: number): NonNullable<MultiShardSelect['shardEnded']> {
    return (shard, received) => this.#watcher?.shardEnded(number, shard, received);
  }

  /** `number` null: for the last query. */
  #acquire(number: number | null, check: StyleCheck): Acquire {
    return (shard, onConnection, onRefused) =>
      this.#request.acquire(
        shard,
        (connection: ServerConnection, release) => {
          const { parameters } = connection;
          const error =
            check.errorOf(parameters) ??
            (isCombineId(shard) && !check.isLikeFirst(parameters)
              ? answersDifferently(shard)
              : null);
          if (error !== null) {
            release();
            onRefused(error);
            return;
          }
          if (number !== null) this.#watcher?.shardBegun(number, shard);
          onConnection(connection, release);
        },
        onRefused,
      );
  }
}

function answersDifferently(shard: ShardId): PgError {
  return new PgError(
    SqlState.objectNotInPrerequisiteState,
    `the server ${shard} has other settings than the shards`,
  );
}
