import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { AggregateOutput, SortKey } from '../../planner/plan.ts';
import { TypeOid } from '../../protocol/type-oid.ts';
import type { Accumulator, Format } from './accumulator.ts';
import { valueOrder } from './compare-rows.ts';
import type { Numeric } from './numeric.ts';
import {
  encodeInt8,
  expectSize,
  float4Sum,
  float8Sum,
  int8Sum,
  numericSum,
  type PartialSum,
} from './partial-sum.ts';

export type AccumulatorContext = {
  /** Of the input's columns. */
  readonly typeOids: readonly number[];
  /** What the client asked for this output. */
  readonly format: Format;
  readonly extraFloatDigits: number;
};

/** 0A000 when the partial values have a type that cannot be folded exactly here. */
export function accumulatorFor(output: AggregateOutput, context: AccumulatorContext): Accumulator {
  switch (output.kind) {
    case 'group':
      return groupValue(output.visible, context);
    case 'count':
      return count(output.hidden, context);
    case 'sum':
      return withSumOfType(output.hidden, context, 'sum', (partial) =>
        sum(partial, output.hidden, context.format),
      );
    case 'avg':
      return withSumOfType(output.hiddenSum, context, 'avg', (partial) =>
        average(partial, output, context),
      );
    case 'min':
      return extreme(output.visible, output.order, -1, context);
    case 'max':
      return extreme(output.visible, output.order, 1, context);
    case 'bool_and':
      return truth(output.hidden, false, context);
    case 'bool_or':
      return truth(output.hidden, true, context);
    default:
      return unreachable(output);
  }
}

function groupValue(column: number, { typeOids, format }: AccumulatorContext): Accumulator {
  let value: Buffer | null = null;
  let isKnown = false;
  return {
    typeOid: format === 1 ? (typeOids[column] ?? 0) : 0,
    begin() {
      value = null;
      isKnown = false;
    },
    add(row) {
      if (isKnown) return;
      value = row.value(column);
      isKnown = true;
    },
    result: () => value,
    sortValue: () => value,
  };
}

function count(column: number, { typeOids, format }: AccumulatorContext): Accumulator {
  expectType(typeOids[column], TypeOid.int8, 'count');
  let total = 0n;
  return {
    typeOid: TypeOid.int8,
    begin() {
      total = 0n;
    },
    add(row) {
      const length = row.valueLength(column);
      if (length >= 0) total = int8Sum.add(total, row.bytes, row.valueStart(column), length);
    },
    result: () => encodeInt8(total, format),
    sortValue: () => encodeInt8(total, 1),
  };
}

function sum<Value>(partial: PartialSum<Value>, column: number, format: Format): Accumulator {
  let total: Value | null = null;
  return {
    typeOid: partial.typeOid,
    begin() {
      total = null;
    },
    add(row) {
      const length = row.valueLength(column);
      if (length >= 0) total = partial.add(total, row.bytes, row.valueStart(column), length);
    },
    result: () => (total === null ? null : partial.encode(total, format)),
    sortValue: () => (total === null ? null : partial.encode(total, 1)),
  };
}

function average<Value>(
  partial: PartialSum<Value>,
  output: { readonly hiddenSum: number; readonly hiddenCount: number },
  context: AccumulatorContext,
): Accumulator {
  const { average: quotient } = partial;
  if (quotient === null) throw notFoldable('avg', partial.typeOid);
  const { hiddenSum, hiddenCount } = output;
  expectType(context.typeOids[hiddenCount], TypeOid.int8, 'count');
  let total: Value | null = null;
  let rows = 0n;
  const encode = (format: Format) =>
    total === null || rows === 0n ? null : quotient.encode(total, rows, format);
  return {
    typeOid: quotient.typeOid,
    begin() {
      total = null;
      rows = 0n;
    },
    add(row) {
      const length = row.valueLength(hiddenSum);
      if (length < 0) return;
      total = partial.add(total, row.bytes, row.valueStart(hiddenSum), length);
      const countLength = row.valueLength(hiddenCount);
      rows = int8Sum.add(rows, row.bytes, row.valueStart(hiddenCount), countLength);
    },
    result: () => encode(context.format),
    sortValue: () => encode(1),
  };
}

/** `sign` -1 keeps the least value, 1 the greatest; NULLs do not count. */
function extreme(
  visible: number,
  order: SortKey,
  sign: 1 | -1,
  { typeOids }: AccumulatorContext,
): Accumulator {
  const typeOid = typeOids[order.column] ?? 0;
  const compare = valueOrder(order, typeOid);
  let shown: Buffer | null = null;
  let best: Buffer | null = null;
  return {
    typeOid,
    begin() {
      shown = null;
      best = null;
    },
    add(row) {
      const length = row.valueLength(order.column);
      if (length < 0) return;
      const start = row.valueStart(order.column);
      const isBetter =
        best === null || sign * compare(row.bytes, start, start + length, best, 0, best.length) > 0;
      if (!isBetter) return;
      best = row.value(order.column);
      shown = row.value(visible);
    },
    result: () => shown,
    sortValue: () => best,
  };
}

/** `decisive` true is OR, false is AND; NULLs do not count. */
function truth(
  column: number,
  decisive: boolean,
  { typeOids, format }: AccumulatorContext,
): Accumulator {
  expectType(typeOids[column], TypeOid.bool, decisive ? 'bool_or' : 'bool_and');
  let value: boolean | null = null;
  const binary = () => (value === null ? null : Buffer.from([value ? 1 : 0]));
  return {
    typeOid: TypeOid.bool,
    begin() {
      value = null;
    },
    add(row) {
      const length = row.valueLength(column);
      if (length < 0) return;
      expectSize(length, 1);
      const isTrue = row.bytes[row.valueStart(column)] !== 0;
      value = value === null || isTrue === decisive ? isTrue : value;
    },
    result() {
      if (format === 1 || value === null) return binary();
      return Buffer.from(value ? 't' : 'f');
    },
    sortValue: binary,
  };
}

/** Calls `use` with the adder for the partial sums' type, whichever its value type is. */
function withSumOfType(
  column: number,
  { typeOids, extraFloatDigits }: AccumulatorContext,
  aggregate: string,
  use: <Value extends bigint | number | Numeric>(partial: PartialSum<Value>) => Accumulator,
): Accumulator {
  const typeOid = typeOids[column] ?? 0;
  switch (typeOid) {
    case TypeOid.int8:
      return use(int8Sum);
    case TypeOid.numeric:
      return use(numericSum);
    case TypeOid.float8:
      return use(float8Sum(extraFloatDigits));
    case TypeOid.float4:
      return use(float4Sum(extraFloatDigits));
    default:
      throw notFoldable(aggregate, typeOid);
  }
}

function expectType(typeOid: number | undefined, expected: number, aggregate: string): void {
  if (typeOid !== expected) throw notFoldable(aggregate, typeOid ?? 0);
}

function notFoldable(aggregate: string, typeOid: number): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `${aggregate} over several shards is not supported for partial results of the type with OID ${typeOid}`,
    { hint: 'Cast the argument to bigint, numeric or double precision.' },
  );
}
