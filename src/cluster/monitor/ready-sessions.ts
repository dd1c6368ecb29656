import type { Clock } from '../../base/clock.ts';
import type { NodeAddress, NodeId } from '../../config/config.ts';
import {
  ControlConnection,
  type ControlConnectionOptions,
  type ControlLogin,
  withControlConnection,
} from '../control-connection.ts';
import { ProbeQuery } from './probe-query.ts';

export type ReadySessionsParts = { readonly login: ControlLogin; readonly clock: Clock };

type Ready = {
  readonly session: Promise<ControlConnection | null>;
  readonly openedAt: number;
};

/** Of logins and of each statement. */
const timeoutMs = 2000;
/** An older session may be dead without anybody knowing. */
const readyMs = 5000;

/**
 * Control sessions for the steps of a change of a primary. Those that are known to be needed soon are
 * opened before: a login takes longer than most of what is done in one.
 */
export class ReadySessions {
  readonly #parts: ReadySessionsParts;
  readonly #ready = new Map<NodeId, Ready>();

  constructor(parts: ReadySessionsParts) {
    this.#parts = parts;
  }

  /** Opens one unless there is one. Resolves when it is open, or cannot be. */
  async open(node: NodeAddress): Promise<void> {
    const ready = this.#fresh(node.id) ?? this.#begin(node);
    await ready.session;
  }

  /** `work` leaves the session as it was, so that the next one can have it. */
  async borrow<Result>(
    node: NodeAddress,
    work: (session: ControlConnection) => Promise<Result>,
  ): Promise<Result> {
    await this.open(node);
    const session = (await this.#fresh(node.id)?.session) ?? null;
    return session === null ? await this.withNew(node, work) : await work(session);
  }

  /** A session for the time of `work`. */
  async with<Result>(
    node: NodeAddress,
    work: (session: ControlConnection) => Promise<Result>,
  ): Promise<Result> {
    const ready = this.#fresh(node.id);
    this.#ready.delete(node.id);
    const early = (await ready?.session) ?? null;
    if (early?.alive !== true) return await this.withNew(node, work);
    try {
      return await work(early);
    } finally {
      early.close();
    }
  }

  /** The same, certainly begun after this call. */
  async withNew<Result>(
    node: NodeAddress,
    work: (session: ControlConnection) => Promise<Result>,
  ): Promise<Result> {
    const { login } = this.#parts;
    return await withControlConnection({ node, login, timeoutMs }, work);
  }

  /** Closes what nobody has needed. */
  drop(): void {
    for (const id of [...this.#ready.keys()]) this.#close(id);
  }

  #begin(node: NodeAddress): Ready {
    const { login, clock } = this.#parts;
    const session = openWarm({ node, login, timeoutMs }).catch(() => null);
    const ready = { session, openedAt: clock.now() };
    this.#ready.set(node.id, ready);
    return ready;
  }

  #fresh(id: NodeId): Ready | null {
    const ready = this.#ready.get(id);
    if (ready === undefined) return null;
    if (this.#parts.clock.now() - ready.openedAt < readyMs) return ready;
    this.#close(id);
    return null;
  }

  #close(id: NodeId): void {
    const ready = this.#ready.get(id);
    this.#ready.delete(id);
    // It never rejects.
    void ready?.session.then((session) => session?.close());
  }
}

/** The first query of a session has much to read from the catalogue, any later one little. */
async function openWarm(options: ControlConnectionOptions): Promise<ControlConnection> {
  const session = await ControlConnection.open(options);
  await new ProbeQuery().ask(session);
  return session;
}
