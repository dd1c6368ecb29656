import { randomUUID } from 'node:crypto';
import type { ServerConnection } from '../backend/server-connection.ts';
import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { encodeRowDescription, type FieldDescription } from '../protocol/row-description.ts';
import { describeStatement } from './describe-statement.ts';
import { buildOperators } from './merge/build-operators.ts';
import { mayWriteFloats, type PlanShape, planShape } from './merge/plan-shape.ts';
import { type RowRange, rowRange } from './merge/row-count.ts';
import type { RowSource } from './merge/row-source.ts';
import { cutRowWriter, type RowWriter, wholeRowWriter } from './merge/row-writer.ts';
import { agreedColumns } from './merge/shard-columns.ts';
import {
  formatOf,
  type ShardQueryMessages,
  shardQueryMessages,
} from './merge/shard-query-messages.ts';
import { type ShardFailure, ShardStream } from './merge/shard-stream.ts';
import type {
  MultiShardCursor,
  MultiShardSelect,
  OpenMultiShardSelect,
} from './multi-shard-select.ts';
import { readFloatDigits } from './read-float-digits.ts';
import type { RowSink } from './row-sink.ts';

/**
 * A SELECT over several shards, streaming: each shard's rows wait in a bounded buffer, the plan's
 * operators pull them row by row, and the sink's pace reaches back to the servers. Nothing is
 * sent before the first fetch.
 */
export const openMultiShardSelect: OpenMultiShardSelect = (request, sink) =>
  new MultiShardRead(request, sink);

/**
 * `idle`: no shard has been asked. `fetching`: rows are wanted. `suspended`: between two fetches.
 * `settling`: the outcome is known, but in a transaction the client hears of it only when the shards
 * are at rest. `over`: the client has been told, or has closed the cursor.
 */
type State = 'idle' | 'fetching' | 'suspended' | 'settling' | 'over';

const transitions: { readonly [From in State]: readonly State[] } = {
  idle: ['fetching', 'over'],
  fetching: ['suspended', 'settling', 'over'],
  suspended: ['fetching', 'over'],
  settling: ['over'],
  over: [],
};

const wholeRange: RowRange = { offset: 0, count: Infinity };

class MultiShardRead implements MultiShardCursor {
  readonly #request: MultiShardSelect;
  readonly #sink: RowSink;
  readonly #shape: PlanShape;
  #state: State = 'idle';
  #streams: readonly ShardStream[] = [];
  #giveUps: (() => void)[] = [];
  /** Questions to the first shard that must be answered before the first row. */
  #questions = 0;
  #isAsked = false;
  #description: readonly FieldDescription[] | null;
  #extraFloatDigits = 1;
  #range = wholeRange;
  #operators: RowSource | null = null;
  #writer: RowWriter | null = null;
  #rowsWanted = 0;
  #isPumping = false;
  #mustPump = false;
  #isWaitingForDrain = false;
  #failure: ShardFailure | null = null;

  constructor(request: MultiShardSelect, sink: RowSink) {
    assert(request.shards.length > 0, 'a statement runs on one shard at least');
    this.#request = request;
    this.#sink = sink;
    this.#shape = planShape(request.root);
    this.#description = request.description ?? null;
  }

  fetch(maxRows: number): void {
    const isFirst = this.#state === 'idle';
    this.#enter('fetching');
    this.#rowsWanted = maxRows === 0 ? Infinity : maxRows;
    if (isFirst) this.#begin(maxRows);
    if (this.#failure === null) this.#pump();
    else this.#settleFailed();
  }

  close(): void {
    if (this.#state === 'over') return;
    // A portal closed at rest must not fail its transaction. Whoever closes one that still runs wants
    // it stopped, and PostgreSQL fails the transaction, too.
    const isAtRest = this.#state === 'suspended' && this.#request.inTransaction;
    this.#enter('over');
    this.#stopShards(isAtRest ? 'drain' : 'cancel');
  }

  #begin(maxRows: number): void {
    const request = this.#request;
    const shape = this.#shape;
    // Between two fetches of a transaction the client may need the connections for something else.
    const readsInPieces = request.inTransaction && maxRows > 0;
    const portal = readsInPieces ? `pgweave_${randomUUID()}` : null;
    let messages: ShardQueryMessages;
    try {
      if (shape.limit !== null) this.#range = rowRange(shape.limit, request);
      messages = shardQueryMessages(shape.route, request, portal);
    } catch (error) {
      this.#caught(error);
      return;
    }
    this.#streams = request.shards.map(() => this.#newStream());
    for (const [index, stream] of this.#streams.entries()) this.#acquire(index, stream, messages);
  }

  #acquire(index: number, stream: ShardStream, messages: ShardQueryMessages): void {
    const shard = this.#request.shards[index];
    // A refusal that came at once has stopped the streams after it, too.
    if (shard === undefined || !stream.isWaiting) return;
    this.#giveUps[index] = this.#request.acquire(
      shard,
      (connection, release) => {
        if (stream.isWaiting) this.#open(stream, connection, release, messages);
        else release();
      },
      (error) => {
        if (stream.isWaiting) this.#fail(error);
      },
    );
  }

  #newStream(): ShardStream {
    return new ShardStream({
      described: () => this.#prepare(),
      progressed: () => this.#pump(),
      failed: (error) => this.#fail(error),
      ended: () => {
        this.#pump();
        this.#settle();
      },
      notice: (frame) => {
        if (this.#state === 'fetching') this.#sink.notice(frame);
      },
    });
  }

