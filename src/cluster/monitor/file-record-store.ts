import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { RecordStore, StoredRecord } from '../failover/record-store.ts';
import type { ShardRecord } from '../failover/shard-record.ts';
import { parseStoredRecord } from './parse-stored-record.ts';
import { writeDurably } from './write-durably.ts';

/**
 * One file per shard in a directory that one supervisor owns. The compare-and-swap holds within this
 * supervisor.
 */
export class FileRecordStore implements RecordStore {
  readonly #directory: string;
  readonly #saving = new Set<ShardId>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(shard: ShardId): Promise<StoredRecord | null> {
    const path = this.#path(shard);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return null;
      throw failed('read', path, cause);
    }
    const stored = parseStoredRecord(text, path);
    if (stored.record.shard !== shard) {
      throw new PgError(SqlState.ioError, `cluster record ${path} is of another shard`);
    }
    return stored;
  }

  async save(record: ShardRecord, expected: number): Promise<number | null> {
    assert(!this.#saving.has(record.shard), 'one save of a shard at a time');
    this.#saving.add(record.shard);
    try {
      const current = await this.load(record.shard);
      if ((current?.revision ?? 0) !== expected) return null;
      await this.#replace(record, expected + 1);
      return expected + 1;
    } finally {
      this.#saving.delete(record.shard);
    }
  }

  async #replace(record: ShardRecord, revision: number): Promise<void> {
    const path = this.#path(record.shard);
    try {
      await writeDurably(path, `${JSON.stringify({ revision, record }, null, 2)}\n`);
    } catch (cause) {
      throw failed('write', path, cause);
    }
  }

  #path(shard: ShardId): string {
    return join(this.#directory, `${encodeURIComponent(shard)}.json`);
  }
}

function failed(verb: string, path: string, cause: unknown): PgError {
  return new PgError(SqlState.ioError, `cannot ${verb} the cluster record ${path}`, {
    hint: 'check failover.state_directory: space, permissions',
    cause,
  });
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
