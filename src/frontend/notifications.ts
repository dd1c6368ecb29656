import type { ServerConnection } from '../backend/server-connection.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { ClientConnection } from './client-connection.ts';

/** What may wait for the end of a transaction. */
const waitingBytesMax = 16 * 1024 * 1024;

/**
 * Notifications of the channels that a session listens on. As PostgreSQL does, they are delivered
 * between transactions only (manual, NOTIFY); until then they wait here.
 */
export class Notifications {
  readonly #processId: number;
  // Not made before it is needed: most sessions never listen.
  #waiting: Buffer[] | null = null;
  #bytes = 0;

  constructor(processId: number) {
    this.#processId = processId;
  }

  /** `own`: the server connections of the session, whose process the client knows as its own. */
  add(frame: Buffer, own: Iterable<ServerConnection>): void {
    const copy = Buffer.from(frame);
    const sender = copy.readInt32BE(5);
    for (const { processId } of own) {
      if (processId === sender) copy.writeInt32BE(this.#processId, 5);
    }
    this.#waiting ??= [];
    this.#waiting.push(copy);
    this.#bytes += copy.length;
  }

  deliver(client: ClientConnection): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    this.#bytes = 0;
    for (const frame of waiting) client.push(frame);
  }

  /** Why the session must end; null: it need not. */
  get excess(): PgError | null {
    if (this.#bytes <= waitingBytesMax) return null;
    const message = `more than ${waitingBytesMax} bytes of notifications wait for the end of a transaction`;
    return new PgError(SqlState.programLimitExceeded, message, { severity: 'FATAL' });
  }
}
