import { assert } from '../base/assert.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { userOidMin } from './intermediate/bound-query.ts';
import { type Gathered, Gathering, type GatherRequest } from './intermediate/gathering.ts';
import { formatOf } from './merge/shard-query-messages.ts';
import type { MultiShardCursor, MultiShardSelect } from './multi-shard-select.ts';
import type { RowSink } from './row-sink.ts';

export type IntermediateSelect = GatherRequest &
  Pick<MultiShardSelect, 'shards' | 'resultFormats' | 'wantsDescription'> & {
    /** The last query reads nothing but intermediate results: any server may run it. */
    readonly runsAnywhere: boolean;
  };

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
  readonly #request: IntermediateSelect;
  readonly #sink: RowSink;
  #gathering: Gathering | null = null;
  /** Over the last query. */
  #cursor: MultiShardCursor | null = null;
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
    this.#gathering?.close();
    this.#cursor?.close();
  }

  #gather(goOn: (cursor: MultiShardCursor) => void): void {
    assert(this.#gathering === null, 'results are gathered once');
    this.#gathering = new Gathering(this.#request, {
      gathered: (gathered) => {
        this.#cursor = this.#open(gathered);
        goOn(this.#cursor);
      },
      failed: (error) => this.#sink.failed(error),
      notice: (frame) => this.#sink.notice(frame),
    });
    this.#gathering.begin();
  }

  #open(gathered: Gathered): MultiShardCursor {
    const request = this.#request;
    const { statementText, inTransaction, mergeBytesMax, root, resultFormats } = request;
    const { parameterOids, description, results, acquire } = gathered;
    return request.open(
      {
        root,
        shards: this.#shards(gathered),
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
      this.#checkedSink(),
    );
  }

  /** Binary values of types that users made must be those of the server that described them. */
  #shards({ description }: Gathered): readonly ShardId[] {
    const { runsAnywhere, shards, describedOn, resultFormats } = this.#request;
    const isBound = description.some(
      ({ typeOid }, column) => typeOid >= userOidMin && formatOf(resultFormats, column) === 1,
    );
    return runsAnywhere && isBound ? [describedOn] : shards;
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
