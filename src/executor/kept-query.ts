import type { ServerConnection } from '../backend/server-connection.ts';
import { encodeClose } from '../protocol/close-message.ts';
import { syncMessage } from '../protocol/constant-messages.ts';
import { encodeDescribe } from '../protocol/describe-message.ts';
import { encodeExecute } from '../protocol/execute-message.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import { MessageWriter } from '../protocol/message-writer.ts';
import { encodeParse } from '../protocol/parse-message.ts';
import { meansTheSame } from '../sql/means-the-same.ts';
import { parameterize, parameterValue } from '../sql/parameterize.ts';
import type { PlannedStatement } from './planned-statement.ts';
import { type Reply, ReplyScript } from './reply-script.ts';

/** Runs as the client wrote it after a server has refused the kept form. */
const penaltyRuns = 64;

const behindBind = Buffer.concat([
  encodeDescribe({ kind: 'portal', name: '' }),
  encodeExecute({ portal: '', rowsMax: 0 }),
  syncMessage,
]);

const bindReply: Reply = { kind: 'swallow', prepared: null };
const rowReplies: readonly Reply[] = [bindReply, { kind: 'forward' }, { kind: 'forward' }];

/**
 * A short read of the simple protocol in the form in which servers keep it: a prepared statement,
 * its literals parameters, which spares them parsing and planning. The client sees the messages of
 * the simple protocol; see `parameterize` for why they say the same.
 */
export class KeptQuery {
  readonly #name: string;
  readonly #parse: Buffer;
  readonly #bindHead: Buffer;
  #penalty = 0;

  /** null: the statement is none that could be kept. */
  static of(planned: PlannedStatement, name: string): KeptQuery | null {
    const parameterized = parameterize(planned.source.lexed);
    if (parameterized === null || !meansTheSame(parameterized.text)) return null;
    return new KeptQuery(name, parameterized.text, parameterized.typeOids);
  }

  private constructor(name: string, sql: string, typeOids: readonly number[]) {
    this.#name = name;
    this.#parse = encodeParse({ name, sql, typeOids });
    // The unnamed portal, the statement, all values as text.
    const writer = new MessageWriter().cString('').cString(name).int16(0);
    this.#bindHead = writer.int16(typeOids.length).take();
  }

  /** null: this time it has to run as the client wrote it. */
  flight(
    connection: ServerConnection,
    planned: PlannedStatement,
  ): { readonly messages: readonly Buffer[]; readonly script: ReplyScript } | null {
    if (this.#penalty > 0) {
      this.#penalty -= 1;
      return null;
    }
    const bind = this.#bind(planned);
    if (bind === null) return null;
    if (connection.hasPrepared(this.#name)) {
      return { messages: [bind], script: new ReplyScript(rowReplies, 1) };
    }
    const replies: Reply[] = [{ kind: 'swallow', prepared: this.#name }, ...rowReplies];
    const messages = [this.#parse, bind];
    const evicted = connection.notePrepared(this.#name);
    if (evicted !== null) {
      messages.unshift(encodeClose({ kind: 'statement', name: evicted }));
      replies.unshift({ kind: 'swallow-close' });
    }
    return { messages, script: new ReplyScript(replies, 1) };
  }

  /** A server did not take it. */
  noteRefused(): void {
    this.#penalty = penaltyRuns;
  }

  /** Bind and everything behind it. */
  #bind({ source: { text, lexed } }: PlannedStatement): Buffer | null {
    const writer = new MessageWriter(this.#bindHead.length + 64 + lexed.end - lexed.start);
    writer.begin(FrontendCode.bind).bytes(this.#bindHead);
    for (const literal of lexed.literals) {
      const value = parameterValue(text, literal);
      if (value === null) return null;
      writer.value(value);
    }
    // All columns as text.
    return writer.int16(0).end().bytes(behindBind).take();
  }
}
