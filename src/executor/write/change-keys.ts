import { assert } from '../../base/assert.ts';
import type { KeyChange } from '../../planner/plan.ts';
import { noData } from '../../protocol/constant-messages.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { ResultRows } from '../intermediate/result-rows.ts';
import type { ShardWrite } from './shard-writes.ts';
import { rowsByOwner } from './split-by-key.ts';
import type { WriteRun } from './write-run.ts';
import { type Known, oneWrite, type Steps } from './write-steps.ts';

type Image = { readonly shard: ShardId; readonly rows: ResultRows };
type Part = { readonly from: ResultRows; readonly rows: readonly number[] };

/**
 * UPDATE of the key: in place on one shard after the other, then the rows that belong elsewhere
 * leave, arrive, and the client gets what RETURNING gives of all.
 */
export function changeKeys(
  steps: Steps,
  run: WriteRun,
  step: KeyChange,
  known: Known,
  done: (count: number) => void,
): void {
  const { shards, intermediate } = run.target;
  const names = intermediate.at(-1)?.columns ?? [];
  const number = intermediate.length - 1;
  steps.learnImage({ reader: step.removal, number }, (columns, parameterOids) => {
    const typed = { ...known, parameterOids };
    const images: Image[] = [];
    const next = (index: number) => {
      const shard = shards[index];
      if (shard === undefined) {
        move(steps, run, step, typed, images, done);
        return;
      }
      const [write] = steps.alike([shard], step.image, typed);
      assert(write !== undefined, 'one shard');
      steps.writeImage(oneWrite(write), names, columns, (image) => {
        images.push({ shard, rows: new ResultRows(image) });
        next(index + 1);
      });
    };
    next(0);
  });
}

function move(
  steps: Steps,
  run: WriteRun,
  step: KeyChange,
  known: Known,
  images: readonly Image[],
  done: (count: number) => void,
): void {
  const { distribution } = run.target;
  assert(distribution !== null, 'rows with keys');
  const leaving = new Map<ShardId, Part[]>();
  const arriving = new Map<ShardId, Part[]>();
  for (const { shard, rows } of images) {
    for (const [owner, numbers] of rowsByOwner(
      rows,
      step.keyColumn,
      distribution,
      run.values.timeZone,
    )) {
      if (owner === shard) continue;
      append(leaving, shard, { from: rows, rows: numbers });
      append(arriving, owner, { from: rows, rows: numbers });
    }
  }
  const withImage = (parts: readonly Part[]): Known => {
    const results = [...known.results];
    results[run.target.intermediate.length - 1] = ResultRows.pick(parts);
    return { ...known, results };
  };
  const writesOf = (moved: ReadonlyMap<ShardId, readonly Part[]>, route: KeyChange['removal']) =>
    [...moved].flatMap(([shard, parts]) => steps.alike([shard], route, withImage(parts)));
  inTurn(steps, [writesOf(leaving, step.removal), writesOf(arriving, step.addition)], () => {
    const all = images.map(({ rows }) => ({ from: rows, rows: everyRow(rows) }));
    const count = images.reduce((total, { rows }) => total + rows.count, 0);
    if (step.returning === null) {
      if (run.describesPortal) steps.executor.output.push(noData);
      done(count);
      return;
    }
    const [first] = images;
    assert(first !== undefined, 'one shard at least');
    const answer = steps.alike([first.shard], step.returning, withImage(all));
    steps.write(answer, { kind: 'all' }, () => done(count));
  });
}

function inTurn(steps: Steps, rounds: readonly (readonly ShardWrite[])[], done: () => void): void {
  const [round, ...rest] = rounds;
  if (round === undefined) done();
  else if (round.length === 0) inTurn(steps, rest, done);
  else steps.writeQuietly(round, () => inTurn(steps, rest, done));
}

function append(parts: Map<ShardId, Part[]>, shard: ShardId, part: Part): void {
  const known = parts.get(shard);
  if (known === undefined) parts.set(shard, [part]);
  else known.push(part);
}

function everyRow({ count }: ResultRows): readonly number[] {
  return Array.from({ length: count }, (_, row) => row);
}
