import type { ShardId } from '../../sharding/shard-id.ts';
import { KeptRowsRoom } from './kept-rows.ts';
import type { ShardsCursor } from './shards-cursor.ts';

export type OpenCursor =
  /** The shard's server has it, under the same name. */
  | { readonly kind: 'shard'; readonly shard: ShardId; readonly hold: boolean }
  | { readonly kind: 'multi-shard'; readonly cursor: ShardsCursor; readonly hold: boolean };

type Entry = {
  readonly cursor: OpenCursor;
  /** How many savepoints were open when it was declared, or are still; see `noBlock`. */
  savepointCount: number;
};

/** It is held: no block's, so that no rollback can end it. */
const noBlock = -1;

/**
 * The cursors that a session has declared, by name. They live as long as their transaction, but for
 * those WITH HOLD: on one shard the server is asked for them when it has ended, those over several
 * are held before it is committed.
 */
export class OpenCursors {
  // Not made before it is needed: most sessions never declare one.
  #entries: Map<string, Entry> | null = null;
  #room: KeptRowsRoom | null = null;

  /** Of the rows that they keep here. */
  get room(): KeptRowsRoom {
    this.#room ??= new KeptRowsRoom();
    return this.#room;
  }

  get(name: string): OpenCursor | null {
    return this.#entries?.get(name)?.cursor ?? null;
  }

  add(name: string, cursor: OpenCursor, savepointCount: number): void {
    this.#entries ??= new Map();
    this.#entries.set(name, { cursor, savepointCount });
  }

  /** On one shard the caller tells the server. */
  close(name: string): void {
    const entry = this.#entries?.get(name);
    if (entry?.cursor.kind === 'multi-shard') entry.cursor.cursor.close();
    this.#entries?.delete(name);
  }

  closeAll(): void {
    for (const name of this.#entries?.keys() ?? []) this.close(name);
  }

  /** The block ends. */
  closeUnheld(): void {
    for (const [name, { cursor, savepointCount }] of this.#entries ?? []) {
      if (cursor.kind === 'shard' ? cursor.hold : savepointCount === noBlock) continue;
      this.close(name);
    }
  }

  /** Those WITH HOLD over several shards that have been declared in this block, and have not failed. */
  get toBeHeld(): readonly { readonly name: string; readonly cursor: ShardsCursor }[] {
    return [...(this.#entries ?? [])].flatMap(([name, { cursor, savepointCount }]) =>
      cursor.kind === 'multi-shard' &&
      cursor.hold &&
      savepointCount !== noBlock &&
      !cursor.cursor.hasFailed
        ? [{ name, cursor: cursor.cursor }]
        : [],
    );
  }

  /** Its rows are here. */
  held(name: string): void {
    const entry = this.#entries?.get(name);
    if (entry !== undefined) entry.savepointCount = noBlock;
  }

  /** WITH HOLD, and declared in this block. */
  get hasNewHoldable(): boolean {
    if (this.#entries === null) return false;
    for (const { cursor, savepointCount } of this.#entries.values()) {
      if (cursor.hold && savepointCount !== noBlock) return true;
    }
    return false;
  }

  /** Of those WITH HOLD on the shard the server still has these, which no rollback can end. */
  keepHeld(shard: ShardId, names: readonly string[]): void {
    for (const [name, entry] of this.#entries ?? []) {
      if (entry.cursor.kind !== 'shard' || !entry.cursor.hold) continue;
      if (entry.cursor.shard !== shard) continue;
      if (names.includes(name)) entry.savepointCount = noBlock;
      else this.#entries?.delete(name);
    }
  }

  /** Shards with cursors WITH HOLD. */
  get heldOn(): readonly ShardId[] {
    const cursors = [...(this.#entries?.values() ?? [])].map(({ cursor }) => cursor);
    const shards = cursors.flatMap((cursor) =>
      cursor.kind === 'shard' && cursor.hold ? [cursor.shard] : [],
    );
    return [...new Set(shards)];
  }

  /** Only so many savepoints are left; what came after them belongs to the last one now. */
  savepointsReleased(savepointCount: number): void {
    for (const entry of this.#entries?.values() ?? []) {
      entry.savepointCount = Math.min(entry.savepointCount, savepointCount);
    }
  }

  /** What was declared after the last of the savepoints that are left is gone. */
  savepointsRolledBack(savepointCount: number): void {
    for (const [name, entry] of this.#entries ?? []) {
      if (entry.savepointCount >= savepointCount) this.close(name);
    }
  }
}
