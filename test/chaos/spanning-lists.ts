import type { Client } from 'pg';
import { judgeLists, type ListTransaction } from '../support/list-append.ts';
import { codeOf } from '../support/load.ts';
import type { Random } from '../support/random.ts';
import { borderId, certainlyNot } from './commit-tables.ts';
import type { CommitWorld } from './commit-world.ts';

const listsPerShard = 4;

/** Transactions that append to lists on both shards and read them, and what they have seen. */
export class SpanningLists {
  readonly #random: Random;
  readonly #keys: readonly number[];
  readonly #history: ListTransaction[] = [];

  /** `firstKey`: nobody else's, with the next few. */
  constructor(random: Random, firstKey: number) {
    this.#random = random;
    const numbers = Array.from({ length: listsPerShard }, (_, index) => firstKey + index);
    this.#keys = [...numbers.map((key) => -key), ...numbers.map((key) => borderId + key)];
  }

  /** One transaction; `id` is what it appends. */
  async run(client: Client, id: number): Promise<void> {
    const record: ListTransaction = { id, outcome: 'unknown', appends: [], reads: [] };
    this.#history.push(record);
    // In one order: two that wait for each other over shards would only take time.
    const keys = this.#keys.filter(() => this.#random.fraction() < 0.4);
    try {
      await client.query('begin');
      for (const key of keys) {
        if (this.#random.fraction() < 0.4) await this.#read(client, [key], record);
        if (this.#random.fraction() < 0.7) await append(client, key, record);
      }
      if (this.#random.fraction() < 0.3) await this.#read(client, this.#keys, record);
      await client.query('commit');
      record.outcome = 'committed';
    } catch (error) {
      if (certainlyNot.includes(codeOf(error))) record.outcome = 'denied';
      throw error;
    }
  }

  async judge(world: CommitWorld): Promise<readonly string[]> {
    const lists = new Map<number, readonly number[]>();
    for (const shard of ['a', 'b'] as const) {
      const rows = await world.ask<{ id: number; items: number[] }>(
        await world.primary(shard),
        `select id, items from list where id in (${this.#keys.join(', ')})`,
      );
      for (const { id, items } of rows) lists.set(id, items);
    }
    return judgeLists(this.#history, lists);
  }

  async #read(client: Client, keys: readonly number[], record: ListTransaction): Promise<void> {
    const sql = `select id, items from list where id in (${keys.join(', ')})`;
    const { rows } = await client.query<{ id: number; items: number[] }>(sql);
    for (const { id, items } of rows) record.reads.push({ key: id, elements: items });
  }
}

async function append(
  client: Client,
  key: number,
  { id, appends }: ListTransaction,
): Promise<void> {
  appends.push(key);
  await client.query(
    `insert into list values (${key}, array[${id}])
      on conflict (id) do update set items = list.items || ${id}`,
  );
}
