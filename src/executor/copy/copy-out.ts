import type { ServerConnection } from '../../backend/server-connection.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { encodeCommandComplete } from '../../protocol/command-complete.ts';
import { copyDone } from '../../protocol/constant-messages.ts';
import type { CopyFormat } from '../../protocol/copy/copy-format.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';
import { isLoss } from '../run-again.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { CopyOutStream, copyDataHeader } from './copy-out-stream.ts';

type Done = (ok: boolean) => void;

const binaryTrailer = Buffer.concat([copyDataHeader(2), Buffer.from([0xff, 0xff])]);

/**
 * COPY of a distributed table TO STDOUT: the client's own text on one shard after the other, whose
 * rows are not looked at.
 */
export class CopyOut {
  readonly #executor: SessionExecutor;
  readonly #shards: readonly ShardId[];
  readonly #text: string;
  readonly #format: CopyFormat;
  readonly #done: Done;
  #rows = 0;

  constructor(
    executor: SessionExecutor,
    what: {
      readonly shards: readonly ShardId[];
      readonly text: string;
      readonly format: CopyFormat;
    },
    done: Done,
  ) {
    this.#executor = executor;
    this.#shards = what.shards;
    this.#text = what.text;
    this.#format = what.format;
    this.#done = done;
  }

  begin(): void {
    this.#next(0);
  }

  #next(index: number): void {
    const shard = this.#shards[index];
    if (shard === undefined) {
      this.#complete();
      return;
    }
    const request = { shard, write: false, share: false };
    this.#executor.acquire(request, this.#done, (connection, release) =>
      this.#read(index, connection, release),
    );
  }

  #read(index: number, connection: ServerConnection, release: () => void): void {
    const executor = this.#executor;
    const format = this.#format;
    const hasHeader = format.kind !== 'binary' && format.hasHeader;
    const stream = new CopyOutStream(connection, {
      output: executor.output,
      isFirst: index === 0,
      format: format.kind === 'binary' ? 'binary' : hasHeader ? 'text-with-header' : 'text',
      ended: (rows) => {
        release();
        this.#rows += rows;
        this.#next(index + 1);
      },
      failed: (error) => {
        release();
        executor.fail(explained(error), this.#done);
      },
    });
    executor.runs(() => connection.cancel(stream), false);
    connection.send(stream, [encodeQuery(this.#text)]);
  }

  #complete(): void {
    const { output } = this.#executor;
    if (this.#format.kind === 'binary') output.push(binaryTrailer);
    output.push(copyDone);
    this.#executor.succeed(encodeCommandComplete(`COPY ${this.#rows}`), this.#done);
  }
}

/** What clients already run again for. */
function explained(error: ShardFailure): ShardFailure {
  if ('frame' in error || !isLoss(error)) return error;
  return new PgError(
    SqlState.serializationFailure,
    'the connection to a shard was lost while rows were being returned',
    { detail: error.message, hint: 'Run the statement, or its transaction, again.', cause: error },
  );
}
