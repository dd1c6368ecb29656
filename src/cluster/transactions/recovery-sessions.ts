import type { Telemetry } from '../../base/telemetry.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { ControlConnection, controlLogin } from '../control-connection.ts';
import { makeDecisionTable } from './recovery-queries.ts';

export type RecoverySessionsParts = {
  readonly telemetry: Telemetry;
  readonly config: () => Config;
  readonly primaryOf: (shard: ShardId) => NodeAddress | null;
};

type Open = { readonly node: NodeAddress; readonly connection: ControlConnection };

/** For a statement; a commit that waits longer for a standby is looked at again later. */
const timeoutMs = 5_000;
/** How long to wait for a transaction that is about to decide. */
const settings = { lock_timeout: '100ms' };

/** A session on each shard's primary, kept from one look to the next. */
export class RecoverySessions {
  readonly #parts: RecoverySessionsParts;
  readonly #open = new Map<ShardId, Open>();
  readonly #failing = new Set<ShardId>();
  #unread = new Set<ShardId>();
  #closed = false;

  constructor(parts: RecoverySessionsParts) {
    this.#parts = parts;
  }

  /** Shards without a primary, or that have failed to answer since the last open(). */
  get unread(): ReadonlySet<ShardId> {
    return this.#unread;
  }

  /** Connects to the primaries of now; the decision table is there afterwards. */
  async open(): Promise<void> {
    const { shards } = this.#parts.config().shardMap;
    this.#unread = new Set();
    for (const shard of this.#open.keys()) if (!shards.includes(shard)) this.#drop(shard);
    await Promise.all(
      shards.map(async (shard) => {
        const node = this.#parts.primaryOf(shard);
        const { node: last, connection } = this.#open.get(shard) ?? {};
        if (node !== null && last?.id === node.id && connection?.alive === true) return;
        this.#drop(shard);
        if (node === null) this.#unread.add(shard);
        else await this.#connect(shard, node);
      }),
    );
  }

  /** null when the shard cannot be asked: it is `unread`, or none of the configuration. */
  async ask<Answer>(
    shard: ShardId,
    question: (session: ControlConnection) => Promise<Answer>,
  ): Promise<Answer | null> {
    const open = this.#open.get(shard);
    if (open === undefined || this.#unread.has(shard)) return null;
    try {
      const answer = await question(open.connection);
      this.#failing.delete(shard);
      return answer;
    } catch (error) {
      this.#fail(shard, error);
      return null;
    }
  }

  /** Of the shards that could be asked. */
  async askAll<Answer>(
    question: (session: ControlConnection) => Promise<Answer>,
  ): Promise<ReadonlyMap<ShardId, Answer>> {
    const answers = new Map<ShardId, Answer>();
    await Promise.all(
      this.#parts.config().shardMap.shards.map(async (shard) => {
        const answer = await this.ask(shard, question);
        if (answer !== null) answers.set(shard, answer);
      }),
    );
    return answers;
  }

  close(): void {
    this.#closed = true;
    for (const shard of [...this.#open.keys()]) this.#drop(shard);
  }

  async #connect(shard: ShardId, node: NodeAddress): Promise<void> {
    const login = controlLogin(this.#parts.config());
    try {
      const connection = await ControlConnection.open({ node, login, settings, timeoutMs });
      this.#open.set(shard, { node, connection });
      if (this.#closed) this.#drop(shard);
      else await makeDecisionTable(connection);
    } catch (error) {
      this.#fail(shard, error);
    }
  }

  #drop(shard: ShardId): void {
    this.#open.get(shard)?.connection.close();
    this.#open.delete(shard);
  }

  /** Said once per outage. A session that has failed may hold anything. */
  #fail(shard: ShardId, error: unknown): void {
    this.#drop(shard);
    this.#unread.add(shard);
    if (this.#failing.has(shard) || this.#closed) return;
    this.#failing.add(shard);
    const message = 'transactions in doubt could not be looked after';
    this.#parts.telemetry.log('warn', message, { shard, error });
  }
}
