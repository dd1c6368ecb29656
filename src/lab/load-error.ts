import { statfs } from 'node:fs/promises';
import { DatabaseError } from 'pg';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** A server with less room can neither write its log nor say so to its clients. */
const roomMinBytes = 32 * 1024 ** 2;
/** A server's SQLSTATE. */
const diskFull = '53100';

/**
 * Why rows could not be loaded into the servers in `directory`, as 58030 with one line: a full disk
 * is named even when a server died of it without a word. Our own mistakes come back unchanged.
 */
export async function loadError(error: unknown, directory: string): Promise<unknown> {
  // pg throws plain errors where the connection fails.
  const ofServer =
    error instanceof DatabaseError || (error instanceof Error && error.name === 'Error');
  if (!ofServer) return error;
  const full =
    (error instanceof DatabaseError && error.code === diskFull) ||
    (await roomBytes(directory)) < roomMinBytes;
  if (full) {
    return new PgError(SqlState.ioError, `no space left for the servers in ${directory}`, {
      hint: 'make room, or choose another place with TMPDIR or --dir',
      cause: error,
    });
  }
  return new PgError(SqlState.ioError, `the rows cannot be loaded: ${error.message}`, {
    cause: error,
  });
}

async function roomBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
