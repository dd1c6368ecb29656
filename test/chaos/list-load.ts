import type { Client } from 'pg';
import { seededRandom } from '../support/random.ts';
import type { ListStep, ListTransaction } from './list-history.ts';

const keysCount = 4;
/** These answers promise that nothing was done. */
const certainlyNot = ['40001', '57P03', '25P02'];

/** Serializable transactions of a few appends to lists and reads of them, and what came of each. */
export class ListLoad {
  readonly #firstKey: number;
  readonly #history: ListTransaction[] = [];

  /** `firstKey`: nobody else uses it and the next few. */
  constructor(firstKey: number) {
    this.#firstKey = firstKey;
  }

  get history(): readonly ListTransaction[] {
    return this.#history;
  }

  /** One transaction; `id` is of no other one, and decides what it does. */
  async run(client: Client, id: number): Promise<void> {
    const random = seededRandom(id);
    const steps: ListStep[] = [];
    try {
      await client.query('begin isolation level serializable');
      for (let step = 0; step < 3; step += 1) {
        const key = this.#firstKey + random.integer(0, keysCount - 1);
        if (random.fraction() < 0.5) {
          const value = 3 * id + step;
          steps.push({ kind: 'append', key, value });
          await append(client, key, value);
        } else {
          steps.push({ kind: 'read', key, values: await readList(client, key) });
        }
      }
    } catch (error) {
      // COMMIT was not sent.
      this.#history.push({ steps, outcome: 'denied' });
      throw error;
    }
    try {
      const { command } = await client.query('commit');
      this.#history.push({ steps, outcome: command === 'COMMIT' ? 'committed' : 'denied' });
    } catch (error) {
      const isDenied =
        error instanceof Error && 'code' in error && certainlyNot.includes(String(error.code));
      this.#history.push({ steps, outcome: isDenied ? 'denied' : 'unknown' });
      throw error;
    }
  }

  /** The lists as they are now. */
  async lists(client: Client): Promise<ReadonlyMap<number, readonly number[]>> {
    const lists = new Map<number, readonly number[]>();
    for (let key = this.#firstKey; key < this.#firstKey + keysCount; key += 1) {
      lists.set(key, await readList(client, key));
    }
    return lists;
  }
}

async function append(client: Client, key: number, value: number): Promise<void> {
  await client.query(
    `insert into list values (${key}, array[${value}])
      on conflict (key) do update set items = list.items || ${value}`,
  );
}

async function readList(client: Client, key: number): Promise<readonly number[]> {
  const { rows } = await client.query(`select items from list where key = ${key}`);
  return rows[0]?.items ?? [];
}
