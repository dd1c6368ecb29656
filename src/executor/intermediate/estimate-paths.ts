import type { ServerConnection } from '../../backend/server-connection.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { PathRun } from '../target.ts';
import { askRows } from './ask-rows.ts';
import { type BoundQuery, mentions } from './bound-query.ts';
import type { GatherRequest } from './gathering.ts';
import { neededResults, queryOf } from './needed-results.ts';
import type { PathEstimate } from './path-choices.ts';
import { resultsOf } from './query-text.ts';
import { wholeText } from './whole-text.ts';

/** Shards that are asked about one part; the others are taken to be like them. */
const shardsAskedMax = 4;

export type EstimateRequest = Pick<
  GatherRequest,
  'statementText' | 'literalText' | 'parameters' | 'describedOn' | 'acquireToAsk'
> & {
  readonly paths: readonly PathRun[];
  /** Of the client's parameters, complete. */
  readonly parameterOids: readonly number[];
};

export type EstimateOutcome =
  | { readonly kind: 'estimated'; readonly estimates: readonly (PathEstimate | null)[] }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

/** A part that a path collects; rows and bytes of a shard stand for those of `shardsEach`. */
type Question = {
  readonly sql: string;
  readonly shards: readonly ShardId[];
  readonly shardsEach: number;
};

/**
 * Asks servers with EXPLAIN how many rows and bytes each path would collect, with this execution's
 * values. One connection at a time, which has all questions of its shard in one flight. `done` is
 * called once, unless what is returned gives up.
 */
export function estimatePaths(
  request: EstimateRequest,
  done: (outcome: EstimateOutcome) => void,
): () => void {
  const questions = request.paths.map((path) => questionsOf(request, path));
  const byShard = new Map<ShardId, Set<string>>();
  for (const { sql, shards } of questions.flatMap((asked) => asked ?? [])) {
    for (const shard of shards) byShard.set(shard, (byShard.get(shard) ?? new Set()).add(sql));
  }
  const answers = new Map<string, PathEstimate>();
  let stop = () => {};
  let isOver = false;
  const end = (outcome: EstimateOutcome) => {
    if (isOver) return;
    isOver = true;
    done(outcome);
  };
  const ask = ([first, ...rest]: readonly (readonly [ShardId, ReadonlySet<string>])[]) => {
    if (isOver) return;
    if (first === undefined) {
      const estimates = questions.map((asked) => asked && totalOf(asked, answers));
      end({ kind: 'estimated', estimates });
      return;
    }
    const [shard, texts] = first;
    let isWaiting = true;
    const giveUp = request.acquireToAsk(
      shard,
      (connection, release) => {
        isWaiting = false;
        if (isOver) {
          release();
          return;
        }
        const queries = [...texts].map((sql) => bound(request, sql));
        const take = (sql: string, estimate: PathEstimate) =>
          answers.set(key(shard, sql), estimate);
        stop = explainAll(connection, queries, take, (error) => {
          stop = () => {};
          release();
          if (error === null) ask(rest);
          else end({ kind: 'failed', error });
        });
      },
      (error) => {
        isWaiting = false;
        end({ kind: 'failed', error });
      },
    );
    if (isWaiting) stop = giveUp;
  };
  ask([...byShard]);
  return () => {
    isOver = true;
    stop();
  };
}

/** null: a part depends on rows whose types are not known yet. */
function questionsOf(request: EstimateRequest, path: PathRun): readonly Question[] | null {
  const { intermediate } = path;
  const source = {
    statementText: request.statementText,
    literalText: (slot: number) => request.literalText(slot),
  };
  const questions: Question[] = [];
  for (const number of neededResults(intermediate, queryOf(path.root)).rows) {
    const run = intermediate[number];
    const sql = wholeText(intermediate, number, source);
    if (run === undefined || sql === null) return null;
    // Only one server has all tables of a part that reads other parts.
    const isAlone = resultsOf(run.whole).read.size === 0;
    const shards = isAlone ? run.shards.slice(0, shardsAskedMax) : [request.describedOn];
    questions.push({ sql, shards, shardsEach: run.shards.length / shards.length });
  }
  return questions;
}

function totalOf(
  questions: readonly Question[],
  answers: ReadonlyMap<string, PathEstimate>,
): PathEstimate {
  let rows = 0;
  let bytes = 0;
  for (const { sql, shards, shardsEach } of questions) {
    for (const shard of shards) {
      const answer = answers.get(key(shard, sql));
      rows += (answer?.rows ?? 0) * shardsEach;
      bytes += (answer?.bytes ?? 0) * shardsEach;
    }
  }
  return { rows, bytes };
}

function key(shard: ShardId, sql: string): string {
  return `${shard} ${sql}`;
}

function bound({ parameters, parameterOids }: EstimateRequest, sql: string): BoundQuery {
  const uses = parameters.values.map((_, index) => mentions(sql, index + 1));
  return {
    sql,
    typeOids: uses.map((isUsed, index) => (isUsed ? (parameterOids[index] ?? 0) : TypeOid.text)),
    parameters: {
      formats: parameters.formats,
      values: parameters.values.map((value, index) => (uses[index] === true ? value : null)),
    },
    arrays: [],
  };
}

/** Returns what a cancel calls; `done`, with the first error, comes when all have ended. */
function explainAll(
  connection: ServerConnection,
  queries: readonly BoundQuery[],
  take: (sql: string, estimate: PathEstimate) => void,
  done: (error: PgError | { readonly frame: Buffer } | null) => void,
): () => void {
  let open = queries.length;
  let failure: PgError | { readonly frame: Buffer } | null = null;
  const exchanges = queries.map((query) =>
    askRows(connection, { ...query, sql: `EXPLAIN (FORMAT JSON) ${query.sql}` }, (outcome) => {
      if (outcome.kind === 'failed') failure ??= outcome.error;
      else {
        const estimate = readEstimate(outcome.rows.map(([text]) => text ?? '').join('\n'));
        if (estimate instanceof PgError) failure ??= estimate;
        else take(query.sql, estimate);
      }
      open -= 1;
      if (open === 0) done(failure);
    }),
  );
  return () => {
    for (const exchange of exchanges) connection.cancel(exchange);
  };
}

/** Plan Rows and Plan Width of the outermost node; width is in bytes. */
function readEstimate(json: string): PathEstimate | PgError {
  const match = /"Plan Rows":\s*(\d+),\s*"Plan Width":\s*(\d+)/.exec(json);
  if (match === null) {
    return new PgError(SqlState.protocolViolation, 'a server does not estimate a plan in EXPLAIN');
  }
  const rows = Number(match[1]);
  return { rows, bytes: rows * Number(match[2]) };
}
