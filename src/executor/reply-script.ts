import { unreachable } from '../base/assert.ts';

/**
 * What the client is owed for one flight of extended-protocol messages, in order. `forward`: the
 * answer to one message, passed on. `swallow`: the answer to a message that pgweave added itself.
 * `local`: an answer that pgweave gives without asking the server.
 */
export type Reply =
  | { readonly kind: 'forward' }
  /** Likewise; `note` gets a copy of the RowDescription in it. */
  | { readonly kind: 'forward-description'; readonly note: (frame: Buffer) => void }
  /** Likewise, but where there are no rows the client is not told so. */
  | { readonly kind: 'forward-rows' }
  | { readonly kind: 'swallow'; readonly prepared: string | null }
  /** Like `swallow`, for the Close of a statement that has to leave the server. */
  | { readonly kind: 'swallow-close' }
  | { readonly kind: 'forward-parse'; readonly prepared: string }
  | { readonly kind: 'local'; readonly frame: Buffer };

// The last message of the answer to Parse, Bind, Close, Describe and Execute respectively.
// ParameterDescription is not among them: RowDescription or NoData follows it.
const endsReply = new Uint8Array(256);
for (const letter of '123TnCIs') endsReply[letter.charCodeAt(0)] = 1;

const bindComplete = 0x32; // 2
const noData = 0x6e; // n

/**
 * Walks through the replies as the server's frames arrive. Source: PostgreSQL manual, section
 * "Message Flow, Extended Query": exactly one of these codes ends the answer to each message.
 */
export class ReplyScript {
  readonly #replies: readonly Reply[];
  #index = 0;
  #failedAt: number | null = null;
  #keptBindsLeft: number;

  /** `keptBinds`: how many Binds name a statement of ours instead of the client's unnamed one. */
  constructor(replies: readonly Reply[], keptBinds = 0) {
    this.#replies = replies;
    this.#keptBindsLeft = keptBinds;
  }

  /** True when the frame goes to the client; moves on when it ends an answer. */
  accept(code: number): boolean {
    const reply = this.#replies[this.#index];
    if (reply === undefined) return true;
    // Notices and ParameterStatus are the client's, whatever they come with.
    if (endsReply[code] !== 1) return true;
    if (code === bindComplete) this.#keptBindsLeft -= 1;
    this.#index += 1;
    if (reply.kind === 'forward-rows') return code !== noData;
    return reply.kind !== 'swallow' && reply.kind !== 'swallow-close';
  }

  /** A RowDescription is about to be accepted. */
  onDescription(chunk: Buffer, start: number, end: number): void {
    const reply = this.#replies[this.#index];
    if (reply?.kind !== 'forward-description') return;
    reply.note(Buffer.from(chunk.subarray(start, end)));
  }

  /** The local answer that is due now, or null; each is handed out once. */
  takeLocal(): Buffer | null {
    const reply = this.#replies[this.#index];
    if (reply?.kind !== 'local') return null;
    this.#index += 1;
    return reply.frame;
  }

  /** An error now may come of the name that stands for the client's unnamed statement. */
  get isKeptAtStake(): boolean {
    return this.#keptBindsLeft > 0;
  }

  /** Index of the reply in whose place the error came; null without an error. */
  get failedAt(): number | null {
    return this.#failedAt;
  }

  /**
   * After an error: names of server-side statements whose Parse was not answered, and whether a
   * Close was not.
   */
  unanswered(): { readonly prepared: readonly string[]; readonly closing: boolean } {
    const prepared: string[] = [];
    let closing = false;
    this.#failedAt ??= this.#index;
    for (const reply of this.#replies.slice(this.#index)) {
      switch (reply.kind) {
        case 'forward-parse':
          prepared.push(reply.prepared);
          break;
        case 'swallow':
          if (reply.prepared !== null) prepared.push(reply.prepared);
          break;
        case 'swallow-close':
          closing = true;
          break;
        case 'forward':
        case 'forward-description':
        case 'forward-rows':
        case 'local':
          break;
        default:
          unreachable(reply);
      }
    }
    this.#index = this.#replies.length;
    return { prepared, closing };
  }
}