  #open(
    stream: ShardStream,
    connection: ServerConnection,
    release: () => void,
    messages: ShardQueryMessages,
  ): void {
    if (!this.#isAsked) this.#ask(connection);
    stream.open(connection, release, messages);
  }

  /** In the same flight as the query, in front of it. */
  #ask(connection: ServerConnection): void {
    this.#isAsked = true;
    const { wantsDescription, statementText, parameters, resultFormats } = this.#request;
    const isComputed = this.#shape.aggregate !== null;
    if (isComputed && wantsDescription && this.#description === null) {
      this.#questions++;
      const statement = { text: statementText, parameterOids: parameters.typeOids };
      describeStatement(connection, statement, (outcome) => {
        if (outcome.kind === 'failed') return this.#fail(outcome.error);
        this.#description = outcome.description.columns ?? [];
        this.#questions--;
        this.#prepare();
      });
    }
    if (mayWriteFloats(this.#shape, resultFormats)) {
      this.#questions++;
      readFloatDigits(connection, (outcome) => {
        if (outcome.kind === 'failed') return this.#fail(outcome.error);
        this.#extraFloatDigits = outcome.extraFloatDigits;
        this.#questions--;
        this.#prepare();
      });
    }
  }

  /** Builds the operators as soon as everything is known about the columns. */
  #prepare(): void {
    if (this.#state !== 'fetching' || this.#operators !== null || this.#questions > 0) return;
    const fields = this.#streams.flatMap((stream) =>
      stream.fields === null ? [] : [stream.fields],
    );
    if (fields.length < this.#streams.length) return;
    try {
      this.#build(agreedColumns(this.#shape.route, fields));
    } catch (error) {
      this.#caught(error);
      return;
    }
    this.#pump();
  }

  #build(columns: readonly FieldDescription[]): void {
    const { route, aggregate } = this.#shape;
    const { root, resultFormats, mergeBytesMax, wantsDescription } = this.#request;
    const { source, typeOids } = buildOperators(root, {
      streams: this.#streams,
      shardTypeOids: columns.map((column) => column.typeOid),
      resultFormats,
      range: this.#range,
      extraFloatDigits: this.#extraFloatDigits,
      mergeBytesMax,
      describedTypeOids: this.#description?.map((column) => column.typeOid) ?? null,
    });
    const shown = columns.slice(0, columns.length - route.hiddenCount);
    const visibleCount = aggregate?.outputs.length ?? shown.length;
    if (wantsDescription) {
      const described = this.#description ?? shown;
      const formatted = described.map((column, index) => ({
        ...column,
        format: formatOf(resultFormats, index),
      }));
      this.#sink.description(encodeRowDescription(formatted));
    }
    this.#writer =
      typeOids.length > visibleCount
        ? cutRowWriter(this.#sink, visibleCount)
        : wholeRowWriter(this.#sink);
    this.#operators = source;
  }

  /** Moves rows from the operators to the sink until one of them has to wait. */
  #pump(): void {
    this.#mustPump = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      // The sink may ask for the next fetch, and a shard may progress, while rows are moving.
      while (this.#mustPump && this.#state === 'fetching') {
        this.#mustPump = false;
        this.#moveRows();
      }
    } catch (error) {
      this.#caught(error);
    } finally {
      this.#isPumping = false;
    }
  }

  #moveRows(): void {
    const operators = this.#operators;
    const writer = this.#writer;
    if (operators === null || writer === null) return;
    for (;;) {
      if (!this.#sink.writable) {
        writer.flush();
        this.#pumpAfterDrain();
        return;
      }
      if (this.#rowsWanted === 0) {
        writer.flush();
        this.#enter('suspended');
        this.#sink.suspended();
        return;
      }
      const answer = operators.advance();
      if (answer === 'row') {
        writer.add(operators.row);
        this.#rowsWanted--;
        continue;
      }
      writer.flush();
      if (answer === 'end') this.#complete();
      return;
    }
  }

  #pumpAfterDrain(): void {
    if (this.#isWaitingForDrain) return;
    this.#isWaitingForDrain = true;
    this.#sink.onDrain(() => {
      this.#isWaitingForDrain = false;
      this.#pump();
    });
  }

  #complete(): void {
    this.#enter('settling');
    const { inTransaction } = this.#request;
    // What a limited shard still has to send is less trouble than a cancel.
    this.#stopShards(inTransaction || this.#shape.isLimitPushed ? 'drain' : 'cancel');
    this.#settle();
  }

  #caught(error: unknown): void {
    if (!(error instanceof PgError)) throw error;
    this.#fail(error);
  }

  /** The first failure is the client's; what follows from it is not. */
  #fail(error: ShardFailure): void {
    if (this.#state === 'over' || this.#failure !== null) return;
    this.#failure = error;
    this.#stopShards('cancel');
    // Between two fetches nobody listens: the next fetch tells.
    if (this.#state !== 'suspended') this.#settleFailed();
  }

  #settleFailed(): void {
    if (this.#state === 'fetching') this.#enter('settling');
    this.#settle();
  }

  #stopShards(how: 'cancel' | 'drain'): void {
    this.#streams.forEach((stream, index) => {
      if (stream.isWaiting) this.#giveUps[index]?.();
      stream.discard(how);
    });
  }

  /** Tells the client how it ended; see State. */
  #settle(): void {
    if (this.#state !== 'settling') return;
    const isAtRest = this.#streams.every((stream) => stream.hasEnded);
    if (this.#request.inTransaction && !isAtRest) return;
    this.#enter('over');
    if (this.#failure === null) this.#sink.complete();
    else this.#sink.failed(this.#failure);
  }

  #enter(state: State): void {
    assert(transitions[this.#state].includes(state), `select: ${this.#state} to ${state}`);
    this.#state = state;
  }
}
