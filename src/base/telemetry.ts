export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = { readonly [name: string]: unknown };

/** How a statement was answered; the label of the statement counters. */
export type RouteKind = 'single-shard' | 'multi-shard' | 'home' | 'local' | 'rejected';

export type LoginFailure = 'password' | 'refused' | 'timeout';

/**
 * What the layers below report; `observability` implements it. Calls are cheap and never throw.
 * Never pass literals, parameters or passwords.
 */
export type Telemetry = {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  statement(route: RouteKind): void;
  /** Time from the first byte sent to a shard to its ReadyForQuery, in milliseconds. */
  shardLatency(shard: string, latencyMs: number): void;
  /** `refused`: by an hba rule, a certificate, or a role that does not exist. */
  loginFailed(reason: LoginFailure): void;
  /** A client has been sent an error of pgweave's own. */
  errorSent(sqlState: string): void;
  /** An intermediate result has come in; bytes are those of its values and their lengths. */
  gathered(size: { readonly rows: number; readonly bytes: number }): void;
};

export const silentTelemetry: Telemetry = {
  log() {},
  statement() {},
  shardLatency() {},
  gathered() {},
  loginFailed() {},
  errorSent() {},
};
