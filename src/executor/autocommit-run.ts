import type { LeaseRequest } from '../backend/pool.ts';
import type { ServerConnection } from '../backend/server-connection.ts';
import type { SessionSettings } from '../backend/session-settings.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { PgError } from '../base/pg-error.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { ShardServers } from '../cluster/shard-servers.ts';
import type { CommitQuestion } from '../cluster/transactions/commit-question.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { User } from '../config/config.ts';
import type { SequenceAdvance } from '../planner/sequence-calls.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ClientOutput } from './client-output.ts';
import { questionAbout } from './commit/question-about.ts';
import { ResolvedWrite, type WriteEnd } from './commit/resolved-write.ts';
import type { CopyReceiver } from './copy/copy-receiver.ts';
import { RelayedCopy } from './copy/relayed-copy.ts';
import type { Flight } from './flight.ts';
import { Relay, type RelayOptions, type RelayOutcome } from './relay.ts';
import type { ReplyScript } from './reply-script.ts';

/** What a run needs of the executor that it belongs to. */
export type RunOwner = {
  readonly world: {
    readonly clock: Clock;
    readonly telemetry: Telemetry;
    readonly servers: ShardServers;
    readonly resolvesWrites: boolean;
    askAboutCommit(question: CommitQuestion): Promise<TransactionOutcome | null>;
  };
  readonly user: User;
  readonly output: ClientOutput;
  readonly settings: SessionSettings;
  readonly session: { copyIn(receiver: CopyReceiver): void; errorPassed(): void };
  /** As ShardServers.lease. */
  lease(shard: ShardId, request: LeaseRequest): () => void;
  /** Keeps the connection for the session. Not null: why it cannot. */
  keep(shard: ShardId, connection: ServerConnection): PgError | null;
  /** What a cancel does from now on; `writing`: the client's leaving does not stop it. */
  runs(cancel: () => void, writing: boolean): void;
  /** It was given up before it got a connection. */
  withdrawn(done: (ok: boolean) => void): void;
  refused(error: PgError, done: (ok: boolean) => void): void;
  /** Takes down what it has got of sequences. */
  take(connection: ServerConnection, advances: SequenceAdvance, done: () => void): void;
  landed(run: AutocommitRun, outcome: RelayOutcome, connection: ServerConnection): void;
  /** Likewise, of a write in a block of its own. */
  resolved(run: AutocommitRun, end: WriteEnd): void;
};

/**
 * One flight outside of transactions, from the lease of a connection to its landing: the hot path.
 * It is the request to the pool and the relay's options itself, because an object and a closure for
 * each of these steps cost a tenth of the time of a point read (the collector's, mostly).
 */
export class AutocommitRun implements LeaseRequest, RelayOptions {
  readonly flight: Flight;
  readonly rerunsLeft: number;
  readonly whenDone: (ok: boolean) => void;
  readonly mode: 'exclusive' | 'shared';
  readonly #owner: RunOwner;
  readonly #mayKeep: boolean;
  #script: ReplyScript | null = null;
  #connection: ServerConnection | null = null;
  #relay: Relay | null = null;
  #startedAt = 0;
  #isWaiting = true;

  /** `mayKeep`: it runs for the first time, so that statements may be used that servers have kept. */
  constructor(
    owner: RunOwner,
    flight: Flight,
    rerunsLeft: number,
    done: (ok: boolean) => void,
    mayKeep: boolean,
  ) {
    this.#owner = owner;
    this.flight = flight;
    this.rerunsLeft = rerunsLeft;
    this.whenDone = done;
    this.#mayKeep = mayKeep;
    this.mode = !flight.write && flight.traffic?.shareable === true ? 'shared' : 'exclusive';
  }

  get user(): User {
    return this.#owner.user;
  }

  get settings(): SessionSettings {
    return this.#owner.settings;
  }

  get output(): ClientOutput {
    return this.#owner.output;
  }

