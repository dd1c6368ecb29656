import type { ShardId } from '../sharding/shard-id.ts';
import type { ForwardCursor } from './forward-cursor.ts';

export type OpenCursor =
  /** The shard's server has it, under the same name. */
  | { readonly kind: 'shard'; readonly shard: ShardId }
  | { readonly kind: 'multi-shard'; readonly cursor: ForwardCursor };

type Entry = {
  readonly cursor: OpenCursor;
  /** How many savepoints were open when it was declared, or are still. */
  savepointCount: number;
};

/** The cursors that a session has declared, by name. They live as long as their transaction. */
export class OpenCursors {
  // Not made before it is needed: most sessions never declare one.
  #entries: Map<string, Entry> | null = null;

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
