import { assert } from '../../base/assert.ts';
import type { WriteStep } from '../../planner/plan.ts';
import type { StepRun } from '../target.ts';
import { listedWrites } from './listed-writes.ts';
import { splitByKey } from './split-by-key.ts';
import type { WriteRun } from './write-run.ts';
import type { Known, PlannedWrites, Steps } from './write-steps.ts';

/** Steps that are one round of writes. */
export type PlainStep = Extract<
  WriteStep,
  { readonly kind: 'own-rows' | 'listed-rows' | 'collected-rows' }
>;

export function isPlainStep(step: WriteStep): step is PlainStep {
  return step.kind === 'own-rows' || step.kind === 'listed-rows' || step.kind === 'collected-rows';
}

/** Which shard writes what. Throws a PgError for a key that no shard owns. */
export function plannedWrites(
  steps: Steps,
  { target, values }: WriteRun,
  { step, shards, distribution }: StepRun & { readonly step: PlainStep },
  known: Known,
): PlannedWrites {
  const { changesRows: inTurn, returnsRows } = target;
  const returned = { kind: 'all' } as const;
  if (step.kind === 'own-rows') {
    return { writes: steps.alike(shards, step.route, known), returned, inTurn };
  }
  assert(distribution !== null, 'rows with keys');
  if (step.kind === 'listed-rows') {
    const source = steps.source(known);
    const listed = listedWrites(step, distribution, values, source, known.parameterOids);
    const waits = inTurn && !returnsRows;
    return waits ? { ...listed, returned, inTurn } : { ...listed, inTurn: false };
  }
  const parts = splitByKey(known.results, step.key, distribution, values.timeZone);
  const writes = parts.flatMap(({ shard, results }) =>
    steps.alike([shard], step.route, { ...known, results }),
  );
  // Without any row some shard must still say what RETURNING would give.
  const some = writes.length === 0 ? steps.alike(shards.slice(0, 1), step.route, known) : writes;
  return { writes: some, returned, inTurn };
}
