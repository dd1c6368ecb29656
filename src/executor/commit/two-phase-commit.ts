import { assert } from '../../base/assert.ts';
import type { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { decideSql } from '../../cluster/transactions/decision-table.ts';
import type { GlobalId } from '../../cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../../cluster/transactions/transaction-outcome.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { Participant } from '../transaction/participant.ts';
import type { Transaction } from '../transaction/transaction.ts';
import { neverCommitted, notReplicated, undecided, unknownOutcome } from './commit-errors.ts';
import { type CommitAnswer, type CommitOrder, takeStep } from './commit-step.ts';

export type TwoPhaseCommitParts = {
  readonly id: GlobalId;
  readonly transaction: Transaction;
  /** Wrote; its commit is the decision. */
  readonly coordinator: Participant;
  /** The others that wrote, at least one. */
  readonly branches: readonly Participant[];
  /** The client's own PREPARE TRANSACTION: who ends that decides. null: it is committed now. */
  readonly prepare: string | null;
  /** See takeStep. */
  onNotice(chunk: Buffer, start: number, end: number): void;
  /** See ExecutorWorld. */
  settle(id: GlobalId, shards: readonly ShardId[]): Promise<TransactionOutcome | null>;
  /** The coordinator has committed: are its standbys sure to have that? Never rejects. */
  confirm(coordinator: Participant): Promise<boolean>;
  /** The branches are no participants any more. */
  done(result: CommitResult): void;
};

/** `committed`, or prepared; `unfinished`: it is, but these shards do not show it yet. */
export type CommitResult =
  | { readonly kind: 'committed'; readonly unfinished: readonly ShardId[] }
  | { readonly kind: 'failed'; readonly error: CommitFailure };

/** Ours, or a server's own words. */
type CommitFailure = PgError | { readonly frame: Buffer };

/**
 * Commits a transaction that has written on several shards, on all of them or on none.
 *
 *   1. PREPARE TRANSACTION on the branches; at the same time the coordinator inserts the decision row
 *   2. COMMIT on the coordinator: the row and its changes in one. From here on it is committed
 *   3. COMMIT PREPARED on the branches
 *
 * A step begins when all answers of the one before it are there. Until 2 is sent any failure undoes
 * everything. With `prepare` that is what the coordinator gets in 2, and the rest is for those who end it:
 * the row, part of what is prepared there, keeps recovery from deciding. What is left unfinished, because a server or this process is gone, recovery finishes
 * by the decision row. The branches keep their connections up to the end of 3: those who wait for
 * the transaction's locks could hold all others, and nobody could send what they wait for.
 */
export class TwoPhaseCommit {
  readonly #parts: TwoPhaseCommitParts;

  constructor(parts: TwoPhaseCommitParts) {
    this.#parts = parts;
  }

  start(): void {
    const { id, coordinator, branches } = this.#parts;
    const tag = 'PREPARE TRANSACTION';
    const prepares = branches.map((participant) => ({ participant, sql: `${tag} '${id}'`, tag }));
    const decision = { participant: coordinator, sql: decideSql(id), tag: 'INSERT' };
    this.#take([decision, ...prepares], ([decided, ...prepared]) => {
      assert(decided !== undefined, 'the coordinator was asked');
      this.#prepared(decided, prepared);
    });
  }

  #prepared(decision: CommitAnswer, prepared: readonly CommitAnswer[]): void {
    const { transaction } = this.#parts;
    for (const { participant, outcome } of prepared) {
      // What PREPARE leaves of the block is the session's, whatever becomes of the transaction.
      const { connection } = participant;
      if (outcome.kind === 'ready') connection.adoptSettings(transaction.settings);
    }
    const failure = failureOf(decision, prepared);
    // Locks that were lost meanwhile have let others in.
    const { lostLocker } = transaction;
    if (failure !== null) this.#undo(prepared, failure);
    else if (lostLocker !== null) this.#undo(prepared, neverCommitted(lostLocker.shard));
    else this.#decide(prepared);
  }

  #decide(prepared: readonly CommitAnswer[]): void {
    const { coordinator: participant, prepare } = this.#parts;
    const commit = { participant, sql: 'COMMIT', tag: 'COMMIT' };
    const order =
      prepare === null ? commit : { participant, sql: prepare, tag: 'PREPARE TRANSACTION' };
    this.#take([order], ([answer]) => {
      assert(answer !== undefined, 'the coordinator was asked');
      const { outcome, isReplicated } = answer;
      if (outcome.kind === 'ready' && isReplicated) this.#finish();
      else if (outcome.kind === 'ready') this.#confirm();
      else if (outcome.kind === 'error') this.#undo(prepared, outcome, outcome.status === 'idle');
      else this.#ask(outcome.error);
    });
  }

  /** Recovery goes on by the decision row, which it makes sure of itself. */
  #confirm(): void {
    const { coordinator, confirm, done } = this.#parts;
    void confirm(coordinator).then((isSure) => {
      if (isSure) {
        this.#finish();
        return;
      }
      this.#dismissBranches();
      this.#settle(() => {});
      done({ kind: 'failed', error: notReplicated(coordinator.shard) });
    });
  }

  #finish(): void {
    const { id, branches, done, prepare } = this.#parts;
    if (prepare !== null) {
      this.#dismissBranches();
      done({ kind: 'committed', unfinished: [] });
      return;
    }
    const tag = 'COMMIT PREPARED';
    const orders = branches.map((participant) => ({ participant, sql: `${tag} '${id}'`, tag }));
    this.#take(orders, (answers) => {
      this.#dismissBranches();
      const open = answers.filter((answer) => !isEnded(answer)).map((one) => one.participant.shard);
      if (open.length === 0) {
        done({ kind: 'committed', unfinished: [] });
        return;
      }
      this.#settle((outcome) => {
        done({ kind: 'committed', unfinished: outcome === null ? open : [] });
      });
    });
  }

  /** The decision was lost on its way: recovery finds out what it was, and finishes it. */
  #ask(cause: PgError): void {
    const { coordinator, done } = this.#parts;
    this.#dismissBranches();
    this.#settle((outcome) => {
      const { shard } = coordinator;
      if (outcome === 'committed') done({ kind: 'committed', unfinished: [] });
      else {
        const isKnown = outcome === 'rolled-back';
        const error = isKnown ? neverCommitted(shard, cause) : unknownOutcome(shard, cause);
        done({ kind: 'failed', error });
      }
    });
  }

  /** `isOver`: the coordinator has rolled back; to say it again would only make the server warn. */
  #undo(prepared: readonly CommitAnswer[], error: CommitFailure, isOver = false): void {
    const { id, coordinator, done } = this.#parts;
    const orders = prepared.flatMap(({ participant, outcome }): CommitOrder[] => {
      const hasFailed = outcome.kind === 'error' && outcome.status === 'idle';
      const tag = outcome.kind === 'ready' ? 'ROLLBACK PREPARED' : 'ROLLBACK';
      const sql = outcome.kind === 'ready' ? `${tag} '${id}'` : tag;
      return outcome.kind === 'lost' || hasFailed ? [] : [{ participant, sql, tag }];
    });
    const rollback = { participant: coordinator, sql: 'ROLLBACK', tag: 'ROLLBACK' };
    this.#take(isOver ? orders : [rollback, ...orders], (answers) => {
      this.#dismissBranches();
      const isInDoubt = prepared.some(({ outcome }) => outcome.kind === 'lost');
      const ended = answers.filter(({ participant }) => participant !== coordinator);
      // Nobody waits for it: nothing of the transaction can be committed any more.
      if (isInDoubt || !ended.every(isEnded)) this.#settle(() => {});
      done({ kind: 'failed', error });
    });
  }

  #take(orders: readonly CommitOrder[], done: (answers: readonly CommitAnswer[]) => void): void {
    takeStep(orders, this.#parts.onNotice, done);
  }

  #dismissBranches(): void {
    const { transaction, branches } = this.#parts;
    for (const branch of branches) transaction.dismiss(branch);
  }

  #settle(settled: (outcome: TransactionOutcome | null) => void): void {
    const { id, settle, coordinator, branches } = this.#parts;
    const shards = [coordinator, ...branches].map(({ shard }) => shard);
    settle(id, shards).then(settled, () => settled(null));
  }
}

/** What a server has said goes before what was lost. */
function failureOf(
  decision: CommitAnswer,
  prepared: readonly CommitAnswer[],
): CommitFailure | null {
  const { participant, outcome } = decision;
  if (outcome.kind === 'error') return undecided(participant.shard, outcome);
  for (const { outcome } of prepared) if (outcome.kind === 'error') return outcome;
  for (const { participant, isReplicated } of prepared) {
    // A promotion would lose the branch, and with it its part of the transaction.
    if (!isReplicated) return neverCommitted(participant.shard);
  }
  for (const { participant, outcome } of [decision, ...prepared]) {
    if (outcome.kind === 'lost') return neverCommitted(participant.shard, outcome.error);
  }
  return null;
}

/** Recovery, here or on another proxy, may have been faster: then there is nothing to end. */
function isEnded({ outcome }: CommitAnswer): boolean {
  if (outcome.kind !== 'error') return outcome.kind === 'ready';
  const { sqlState } = decodeErrorResponse(outcome.frame, 0, outcome.frame.length);
  return sqlState === SqlState.undefinedObject;
}
