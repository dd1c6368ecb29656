import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { NodeAddress } from '../../config/config.ts';
import { ControlConnection, type ControlLogin } from '../control-connection.ts';
import type { ConnectOutcome, ProbeAnswer } from '../failover/probe-answer.ts';
import { probeConnect } from './connect-probe.ts';
import { ProbeQuery } from './probe-query.ts';

export type NodeProbeParts = {
  readonly node: NodeAddress;
  readonly login: ControlLogin;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly intervalMs: number;
  /** No answer to a fresh connection for so long is silence. */
  readonly connectTimeoutMs: number;
  onAnswer(answer: ProbeAnswer, askedAt: number): void;
  onConnect(outcome: ConnectOutcome): void;
  onLost(): void;
};

/** Longer without an answer, a standing session is replaced: a healed network may never revive it. */
const sessionTimeoutMs = 2000;

/**
 * Keeps one logged-in session to a node and asks it every interval. While there is none, fresh
 * connections tell why, and the first that is answered brings a new session.
 */
export class NodeProbe {
  readonly #parts: NodeProbeParts;
  #query = new ProbeQuery();
  #session: ControlConnection | null = null;
  #opening = false;
  #asking = false;
  #connecting = false;
  #stopped = false;
  #failure = '';
  readonly #cancelTimer: () => void;

  constructor(parts: NodeProbeParts) {
    this.#parts = parts;
    this.#cancelTimer = parts.clock.every(parts.intervalMs, () => this.#standingProbe());
    this.#standingProbe();
  }

  /** Now, both ways: over the standing session and by a fresh connection. */
  probe(): void {
    if (this.#stopped) return;
    if (this.#session !== null) this.#ask(this.#session);
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#session?.close();
  }

  #standingProbe(): void {
    if (this.#session === null) this.#connect();
    else this.#ask(this.#session);
  }

  #ask(session: ControlConnection): void {
    if (this.#asking) return;
    this.#asking = true;
    const askedAt = this.#parts.clock.now();
    this.#query
      .ask(session)
      .then(
        (answer) => {
          this.#failure = '';
          if (!this.#stopped) this.#parts.onAnswer(answer, askedAt);
        },
        (error: unknown) => this.#failed(session, error),
      )
      .finally(() => {
        this.#asking = false;
      });
  }

  /** A statement that the server refuses (its role changed in the middle) is asked again. */
  #failed(session: ControlConnection, error: unknown): void {
    this.#report(error);
    if (!session.alive && this.#session === session) this.#session = null;
  }

  #connect(): void {
    if (this.#connecting) return;
    this.#connecting = true;
    const { node, login, clock, connectTimeoutMs } = this.#parts;
    probeConnect(node, { login, clock, timeoutMs: connectTimeoutMs }, (outcome) => {
      this.#connecting = false;
      if (this.#stopped) return;
      this.#parts.onConnect(outcome);
      if (outcome === 'alive' && this.#session === null) this.#open();
    });
  }

  #open(): void {
    if (this.#opening) return;
    this.#opening = true;
    const { node, login } = this.#parts;
    ControlConnection.open({ node, login, timeoutMs: sessionTimeoutMs })
      .then(
        (session) => this.#opened(session),
        (error: unknown) => this.#report(error),
      )
      .finally(() => {
        this.#opening = false;
      });
  }

  #opened(session: ControlConnection): void {
    if (this.#stopped) {
      session.close();
      return;
    }
    this.#session = session;
    this.#query = new ProbeQuery();
    session.onLost(() => {
      if (this.#session === session) this.#session = null;
      if (!this.#stopped) this.#parts.onLost();
    });
    this.#ask(session);
  }

  /** Once per kind of failure, not ten times a second. */
  #report(error: unknown): void {
    const failure = error instanceof PgError ? error.message : String(error);
    if (this.#stopped || failure === this.#failure) return;
    this.#failure = failure;
    const { telemetry, node } = this.#parts;
    telemetry.log('warn', 'a probe failed', { shard: node.shard, node: node.id, error });
  }
}
