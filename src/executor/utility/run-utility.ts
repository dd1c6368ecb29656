import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import {
  newMistake,
  readBlockCatalogue,
  readBlockRelations,
} from '../../cluster/catalogue/block-catalogue.ts';
import { decodeCommandComplete, encodeCommandComplete } from '../../protocol/command-complete.ts';
import { noData } from '../../protocol/constant-messages.ts';
import { decodeErrorFields } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { acquireInOrder } from '../acquire-in-order.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import type { UtilityTarget } from '../target.ts';
import { endImplicitBlock } from '../transaction/transaction-commands.ts';
import { adoptBlockCatalogue } from './block-schema.ts';
import { adjustNewSequences } from './new-sequences.ts';
import { serverSession } from './server-session.ts';
import { halfDone, onShard, undone } from './shard-report.ts';

type Done = (ok: boolean) => void;

export type UtilityRun = {
  readonly target: UtilityTarget;
  /** As the client wrote it. */
  readonly text: string;
  /** For all shards but the first. */
  readonly elsewhere: string;
  readonly describesPortal: boolean;
};

/**
 * A utility statement on every shard: first on the home shard, so that of two sessions that change
 * the same thing one waits there and not each for the other, then on all others at the same time.
 */
export function runUtility(executor: SessionExecutor, run: UtilityRun, done: Done): void {
  const { how, shards } = run.target;
  const isInBlock = executor.transaction.block !== 'none';
  if (run.describesPortal) executor.output.push(noData);
  if (isInBlock ? how === 'apart' : how === 'in-block') {
    // PostgreSQL says itself that it cannot be.
    const [shard] = shards;
    assert(shard !== undefined, 'a shard to run on');
    const build = () => ({ messages: [encodeQuery(run.text)], script: null });
    executor.runFlight({ shard, write: false, traffic: null, build }, done);
    return;
  }
  new UtilityStatement(executor, run, done).begin();
}

class UtilityStatement {
  readonly #executor: SessionExecutor;
  readonly #run: UtilityRun;
  readonly #done: Done;
  /** `alone`: a transaction of its own; `apart`: one on each shard. */
  readonly #mode: 'block' | 'alone' | 'apart';
  readonly #acquire: ReturnType<typeof acquireInOrder>;
  readonly #running = new Map<ShardId, { connection: ServerConnection; exchange: Exchange }>();
  readonly #giveUps = new Map<ShardId, () => void>();
  readonly #finished: ShardId[] = [];
  readonly #failed: ShardId[] = [];
  /** What the home shard has said, so that the client need not hear it again. */
  readonly #notices = new Set<string>();
  #failure: ShardFailure | null = null;
  #tag = '';
  #waiting = 0;

  constructor(executor: SessionExecutor, run: UtilityRun, done: Done) {
    this.#executor = executor;
    this.#run = run;
    this.#done = done;
    const isInBlock = executor.transaction.block !== 'none';
    this.#mode = isInBlock ? 'block' : run.target.how === 'together' ? 'alone' : 'apart';
    this.#acquire = acquireInOrder(executor, { write: true, rowless: true });
  }

