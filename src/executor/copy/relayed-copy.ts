import type { ServerConnection } from '../../backend/server-connection.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeCopyFail } from '../../protocol/copy-fail-message.ts';
import { type CopyReceiver, copyBufferBytes } from './copy-receiver.ts';

/** COPY into one shard: the client's own bytes. */
export class RelayedCopy implements CopyReceiver {
  readonly #server: ServerConnection;
  readonly #isExtended: boolean;
  /** Of the message that is being passed on in pieces. */
  #bytesLeft = 0;

  /** `isExtended`: the server has ignored the Sync that came before the data, and needs one behind. */
  constructor(server: ServerConnection, isExtended: boolean) {
    this.#server = server;
    this.#isExtended = isExtended;
  }

  get writable(): boolean {
    return this.#server.unsentBytes < copyBufferBytes;
  }

  onDrain(callback: () => void): void {
    this.#server.onDrain(callback);
  }

  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    if (isFirst) this.#bytesLeft = 1 + chunk.readInt32BE(start + 1);
    this.#bytesLeft -= end - start;
    this.#server.append([Buffer.from(chunk.subarray(start, end))]);
  }

  end(_code: number, chunk: Buffer, start: number, end: number): void {
    this.#server.append([Buffer.from(chunk.subarray(start, end))]);
    this.#finish();
  }

  failed(): void {
    // The server would take whatever comes next for the rest of the message.
    if (this.#bytesLeft > 0) this.#server.destroy('COPY ended within a message');
    else this.#finish();
  }

  abort(reason: string): void {
    if (this.#bytesLeft === 0) this.#server.append([encodeCopyFail(reason)]);
    this.failed();
  }

  #finish(): void {
    if (this.#isExtended) this.#server.append([syncMessage]);
  }
}
