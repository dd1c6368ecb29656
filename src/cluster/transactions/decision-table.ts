import type { GlobalId } from './global-id.ts';

/**
 * `pgweave.decision` on each shard, with a row for each transaction that this shard has decided.
 * Whoever inserts a global id first has decided: the transaction itself, by committing the row with
 * its own changes, or recovery, with `abort`. Rows may be inserted by everybody, because clients'
 * transactions insert them, but only by their id: that it is a commit, and whose, is what the server
 * fills in. So nobody can decide for another role.
 */
export const makeDecisionTableSql = `
  create schema if not exists pgweave;
  create table if not exists pgweave.decision (
    id varchar(199) collate "C" primary key,
    outcome text not null default 'commit',
    decided_by name not null default current_user,
    decided_at timestamptz not null default clock_timestamp()
  );
  grant usage on schema pgweave to public;
  grant insert (id) on pgweave.decision to public`;

/** Part of the transaction that it names. */
export function decideSql(id: GlobalId): string {
  return `INSERT INTO pgweave.decision (id) VALUES ('${id}')`;
}