  begin(): void {
    const { executor, first } = this.#parts();
    if (this.#mode === 'alone') executor.transaction.beginImplicit();
    executor.runs(() => this.#cancel(), true);
    this.#waiting = 1;
    this.#start(first, this.#run.text, (connection) => this.#firstDone(connection));
  }

  #parts() {
    const { shards } = this.#run.target;
    const [first, ...others] = shards;
    assert(first !== undefined, 'a shard to run on');
    return { executor: this.#executor, first, others };
  }

  /** `ready`, when given, is called before the connection is given back. */
  #start(
    shard: ShardId,
    text: string,
    ready: (connection: ServerConnection) => void = () => this.#settle(),
  ): void {
    const giveUp = this.#acquire(
      shard,
      (connection, release) => {
        this.#giveUps.delete(shard);
        if (this.#failure !== null) {
          release();
          this.#ended();
          return;
        }
        const exchange = internalExchange(
          (outcome) => {
            this.#running.delete(shard);
            if (outcome.kind === 'ready') this.#finished.push(shard);
            else {
              this.#failed.push(shard);
              const failure = outcome.kind === 'error' ? { frame: outcome.frame } : outcome.error;
              this.#note(shard, failure);
            }
            this.#waiting -= 1;
            if (outcome.kind === 'ready' && this.#failure === null) ready(connection);
            else this.#settle();
            release();
          },
          (code, chunk, start, end) => this.#onFrame(shard, code, chunk, start, end),
        );
        this.#running.set(shard, { connection, exchange });
        connection.send(exchange, [encodeQuery(text)]);
      },
      (error) => {
        this.#giveUps.delete(shard);
        this.#note(shard, error);
        this.#ended();
      },
    );
    if (!this.#running.has(shard)) this.#giveUps.set(shard, giveUp);
  }

  #onFrame(shard: ShardId, code: number, chunk: Buffer, start: number, end: number): void {
    const isFirst = shard === this.#parts().first;
    if (code === BackendCode.commandComplete && isFirst) {
      this.#tag = decodeCommandComplete(chunk, start, end);
    }
    if (code !== BackendCode.noticeResponse) return;
    const fields = decodeErrorFields(chunk, start, end);
    const text = `${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`;
    if (this.#notices.has(text)) return;
    this.#notices.add(text);
    this.#executor.output.write(chunk, start, end);
  }

  #firstDone(connection: ServerConnection): void {
    const { others } = this.#parts();
    const { changesSchema } = this.#run.target;
    if (!changesSchema || this.#mode === 'apart') {
      this.#others(others);
      return;
    }
    this.#check(serverSession(connection))
      .then(() => this.#others(others))
      .catch((error: unknown) => this.#caught(error));
  }

  /** Rejects when the statement has brought what cannot hold over shards. */
  async #check(session: ReturnType<typeof serverSession>): Promise<void> {
    const { executor, first } = this.#parts();
    const { catalogue: base, planner } = executor.world;
    const { shardMap } = planner;
    const isPlannedBy = this.#mode === 'block' && first === shardMap.home;
    const block = isPlannedBy ? await readBlockCatalogue(session, base) : null;
    const mistake = newMistake(base, block ?? (await readBlockRelations(session, base)), shardMap);
    if (mistake !== null) {
      throw new PgError(
        SqlState.featureNotSupported,
        `table ${mistake.table} cannot be sharded so: ${mistake.message}`,
        { hint: `${capital(mistake.remedy)}.` },
      );
    }
    if (block !== null) adoptBlockCatalogue(executor, block);
  }

  #caught(error: unknown): void {
    assert(error instanceof PgError, 'servers fail with PgErrors');
    this.#note(this.#parts().first, error);
    this.#settle();
  }

  #others(shards: readonly ShardId[]): void {
    this.#waiting = shards.length;
    for (const shard of shards) this.#start(shard, this.#run.elsewhere);
    this.#settle();
  }

  #cancel(): void {
    const { first } = this.#parts();
    if (this.#running.size === 0) this.#note(first, canceled());
    for (const giveUp of this.#giveUps.values()) giveUp();
    this.#waiting -= this.#giveUps.size;
    if (this.#giveUps.size > 0) this.#note(first, canceled());
    this.#giveUps.clear();
    for (const { connection, exchange } of this.#running.values()) connection.cancel(exchange);
    this.#settle();
  }

  /** The first failure counts; the rest is stopped, unless each shard is on its own. */
  #note(shard: ShardId, failure: ShardFailure): void {
    if (this.#failure !== null) return;
    const isFirst = shard === this.#parts().first;
    this.#failure = isFirst ? failure : onShard(failure, shard);
    if (this.#mode === 'apart') return;
    for (const { connection, exchange } of this.#running.values()) connection.cancel(exchange);
  }

  #ended(): void {
    this.#waiting -= 1;
    this.#settle();
  }

  #settle(): void {
    if (this.#waiting > 0) return;
    this.#waiting = Number.POSITIVE_INFINITY;
    if (this.#failure !== null) this.#fail(this.#failure);
    else if (this.#mode === 'block') this.#completeInBlock();
    else this.#complete();
  }

  #complete(): void {
    const { executor } = this.#parts();
    const { changesSchema } = this.#run.target;
    const succeed = () => executor.succeed(encodeCommandComplete(this.#tag), this.#done);
    if (this.#mode === 'alone') {
      if (changesSchema) executor.transaction.noteSchemaChange();
      endImplicitBlock(executor, (ok) => (ok ? succeed() : this.#done(false)));
    } else if (changesSchema) executor.world.schemaChanged().then(succeed, succeed);
    else succeed();
  }

  #completeInBlock(): void {
    const { executor } = this.#parts();
    const succeed = () => executor.succeed(encodeCommandComplete(this.#tag), this.#done);
    if (!this.#run.target.changesSchema) {
      succeed();
      return;
    }
    executor.transaction.noteSchemaChange();
    adjustNewSequences(executor).then(succeed, succeed);
  }

  #fail(failure: ShardFailure): void {
    const { executor } = this.#parts();
    const { target } = this.#run;
    if (this.#mode === 'block') {
      executor.fail(failure, this.#done);
      return;
    }
    if (this.#mode === 'alone') {
      executor.fail(undone(failure), () => {
        endImplicitBlock(executor, () => this.#done(false));
      });
      return;
    }
    const untried = target.shards.filter(
      (shard) => !this.#finished.includes(shard) && !this.#failed.includes(shard),
    );
    const progress = { done: this.#finished, failed: this.#failed, untried };
    const isPartial = this.#finished.length > 0 || target.changesSchema;
    const error = isPartial ? halfDone(failure, progress, target.remedy) : failure;
    const fail = () => executor.fail(error, this.#done);
    if (target.changesSchema) executor.world.schemaChanged().then(fail, fail);
    else fail();
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
