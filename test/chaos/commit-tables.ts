import type { Client } from 'pg';

/** Shard b has the keys from here on, shard a those below. */
export const borderId = 1_000_000;
export const accountsPerShard = 10;
export const firstBalance = 1_000;

/** Of TPC-B, on each shard. */
export const tpcbCounts = { accounts: 100, tellers: 10, branches: 2 };

/** These answers promise that nothing was done. */
export const certainlyNot = ['40001', '40P01', '57P03', '25P02'];

/** `entry` for transfers, `list` for lists, the rest for TPC-B: as pgbench makes them. */
export const commitSchema = `
  create table entry (id int primary key, balance int not null);
  insert into entry select n, ${firstBalance} from generate_series(1, ${accountsPerShard}) n;
  create table list (id int primary key, items int[] not null);
  create table branches (bid int primary key, bbalance int not null);
  create table tellers (tid int, bid int, tbalance int not null, primary key (tid, bid));
  create table accounts (aid int primary key, bid int, abalance int not null);
  create table history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))`;

/** YAML of all tables but `entry`. */
export const commitTables = [
  'list: { distribution: by_id, key: id }',
  'branches: { distribution: by_id, key: bid }',
  'tellers: { distribution: by_id, key: bid }',
  'accounts: { distribution: by_id, key: aid }',
  'history: { distribution: by_id, key: bid }',
];

/** Through pgweave, once. */
export async function fillTpcb(client: Client): Promise<void> {
  const rows = (count: number, row: (id: number, branch: number) => string) =>
    [0, borderId]
      .flatMap((base) =>
        Array.from({ length: count }, (_, index) =>
          row(base + index + 1, base + 1 + (index % tpcbCounts.branches)),
        ),
      )
      .join(', ');
  const branches = rows(tpcbCounts.branches, (id) => `(${id}, 0)`);
  const tellers = rows(tpcbCounts.tellers, (id, branch) => `(${id}, ${branch}, 0)`);
  const accounts = rows(tpcbCounts.accounts, (id, branch) => `(${id}, ${branch}, 0)`);
  await client.query(`insert into branches values ${branches}`);
  await client.query(`insert into tellers values ${tellers}`);
  await client.query(`insert into accounts values ${accounts}`);
}
