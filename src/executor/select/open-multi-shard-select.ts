import { randomUUID } from 'node:crypto';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { encodeRowDescription, type FieldDescription } from '../../protocol/row-description.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { buildOperators } from '../merge/build-operators.ts';
import { mayWriteFloats, type PlanShape, planShape } from '../merge/plan-shape.ts';
import { type RowRange, rowRange } from '../merge/row-count.ts';
import { RowPump } from '../merge/row-pump.ts';
import { cutRowWriter, wholeRowWriter } from '../merge/row-writer.ts';
import { agreedColumns, mustBeAsDescribed } from '../merge/shard-columns.ts';
import {
  firstPieceRows,
  formatOf,
  lacksParameterTypes,
  messagesFor,
  type SharedQueryMessages,
  shardQueryMessages,
} from '../merge/shard-query-messages.ts';
import { type ShardFailure, ShardStream } from '../merge/shard-stream.ts';
import { type Answers, askFirstShard } from './first-shard-questions.ts';
import type {
  MultiShardCursor,
  MultiShardSelect,
  OpenMultiShardSelect,
} from './multi-shard-select.ts';
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

type Arrival = {
  readonly stream: ShardStream;
  readonly connection: ServerConnection;
  readonly release: () => void;
};

const wholeRange: RowRange = { offset: 0, count: Infinity };

class MultiShardRead implements MultiShardCursor {
  #request: MultiShardSelect;
  readonly #sink: RowSink;
  readonly #shape: PlanShape;
  #state: State = 'idle';
  #streams: readonly ShardStream[] = [];
  #giveUps: (() => void)[] = [];
  #portal: string | null = null;
  /** Rows are not asked for before the first fetch. */
  #isStart = false;
  #isAsked = false;
  /** null until the first shard has answered. */
  #answers: Answers | null = null;
  /** null until everything is known that they are made of. */
  #messages: SharedQueryMessages | null = null;
  /** Connections that wait for `#messages`; the first one may still be answering. */
  #arrivals: Arrival[] = [];
  #range = wholeRange;
  readonly #pump: RowPump;
  #failure: ShardFailure | null = null;

