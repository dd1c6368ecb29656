import type { LeaseRequest } from '../backend/pool.ts';
import type { ServerConnection } from '../backend/server-connection.ts';
import type { SessionSettings } from '../backend/session-settings.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import type { Schema } from '../planner/schema.ts';
import type { SequenceAdvance } from '../planner/sequence-calls.ts';
import {
  decodeErrorFields,
  type ErrorFields,
  encodeErrorResponse,
} from '../protocol/error-response.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { AutocommitRun, type RunOwner } from './autocommit-run.ts';
import type { ClientOutput } from './client-output.ts';
import { neverCommitted, notReplicated } from './commit/commit-errors.ts';
import { questionAbout } from './commit/question-about.ts';
import type { WriteEnd } from './commit/resolved-write.ts';
import { RelayedCopy } from './copy/relayed-copy.ts';
import { OpenCursors } from './cursors/open-cursors.ts';
import type { ExecutorWorld } from './executor-world.ts';
import type { Flight } from './flight.ts';
import { leastLoadedShard } from './least-loaded-shard.ts';
import { lostError } from './lost-error.ts';
import { Relay, type RelayOutcome } from './relay.ts';
import { rerunsMax, runAgain } from './run-again.ts';
import { KeptState } from './session/kept-state.ts';
import { type PlanningSettings, serverDefaults } from './session/planning-settings.ts';
import { releaseLocks } from './session/release-locks.ts';
import type { SessionEvents } from './session/session-events.ts';
import { takeSequenceValues } from './session/take-sequence-values.ts';
import type { TemporaryRelations } from './session/temporary-relations.ts';
import type { PlanningSession } from './statement-planner.ts';
import { lostInTransaction } from './transaction/lost-in-transaction.ts';
import { type ConnectionRequest, Transaction } from './transaction/transaction.ts';

/**
 * Runs one statement after the other for one session. `done(false)` means that the client has been
 * sent an ErrorResponse; an open block is failed then.
 */
export class SessionExecutor implements PlanningSession, RunOwner {
  readonly world: ExecutorWorld;
  readonly user: User;
  readonly output: ClientOutput;
  readonly transaction: Transaction;
  readonly kept: KeptState;
  /** The settings of the connection string, which RESET returns to. */
  readonly startup: SessionSettings;
  readonly session: SessionEvents;
  /** Those of SQL's DECLARE. */
  readonly cursors = new OpenCursors();
  #cancel: (() => void) | null = null;
  #writing = false;
  #isDeadlocked = false;
  #planningFor: SessionSettings | null = null;
  #planning: PlanningSettings = serverDefaults;

  constructor(
    world: ExecutorWorld,
    user: User,
    output: ClientOutput,
    startup: SessionSettings,
    session: SessionEvents,
  ) {
    this.world = world;
    this.session = session;
    this.user = user;
    this.output = output;
    this.startup = startup;
    this.kept = new KeptState(world.servers, session);
    this.transaction = new Transaction(this.kept.reservations, user, startup, world.clock, output);
  }

  get settings(): SessionSettings {
    return this.transaction.settings;
  }

  get meaning(): string {
    return this.#planningSettings().meaning;
  }

  get settingsNumber(): number {
    return this.#planningSettings().settingsNumber;
  }

  get searchPath(): readonly string[] {
    return this.#planningSettings().searchPath;
  }

  get blockSchema(): Schema | null {
    return this.transaction.schema;
  }

  get timeZone(): string | null {
    return this.#planningSettings().timeZone;
  }

  get standardConformingStrings(): boolean {
    return this.#planningSettings().standardConformingStrings;
  }

  get temporary(): TemporaryRelations | null {
    return this.kept.temporary;
  }

  get participants(): ReadonlyMap<ShardId, unknown> {
    return this.transaction.participants;
  }

  get snapshotShard(): ShardId | null {
    return this.transaction.snapshotShard;
  }

  leastLoaded(shards: readonly ShardId[]): ShardId {
    return leastLoadedShard(this.world.servers, shards);
  }

  combineServer(): ShardId | null {
    return this.transaction.block === 'none' ? this.world.servers.combineServer() : null;
  }

  /** A CancelRequest arrived: stops what runs or waits now, if anything does. */
  cancel(): void {
    this.#cancel?.();
  }

