import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { GlobalId } from '../cluster/transactions/global-id.ts';
import type { InDoubtTransaction } from '../cluster/transactions/in-doubt.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type {
  RecoveryReport,
  TransactionRecovery,
} from '../cluster/transactions/transaction-recovery.ts';
import type { ShardId } from '../sharding/shard-id.ts';

export type Recovery = Pick<
  TransactionRecovery,
  'recover' | 'interrupt' | 'force' | 'close' | 'lockWaits'
>;

export type TransactionKeeperParts = {
  readonly clock: Clock;
  readonly recovery: Recovery;
  /** How long somebody waits for an outcome. */
  readonly settleMaxMs: () => number;
};

type Waiter = {
  readonly id: GlobalId;
  readonly shards: readonly ShardId[];
  readonly deadline: number;
  readonly resolve: (outcome: TransactionOutcome | null) => void;
};

const periodMs = 2_000;
/** While somebody waits for an outcome. */
const retryMs = 100;

/** Has transactions in doubt looked after: again and again, and at once when somebody asks. */
export class TransactionKeeper {
  readonly #parts: TransactionKeeperParts;
  readonly #cancelTimer: () => void;
  #waiters: readonly Waiter[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<RecoveryReport> | null = null;
  #report: RecoveryReport = { inDoubt: [], unread: new Set(), outcomes: new Map() };
  #stopped = false;

  constructor(parts: TransactionKeeperParts) {
    this.#parts = parts;
    this.#cancelTimer = parts.clock.every(periodMs, () => {
      // One at a time: a look that takes long is not followed by all that were due meanwhile.
      if (this.#next === null) void this.look();
    });
  }

  /** As of the last look. */
  get inDoubt(): readonly InDoubtTransaction[] {
    return this.#report.inDoubt;
  }

  /** A look that begins after the call; those who call before it begins share it. */
  look(): Promise<RecoveryReport> {
    this.#next ??= this.#inTurn(() => {
      this.#next = null;
      return this.#look();
    });
    return this.#next;
  }

  /** Resolves when the transaction is ended on the shards, with null when that takes too long. */
  settle(id: GlobalId, shards: readonly ShardId[]): Promise<TransactionOutcome | null> {
    const { clock, settleMaxMs } = this.#parts;
    return new Promise((resolve) => {
      const deadline = clock.now() + settleMaxMs();
      this.#waiters = [...this.#waiters, { id, shards, deadline, resolve }];
      void this.look();
    });
  }

  /**
   * An operator's word counts only where none of the shards' does. Resolves with what was done;
   * rejects with 55000 and the reason, with 42704 when there is no such transaction.
   */
  async resolve(id: GlobalId, outcome: TransactionOutcome): Promise<string> {
    const { recovery } = this.#parts;
    return await this.#inTurn(async () => {
      let report = await recovery.recover(new Set([id]));
      if (outcome === 'rolled-back' && find(report, id)?.verdict === 'running') {
        await recovery.interrupt(id);
        report = await recovery.recover(new Set([id]));
      }
      const left = find(report, id);
      const decided = report.outcomes.get(id) ?? null;
      if (left === null && decided === null) throw noSuchTransaction(id);
      if (decided !== null && decided !== outcome) throw notNow(`it has been ${text(decided)}`);
      if (left === null || decided !== null) return `the transaction is ${text(outcome)}`;
      if (left.verdict === 'running') throw notNow('the transaction that decides is still open');
      const ended = await recovery.force(left, outcome);
      if (ended.length < left.shards.length) throw notNow(`it could be ended on ${list(ended)}`);
      return `${text(outcome)} on ${list(ended)}, by an operator's word`;
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    for (const { resolve } of this.#waiters) resolve(null);
    this.#waiters = [];
    this.#parts.recovery.close();
  }

  async #look(): Promise<RecoveryReport> {
    const { clock, recovery } = this.#parts;
    const asking = this.#waiters;
    const report = await recovery.recover(new Set(asking.map(({ id }) => id)));
    this.#report = report;
    const answered = asking.filter((waiter) => {
      const isOver = isEnded(report, waiter) || clock.now() >= waiter.deadline;
      if (isOver) waiter.resolve(report.outcomes.get(waiter.id) ?? null);
      return isOver;
    });
    this.#waiters = this.#waiters.filter((waiter) => !answered.includes(waiter));
    if (asking.length > answered.length && !this.#stopped) {
      clock.after(retryMs, () => void this.look());
    }
    return report;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

function isEnded(report: RecoveryReport, { id, shards }: Waiter): boolean {
  return find(report, id) === null && !shards.some((shard) => report.unread.has(shard));
}

function find(report: RecoveryReport, id: GlobalId): InDoubtTransaction | null {
  return report.inDoubt.find((one) => one.id === id) ?? null;
}

function noSuchTransaction(id: GlobalId): PgError {
  return new PgError(SqlState.undefinedObject, `there is no transaction "${id}" in doubt`, {
    hint: 'see SHOW TRANSACTIONS',
  });
}

function notNow(reason: string): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, reason);
}

function text(outcome: TransactionOutcome): string {
  return outcome === 'committed' ? 'committed' : 'rolled back';
}

function list(shards: readonly ShardId[]): string {
  return shards.length === 0 ? 'no shard' : shards.join(', ');
}
