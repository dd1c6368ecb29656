import { assert } from '../../base/assert.ts';
import { GatherTimes } from '../gather-times.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { keyListener } from '../session/take-sequence-values.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { noParameters } from '../statement-run.ts';
import type { WriteTarget } from '../target.ts';
import { ExplainedSteps } from './explained-steps.ts';
import { unsafe, WriteStatement } from './run-write.ts';
import type { WriteRun } from './write-run.ts';

export type AnalyzedWrite = {
  readonly planned: PlannedStatement;
  readonly target: WriteTarget;
  /** EXPLAIN and its options, ANALYZE among them, to be put in front of a text. */
  readonly prefix: string;
};

/**
 * EXPLAIN ANALYZE of a write over several shards, which writes: in the client's transaction, or in
 * one of its own, committed before `answer` hears the lines. `done(false)`: the client has been sent
 * an error.
 */
export function analyzeWrite(
  executor: SessionExecutor,
  { planned, target, prefix }: AnalyzedWrite,
  done: (ok: boolean) => void,
  answer: (lines: readonly string[]) => void,
): void {
  const run = runOf(executor, planned, target);
  const refused = unsafe(executor, run);
  if (refused !== null) {
    executor.fail(refused, done);
    return;
  }
  const lines: string[] = [];
  const watcher = new GatherTimes(executor.world.clock, target.intermediate);
  new WriteStatement(executor, run, done, {
    steps: (steps) => new ExplainedSteps(steps, prefix, lines),
    watcher,
    tagged: () => answer([...watcher.lines, ...lines]),
  }).begin();
}

function runOf(
  executor: SessionExecutor,
  planned: PlannedStatement,
  target: WriteTarget,
): WriteRun {
  const { plan, source } = planned;
  const { timeZone } = executor;
  assert(plan.kind === 'modify', 'only writes are written');
  return {
    target,
    command: plan.command,
    statementText: planned.text,
    literalText: (slot) => planned.literalText(slot),
    values: { text: source.text, literals: source.lexed.literals, timeZone, ...noParameters },
    resultFormats: [],
    wantsDescription: false,
    returning: null,
    describesPortal: false,
    keyGiven: keyListener(executor, plan),
  };
}
