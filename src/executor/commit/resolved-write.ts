import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import type { PgError } from '../../base/pg-error.ts';
import type { CommitQuestion } from '../../cluster/transactions/commit-question.ts';
import type { TransactionOutcome } from '../../cluster/transactions/transaction-outcome.ts';
import { decodeTextRow } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ClientOutput } from '../client-output.ts';
import { HeldOutput } from '../held-output.ts';
import { internalExchange } from '../internal-exchange.ts';
import { Relay, type RelayOutcome } from '../relay.ts';
import type { ReplyScript } from '../reply-script.ts';
import { neverCommitted, notReplicated, unknownOutcome } from './commit-errors.ts';
import { type CommitReply, commitExchange, xidQuery } from './commit-exchange.ts';

/** How a write ended; `done`: its answer has been passed on. */
export type WriteEnd =
  | { readonly kind: 'done'; readonly ok: boolean }
  /** Certainly not done, and the client has seen nothing of it. */
  | { readonly kind: 'undone'; readonly cause: PgError }
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
 * A statement outside of blocks in a block of its own, all of which leaves in one flight:
 *
 *     BEGIN | the client's messages | the ID of the transaction | COMMIT
 *
 * The server answers each part before it begins the next, so that the ID is here while the commit waits
 * for its standby. When the answer is lost the ID tells what became of it, as with any COMMIT.
 */
export class ResolvedWrite {
  readonly #options: ResolvedWriteOptions;
  readonly #held: HeldOutput;
  #outcome: RelayOutcome | null = null;
  /** undefined: not known; null: nothing was written. */
  #xid: string | null | undefined;

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
      done: (outcome) => {
        this.#outcome = outcome;
      },
    });
    const ignore = internalExchange(() => {});
    const xid = internalExchange(
      () => {},
      (code, chunk, start, end) => {
        if (code === BackendCode.dataRow) this.#xid = decodeTextRow(chunk, start, end)[0] ?? null;
      },
    );
    connection.send(ignore, [encodeQuery('BEGIN')]);
    connection.send(relay, messages);
    connection.send(xid, [encodeQuery(xidQuery)]);
    const commit = commitExchange((reply) => {
      this.#options.onLanded();
      this.#end(reply);
    });
    connection.send(commit, [encodeQuery('COMMIT')]);
    return relay;
  }

  #end(reply: CommitReply): void {
    const { question, output, ask, done } = this.#options;
    const errored = this.#outcome?.errored === true;
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
    const { shard } = question;
    const xid = this.#xid;
    if (errored) {
      this.#held.pass();
      done({ kind: 'done', ok: false });
    } else if (xid === null || (xid === undefined && isFarewell(cause))) {
      this.#undone(cause);
    } else if (xid === undefined) {
      done({ kind: 'failed', error: unknownOutcome(shard, cause) });
    } else {
      void ask({ ...question, xid }).then((outcome) => {
        if (outcome === 'rolled-back') {
          this.#undone(cause);
        } else if (outcome === null) {
          done({ kind: 'failed', error: unknownOutcome(shard, cause) });
        } else {
          this.#held.pass();
          done({ kind: 'done', ok: true });
        }
      });
    }
  }

  #undone(cause: PgError): void {
    const { question, done } = this.#options;
    if (this.#held.passes) {
      done({ kind: 'failed', error: neverCommitted(question.shard, cause) });
    } else {
      done({ kind: 'undone', cause });
    }
  }
}

/**
 * The server's own last words (57P01, 57P02), not ours about a lost connection: they come in order, and
 * it would have told the ID before it began to commit.
 */
function isFarewell({ sqlState }: PgError): boolean {
  return sqlState.startsWith('57P');
}
