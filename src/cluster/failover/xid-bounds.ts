/**
 * What a promotion says about the transactions of the primary before it, by their 64-bit IDs as decimal
 * text:
 *
 *   xid < replayed   arrived: pg_xact_status() tells what became of it
 *   xid >= next      never arrived; its number may since belong to another transaction
 *
 * In between it may be either; `replayed` is from shortly before the end of recovery, `next` from
 * shortly after.
 */
export type XidBounds = { readonly replayed: string; readonly next: string };
