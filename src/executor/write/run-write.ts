import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { safeWrites } from '../../planner/commands/setting-limits.ts';
import type { RouteNode } from '../../planner/plan.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { type Gathered, Gathering, type GatherWatcher } from '../intermediate/gathering.ts';
import { neededResults, queryOf } from '../intermediate/needed-results.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import type { PartRun } from '../target.ts';
import { endImplicitBlock } from '../transaction/transaction-commands.ts';
import { changeKeys } from './change-keys.ts';
import { copyRows } from './copy-rows.ts';
import { advances, gatherRequest } from './gather-request.ts';
import { lostWhileWriting } from './lost-while-writing.ts';
import { isPlainStep, plannedWrites } from './planned-writes.ts';
import type { WriteRun } from './write-run.ts';
import { type Known, type PlannedWrites, type Steps, WriteSteps } from './write-steps.ts';
import { writeTag } from './write-tag.ts';

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
  const tagged = (count: number) => {
    if (run.returning !== null) done(true);
    else executor.succeed(encodeCommandComplete(writeTag(run.command, count)), done);
  };
  new WriteStatement(executor, run, done, {
    steps: (steps) => steps,
    watcher: null,
    tagged,
  }).begin();
}

/** How a write is done, and what is done when it has been. */
export type WriteManner = {
  steps(steps: WriteSteps): Steps;
  readonly watcher: GatherWatcher | null;
  /** All is written, and committed if the transaction is the statement's own. */
  tagged(count: number): void;
};

export class WriteStatement {
  readonly #executor: SessionExecutor;
  readonly #run: WriteRun;
  readonly #done: Done;
  readonly #manner: WriteManner;
  readonly #isAlone: boolean;
  readonly #steps: Steps;
  #gathering: Gathering | null = null;
  #isOver = false;

  /** `done(false)`: the client has been sent an error. */
  constructor(executor: SessionExecutor, run: WriteRun, done: Done, manner: WriteManner) {
    this.#executor = executor;
    this.#run = run;
    this.#done = done;
    this.#manner = manner;
    this.#isAlone = executor.transaction.block === 'none';
    this.#steps = manner.steps(new WriteSteps(executor, run, (error) => this.#fail(error)));
  }

  begin(): void {
    const { step, before } = this.#run.target;
    const first =
      step.kind === 'key-change' || step.kind === 'new-copies' ? step.image : step.route;
    // A sequence's values are gone whatever comes of the write. Taken in front of it they need not
    // be committed together with a row of another shard.
    const isBefore = this.#isAlone && before.length === 0 && advances(this.#run, first);
    if (!isBefore) this.#beginAlone();
    this.#executor.runs(() => this.#cancel(), true);
    this.#writeParts(before, [], (given) => {
      this.#gather(first, given, (known) => {
        if (isBefore) this.#beginAlone();
        this.#write(known);
      });
    });
  }

  #beginAlone(): void {
    if (this.#isAlone) this.#executor.transaction.beginImplicit();
  }

  /** One after the other; `done` hears of all results that are here by then. */
  #writeParts(
    parts: readonly PartRun[],
    given: Known['results'],
    done: (given: Known['results']) => void,
  ): void {
    const [part, ...rest] = parts;
    if (part === undefined) {
      done(given);
      return;
    }
    const next = (results: Known['results']) => this.#writeParts(rest, results, done);
    if (part.kind === 'query') this.#gather(part.reader, given, ({ results }) => next(results));
    else {
      const { step, result } = part;
      assert(isPlainStep(step), 'writes in WITH are one round');
      this.#gather(step.route, given, (known) => {
        this.#guarded(() => {
          const writes = plannedWrites(this.#steps, this.#run, { ...part, step }, known);
          if (result === null) this.#steps.writeQuietly(writes.writes, () => next(known.results));
          else this.#keep(writes, result, known, next);
        });
      });
    }
  }

  #keep(
    writes: PlannedWrites,
    { number, reader }: { readonly number: number; readonly reader: RouteNode },
    known: Known,
    done: (results: Known['results']) => void,
  ): void {
    const { intermediate } = this.#run.target;
    const names = intermediate[number]?.columns ?? [];
    this.#steps.learnImage({ reader, number }, (columns) => {
      this.#steps.writeImage(writes, names, columns, (image) => {
        done(intermediate.map((_, at) => (at === number ? image : (known.results[at] ?? null))));
      });
    });
  }

  #write(known: Known): void {
    const { target } = this.#run;
    const { step } = target;
    const complete = (count: number) => this.#complete(count);
    this.#guarded(() => {
      if (isPlainStep(step)) {
        const run = { ...target, step };
        const planned = plannedWrites(this.#steps, this.#run, run, known);
        const { writes, returned, inTurn, lastKey = null } = planned;
        if (lastKey !== null) this.#run.keyGiven(lastKey);
        this.#steps.write(writes, returned, complete, { inTurn });
      } else if (step.kind === 'key-change') {
        changeKeys(this.#steps, this.#run, step, known, complete);
      } else copyRows(this.#steps, this.#run, step, known, complete);
    });
  }

  /** What a row's key or a value says may be an error. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#fail(error);
    }
  }

  /** What the query reads; nothing is asked when it reads nothing and all types are plain. */
  #gather(route: RouteNode, given: Known['results'], gathered: (known: Known) => void): void {
    const { target, values } = this.#run;
    const needed = neededResults(target.intermediate, queryOf(route));
    const isUntyped = values.values.some((_, index) => (values.typeOids[index] ?? 0) === 0);
    const sharesParameters =
      target.before.length > 0 ||
      (target.step.kind === 'listed-rows' && target.step.sharesParameters);
    const needsTypes = isUntyped && sharesParameters;
    if (needed.rows.length === 0 && !needsTypes) {
      gathered({ results: given, parameterOids: values.typeOids });
      return;
    }
    const request = { ...gatherRequest(this.#executor, this.#run, route), given };
    const events = {
      gathered: ({ results, parameterOids }: Gathered) => gathered({ results, parameterOids }),
      failed: (error: ShardFailure) => this.#fail(error),
      notice: (frame: Buffer) => this.#executor.output.write(frame, 0, frame.length),
    };
    this.#gathering = new Gathering(request, events, this.#manner.watcher);
    this.#gathering.begin();
  }

  #complete(count: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isAlone) {
      this.#manner.tagged(count);
      return;
    }
    endImplicitBlock(this.#executor, (ok) => {
      if (ok) this.#manner.tagged(count);
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

/** The session, or the configuration, keeps from changing whole tables by mistake. */
export function unsafe(executor: SessionExecutor, { target, command }: WriteRun): PgError | null {
  if (!target.isUnconditional) return null;
  const { settings, user, world } = executor;
  const value = settings.values.get(safeWrites);
  const isOn =
    value === undefined
      ? (user.safeWrites ?? world.safeWrites)
      : /^'?(?:on|true|yes|1)'?$/i.test(value);
  if (!isOn) return null;
  return new PgError(
    SqlState.objectNotInPrerequisiteState,
    `${command.toUpperCase()} without WHERE over all shards, while ${safeWrites} is on`,
    { hint: `Add a condition (WHERE true for all rows), or SET ${safeWrites} TO off.` },
  );
}