  constructor(request: MultiShardSelect, sink: RowSink) {
    assert(request.shards.length > 0, 'a statement runs on one shard at least');
    this.#request = request;
    this.#sink = sink;
    this.#shape = planShape(request.root);
    this.#pump = new RowPump(sink, {
      isOpen: () => this.#state === 'fetching',
      filled: () => {
        this.#enter('suspended');
        sink.suspended();
      },
      ended: () => this.#complete(),
      failed: (error) => this.#fail(error),
    });
  }

  start(): void {
    assert(this.#request.inTransaction, 'portals outlive their statement in transactions only');
    this.#enter('fetching');
    this.#isStart = true;
    this.#pump.rowsWanted = 0;
    this.#begin(true);
    if (this.#failure === null) this.#pump.pump();
    else this.#settleFailed();
  }

  fetch(maxRows: number): void {
    const isFirst = this.#state === 'idle';
    this.#enter('fetching');
    this.#pump.rowsWanted = maxRows === 0 ? Infinity : maxRows;
    // Between two fetches of a transaction the client may need the connections for something else.
    if (isFirst) this.#begin(this.#request.inTransaction && maxRows > 0);
    if (this.#failure === null) this.#pump.pump();
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

  /** How many a shard may compute ahead; nobody knows how many make one group. */
  #shardRowsWanted(): number {
    return this.#shape.aggregate === null ? this.#pump.rowsWanted + this.#range.offset : Infinity;
  }

  #begin(inPieces: boolean): void {
    const request = this.#request;
    const shape = this.#shape;
    if (inPieces) this.#portal = `pgweave_${randomUUID()}`;
    try {
      if (shape.limit !== null) this.#range = rowRange(shape.limit, request);
    } catch (error) {
      this.#caught(error);
      return;
    }
    if (!lacksParameterTypes(shape.route, request)) {
      this.#makeMessages(request.parameters.typeOids);
    }
    this.#streams = request.shards.map((shard) => this.#newStream(shard));
    for (const [index, stream] of this.#streams.entries()) this.#acquire(index, stream);
  }

  #makeMessages(parameterOids: readonly number[]): void {
    const { route } = this.#shape;
    this.#messages = shardQueryMessages(route, this.#request, parameterOids, {
      portal: this.#portal,
      firstRows: this.#isStart ? null : Math.min(firstPieceRows, this.#shardRowsWanted()),
    });
  }

  #acquire(index: number, stream: ShardStream): void {
    const shard = this.#request.shards[index];
    // A refusal that came at once has stopped the streams after it, too.
    if (shard === undefined || !stream.isWaiting) return;
    this.#giveUps[index] = this.#request.acquire(
      shard,
      (connection, release) => {
        if (stream.isWaiting) this.#arrive({ stream, connection, release });
        else release();
      },
      (error) => {
        if (stream.isWaiting) this.#fail(error);
      },
    );
  }

  #newStream(shard: ShardId): ShardStream {
    const stream = new ShardStream({
      described: () => this.#prepare(),
      rowsWanted: () => this.#shardRowsWanted(),
      progressed: () => this.#pump.pump(),
      failed: (error) => this.#fail(error),
      ended: () => {
        this.#request.shardEnded?.(shard, stream.received);
        this.#pump.pump();
        this.#settle();
      },
      notice: (frame) => {
        if (this.#state === 'fetching') this.#sink.notice(frame);
      },
    });
    return stream;
  }

  #arrive(arrival: Arrival): void {
    const isFirst = !this.#isAsked;
    this.#isAsked = true;
    this.#arrivals.push(arrival);
    // In the same flight as the query, in front of it, unless the query depends on the answers.
    if (isFirst) this.#ask(arrival);
    this.#openArrivals();
  }

  #openArrivals(): void {
    const messages = this.#messages;
    if (messages === null) return;
    for (const { stream, connection, release } of this.#arrivals.splice(0)) {
      stream.open(connection, release, messagesFor(messages, connection));
    }
    if (this.#streams.some((stream) => stream.isWaiting)) return;
    // Gathered rows have gone out, and may be many.
    this.#messages = null;
    this.#request = { ...this.#request, results: [] };
  }

  #ask(first: Arrival): void {
    const { statementText, parameters, resultFormats, floatsMustBeExact } = this.#request;
    const isHeld = this.#messages === null;
    const mustDescribe = isHeld || this.#mustDescribe();
    const questions = {
      statement: mustDescribe ? { text: statementText, parameterOids: parameters.typeOids } : null,
      floatDigits: mayWriteFloats(this.#shape, resultFormats),
      exactFloats: floatsMustBeExact === true,
    };
    askFirstShard(first.connection, questions, (outcome) => {
      if (isHeld && !first.stream.isWaiting) first.release();
      if (this.#state !== 'fetching') return;
      if (outcome.kind === 'failed') {
        this.#fail(outcome.error);
        if (isHeld) first.release();
        return;
      }
      this.#answers = outcome.answers;
      if (isHeld) this.#makeMessages(outcome.answers.description?.parameterOids ?? []);
      this.#openArrivals();
      this.#prepare();
    });
  }

  /** Columns that pgweave computes are described by the client's own text only. */
  #mustDescribe(): boolean {
    const { wantsDescription, description } = this.#request;
    return this.#shape.aggregate !== null && wantsDescription && description === undefined;
  }

  /** Builds the operators as soon as everything is known about the columns. */
  #prepare(): void {
    if (this.#state !== 'fetching' || this.#pump.isConnected || this.#answers === null) return;
    const fields = this.#streams.flatMap((stream) =>
      stream.fields === null ? [] : [stream.fields],
    );
    if (fields.length < this.#streams.length) return;
    try {
      this.#build(agreedColumns(this.#shape.route, fields), this.#answers);
    } catch (error) {
      this.#caught(error);
      return;
    }
    this.#pump.pump();
  }

  #build(columns: readonly FieldDescription[], answers: Answers): void {
    const { route, aggregate } = this.#shape;
    const { root, resultFormats, mergeBytesMax, wantsDescription } = this.#request;
    const known = this.#request.description ?? answers.description?.columns;
    const { source, typeOids } = buildOperators(root, {
      streams: this.#streams,
      shardTypeOids: columns.map((column) => column.typeOid),
      resultFormats,
      range: this.#range,
      extraFloatDigits: answers.extraFloatDigits,
      mergeBytesMax,
      describedTypeOids: known?.map((column) => column.typeOid) ?? null,
    });
    const shown = columns.slice(0, columns.length - route.hiddenCount);
    const visibleCount = aggregate?.outputs.length ?? shown.length;
    if (known && aggregate === null) mustBeAsDescribed(known, shown);
    if (wantsDescription) {
      const described = known ?? shown;
      const formatted = described.map((column, index) => ({
        ...column,
        format: formatOf(resultFormats, index),
      }));
      this.#sink.description(encodeRowDescription(formatted));
    }
    const writer =
      typeOids.length > visibleCount
        ? cutRowWriter(this.#sink, visibleCount)
        : wholeRowWriter(this.#sink);
    this.#pump.connect(source, writer);
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
    // The first of those that wait is answering a question, and is released when it has.
    for (const { release } of this.#arrivals.splice(0).slice(1)) release();
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
