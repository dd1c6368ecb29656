import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import type { PgError } from '../../base/pg-error.ts';
import type { CommitQuestion } from '../../cluster/transactions/commit-question.ts';
import type { TransactionOutcome } from '../../cluster/transactions/transaction-outcome.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ClientOutput } from '../client-output.ts';
import { HeldOutput } from '../held-output.ts';
import { Relay, type RelayOutcome } from '../relay.ts';
import type { ReplyScript } from '../reply-script.ts';
import { answerLost, neverCommitted, notReplicated, unknownOutcome } from './commit-errors.ts';
import { type CommitReply, commitExchange, openingQuery, xidExchange } from './commit-exchange.ts';

/** How a write ended; `done`: its answer has been passed on. */
export type WriteEnd =
  | { readonly kind: 'done'; readonly ok: boolean }
  /** Certainly not done, and the client has seen nothing of it. */
  | { readonly kind: 'undone'; readonly cause: PgError | null }
  | { readonly kind: 'failed'; readonly error: PgError | { readonly frame: Buffer } };

export type ResolvedWriteOptions = {
  readonly connection: ServerConnection;
  /** Of this connection, as of now. */
  readonly question: CommitQuestion;
  readonly messages: readonly Buffer[];
  readonly script: ReplyScript | null;
  readonly output: ClientOutput;
  ask(question: CommitQuestion): Promise<TransactionOutcome | null>;
  /** An ErrorResponse is part of the answer. */
  onError(): void;
  /** The server is done with all of it, or gone; the connection can be given back. */
  onLanded(): void;
  /** After that, perhaps much later. */
  done(end: WriteEnd): void;
};

/**
 * A statement outside of blocks in a block of its own:
 *
 *     BEGIN, the ID of the transaction | the client's messages
 *     COMMIT, as soon as the ID is here
 *
 * The server tells the ID before it begins the statement, so that COMMIT is there when that is done. When
 * the answer is lost, no COMMIT was sent without the ID being known, and the ID tells what became of it.
 */
export class ResolvedWrite {
  readonly #options: ResolvedWriteOptions;
  readonly #held: HeldOutput;
  #outcome: RelayOutcome | null = null;
  #xid: string | null = null;
  /** Why the block could not be opened. */
  #refusal: Buffer | null = null;
  #isCommitting = false;

  constructor(options: ResolvedWriteOptions) {
    this.#options = options;
    this.#held = new HeldOutput(options.output);
  }

  /** Returns what a cancel has to name: it stops the statement, never the commit. */
  start(): Relay {
    const { connection, messages, script, onError } = this.#options;
    const relay = new Relay(connection, {
      output: this.#held,
      script,
      shared: false,
      commits: false,
      onCopyIn: () => assert(false, 'a COPY is not resolved'),
      onError,
      done: (outcome) => this.#ran(outcome),
    });
    const opening = xidExchange(
      (xid) => {
        this.#xid = xid;
        this.#commit();
      },
      (refusal) => {
        this.#refusal = refusal;
        this.#commit();
      },
    );
    connection.send(opening, [encodeQuery(openingQuery)]);
    connection.send(relay, messages);
    return relay;
  }

  #commit(): void {
    this.#isCommitting = true;
    const commit = commitExchange((reply) => {
      this.#options.onLanded();
      this.#end(reply);
    });
    this.#options.connection.send(commit, [encodeQuery('COMMIT')]);
  }

  #ran(outcome: RelayOutcome): void {
    this.#outcome = outcome;
    if (this.#isCommitting) return;
    this.#options.onLanded();
    this.#undone(outcome.lost);
  }

  #end(reply: CommitReply): void {
    const { question, output, ask, done } = this.#options;
    const errored = this.#outcome?.errored === true;
    if (this.#refusal !== null) {
      done({ kind: 'failed', error: { frame: this.#refusal } });
      return;
    }
    if (reply.kind === 'lost') {
      this.#resolve(reply.error, errored);
      return;
    }
    const told = reply.frames.filter(([code]) => code !== BackendCode.commandComplete);
    if (reply.errored) {
      // A constraint that waited for the end: PostgreSQL says so in place of the tag.
      const [frame] = told.filter(([code]) => code === BackendCode.errorResponse);
      assert(frame !== undefined, 'an error has a frame');
      done({ kind: 'failed', error: { frame } });
      return;
    }
    const pass = () => {
      this.#held.pass();
      for (const frame of told) output.push(frame);
      done({ kind: 'done', ok: !errored });
    };
    if (reply.isReplicated) {
      pass();
      return;
    }
    void ask({ ...question, xid: null }).then((outcome) => {
      if (outcome === 'committed') pass();
      else done({ kind: 'failed', error: notReplicated(question.shard) });
    });
  }

  #resolve(cause: PgError, errored: boolean): void {
    const { question, ask, done } = this.#options;
    if (errored) {
      this.#held.pass();
      done({ kind: 'done', ok: false });
      return;
    }
    assert(this.#xid !== null, 'no COMMIT without the ID');
    void ask({ ...question, xid: this.#xid }).then((outcome) => {
      if (outcome === 'rolled-back') {
        this.#undone(cause);
      } else if (outcome === null) {
        done({ kind: 'failed', error: unknownOutcome(question.shard, cause) });
      } else if (this.#outcome?.lost !== null) {
        // The server has told it before it committed, and the network has swallowed it.
        done({ kind: 'failed', error: answerLost(question.shard, cause) });
      } else {
        this.#held.pass();
        done({ kind: 'done', ok: true });
      }
    });
  }

  #undone(cause: PgError | null): void {
    const { question, done } = this.#options;
    if (this.#held.passes) {
      done({ kind: 'failed', error: neverCommitted(question.shard, cause) });
    } else {
      done({ kind: 'undone', cause });
    }
  }
}
