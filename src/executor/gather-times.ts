import type { Clock } from '../base/clock.ts';
import { isCombineId } from '../config/combine-id.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { GatherWatcher } from './intermediate/gathering.ts';
import type { IntermediateRun } from './target.ts';

/** Rows, bytes and time of each result on each shard, as lines. */
export class GatherTimes implements GatherWatcher {
  readonly #clock: Clock;
  readonly #intermediate: readonly IntermediateRun[];
  readonly #begun = new Map<string, number>();
  readonly #shardLines = new Map<number, string[]>();
  readonly lines: string[] = [];

  constructor(clock: Clock, intermediate: readonly IntermediateRun[]) {
    this.#clock = clock;
    this.#intermediate = intermediate;
  }

  shardBegun(result: number, shard: ShardId): void {
    this.#begun.set(`${result} ${shard}`, this.#clock.now());
  }

  shardEnded(result: number, shard: ShardId, received: { rows: number; bytes: number }): void {
    const now = this.#clock.now();
    const took = now - (this.#begun.get(`${result} ${shard}`) ?? now);
    const lines = this.#shardLines.get(result) ?? [];
    const name = isCombineId(shard) ? shard : `Shard ${shard}`;
    lines.push(`  ${name}: ${sizes(received)}, ${took.toFixed(3)} ms`);
    this.#shardLines.set(result, lines);
  }

  collected(result: number, gathered: { readonly rows: number; readonly bytes: number }): void {
    const names = this.#intermediate[result]?.columns.join(', ') ?? '';
    this.lines.push(`Intermediate result ${result} (${names}): ${sizes(gathered)}`);
    this.lines.push(...(this.#shardLines.get(result) ?? []));
  }
}

function sizes({ rows, bytes }: { readonly rows: number; readonly bytes: number }): string {
  return `${rows} ${rows === 1 ? 'row' : 'rows'}, ${bytes} bytes`;
}
