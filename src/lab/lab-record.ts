import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { recordFileName } from './lab-directory.ts';

/** What a lab must know to start again. */
export type LabRecord = {
  readonly version: 1;
  readonly database: string;
  /** Of the superuser `postgres` and of replication; null where the servers trust. */
  readonly password: string | null;
  readonly shards: readonly {
    readonly name: string;
    readonly nodes: readonly { readonly name: string; readonly port: number }[];
  }[];
};

export async function readLabRecord(directory: string): Promise<LabRecord> {
  const file = join(directory, recordFileName);
  try {
    const record: LabRecord = JSON.parse(await readFile(file, 'utf8'));
    if (record.version === 1) return record;
  } catch (cause) {
    throw new PgError(SqlState.ioError, `${file} cannot be read`, { cause });
  }
  throw new PgError(SqlState.ioError, `${file} is of another version of pgweave`);
}

/** Whole or not at all: a directory with a record holds a finished lab. */
export async function writeLabRecord(directory: string, record: LabRecord): Promise<void> {
  const file = join(directory, recordFileName);
  await writeFile(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await chmod(`${file}.new`, 0o600);
  await rename(`${file}.new`, file);
}
