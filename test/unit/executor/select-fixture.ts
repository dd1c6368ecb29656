import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import type { PgError } from '../../../src/base/pg-error.ts';
import type { MultiShardSelect } from '../../../src/executor/select/multi-shard-select.ts';
import { openMultiShardSelect } from '../../../src/executor/select/open-multi-shard-select.ts';
import type { RowSink } from '../../../src/executor/select/row-sink.ts';
import type { PlanNode, SortKey } from '../../../src/planner/plan.ts';
import { encodeCommandComplete } from '../../../src/protocol/command-complete.ts';
import { bindComplete, parseComplete } from '../../../src/protocol/constant-messages.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { decodeErrorFields } from '../../../src/protocol/error-response.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
} from '../../../src/protocol/row-description.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import type { ValueRef } from '../../../src/sql/statement.ts';
import { FakeConnection } from './fake-connection.ts';
import { textsOf, type Value } from './rows.ts';

export type Column = { readonly name: string; readonly typeOid: number; readonly format?: number };

export function rowDescription(columns: readonly Column[]): Buffer {
  return encodeRowDescription(
    columns.map((column) => ({
      tableOid: 0,
      columnNumber: 0,
      typeSize: -1,
      typeModifier: -1,
      format: 0,
      ...column,
    })),
  );
}

/** The start of a shard's answer. */
export function head(columns: readonly Column[]): Buffer[] {
  return [parseComplete, bindComplete, rowDescription(columns)];
}

export function rows(...values: readonly (readonly Value[])[]): Buffer[] {
  return values.map((row) => encodeDataRow(row));
}

export const done = encodeCommandComplete('SELECT 0');

export function route(visibleCount: number, hiddenCount: number): PlanNode {
  const pieces = ['select a, b from t where c = ', { kind: 'literal', slot: 0 } as const];
  return { kind: 'route', query: { kind: 'rewritten', pieces }, visibleCount, hiddenCount };
}

export function append(visibleCount: number, hiddenCount = 0): PlanNode {
  return { kind: 'append', input: route(visibleCount, hiddenCount) };
}

export function mergeAppend(
  visibleCount: number,
  hiddenCount: number,
  ...keys: SortKey[]
): PlanNode {
  return { kind: 'merge-append', input: route(visibleCount, hiddenCount), keys };
}

export function limit(
  input: PlanNode,
  count: number | null,
  offset: number | null = null,
): PlanNode {
  const parameter = (index: number): ValueRef => ({ kind: 'parameter', index });
  return {
    kind: 'limit',
    input,
    count: count === null ? null : parameter(0),
    offset: offset === null ? null : parameter(1),
  };
}

/** What the client got, one word or row per event. */
export class RecordingSink implements RowSink {
  readonly events: string[] = [];
  readonly formats: number[] = [];
  rowCount = 0;
  writable = true;
  #drains: (() => void)[] = [];

  description(frame: Buffer): void {
    const fields = decodeRowDescription(frame, 0, frame.length);
    this.formats.push(...fields.map((field) => field.format));
    this.events.push(`description ${fields.map((field) => field.name).join(',')}`);
  }
  rows(frames: Buffer, count: number): void {
    let found = 0;
    for (let start = 0; start < frames.length; found++) {
      const end = start + 1 + frames.readInt32BE(start + 1);
      this.events.push(
        textsOf(frames, start, end)
          .map((value) => value ?? 'null')
          .join(','),
      );
      start = end;
    }
    if (found !== count) throw new Error(`${found} rows were announced as ${count}`);
    this.rowCount += count;
  }
  onDrain(callback: () => void): void {
    this.#drains.push(callback);
  }
  drain(): void {
    this.writable = true;
    for (const callback of this.#drains.splice(0)) callback();
  }
  notice(frame: Buffer): void {
    this.events.push(`notice ${decodeErrorFields(frame, 0, frame.length).get('M')}`);
  }
  suspended(): void {
    this.events.push('suspended');
  }
  complete(): void {
    this.events.push('complete');
  }
  failed(error: PgError | { readonly frame: Buffer }): void {
    const message =
      'frame' in error
        ? decodeErrorFields(error.frame, 0, error.frame.length).get('M')
        : `${error.sqlState} ${error.message}`;
    this.events.push(`failed ${message}`);
  }
}

export type Options = Partial<Omit<MultiShardSelect, 'acquire'>> & {
  /** Shards whose connection is not handed out at once. */
  readonly late?: readonly number[];
};

/** A select over `count` fake shards, opened but not yet fetched from. */
export function select(root: PlanNode, count: number, options: Options = {}) {
  const shards = Array.from({ length: count }, (_, index) => new FakeConnection(`s${index}`));
  const sink = new RecordingSink();
  const waiting = new Map<number, { arrive(): void; refuse(error: PgError): void }>();
  const givenUp: number[] = [];
  const request: MultiShardSelect = {
    root,
    shards: shards.map((_, index) => `s${index}` as ShardId),
    statementText: 'select the original',
    literalText: () => "'it''s'",
    parameters: { typeOids: [], formats: [], values: [] },
    resultFormats: [],
    wantsDescription: false,
    inTransaction: false,
    mergeBytesMax: 1e6,
    ...options,
    acquire(shard, onConnection, onRefused) {
      const index = Number(shard.slice(1));
      const connection = shards[index];
      if (connection === undefined) throw new Error('unknown shard');
      const arrive = () => onConnection(connection as ServerConnection, () => connection.release());
      if (options.late?.includes(index)) waiting.set(index, { arrive, refuse: onRefused });
      else arrive();
      return () => givenUp.push(index);
    },
  };
  return { cursor: openMultiShardSelect(request, sink), shards, sink, waiting, givenUp };
}

export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}
