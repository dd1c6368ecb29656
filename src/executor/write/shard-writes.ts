import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import type { RouteNode } from '../../planner/plan.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeDescribe } from '../../protocol/describe-message.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { encodeRowDescription } from '../../protocol/row-description.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { bindMessage, boundQuery } from '../intermediate/bound-query.ts';
import type { TextSource } from '../intermediate/query-text.ts';
import { Append } from '../merge/append.ts';
import { RowPump } from '../merge/row-pump.ts';
import { wholeRowWriter } from '../merge/row-writer.ts';
import { agreedColumns } from '../merge/shard-columns.ts';
import { formatOf } from '../merge/shard-query-messages.ts';
import { type ShardFailure, ShardStream } from '../merge/shard-stream.ts';
import type { BoundParameters, MultiShardSelect } from '../select/multi-shard-select.ts';
import type { RowSink } from '../select/row-sink.ts';
import { serverTypeOids } from '../server-type-oids.ts';
import { InOrder } from './in-order.ts';

/** What one shard is told to write. */
export type ShardWrite = {
  readonly shard: ShardId;
  readonly route: RouteNode;
  readonly source: TextSource;
  /** `typeOids`: as far as they are known, 0 or missing where not. */
  readonly parameters: BoundParameters;
};

/**
 * Which rows of RETURNING the client gets: those of all shards, in any order or one by one from the
 * writes of these numbers; or those of the first write alone, the others being the same.
 */
export type ReturnedRows =
  | { readonly kind: 'all' }
  | { readonly kind: 'in-order'; readonly writes: readonly number[] }
  | { readonly kind: 'first' };

export type WriteRequest = {
  /** One at least, each on another shard. */
  readonly writes: readonly ShardWrite[];
  readonly returned: ReturnedRows;
  /**
   * One shard after the other, in the order of `writes`: two statements that change the same rows of
   * several shards cannot then wait for each other. Not with rows `in-order`.
   */
  readonly inTurn: boolean;
  readonly resultFormats: readonly number[];
  readonly wantsDescription: boolean;
  /** Writing connections, in the transaction. */
  readonly acquire: MultiShardSelect['acquire'];
  /** Sends what must come first on a connection, such as a lock; `failed` hears its error. */
  prepare?(connection: ServerConnection, failed: (error: ShardFailure) => void): void;
};

export type WriteSink = Omit<RowSink, 'suspended' | 'complete'> & {
  /** How many rows each write has written. All connections are free. */
  complete(counts: readonly number[]): void;
};

/**
 * Writes on several shards, at the same time or in turn. An error of one of them stops the others; the sink hears
 * of it when all connections are free, so that they can be rolled back.
 */
export class ShardWrites {
  readonly #request: WriteRequest;
  readonly #sink: WriteSink;
  #streams: readonly ShardStream[] = [];
  readonly #giveUps: (() => void)[] = [];
  /** The last write that a connection was asked for. */
  #acquired = 0;
  readonly #pump: RowPump;
  #hasAllRows = false;
  #failure: ShardFailure | null = null;
  #isOver = false;

