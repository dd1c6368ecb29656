import type { Clock } from '../../base/clock.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ControlConnection } from '../control-connection.ts';
import { coordinatorOf, type GlobalId } from './global-id.ts';
import type { InDoubtTransaction, Verdict } from './in-doubt.ts';
import { type LockWait, readLockWaits } from './lock-waits.ts';
import {
  abandon,
  confirm,
  endDecider,
  endPrepared,
  forgetAbandoned,
  forgetCommits,
  type PreparedTransaction,
  readDecisions,
  readOldCommits,
  readPrepared,
} from './recovery-queries.ts';
import { RecoverySessions } from './recovery-sessions.ts';
import type { TransactionOutcome } from './transaction-outcome.ts';

export type TransactionRecoveryParts = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly config: () => Config;
  /** null while the shard has none. */
  readonly primaryOf: (shard: ShardId) => NodeAddress | null;
};

/** What one look at all shards has brought. */
export type RecoveryReport = {
  /** What is left. */
  readonly inDoubt: readonly InDoubtTransaction[];
  /** Shards that could not be read. */
  readonly unread: ReadonlySet<ShardId>;
  /** Of those that were asked about or finished. */
  readonly outcomes: ReadonlyMap<GlobalId, TransactionOutcome>;
};

type Found = {
  readonly id: GlobalId;
  readonly on: ReadonlyMap<ShardId, PreparedTransaction>;
};

/** A worker that lives ends what it has prepared long before. */
const graceMs = 1_000;
const forgetPeriodMs = 10_000;
/** Longer than a server's clock is ever set back. */
const abandonedKeptForMs = 3_600_000;

/**
 * Ends transactions that were prepared and left: by a proxy that died, a server or a network that
 * was lost. All it knows it reads from the primaries. A prepared transaction is
 *
 *   committed    when its decision row is there, which its coordinator committed with its changes
 *   rolled back  when recovery could insert the row in its place: two rows of one id cannot be, so
 *                the coordinator's transaction cannot commit any more, whatever becomes of it
 *   left alone   while the coordinator's transaction is open: its row, inserted and not committed,
 *                makes the insert of recovery wait
 *
 * Before it acts on what it has read, it makes sure that this outlives the server (`confirm`). Any
 * number of proxies may do this at the same time.
 */
export class TransactionRecovery {
  readonly #parts: TransactionRecoveryParts;
  readonly #sessions: RecoverySessions;
  /** Clock.now() when each was first seen here; server clocks may be wrong. */
  #firstSeen: ReadonlyMap<GlobalId, number> = new Map();
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(parts: TransactionRecoveryParts) {
    this.#parts = parts;
    this.#sessions = new RecoverySessions(parts);
  }

  /** One look at all shards, one at a time. `wanted`: not to be spared for being young. */
  async recover(wanted: ReadonlySet<GlobalId>): Promise<RecoveryReport> {
    const sessions = this.#sessions;
    await sessions.open();
    const oldCommits = this.#isTimeToForget() ? await sessions.askAll(readOldCommits) : null;
    const found = grouped(await sessions.askAll(readPrepared), wanted);
    this.#noteSeen(found);
    const due = found.filter((one) => wanted.has(one.id) || this.#ageMs(one) >= graceMs);
    const verdicts = await this.#judge(due);
    const { outcomes, ended } = await this.#endAll(due, verdicts);
    if (oldCommits !== null) await this.#forget(oldCommits, found);
    return {
      inDoubt: due.flatMap((one) => this.#leftOf(one, ended, verdicts.get(one.id) ?? 'unknown')),
      unread: sessions.unread,
      outcomes,
    };
  }

  /** Ends the session that keeps the transaction running, so that it can be abandoned. */
  async interrupt(id: GlobalId): Promise<void> {
    await this.#sessions.ask(coordinatorOf(id), (session) => endDecider(session, id));
  }

  /** By an operator's word, where nobody can be asked. The shards that ended it. */
  async force(
    { id, shards }: InDoubtTransaction,
    outcome: TransactionOutcome,
  ): Promise<readonly ShardId[]> {
    const ended: ShardId[] = [];
    for (const shard of shards) {
      const done = await this.#sessions.ask(shard, (session) => endPrepared(session, id, outcome));
      if (done === true) ended.push(shard);
    }
    return ended;
  }

  /** Who waits for whom, on the shards that were reached at the last look. */
  lockWaits(): Promise<ReadonlyMap<ShardId, readonly LockWait[]>> {
    return this.#sessions.askAll(readLockWaits);
  }

  close(): void {
    this.#sessions.close();
  }

  async #judge(due: readonly Found[]): Promise<ReadonlyMap<GlobalId, Verdict>> {
    const verdicts = new Map<GlobalId, Verdict>(due.map(({ id }) => [id, 'unknown']));
    const coordinators = new Set(due.map(({ id }) => coordinatorOf(id)));
    await Promise.all(
      [...coordinators].map(async (shard) => {
        const its = due.filter(({ id }) => coordinatorOf(id) === shard);
        const judged = await this.#sessions.ask(shard, (session) => judgeOn(session, its));
        for (const [id, verdict] of judged ?? []) verdicts.set(id, verdict);
      }),
    );
    return verdicts;
  }

  async #endAll(due: readonly Found[], verdicts: ReadonlyMap<GlobalId, Verdict>) {
    const outcomes = new Map<GlobalId, TransactionOutcome>();
    const ended = new Map<GlobalId, Set<ShardId>>();
    const endOn = async (shard: ShardId, session: ControlConnection) => {
      for (const { id, on } of due) {
        const verdict = verdicts.get(id);
        if (!on.has(shard) || (verdict !== 'committed' && verdict !== 'rolled-back')) continue;
        const isEndedHere = await endPrepared(session, id, verdict);
        if (isEndedHere) outcomes.set(id, verdict);
        ended.set(id, (ended.get(id) ?? new Set()).add(shard));
      }
    };
    for (const { id, on } of due) {
      const verdict = verdicts.get(id);
      // Against it only by what was found, or done: it may have been committed, ended and forgotten
      // between the look at the prepared ones and the one at the decisions.
      if (verdict === 'committed') outcomes.set(id, verdict);
      if (verdict === 'rolled-back' && on.size === 0) outcomes.set(id, verdict);
    }
    const shards = new Set(due.flatMap(({ on }) => [...on.keys()]));
    await Promise.all(
      [...shards].map((shard) => this.#sessions.ask(shard, (session) => endOn(shard, session))),
    );
    for (const [id, on] of ended) {
      const fields = { id, outcome: outcomes.get(id), shards: [...on] };
      this.#parts.telemetry.log('info', 'a transaction in doubt was ended', fields);
    }
    return { outcomes, ended };
  }

  #leftOf(
    { id, on }: Found,
    ended: ReadonlyMap<GlobalId, ReadonlySet<ShardId>>,
    verdict: Verdict,
  ): InDoubtTransaction[] {
    const left = [...on].filter(([shard]) => ended.get(id)?.has(shard) !== true);
    if (left.length === 0) return [];
    return [
      {
        id,
        coordinator: coordinatorOf(id),
        shards: left.map(([shard]) => shard),
        owner: left[0]?.[1].owner ?? '',
        ageMs: this.#ageMs({ id, on }),
        verdict,
      },
    ];
  }

