import type { ServerConnection } from '../../backend/server-connection.ts';
import type { SessionSettings } from '../../backend/session-settings.ts';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Holder } from '../../cluster/transactions/find-deadlocks.ts';
import type { User } from '../../config/config.ts';
import type { Schema } from '../../planner/schema.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ClientOutput } from '../client-output.ts';
import { internalExchange } from '../internal-exchange.ts';
import type { Reservations } from '../session/reservations.ts';
import { splitNames } from '../session/search-path.ts';
import { abandonParticipants } from './abandon-participants.ts';
import { clientGone, giveBack } from './give-back.ts';
import { lostInTransaction } from './lost-in-transaction.ts';
import type { Participant } from './participant.ts';
import { sendToAll } from './send-to-all.ts';
import { TransactionScript } from './transaction-script.ts';

export type ConnectionRequest = {
  readonly shard: ShardId;
  readonly write: boolean;
  /** A setting is to be judged or a statement described: no snapshot counts. */
  readonly rowless?: boolean;
  /** It locks rows. Any number of shards may, because there is nothing to commit. */
  readonly locks?: boolean;
  /** One short read-only exchange, which may stand in a queue with others'. */
  readonly share: boolean;
  /** `release` must be called once, when the answer has ended; it keeps what must be kept. */
  onConnection(connection: ServerConnection, release: () => void): void;
  onRefused(error: PgError): void;
};

const nothing = () => {};
const nobody: ReadonlyMap<ShardId, Participant> = new Map();
const snapshotLevels = new Set(['repeatable read', 'serializable']);

/**
 * A session's transaction over shards. It begins on a shard when a statement first needs that shard:
 * then the *script* (BEGIN, SETs and savepoints so far) is replayed there. An `implicit` block is what PostgreSQL does for several statements in one message.
 * Invariant: connections are held only while a block is open, and every holder is a participant.
 */
export class Transaction {
  readonly #clock: Clock;
  readonly #servers: Reservations;
  readonly #user: User;
  readonly #output: Pick<ClientOutput, 'write'>;
  /** A new map for each block; between blocks all sessions have the same empty one. */
  #participants: ReadonlyMap<ShardId, Participant> = nobody;
  #block: 'none' | 'implicit' | 'explicit' = 'none';
  #failed = false;
  #ending = false;
  /** The client is gone: a connection that comes now is nobody's. */
  #abandoned = false;
  #beganAt = 0;
  #beginText = 'BEGIN';
  readonly #script = new TransactionScript();
  #oneSnapshot = false;
  #changedSchema = false;
  /** Since the block has changed tables: as it sees them. null: as everybody does. */
  schema: Schema | null = null;
  #settings: SessionSettings;
  #settingsAtBegin: SessionSettings;

  constructor(
    servers: Reservations,
    user: User,
    settings: SessionSettings,
    clock: Clock,
    output: Pick<ClientOutput, 'write'>,
  ) {
    this.#output = output;
    this.#clock = clock;
    this.#servers = servers;
    this.#user = user;
    this.#settings = settings;
    this.#settingsAtBegin = settings;
  }

