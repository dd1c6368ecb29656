import type { Socket } from 'node:net';
import { adminCommandLengthMax } from '../admin/admin-command.ts';
import { assert, unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { TransactionOutcome } from '../cluster/transactions/transaction-outcome.ts';
import type { AdminResult } from '../frontend/admin-console.ts';
import type { Place } from '../frontend/admission.ts';
import type { SupervisorMessage, WireError, WorkerMessage } from './messages.ts';
import { toWireError } from './messages.ts';
import type { StartWorker, WorkerHandlers, WorkerLink } from './worker-link.ts';

/** Closed sessions are reported at most this often: a burst of short clients is one message. */
const sessionsPeriodMs = 10;

type AdminWaiter = {
  resolve(result: AdminResult): void;
  reject(error: PgError): void;
};

/**
 * The worker's end of the conversation with the supervisor, whatever carries it. Messages that come
 * while the worker is being built wait for it. Per client it keeps nothing: the listeners for the
 * end of a socket are the same two functions for all.
 */
export class WorkerEnd {
  readonly #startWorker: StartWorker;
  readonly #send: (message: WorkerMessage) => void;
  readonly #clock: Clock;
  #handlers: WorkerHandlers | null = null;
  #early: SupervisorMessage[] = [];
  #nextId = 1;
  readonly #adminWaiters = new Map<number, AdminWaiter>();
  readonly #schemaWaiters = new Map<number, () => void>();
  readonly #settleWaiters = new Map<number, (outcome: TransactionOutcome | null) => void>();
  readonly #admissionWaiters = new Map<number, (full: Place | null) => void>();
  #closed = 0;
  #refusedClosed = 0;
  #reportDue = false;
  readonly #onClosed = () => {
    this.#closed++;
    this.#reportSessions();
  };
  readonly #onRefusedClosed = () => {
    this.#refusedClosed++;
    this.#reportSessions();
  };

  constructor(
    startWorker: StartWorker,
    send: (message: WorkerMessage) => void,
    parts: { readonly clock: Clock },
  ) {
    this.#startWorker = startWorker;
    this.#send = send;
    this.#clock = parts.clock;
  }

  /** `socket` is missing when the client had gone before it was handed over. */
  receive(message: SupervisorMessage, socket?: Socket): void {
    if (message.type === 'configure') {
      this.#configure(message);
    } else if (this.#handlers === null) {
      assert(message.type !== 'client', 'a client came before the worker was ready');
      this.#early.push(message);
    } else if (message.type === 'client') {
      // Before anything is read or written: whoever finds no such word may give the client away.
      this.#send({ type: 'taken' });
      this.#acceptClient(this.#handlers, message.refused, socket);
    } else {
      this.#obey(this.#handlers, message);
    }
  }

  #configure(message: Extract<SupervisorMessage, { type: 'configure' }>): void {
    const { place, configuration } = message;
    this.#startWorker(this.#link(), { place, configuration }).then(
      (handlers) => {
        this.#handlers = handlers;
        this.#send({ type: 'ready' });
        const early = this.#early;
        this.#early = [];
        for (const waiting of early) this.receive(waiting);
      },
      (error: unknown) => this.#send({ type: 'failed', error: describe(error) }),
    );
  }

  #link(): WorkerLink {
    return {
      serverLost: (node) => this.#send({ type: 'server-lost', node }),
      proofOfLife: (nodes) => {
        if (nodes.length > 0) this.#send({ type: 'proof-of-life', nodes });
      },
      cancel: (key) => this.#send({ type: 'cancel', key }),
      schemaChanged: () =>
        new Promise((resolve) => {
          const id = this.#nextId++;
          this.#schemaWaiters.set(id, resolve);
          this.#send({ type: 'schema-changed', id });
        }),
      settleTransaction: (transaction, shards) =>
        new Promise((resolve) => {
          const id = this.#nextId++;
          this.#settleWaiters.set(id, resolve);
          this.#send({ type: 'settle', id, transaction, shards });
        }),
      askAboutCommit: (question) =>
        new Promise((resolve) => {
          const id = this.#nextId++;
          this.#settleWaiters.set(id, resolve);
          this.#send({ type: 'commit-question', id, question });
        }),
      loginFailed: (address) => this.#send({ type: 'login-failed', address }),
      admission: {
        take: (client, places, answered) => {
          const id = this.#nextId++;
          this.#admissionWaiters.set(id, answered);
          this.#send({ type: 'admit', id, client, places });
        },
        leave: (client) => this.#send({ type: 'left', client }),
      },
      console: { execute: (sql, user) => this.#execute(sql, user) },
    };
  }

  #execute(
    sql: string,
    user: { readonly name: string; readonly admin: boolean },
  ): Promise<AdminResult> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#adminWaiters.set(id, { resolve, reject });
      // One character too many still makes the console refuse; megabytes need not travel for it.
      const bounded = sql.slice(0, adminCommandLengthMax + 1);
      this.#send({ type: 'admin', id, sql: bounded, user: { name: user.name, admin: user.admin } });
    });
  }

  #acceptClient(handlers: WorkerHandlers, refused: boolean, socket: Socket | undefined): void {
    const onClosed = refused ? this.#onRefusedClosed : this.#onClosed;
    if (socket === undefined) {
      onClosed();
      return;
    }
    socket.on('close', onClosed);
    handlers.client(socket, refused);
  }

  #reportSessions(): void {
    if (this.#reportDue) return;
    this.#reportDue = true;
    this.#clock.after(sessionsPeriodMs, () => {
      this.#reportDue = false;
      this.#send({ type: 'sessions', closed: this.#closed, refusedClosed: this.#refusedClosed });
    });
  }

  #obey(
    handlers: WorkerHandlers,
    message: Exclude<SupervisorMessage, { type: 'configure' | 'client' }>,
  ): void {
    switch (message.type) {
      case 'shard-states':
        handlers.shardStates(message.states);
        break;
      case 'catalogue':
        this.#apply(message.id, () => handlers.catalogue(message.catalogue));
        break;
      case 'configuration':
        this.#apply(message.id, () => handlers.configuration(message.configuration));
        break;
      case 'cancel':
        handlers.cancel(message.key);
        break;
      case 'drain':
        this.#answer(handlers.drain(message.timeoutMs), () => {
          this.#send({ type: 'drained', id: message.id });
        });
        break;
      case 'holders-request':
        this.#send({ type: 'holders', id: message.id, holders: handlers.holders() });
        break;
      case 'break-deadlock':
        handlers.breakDeadlock(message.session);
        break;
      case 'snapshot-request':
        this.#answer(handlers.report({ clients: message.clients }), (report) => {
          this.#send({ type: 'snapshot', id: message.id, report });
        });
        break;
      case 'admin-result':
        this.#adminWaiter(message.id).resolve(message.result);
        break;
      case 'admin-error':
        this.#adminWaiter(message.id).reject(fromWireError(message.error));
        break;
      case 'schema-read':
        this.#schemaRead(message.id);
        break;
      case 'admitted':
        this.#admitted(message.id, message.full);
        break;
      case 'login-failed':
        handlers.loginFailed(message.address);
        break;
      case 'settled':
        this.#settled(message.id, message.outcome);
        break;
      default:
        unreachable(message);
    }
  }

  #apply(id: number, change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#send({ type: 'applied', id, error: toWireError(error) });
      return;
    }
    this.#send({ type: 'applied', id, error: null });
  }

  /** A handler that rejects is our mistake: uncaught, it ends the worker, which is restarted. */
  #answer<Value>(promise: Promise<Value>, reply: (value: Value) => void): void {
    promise.then(reply).catch((error: unknown) => {
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  #adminWaiter(id: number): AdminWaiter {
    const waiter = this.#adminWaiters.get(id);
    assert(waiter !== undefined, 'an answer to a command that was not sent');
    this.#adminWaiters.delete(id);
    return waiter;
  }

  #schemaRead(id: number): void {
    const resolve = this.#schemaWaiters.get(id);
    assert(resolve !== undefined, 'an answer to a schema change that was not sent');
    this.#schemaWaiters.delete(id);
    resolve();
  }

  #admitted(id: number, full: Place | null): void {
    const answered = this.#admissionWaiters.get(id);
    assert(answered !== undefined, 'an answer to an admission that was not asked for');
    this.#admissionWaiters.delete(id);
    answered(full);
  }

  #settled(id: number, outcome: TransactionOutcome | null): void {
    const resolve = this.#settleWaiters.get(id);
    assert(resolve !== undefined, 'an answer to a transaction that was not asked about');
    this.#settleWaiters.delete(id);
    resolve(outcome);
  }
}

function describe(error: unknown): WireError {
  if (error instanceof PgError) return toWireError(error);
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return toWireError(new PgError(SqlState.internalError, message));
}

function fromWireError(error: WireError): PgError {
  return new PgError(error.sqlState, error.message, {
    detail: error.detail ?? undefined,
    hint: error.hint ?? undefined,
  });
}