  /** Its transaction and others wait for each other: it is the one that fails, with 40P01. */
  breakDeadlock(): void {
    if (this.#cancel === null) return;
    this.#isDeadlocked = true;
    this.#cancel();
  }

  /**
   * The client is gone. As in PostgreSQL a write that runs is finished; what only reads or waits
   * is stopped, and an open transaction is rolled back.
   */
  abandon(): void {
    if (!this.#writing) this.#cancel?.();
    this.transaction.abandon();
    // A COMMIT on its way needs its connections; who reviews them then gives them back.
    if (!this.transaction.isEnding) this.kept.drop();
  }

  /** What cancel() does from now on. */
  cancelWith(cancel: (() => void) | null): void {
    this.#cancel = cancel;
  }

  /** Sends the error to the client and ends the statement. */
  fail(error: PgError | { readonly frame: Buffer }, done: (ok: boolean) => void): void {
    this.#cancel = null;
    this.transaction.fail();
    const frame = 'frame' in error ? error.frame : this.#encode(error);
    const instead = this.#isDeadlocked
      ? insteadOf(decodeErrorFields(frame, 0, frame.length))
      : null;
    this.#isDeadlocked = false;
    if (instead !== null) releaseLocks(this.transaction);
    this.output.push(instead ?? frame);
    done(false);
  }

  #encode(error: PgError): Buffer {
    this.world.telemetry.errorSent(error.sqlState);
    return encodeErrorResponse(error);
  }

  runs(cancel: () => void, writing: boolean): void {
    this.#cancel = cancel;
    this.#writing = writing;
  }

  lease(shard: ShardId, request: LeaseRequest): () => void {
    return this.kept.reservations.lease(shard, request);
  }

  keep(shard: ShardId, connection: ServerConnection): PgError | null {
    return this.kept.reservations.keep(shard, connection, this.kept.holder);
  }

  take(connection: ServerConnection, advances: SequenceAdvance, done: () => void): void {
    // It is the statement's answer, which a cancel cannot undo any more.
    this.#cancel = null;
    takeSequenceValues(this, connection, advances, done);
  }

  withdrawn(done: (ok: boolean) => void): void {
    this.fail(canceled(), done);
  }

  refused(error: PgError, done: (ok: boolean) => void): void {
    this.fail(error, done);
  }

  landed(run: AutocommitRun, outcome: RelayOutcome, connection: ServerConnection): void {
    const { flight, rerunsLeft, whenDone } = run;
    this.#cancel = null;
    this.#writing = false;
    const { withheld } = outcome;
    if (outcome.lost === null && withheld !== null) {
      this.#confirm(connection, withheld, whenDone);
    } else if (outcome.lost === null && outcome.keptFailed) {
      new AutocommitRun(this, flight, rerunsLeft, whenDone, false).start();
    } else if (outcome.lost === null || outcome.errored) {
      whenDone(!outcome.errored);
    } else if (!flight.write && !outcome.forwarded && rerunsLeft > 0) {
      this.later(rerunsLeft, whenDone, () =>
        new AutocommitRun(this, flight, rerunsLeft - 1, whenDone, false).start(),
      );
    } else {
      this.fail(lostError(flight, outcome.lost), whenDone);
    }
  }

  resolved({ flight, rerunsLeft, whenDone }: AutocommitRun, end: WriteEnd): void {
    this.#cancel = null;
    this.#writing = false;
    if (end.kind === 'done') {
      whenDone(end.ok);
    } else if (end.kind === 'failed') {
      this.fail(end.error, whenDone);
    } else if (rerunsLeft === 0) {
      this.fail(neverCommitted(flight.shard, end.cause), whenDone);
    } else {
      this.later(rerunsLeft, whenDone, () =>
        new AutocommitRun(this, flight, rerunsLeft - 1, whenDone, false).start(),
      );
    }
  }

  /** The statement is committed on the primary: the client hears of it when a standby has it, too. */
  #confirm(
    connection: ServerConnection,
    withheld: readonly Buffer[],
    done: (ok: boolean) => void,
  ): void {
    const question = questionAbout(this.world.servers, connection);
    void this.world.askAboutCommit(question).then((outcome) => {
      if (outcome !== 'committed') {
        this.fail(notReplicated(question.shard), done);
        return;
      }
      for (const frame of withheld) this.output.push(frame);
      done(true);
    });
  }