  get block(): 'none' | 'implicit' | 'explicit' {
    return this.#block;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** The session's settings as the next statement sees them. */
  get settings(): SessionSettings {
    return this.#settings;
  }

  get participants(): ReadonlyMap<ShardId, Participant> {
    return this.#participants;
  }

  /** The client is gone. What it has asked to commit may still be on its way. */
  get isAbandoned(): boolean {
    return this.#abandoned;
  }

  get isEnding(): boolean {
    return this.#ending;
  }

  /** When it began, and its sessions on the servers as far as they are known. */
  get held(): Omit<Holder, 'session'> {
    const backends = [...this.#participants.values()].flatMap(
      ({ shard, connection: { processId: pid } }) => (pid === null ? [] : [{ shard, pid }]),
    );
    return { beganAt: this.#beganAt, backends };
  }

  /** The name of the innermost one; null: none is set. */
  get lastSavepoint(): string | null {
    return this.#script.lastSavepoint;
  }

  /** In the order in which they joined. */
  get writers(): readonly Participant[] {
    return [...this.#participants.values()].filter(({ wrote }) => wrote);
  }

  /** Locks that were lost let others in: nothing may be committed then. */
  get lostLocker(): Participant | null {
    for (const participant of this.#participants.values()) {
      if (participant.locked && !participant.connection.alive) return participant;
    }
    return null;
  }

  /** The only shard that may be asked for rows; null while, or because, any may. */
  get snapshotShard(): ShardId | null {
    if (!this.#oneSnapshot) return null;
    for (const { shard, asked } of this.#participants.values()) if (asked) return shard;
    return null;
  }

  /** Characters of what shards that join the block will be told. */
  get scriptLength(): number {
    return this.#script.length;
  }

  /** How many are open, one inside the other. */
  get savepointCount(): number {
    return this.#script.savepointCount;
  }

  /** Opens a block for statements that belong together without a BEGIN of the client. */
  beginImplicit(): void {
    this.#begin('implicit', 'BEGIN', null);
  }

  /**
   * Opens a block, or makes an implicit one explicit, which must have no participants when `text`,
   * the client's BEGIN, says more than that. `isolation` as in SET TRANSACTION; null: the default.
   */
  begin(text: string, isolation: string | null): void {
    if (this.#block !== 'implicit') {
      this.#begin('explicit', text, isolation);
      return;
    }
    this.#block = 'explicit';
    if (this.#participants.size > 0) return;
    this.#beginText = text;
    this.#script.replaceBegin(text);
    this.useIsolation(isolation);
  }

  /** The snapshot of REPEATABLE READ and SERIALIZABLE cannot span shards. */
  useIsolation(isolation: string | null): void {
    const [level = ''] = splitNames(
      this.#settings.values.get('default_transaction_isolation') ?? '',
    );
    this.#oneSnapshot = snapshotLevels.has((isolation ?? level).toLowerCase());
  }

  /** A statement of the block changed tables: others see that only after COMMIT. */
  noteSchemaChange(): void {
    this.#changedSchema = true;
  }

  /** True once after a block that changed tables was committed. */
  takeSchemaChange(): boolean {
    const changed = this.#changedSchema;
    this.#changedSchema = false;
    return changed;
  }

  /** COMMIT is on its way: what comes back decides, even if the client has left meanwhile. */
  beginEnd(): void {
    this.#ending = true;
  }

  /** AND CHAIN: a new block with the characteristics of the one that just ended. */
  beginAgain(): void {
    const oneSnapshot = this.#oneSnapshot;
    this.#begin('explicit', this.#beginText, null);
    this.#oneSnapshot = oneSnapshot;
  }

  fail(): void {
    if (this.#block !== 'none') this.#failed = true;
  }

  /** Returns a function that gives up waiting. */
  acquire(request: ConnectionRequest): () => void {
    if (this.#abandoned) {
      request.onRefused(clientGone());
      return nothing;
    }
    if (this.#block === 'none') return this.#lease(request);
    const participant = this.#participants.get(request.shard);
    const refusal = this.#refusal(request, participant);
    if (refusal !== null) {
      request.onRefused(refusal);
      return nothing;
    }
    if (participant === undefined) return this.#join(request);
    if (request.write) participant.wrote = true;
    if (request.locks === true) participant.locked = true;
    if (request.rowless !== true) participant.asked = true;
    request.onConnection(participant.connection, nothing);
    return nothing;
  }

  /** What a participant was asked for turns out to write. */
  noteWrite(shard: ShardId): void {
    const participant = this.#participants.get(shard);
    if (participant !== undefined) participant.wrote = true;
  }

  /**
   * Notes a command that belongs to the block and must be replayed on shards that join later
   * (SET LOCAL, SET TRANSACTION). The caller runs it on the participants.
   */
  note(text: string | null, settings: SessionSettings): void {
    if (this.#block !== 'none' && text !== null) this.#script.note(text);
    this.#settings = settings;
  }

  savepoint(name: string, text: string): void {
    this.#script.savepoint(name, text, this.#settings);
  }

  /** False when there is no such savepoint. */
  releaseSavepoint(name: string): boolean {
    return this.#script.release(name);
  }

  /** False when there is no such savepoint. */
  rollbackToSavepoint(name: string): boolean {
    const settings = this.#script.rollbackTo(name);
    if (settings === null) return false;
    this.#settings = settings;
    this.#failed = false;
    return true;
  }

  /**
   * Ends the block: every participant has answered COMMIT or ROLLBACK (or is gone) and goes back
   * to its pool. Settings changed in the block stay only when it was committed.
   */
  end(committed: boolean): void {
    this.#changedSchema &&= committed;
    if (!committed) this.#settings = this.#settingsAtBegin;
    for (const { shard, connection } of this.#participants.values()) {
      if (!connection.alive) continue;
      if (connection.settings !== this.#settings) connection.adoptSettings(this.#settings);
      this.#servers.watch(shard, connection);
      connection.release();
    }
    this.#participants = nobody;
    this.#block = 'none';
    this.schema = null;
    this.#failed = false;
    this.#ending = false;
    this.#script.clear();
  }

  /** The block goes on without it: its server holds nothing of the block any more. */
  dismiss(participant: Participant): void {
    const others = [...this.#participants].filter(([shard]) => shard !== participant.shard);
    this.#participants = new Map(others);
    if (!participant.connection.alive) return;
    this.#servers.watch(participant.shard, participant.connection);
    participant.connection.release();
  }

  /**
   * Sends `text` to the participants but `except`, whose answer is the client's; `done` when all have
   * answered.
   */
  broadcast(text: string, except: Participant | null, done: (lost: PgError | null) => void): void {
    const others = [...this.#participants.values()].filter(
      (participant) => participant !== except && participant.connection.alive,
    );
    sendToAll(others, text, except === null ? this.#output : null, done);
  }

  /** The client is gone: nothing of its transaction may reach the next one. */
  abandon(): void {
    this.#abandoned = true;
    if (this.#ending) return;
    const participants = this.#participants;
    // First: the loss of a connection can be the answer that a ROLLBACK on its way waits for.
    this.#participants = nobody;
    this.#block = 'none';
    abandonParticipants(participants.values(), this.#servers.isWatching);
  }

  #begin(block: 'implicit' | 'explicit', text: string, isolation: string | null): void {
    assert(this.#block === 'none', 'begin in an open block');
    this.#block = block;
    this.#beganAt = this.#clock.wallTime();
    this.#beginText = text;
    this.#script.begin(text);
    this.#settingsAtBegin = this.#settings;
    this.useIsolation(isolation);
  }

  #lease(request: ConnectionRequest): () => void {
    return this.#servers.lease(request.shard, {
      user: this.#user,
      settings: this.#settings,
      mode: request.share ? 'shared' : 'exclusive',
      onLease: (connection) => {
        const release = request.share ? nothing : () => connection.release();
        if (this.#abandoned) giveBack(request, release);
        else request.onConnection(connection, release);
      },
      onRefused: request.onRefused,
    });
  }

  #refusal(request: ConnectionRequest, participant: Participant | undefined): PgError | null {
    if (participant !== undefined && !participant.connection.alive) {
      return lostInTransaction(request.shard, null);
    }
    const anchor = this.snapshotShard;
    if (anchor !== null && anchor !== request.shard && request.rowless !== true) {
      return new PgError(
        SqlState.featureNotSupported,
        'a REPEATABLE READ or SERIALIZABLE transaction cannot span shards',
        { hint: 'Use READ COMMITTED, or touch only one shard in the transaction.' },
      );
    }
    return null;
  }

  #join(request: ConnectionRequest): () => void {
    return this.#servers.lease(request.shard, {
      user: this.#user,
      settings: this.#settingsAtBegin,
      mode: 'exclusive',
      onLease: (connection) => {
        if (this.#abandoned) giveBack(request, () => connection.release());
        else this.#begun(connection, request);
      },
      onRefused: request.onRefused,
    });
  }

  #begun(connection: ServerConnection, request: ConnectionRequest): void {
    const { shard, write, locks, rowless } = request;
    const participant = {
      shard,
      connection,
      wrote: write,
      locked: locks === true,
      asked: rowless !== true,
    };
    this.#participants = new Map([...this.#participants, [shard, participant]]);
    const { begin, rest } = this.#script.parts;
    if (rest === null) {
      // BEGIN cannot fail, so the statement may follow in the same flight.
      connection.send(
        internalExchange(() => {}),
        [encodeQuery(begin)],
      );
      request.onConnection(connection, nothing);
      return;
    }
    const exchange = internalExchange((outcome) => {
      if (outcome.kind === 'ready') request.onConnection(connection, nothing);
      else if (outcome.kind === 'lost') request.onRefused(lostInTransaction(shard, outcome.error));
      else {
        request.onRefused(decodeErrorResponse(outcome.frame, 0, outcome.frame.length));
      }
    });
    connection.send(exchange, [encodeQuery(`${begin};${rest}`)]);
  }
}
