import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress } from '../config/config.ts';
import type { FrameReader } from '../protocol/frame-reader.ts';

/** FrameReader.next, whose error says that it was the server. Throws PgError 54000. */
export function nextFrame(reader: FrameReader, node: NodeAddress): boolean {
  try {
    return reader.next();
  } catch (cause) {
    if (!(cause instanceof PgError)) throw cause;
    const message = `server ${node.id} sent a message that is too long`;
    throw new PgError(SqlState.programLimitExceeded, message, { detail: cause.detail, cause });
  }
}
