import type { Client } from 'pg';
import type { Random } from '../support/random.ts';
import { borderId, tpcbCounts } from './commit-tables.ts';
import type { CommitWorld } from './commit-world.ts';

/** TPC-B with accounts by aid and all else by bid: most transactions write on both shards. */
export class TpcbLoad {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** One transaction, as pgbench's `tpcb-like`. */
  async run(client: Client, id: number): Promise<void> {
    const aid = this.#oneOf(tpcbCounts.accounts);
    const tid = this.#oneOf(tpcbCounts.tellers);
    const bid = this.#oneOf(tpcbCounts.branches);
    const delta = this.#random.integer(-5_000, 5_000);
    const statements = [
      'begin',
      `update accounts set abalance = abalance + ${delta} where aid = ${aid}`,
      `select abalance from accounts where aid = ${aid}`,
      `update tellers set tbalance = tbalance + ${delta} where tid = ${tid}`,
      `update branches set bbalance = bbalance + ${delta} where bid = ${bid}`,
      `insert into history values (${tid}, ${bid}, ${aid}, ${delta}, current_timestamp, '${id}')`,
      'end',
    ];
    for (const statement of statements) await client.query(statement);
  }

  /** `written`, `denied`: transactions by what their clients were told. */
  static async judge(
    world: CommitWorld,
    written: readonly number[],
    denied: readonly number[],
  ): Promise<readonly string[]> {
    const sums = new Map<string, number>();
    const entries: number[] = [];
    for (const shard of ['a', 'b'] as const) {
      const primary = await world.primary(shard);
      const rows = await world.ask<{ what: string; sum: string }>(primary, sumsSql);
      for (const { what, sum } of rows) sums.set(what, (sums.get(what) ?? 0) + Number(sum));
      const filler = await world.ask<{ filler: string }>(primary, 'select filler from history');
      entries.push(...filler.map((row) => Number(row.filler)));
    }
    const there = new Set(entries);
    const lost = written.filter((id) => !there.has(id)).length;
    const undone = denied.filter((id) => there.has(id)).length;
    const findings: string[] = [];
    if (new Set(sums.values()).size > 1) findings.push(`sums differ: ${[...sums].join(' ')}`);
    if (there.size < entries.length) findings.push('a transaction is in the history twice');
    if (lost > 0) findings.push(`${lost} acknowledged transactions are not in the history`);
    if (undone > 0) findings.push(`${undone} denied transactions are in the history`);
    return findings;
  }

  #oneOf(perShard: number): number {
    return this.#random.pick([0, borderId]) + this.#random.integer(1, perShard);
  }
}

const sumsSql = `
  select 'accounts' as what, sum(abalance) from accounts
  union all select 'tellers', sum(tbalance) from tellers
  union all select 'branches', sum(bbalance) from branches
  union all select 'history', coalesce(sum(delta), 0) from history`;