  get script(): ReplyScript | null {
    return this.#script;
  }

  get commits(): boolean {
    return true;
  }

  get shared(): boolean {
    return this.mode === 'shared';
  }

  start(): void {
    const giveUp = this.#owner.lease(this.flight.shard, this);
    if (!this.#isWaiting) return;
    this.#owner.runs(() => {
      this.#isWaiting = false;
      giveUp();
      this.#owner.withdrawn(this.whenDone);
    }, false);
  }

  onLease(connection: ServerConnection): void {
    if (!this.#isWaiting) {
      this.#release(connection);
      return;
    }
    this.#isWaiting = false;
    const refusal =
      this.flight.reserves === true ? this.#owner.keep(this.flight.shard, connection) : null;
    if (refusal !== null) {
      this.#release(connection);
      this.#owner.refused(refusal, this.whenDone);
      return;
    }
    this.#startedAt = this.#owner.world.clock.now();
    const { messages, script } = this.flight.build(connection, this.#mayKeep && this.shared);
    this.#script = script;
    this.#connection = connection;
    if (this.flight.resolvable === true && this.#owner.world.resolvesWrites) {
      this.#resolve(connection, messages);
      return;
    }
    const relay = new Relay(connection, this);
    this.#relay = relay;
    this.#owner.runs(() => connection.cancel(relay), this.flight.write);
    connection.send(relay, messages);
  }

  #resolve(connection: ServerConnection, messages: readonly Buffer[]): void {
    const { world, output } = this.#owner;
    const write = new ResolvedWrite({
      connection,
      question: questionAbout(world.servers, connection),
      messages,
      script: this.#script,
      output,
      ask: (question) => world.askAboutCommit(question),
      onError: () => this.onError(),
      onLanded: () => {
        world.telemetry.shardLatency(this.flight.shard, world.clock.now() - this.#startedAt);
        if (!this.#takes(connection)) this.#release(connection);
      },
      done: (end) => this.#resolved(connection, end),
    });
    const relay = write.start();
    this.#owner.runs(() => connection.cancel(relay), true);
  }

  /** The connection is kept for the values of sequences. */
  #takes({ alive }: ServerConnection): boolean {
    const { advances } = this.flight;
    return alive && advances !== null && advances !== undefined;
  }

  #resolved(connection: ServerConnection, end: WriteEnd): void {
    const { advances } = this.flight;
    const settle = () => {
      if (this.#takes(connection)) this.#release(connection);
      this.#owner.resolved(this, end);
    };
    const isDone = end.kind === 'done' && end.ok;
    if (advances && isDone) this.#owner.take(connection, advances, settle);
    else settle();
  }

  onRefused(error: PgError): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#owner.refused(error, this.whenDone);
  }

  onCopyIn(): void {
    if (this.#connection === null) return;
    const isExtended = this.#script !== null;
    this.#owner.session.copyIn(new RelayedCopy(this.#connection, isExtended));
  }

  onError(): void {
    this.#owner.session.errorPassed();
  }

  done(outcome: RelayOutcome): void {
    const { clock, telemetry } = this.#owner.world;
    const { shard, traffic } = this.flight;
    const connection = this.#connection;
    assert(connection !== null, 'a relay has a connection');
    const latencyMs = clock.now() - this.#startedAt;
    telemetry.shardLatency(shard, latencyMs);
    traffic?.note(latencyMs, this.#relay?.bytes ?? 0);
    const { advances } = this.flight;
    if (!advances || outcome.errored || outcome.lost !== null) {
      this.#land(outcome, connection);
    } else this.#owner.take(connection, advances, () => this.#land(outcome, connection));
  }

  #land(outcome: RelayOutcome, connection: ServerConnection): void {
    this.#release(connection);
    this.#owner.landed(this, outcome, connection);
  }

  /** A shared connection is the pool's all the time. */
  #release(connection: ServerConnection): void {
    if (this.mode === 'exclusive') connection.release();
  }
}