  constructor(request: WriteRequest, sink: WriteSink) {
    assert(request.writes.length > 0, 'a write is done on one shard at least');
    this.#request = request;
    this.#sink = sink;
    this.#pump = new RowPump(sink, {
      isOpen: () => this.#failure === null && !this.#hasAllRows,
      filled: () => {},
      ended: () => {
        this.#hasAllRows = true;
        this.#settle();
      },
      failed: (error) => this.fail(error),
    });
  }

  begin(): void {
    const { writes, inTurn, returned } = this.#request;
    assert(!inTurn || returned.kind !== 'in-order', 'a row of a later shard would be waited for');
    this.#streams = writes.map(() => this.#newStream());
    const together = inTurn ? 1 : writes.length;
    for (let index = 0; index < together; index += 1) this.#acquire(index);
  }

  #acquire(index: number): void {
    const write = this.#request.writes[index];
    const stream = this.#streams[index];
    if (write === undefined || stream?.isWaiting !== true) return;
    this.#acquired = index;
    this.#giveUps[index] = this.#request.acquire(
      write.shard,
      (connection, release) => {
        if (stream.isWaiting) this.#open(index, stream, write, connection, release);
        else release();
      },
      (error) => {
        if (stream.isWaiting) this.fail(error);
      },
    );
  }

  /** Stops everything, as an error of a shard does. */
  fail(error: ShardFailure): void {
    if (this.#failure !== null || this.#isOver) return;
    this.#failure = error;
    for (const [index, stream] of this.#streams.entries()) {
      if (stream.isWaiting) this.#giveUps[index]?.();
      stream.discard('cancel');
    }
    this.#settle();
  }

  #open(
    index: number,
    stream: ShardStream,
    write: ShardWrite,
    connection: ServerConnection,
    release: () => void,
  ): void {
    const { prepare, resultFormats } = this.#request;
    try {
      const { parameters } = write;
      const bound = boundQuery(
        write.route.query,
        { ...write.source, parameters },
        parameters.typeOids,
      );
      const typeOids = serverTypeOids(connection, bound.typeOids);
      prepare?.(connection, (error) => this.fail(error));
      stream.open(connection, release, {
        first: [
          encodeParse({ name: '', sql: bound.sql, typeOids }),
          ...bindMessage(bound, '', resultFormats),
          encodeDescribe({ kind: 'portal', name: '' }),
          encodeExecute({ portal: '', rowsMax: 0 }),
          syncMessage,
        ],
        portal: null,
        firstRows: 0,
        mayLackRows: true,
      });
    } catch (error) {
      release();
      this.#caught(error);
      return;
    }
    if (this.#request.returned.kind === 'first' && index > 0) stream.discard('drain');
  }

  #newStream(): ShardStream {
    return new ShardStream({
      described: () => this.#described(),
      rowsWanted: () => Infinity,
      progressed: () => this.#pump.pump(),
      failed: (error) => this.fail(error),
      ended: () => {
        this.#pump.pump();
        if (this.#request.inTurn && this.#failure === null) this.#acquire(this.#acquired + 1);
        this.#settle();
      },
      notice: (frame) => this.#sink.notice(frame),
    });
  }

  /** Those whose rows the client gets. */
  #shown(): readonly ShardStream[] {
    return this.#request.returned.kind === 'first' ? this.#streams.slice(0, 1) : this.#streams;
  }

  #described(): void {
    if (this.#failure !== null) return;
    const shown = this.#shown();
    const fields = shown.flatMap((stream) => (stream.fields === null ? [] : [stream.fields]));
    const { writes, inTurn, returned, resultFormats, wantsDescription } = this.#request;
    const route = writes[0]?.route;
    if (route === undefined || (fields.length < shown.length && !inTurn)) return;
    try {
      const columns = agreedColumns(route, fields);
      if (this.#pump.isConnected) return;
      if (wantsDescription && columns.length > 0) {
        const formatted = columns.map((column, index) => ({
          ...column,
          format: formatOf(resultFormats, index),
        }));
        this.#sink.description(encodeRowDescription(formatted));
      }
    } catch (error) {
      this.#caught(error);
      return;
    }
    const source =
      returned.kind === 'in-order' ? new InOrder(shown, returned.writes) : new Append(shown);
    this.#pump.connect(source, wholeRowWriter(this.#sinkOfRows()));
    this.#pump.pump();
  }

  #sinkOfRows(): RowSink {
    const nothing = () => {};
    return { ...this.#sink, writable: true, suspended: nothing, complete: nothing };
  }

  #caught(error: unknown): void {
    if (!(error instanceof PgError)) throw error;
    this.fail(error);
  }

  #settle(): void {
    if (this.#isOver || !this.#streams.every((stream) => stream.hasEnded)) return;
    if (this.#failure === null && !this.#hasAllRows) return;
    this.#isOver = true;
    if (this.#failure !== null) this.#sink.failed(this.#failure);
    else this.#sink.complete(this.#streams.map((stream) => stream.commandRows));
  }
}