  /** Runs a statement again after a loss, unless it is cancelled before. */
  later(rerunsLeft: number, done: (ok: boolean) => void, run: () => void): void {
    const stop = runAgain(this.world.clock, rerunsLeft, run);
    this.#cancel = () => {
      stop();
      this.fail(canceled(), done);
    };
  }

  succeed(frame: Buffer | null, done: (ok: boolean) => void): void {
    this.#cancel = null;
    this.#isDeadlocked = false;
    if (frame !== null) this.output.push(frame);
    done(true);
  }

  /**
   * Gets a connection for one exchange. While it waits a cancel gives up; a refusal, unless it is
   * taken by `onRefused`, ends the statement with `done(false)`.
   */
  acquire(
    wanted: Pick<ConnectionRequest, 'shard' | 'write' | 'share' | 'rowless'>,
    done: (ok: boolean) => void,
    onConnection: (connection: ServerConnection, release: () => void) => void,
    onRefused: (error: PgError) => void = (error) => this.fail(error, done),
  ): void {
    let waiting = true;
    const giveUp = this.transaction.acquire({
      ...wanted,
      onConnection(connection, release) {
        // Given up while the connection was already being prepared: it stays with the transaction.
        if (!waiting) {
          release();
          return;
        }
        waiting = false;
        onConnection(connection, release);
      },
      onRefused: (error) => {
        if (!waiting) return;
        waiting = false;
        onRefused(error);
      },
    });
    if (!waiting) return;
    this.#cancel = () => {
      waiting = false;
      giveUp();
      this.fail(canceled(), done);
    };
  }

  runFlight(flight: Flight, done: (ok: boolean) => void): void {
    if (this.transaction.block !== 'none') this.#runInBlock(flight, done);
    else new AutocommitRun(this, flight, rerunsMax, done, true).start();
  }

  #runInBlock(flight: Flight, done: (ok: boolean) => void): void {
    const { shard, write, rowless = false } = flight;
    this.acquire({ shard, write, rowless, share: false }, done, (connection, release) => {
      const refusal = flight.reserves === true ? this.keep(shard, connection) : null;
      if (refusal !== null) {
        release();
        this.fail(refusal, done);
        return;
      }
      const startedAt = this.world.clock.now();
      const { messages, script } = flight.build(connection, false);
      const relay = new Relay(connection, {
        output: this.output,
        script,
        shared: false,
        commits: false,
        onCopyIn: () => this.session.copyIn(new RelayedCopy(connection, script !== null)),
        onError: () => this.session.errorPassed(),
        insteadOf: (error) => (this.#isDeadlocked ? insteadOf(error) : null),
        done: (outcome) => {
          this.world.telemetry.shardLatency(shard, this.world.clock.now() - startedAt);
          const land = () => {
            release();
            this.#landedInBlock(flight, outcome, done);
          };
          const { advances } = flight;
          if (advances && !outcome.errored && outcome.lost === null)
            this.take(connection, advances, land);
          else land();
        },
      });
      this.runs(() => connection.cancel(relay), write);
      connection.send(relay, messages);
    });
  }

  /** Read from the settings only when they have changed. */
  #planningSettings(): PlanningSettings {
    const { settings } = this.transaction;
    if (this.#planningFor !== settings) {
      this.#planningFor = settings;
      this.#planning = this.world.planningSettings.of(settings, this.user.serverUser);
    }
    return this.#planning;
  }

  #landedInBlock(flight: Flight, outcome: RelayOutcome, done: (ok: boolean) => void): void {
    this.#cancel = null;
    this.#writing = false;
    if (this.#isDeadlocked && outcome.errored) releaseLocks(this.transaction);
    this.#isDeadlocked = false;
    if (outcome.lost !== null && !outcome.errored) {
      this.fail(lostInTransaction(flight.shard, outcome.lost), done);
      return;
    }
    if (outcome.lost !== null || outcome.errored || outcome.status === 'failed') {
      this.transaction.fail();
    }
    done(outcome.lost === null && !outcome.errored);
  }
}

export function canceled(): PgError {
  return new PgError(SqlState.queryCanceled, 'canceling statement due to user request');
}

/** What a cancel says of a transaction that is deadlocked; null: it is something else. */
function insteadOf(error: ErrorFields): Buffer | null {
  if (error.get('C') !== SqlState.queryCanceled) return null;
  return encodeErrorResponse(
    new PgError(SqlState.deadlockDetected, 'deadlock detected', {
      detail: 'Transactions wait for each other on several shards.',
      hint: 'Run the transaction again.',
    }),
  );
}
