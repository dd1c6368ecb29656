import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyFeed } from './copy-in.ts';
import type { ShardInput } from './shard-input.ts';

/** CopyData's code and length. */
const headerBytes = 5;

/** Every server gets all of the client's data. */
export class AlikeRows implements CopyFeed {
  /** Servers say what is wrong. */
  readonly line = 0;
  readonly completion = null;
  readonly #inputs: readonly ShardInput[];
  readonly #writes: (input: ShardInput) => void;
  #hasWritten = false;

  /** `writes`: called once for each, before the first data. */
  constructor(inputs: readonly ShardInput[], writes: (input: ShardInput) => void) {
    this.#inputs = inputs;
    this.#writes = writes;
  }

  add(chunk: Buffer, start: number, end: number, isFirst: boolean): void {
    if (!this.#hasWritten) for (const input of this.#inputs) this.#writes(input);
    this.#hasWritten = true;
    const dataStart = isFirst ? start + headerBytes : start;
    for (const input of this.#inputs) input.add(chunk, dataStart, end);
  }

  finish(): Buffer {
    return noBytes;
  }

  clientLine(_input: ShardInput, serverLine: number): number {
    return serverLine;
  }
}

/** As many as each of the copies has got. */
export function agreedRows(inputs: readonly ShardInput[]): number {
  const counts = inputs.map(({ rows }) => rows);
  const [rows = 0, ...others] = counts;
  if (others.every((other) => other === rows)) return rows;
  throw new PgError(
    SqlState.dataCorrupted,
    `the copies of a reference table differ: ${counts.join(', ')} rows`,
    { hint: 'Compare the table on the shards; nothing has been written.' },
  );
}

const noBytes = Buffer.alloc(0);
