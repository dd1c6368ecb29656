import { assert } from '../../base/assert.ts';
import type { WriteStep } from '../../planner/plan.ts';
import { writeRoute } from '../../planner/write/write-route.ts';
import type { ShardWrite } from './shard-writes.ts';
import type { WriteRun } from './write-run.ts';
import { type Known, oneWrite, type Steps } from './write-steps.ts';

type CopyStep = Extract<WriteStep, { readonly kind: 'copies' | 'new-copies' }>;

/** A reference table: every shard comes out with the same rows. */
export function copyRows(
  steps: Steps,
  run: WriteRun,
  step: CopyStep,
  known: Known,
  done: (count: number) => void,
): void {
  const { shards, intermediate } = run.target;
  const [home, ...others] = shards;
  assert(home !== undefined, 'the home shard');
  if (others.length === 0) {
    const route = writeRoute({ kind: 'as-received' });
    steps.write(steps.alike([home], route, known), { kind: 'all' }, done);
    return;
  }
  steps.lock(home, step.tables, () => {
    if (step.kind === 'copies') {
      steps.write(steps.alike(shards, step.route, known), { kind: 'first' }, done, {
        lock: step.tables,
      });
      return;
    }
    const names = intermediate.at(-1)?.columns ?? [];
    const number = intermediate.length - 1;
    steps.learnImage({ reader: step.route, number }, (columns, parameterOids) => {
      const [first] = steps.alike([home], step.image, known);
      assert(first !== undefined, 'the home shard');
      steps.writeImage(oneWrite(first), names, columns, (image) => {
        const results = [...known.results];
        results[number] = image;
        const copies = steps.alike(others, step.route, { parameterOids, results });
        writeCopies(steps, copies, step.tables, done);
      });
    });
  });
}

function writeCopies(
  steps: Steps,
  copies: readonly ShardWrite[],
  tables: readonly string[],
  done: (count: number) => void,
): void {
  steps.write(copies, { kind: 'first' }, done, { lock: tables });
}
