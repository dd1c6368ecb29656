import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import { decodeRowDescription, type FieldDescription } from '../../protocol/row-description.ts';
import { planShape } from '../merge/plan-shape.ts';
import type {
  MultiShardCursor,
  MultiShardSelect,
  OpenMultiShardSelect,
} from '../select/multi-shard-select.ts';
import type { RowSink } from '../select/row-sink.ts';
import type { IntermediateRun } from '../target.ts';
import { userOidMin } from './bound-query.ts';
import type { CollectedRows } from './collected-rows.ts';
import { formatsToRead } from './exact-values.ts';
import type { ResultColumn } from './result-column.ts';
import { textStyles } from './text-styles.ts';

/** One intermediate result, its columns known, and where its rows are put. */
export type ResultToCollect = {
  readonly run: IntermediateRun;
  readonly columns: readonly ResultColumn[];
  readonly rows: CollectedRows;
};

export type ResultEvents = {
  /** All rows have come. */
  collected(): void;
  failed(error: PgError | { readonly frame: Buffer }): void;
  notice(frame: Buffer): void;
};

/** A cursor over the rows of a result; fetched from, it puts them all into `rows`. */
export function openResult(
  open: OpenMultiShardSelect,
  { run, columns, rows }: ResultToCollect,
  request: Omit<MultiShardSelect, 'root' | 'shards' | 'resultFormats' | 'wantsDescription'>,
  events: ResultEvents,
): MultiShardCursor {
  const sink: RowSink = {
    description(frame) {
      mustHaveTypes(run.columns, columns, decodeRowDescription(frame, 0, frame.length));
    },
    rows: (frames, count) => rows.add(frames, count),
    writable: true,
    onDrain() {},
    notice: (frame) => events.notice(frame),
    suspended() {},
    complete: () => events.collected(),
    failed: (error) => events.failed(error),
  };
  const read: MultiShardSelect = {
    ...request,
    root: run.root,
    shards: run.shards,
    resultFormats: formatsToRead(columns),
    wantsDescription: true,
    floatsMustBeExact: textStyles(columns).floats,
  };
  // What the proxy computes is checked against the description, which else comes from the shards.
  const isComputed = planShape(run.root).aggregate !== null;
  return open(
    isComputed ? { ...read, description: asDescribed(run.columns, columns) } : read,
    sink,
  );
}

function asDescribed(
  names: readonly string[],
  columns: readonly ResultColumn[],
): readonly FieldDescription[] {
  return columns.map(({ typeOid }, index) => ({
    name: names[index] ?? '',
    tableOid: 0,
    columnNumber: 0,
    typeOid,
    typeSize: -1,
    typeModifier: -1,
    format: 0,
  }));
}

/** Types that users made have other OIDs on other servers; as text that makes no difference. */
function mustHaveTypes(
  names: readonly string[],
  columns: readonly ResultColumn[],
  fields: readonly FieldDescription[],
): void {
  const isSame = ({ typeOid }: ResultColumn, index: number) => {
    const found = fields[index]?.typeOid ?? 0;
    return found === typeOid || (found >= userOidMin && typeOid >= userOidMin);
  };
  const wrong = columns.findIndex((column, index) => !isSame(column, index));
  if (wrong === -1 && fields.length === columns.length) return;
  throw new PgError(
    SqlState.datatypeMismatch,
    `the servers disagree about the type of the intermediate column "${names[wrong] ?? ''}"`,
    { hint: 'Give the tables the same columns on all shards.' },
  );
}
