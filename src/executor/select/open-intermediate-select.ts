import { assert } from '../../base/assert.ts';
import { decodeErrorFields } from '../../protocol/error-response.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { userOidMin } from '../intermediate/bound-query.ts';
import { type ChoiceEvents, type ChoiceRequest, choosePath } from '../intermediate/choose-path.ts';
import { type Gathered, Gathering } from '../intermediate/gathering.ts';
import { tentativeSink } from '../intermediate/run-elsewhere.ts';
import { formatOf } from '../merge/shard-query-messages.ts';
import type { MultiShardCursor, MultiShardSelect } from './multi-shard-select.ts';
import type { RowSink } from './row-sink.ts';

export type IntermediateSelect = ChoiceRequest &
  Pick<MultiShardSelect, 'resultFormats' | 'wantsDescription'>;

/**
 * A SELECT whose last query reads intermediate results: they are gathered when the cursor is first
 * fetched from or started, and then it is a cursor over the last query's rows.
 */
export function openIntermediateSelect(
  request: IntermediateSelect,
  sink: RowSink,
): MultiShardCursor {
  return new IntermediateRead(request, sink);
}

class IntermediateRead implements MultiShardCursor {
  /** Of the path that is taken, as soon as that is known. */
  #request: IntermediateSelect;
  readonly #sink: RowSink;
  #gathering: Gathering | null = null;
  /** Over the last query. */
  #cursor: MultiShardCursor | null = null;
  #stopChoosing: () => void = () => {};
  #isClosed = false;

  constructor(request: IntermediateSelect, sink: RowSink) {
    this.#request = request;
    this.#sink = sink;
  }

  start(): void {
    this.#gather((cursor) => cursor.start());
  }

  fetch(maxRows: number): void {
    if (this.#cursor === null) this.#gather((cursor) => cursor.fetch(maxRows));
    else this.#cursor.fetch(maxRows);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopChoosing();
    this.#gathering?.close();
    this.#cursor?.close();
  }

  #gather(goOn: (cursor: MultiShardCursor) => void): void {
    assert(this.#gathering === null, 'results are gathered once');
    const failed: ChoiceEvents<IntermediateSelect>['failed'] = (error) => this.#sink.failed(error);
    this.#stopChoosing = choosePath(this.#request, {
      chosen: (request) => {
        this.#request = request;
        this.#gathering = new Gathering(request, {
          gathered: (gathered) => this.#runLast(gathered, goOn),
          failed,
          notice: (frame) => this.#sink.notice(frame),
        });
        this.#gathering.begin();
      },
      failed,
    });
  }

  /** The results are kept until another server need not be asked for what one has failed at. */
  #runLast(gathered: Gathered, goOn: (cursor: MultiShardCursor) => void): void {
    const { combines, describedOn, shards, runsAnywhere, combineServer } = this.#request;
    const isBound = this.#isBound(gathered);
    const server = combines && !isBound ? combineServer() : null;
    const runOn = (where: readonly ShardId[], results: Gathered, sink: RowSink) => {
      this.#cursor = this.#open(where, results, sink);
      goOn(this.#cursor);
    };
    const ours = runsAnywhere && isBound ? [describedOn] : shards;
    if (server === null) {
      runOn(ours, gathered, this.#checkedSink());
      return;
    }
    let kept: Gathered | null = gathered;
    const sink = tentativeSink(this.#checkedSink(), {
      again: (error) => {
        if (this.#isClosed || kept === null) return;
        const fields = { server, error: 'frame' in error ? textOf(error.frame) : error.message };
        this.#request.telemetry.log('debug', 'a primary combines rows instead', fields);
        runOn(ours, kept, this.#checkedSink());
      },
      shown: () => {
        kept = null;
      },
    });
    runOn([server], gathered, sink);
  }

  #open(shards: readonly ShardId[], gathered: Gathered, sink: RowSink): MultiShardCursor {
    const request = this.#request;
    const { statementText, inTransaction, mergeBytesMax, root, resultFormats } = request;
    const { parameterOids, description, results, acquire } = gathered;
    return request.open(
      {
        root,
        shards,
        statementText,
        literalText: (slot) => request.literalText(slot),
        parameters: { ...request.parameters, typeOids: parameterOids },
        resultFormats,
        wantsDescription: request.wantsDescription,
        description,
        inTransaction,
        mergeBytesMax,
        results,
        acquire,
      },
      sink,
    );
  }

  /** Binary values of types that users made must be those of the server that described them. */
  #isBound({ description }: Gathered): boolean {
    const { resultFormats } = this.#request;
    return description.some(
      ({ typeOid }, column) => typeOid >= userOidMin && formatOf(resultFormats, column) === 1,
    );
  }

  /** An error may come from something that has changed since it was learned. */
  #checkedSink(): RowSink {
    const { learned, root } = this.#request;
    const sink = this.#sink;
    return {
      description: (frame) => sink.description(frame),
      rows: (frames, count) => sink.rows(frames, count),
      get writable() {
        return sink.writable;
      },
      onDrain: (callback) => sink.onDrain(callback),
      notice: (frame) => sink.notice(frame),
      suspended: () => sink.suspended(),
      complete: () => sink.complete(),
      failed: (error) => {
        learned.forget(root);
        sink.failed(error);
      },
    };
  }
}

function textOf(frame: Buffer): string {
  return decodeErrorFields(frame, 0, frame.length).get('M') ?? '';
}
