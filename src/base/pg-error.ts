export type PgErrorFields = {
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** 1-based character position in the client's statement. */
  readonly position?: number | undefined;
  /** Where it happened, in PostgreSQL's words: `COPY t, line 3`. */
  readonly context?: string | undefined;
  /** PostgreSQL's function that reports it, where drivers go by that. */
  readonly routine?: string | undefined;
  readonly severity?: 'ERROR' | 'FATAL' | undefined;
  readonly cause?: unknown;
};

/**
 * A failure that a client, a server, an operator or the network can cause. `message` is in
 * PostgreSQL's voice: lower case, no full stop. `sqlState` is a plain string because a server's
 * own code passes through unchanged.
 */
export class PgError extends Error {
  override readonly name = 'PgError';
  readonly sqlState: string;
  readonly severity: 'ERROR' | 'FATAL';
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly position: number | undefined;
  readonly context: string | undefined;
  readonly routine: string | undefined;

  constructor(sqlState: string, message: string, fields: PgErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.sqlState = sqlState;
    this.severity = fields.severity ?? 'ERROR';
    this.detail = fields.detail;
    this.hint = fields.hint;
    this.position = fields.position;
    this.context = fields.context;
    this.routine = fields.routine;
  }
}
