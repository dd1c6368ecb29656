import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { RouteNode } from '../../planner/plan.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { type Gathered, Gathering } from '../intermediate/gathering.ts';
import { neededResults, queryOf } from '../intermediate/needed-results.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import { endImplicitBlock } from '../transaction-commands.ts';
import { changeKeys } from './change-keys.ts';
import { copyRows } from './copy-rows.ts';
import { advances, gatherRequest } from './gather-request.ts';
import { listedWrites } from './listed-writes.ts';
import { lostWhileWriting } from './lost-while-writing.ts';
import type { ShardWrite } from './shard-writes.ts';
import { splitByKey } from './split-by-key.ts';
import type { WriteRun } from './write-run.ts';
import { type Known, WriteSteps } from './write-steps.ts';

type Done = (ok: boolean) => void;

/**
 * A write over several shards on behalf of a session: in its transaction, or in one of our own that
 * is committed before the client is told that the statement is complete.
 */
export function runWrite(executor: SessionExecutor, run: WriteRun, done: Done): void {
  const refused = unsafe(executor, run);
  if (refused !== null) {
    executor.fail(refused, done);
    return;
  }
  new WriteStatement(executor, run, done).begin();
}

class WriteStatement {
  readonly #executor: SessionExecutor;
  readonly #run: WriteRun;
  readonly #done: Done;
  readonly #isAlone: boolean;
  readonly #steps: WriteSteps;
  #gathering: Gathering | null = null;
  #isOver = false;

  constructor(executor: SessionExecutor, run: WriteRun, done: Done) {
    this.#executor = executor;
    this.#run = run;
    this.#done = done;
    this.#isAlone = executor.transaction.block === 'none';
    this.#steps = new WriteSteps(executor, run, (error) => this.#fail(error));
  }

  begin(): void {
    const { step } = this.#run.target;
    const first =
      step.kind === 'key-change' || step.kind === 'new-copies' ? step.image : step.route;
    // A sequence's values are gone whatever comes of the write. Taken in front of it they need not
    // be committed together with a row of another shard.
    const isBefore = this.#isAlone && advances(this.#run, first);
    if (!isBefore) this.#beginAlone();
    this.#executor.runs(() => this.#cancel(), true);
    this.#gather(first, (known) => {
      if (isBefore) this.#beginAlone();
      this.#write(known);
    });
  }

  #beginAlone(): void {
    if (this.#isAlone) this.#executor.transaction.beginImplicit();
  }

  #write(known: Known): void {
    const { target, values } = this.#run;
    const { step, shards, distribution, changesRows: inTurn } = target;
    const all = { kind: 'all' } as const;
    const complete = (count: number) => this.#complete(count);
    const source = this.#steps.source(known);
    try {
      switch (step.kind) {
        case 'own-rows':
          this.#steps.write(this.#alike(shards, step.route, known), all, complete, { inTurn });
          return;
        case 'listed-rows': {
          assert(distribution !== null, 'rows with keys');
          const { writes, returned } = listedWrites(
            step,
            distribution,
            values,
            source,
            known.parameterOids,
          );
          const waits = inTurn && !target.returnsRows;
          this.#steps.write(writes, waits ? all : returned, complete, { inTurn: waits });
          return;
        }
        case 'collected-rows': {
          assert(distribution !== null, 'rows with keys');
          const parts = splitByKey(known.results, step.key, distribution, values.timeZone);
          const writes = parts.flatMap(({ shard, results }) =>
            this.#alike([shard], step.route, { ...known, results }),
          );
          // Without any row some shard must still say what RETURNING would give.
          const some =
            writes.length === 0 ? this.#alike(shards.slice(0, 1), step.route, known) : writes;
          this.#steps.write(some, all, complete, { inTurn });
          return;
        }
        case 'copies':
        case 'new-copies':
          copyRows(this.#steps, this.#run, step, known, complete);
          return;
        case 'key-change':
          changeKeys(this.#steps, this.#run, step, known, complete);
          return;
        default:
          unreachable(step);
      }
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#fail(error);
    }
  }

  #alike(
    shards: WriteRun['target']['shards'],
    route: RouteNode,
    known: Known,
  ): readonly ShardWrite[] {
    return this.#steps.alike(shards, route, known);
  }

  /** What the query reads; nothing is asked when it reads nothing and all types are plain. */
  #gather(route: RouteNode, gathered: (known: Known) => void): void {
    const { target, values } = this.#run;
    const needed = neededResults(target.intermediate, queryOf(route));
    const isUntyped = values.values.some((_, index) => (values.typeOids[index] ?? 0) === 0);
    const needsTypes =
      isUntyped && target.step.kind === 'listed-rows' && target.step.sharesParameters;
    if (needed.rows.length === 0 && !needsTypes) {
      gathered({ results: [], parameterOids: values.typeOids });
      return;
    }
    this.#gathering = new Gathering(gatherRequest(this.#executor, this.#run, route), {
      gathered: ({ results, parameterOids }: Gathered) => gathered({ results, parameterOids }),
      failed: (error) => this.#fail(error),
      notice: (frame) => this.#executor.output.write(frame, 0, frame.length),
    });
    this.#gathering.begin();
  }

  #complete(count: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { command } = this.#run;
    const tag = tagOf(command, count);
    if (!this.#isAlone) {
      this.#executor.succeed(encodeCommandComplete(tag), this.#done);
      return;
    }
    endImplicitBlock(this.#executor, (ok) => {
      if (ok) this.#executor.succeed(encodeCommandComplete(tag), this.#done);
      else this.#done(false);
    });
  }

  #cancel(): void {
    this.#gathering?.close();
    if (this.#steps.isWriting) this.#steps.stop(canceled());
    else this.#fail(canceled());
  }

  #fail(error: ShardFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#executor.fail(lostWhileWriting(error), (ok) => {
      const isOurs = this.#isAlone && this.#executor.transaction.block !== 'none';
      if (isOurs) endImplicitBlock(this.#executor, () => this.#done(false));
      else this.#done(ok);
    });
  }
}

function tagOf(command: WriteRun['command'], count: number): string {
  switch (command) {
    case 'truncate':
      return 'TRUNCATE TABLE';
    case 'setval':
      return `SELECT ${count}`;
    case 'insert':
      return `INSERT 0 ${count}`;
    case 'update':
    case 'delete':
    case 'merge':
      return `${command.toUpperCase()} ${count}`;
    default:
      return unreachable(command);
  }
}

const safeWrites = 'pgweave.safe_writes';

/** The session has asked to be kept from changing whole tables by mistake. */
function unsafe({ settings }: SessionExecutor, { target, command }: WriteRun): PgError | null {
  if (!target.isUnconditional) return null;
  const value = settings.values.get(safeWrites) ?? 'off';
  if (!/^'?(?:on|true|yes|1)'?$/i.test(value)) return null;
  return new PgError(
    SqlState.objectNotInPrerequisiteState,
    `${command.toUpperCase()} without WHERE over all shards, while ${safeWrites} is on`,
    { hint: `Add a condition (WHERE true for all rows), or SET ${safeWrites} TO off.` },
  );
}
