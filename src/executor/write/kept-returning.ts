import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { portalSuspended } from '../../protocol/constant-messages.ts';
import { KeptRows } from '../cursors/kept-rows.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { type WriteCommand, writeTag } from './write-tag.ts';

/**
 * What a write over several shards has returned, for an Execute with a row limit: the write is done
 * once and whole, its rows are given piece by piece (manual, 54.2.3). PostgreSQL keeps them likewise.
 */
export class KeptReturning {
  readonly #executor: SessionExecutor;
  readonly #command: WriteCommand;
  readonly #rows: KeptRows;
  #given = 0;

  constructor(executor: SessionExecutor, command: WriteCommand) {
    this.#executor = executor;
    this.#command = command;
    this.#rows = new KeptRows(executor.cursors.room, {
      bytesMax: executor.world.limits.sessionBytesMax,
      option: 'limits.session_bytes_max',
      why: 'RETURNING with a row limit',
      instead: 'Execute without a row limit',
    });
  }

  /** Copies whole frames. Throws 53400 when there are too many. */
  add(frames: Buffer): void {
    this.#rows.add(frames);
  }

  /** The next rows, 0: all that are left, and how it went on. */
  give(rowsMax: number, done: (ok: boolean) => void): void {
    const { output } = this.#executor;
    const left = this.#rows.count - this.#given;
    const count = rowsMax === 0 ? left : Math.min(rowsMax, left);
    for (const frames of this.#rows.forward(this.#given, count)) {
      output.write(frames, 0, frames.length);
    }
    this.#given += count;
    // As in PostgreSQL there is an end only where fewer rows came than were asked for.
    const isOver = rowsMax === 0 || count < rowsMax;
    const end = isOver ? encodeCommandComplete(writeTag(this.#command, count)) : portalSuspended;
    this.#executor.succeed(end, done);
  }

  drop(): void {
    this.#rows.clear();
    this.#given = 0;
  }
}
