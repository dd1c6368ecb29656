import type { ShardQuery } from '../../planner/plan.ts';
import { ResultRows } from '../intermediate/result-rows.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { ShardWrite } from './shard-writes.ts';
import type { Steps, WriteSteps } from './write-steps.ts';

type Write = Steps['write'];
type WriteImage = Steps['writeImage'];

/**
 * The steps of a write, each done by EXPLAIN ANALYZE, one shard after the other. A step whose rows
 * the next one needs is done as it is, because that gives no rows: of it servers say what they plan.
 */
export class ExplainedSteps implements Steps {
  readonly executor: SessionExecutor;
  readonly #steps: WriteSteps;
  /** In front of a text. */
  readonly #prefix: string;
  readonly #lines: string[];

  /** `lines`: what is to be told is added to them. */
  constructor(steps: WriteSteps, prefix: string, lines: string[]) {
    this.executor = steps.executor;
    this.#steps = steps;
    this.#prefix = prefix;
    this.#lines = lines;
  }

  get isWriting(): boolean {
    return this.#steps.isWriting;
  }

  stop(...given: Parameters<Steps['stop']>): void {
    this.#steps.stop(...given);
  }

  source(...given: Parameters<Steps['source']>): ReturnType<Steps['source']> {
    return this.#steps.source(...given);
  }

  alike(...given: Parameters<Steps['alike']>): ReturnType<Steps['alike']> {
    return this.#steps.alike(...given);
  }

  write(...[writes, , done, how = {}]: Parameters<Write>): void {
    this.#explain(this.#prefix, writes, how.lock ?? [], () => done(0));
  }

  writeQuietly(...[writes, done]: Parameters<Steps['writeQuietly']>): void {
    this.#explain(this.#prefix, writes, [], done);
  }

  writeImage(...[planned, names, columns, done]: Parameters<WriteImage>): void {
    const { clock } = this.executor.world;
    this.#explain('EXPLAIN ', planned.writes, [], () => {
      const begun = clock.now();
      this.#steps.writeImage(planned, names, columns, (image) => {
        const { count } = new ResultRows(image);
        const took = (clock.now() - begun).toFixed(3);
        this.#lines.push(`  Done: ${count} ${count === 1 ? 'row' : 'rows'}, ${took} ms`);
        done(image);
      });
    });
  }

  learnImage(...given: Parameters<Steps['learnImage']>): void {
    this.#steps.learnImage(...given);
  }

  lock(...given: Parameters<Steps['lock']>): void {
    this.#steps.lock(...given);
  }

  #explain(
    prefix: string,
    [write, ...rest]: readonly ShardWrite[],
    lock: readonly string[],
    done: () => void,
  ): void {
    if (write === undefined) {
      done();
      return;
    }
    this.#steps.readLines(explaining(prefix, write), lock, (lines) => {
      this.#lines.push(`On shard ${write.shard}:`, ...lines.map((line) => `  ${line}`));
      this.#explain(prefix, rest, lock, done);
    });
  }
}

function explaining(prefix: string, write: ShardWrite): ShardWrite {
  const { query } = write.route;
  if (query.kind === 'as-received') {
    const { source } = write;
    return { ...write, source: { ...source, statementText: prefix + source.statementText } };
  }
  const explained: ShardQuery = { kind: 'rewritten', pieces: [prefix, ...query.pieces] };
  return { ...write, route: { ...write.route, query: explained } };
}