  /**
   * A decision may go when nobody needs it: it was read first, then no shard had the transaction
   * prepared, and what they have shown of that is durable.
   */
  async #forget(
    oldCommits: ReadonlyMap<ShardId, readonly string[]>,
    found: readonly Found[],
  ): Promise<void> {
    const sessions = this.#sessions;
    await sessions.askAll((session) => forgetAbandoned(session, abandonedKeptForMs));
    const needed = new Set<string>(found.filter(({ on }) => on.size > 0).map(({ id }) => id));
    const isAnything = [...oldCommits.values()].some((ids) => ids.length > 0);
    if (isAnything) await sessions.askAll(confirm);
    this.#forgotAt = this.#parts.clock.now();
    if (!isAnything || sessions.unread.size > 0) return;
    for (const [shard, ids] of oldCommits) {
      const idle = ids.filter((id) => !needed.has(id));
      if (idle.length > 0) await sessions.ask(shard, (session) => forgetCommits(session, idle));
    }
  }

  #isTimeToForget(): boolean {
    return this.#parts.clock.now() - this.#forgotAt >= forgetPeriodMs;
  }

  #noteSeen(found: readonly Found[]): void {
    const now = this.#parts.clock.now();
    this.#firstSeen = new Map(found.map(({ id }) => [id, this.#firstSeen.get(id) ?? now]));
  }

  #ageMs({ id, on }: Found): number {
    const now = this.#parts.clock.now();
    const seenMs = now - (this.#firstSeen.get(id) ?? now);
    return Math.max(seenMs, ...[...on.values()].map(({ ageMs }) => ageMs));
  }
}

function grouped(
  prepared: ReadonlyMap<ShardId, readonly PreparedTransaction[]>,
  wanted: ReadonlySet<GlobalId>,
): Found[] {
  const found = new Map<GlobalId, Map<ShardId, PreparedTransaction>>();
  for (const id of wanted) found.set(id, new Map());
  for (const [shard, transactions] of prepared) {
    for (const one of transactions) {
      found.set(one.id, (found.get(one.id) ?? new Map()).set(shard, one));
    }
  }
  return [...found].map(([id, on]) => ({ id, on }));
}

/** Asks the shard that decides these, and decides what nobody will decide any more. */
async function judgeOn(
  session: ControlConnection,
  transactions: readonly Found[],
): Promise<ReadonlyMap<GlobalId, Verdict>> {
  const verdicts = new Map<GlobalId, Verdict>();
  const before = await readDecisions(
    session,
    transactions.map(({ id }) => id),
  );
  const late: Found[] = [];
  for (const one of transactions) {
    // Nobody waits for it: it was ended before, by whom and how is not to be found out.
    if (before.has(one.id) || one.on.size === 0) continue;
    const result = await abandon(session, one.id);
    if (result === 'decided') late.push(one);
    else verdicts.set(one.id, result === 'running' ? 'running' : 'rolled-back');
  }
  const after = await readDecisions(
    session,
    late.map(({ id }) => id),
  );
  const decisions = new Map([...before, ...after]);
  if (decisions.size > 0) await confirm(session);
  for (const { id, on } of transactions) {
    const decision = decisions.get(id);
    if (decision === undefined) continue;
    const owners = [...on.values()].map(({ owner }) => owner);
    const isTheirs = owners.every((owner) => owner === null || owner === decision.decidedBy);
    const isOurs = decision.outcome === 'rolled-back';
    verdicts.set(id, isOurs || isTheirs ? decision.outcome : 'disputed');
  }
  return verdicts;
}
