import { describe, expect, it } from 'vitest';
import { buildOperators } from '../../../src/executor/merge/build-operators.ts';
import { encodeNumeric } from '../../../src/executor/merge/numeric.ts';
import type { AggregateOutput, PlanNode, SortKey } from '../../../src/planner/plan.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import { drain, float8, int8, ListSource, sortKey, type Value } from './rows.ts';

type Options = {
  readonly types: readonly number[];
  readonly outputs: readonly AggregateOutput[];
  readonly groupBy?: readonly SortKey[];
  readonly carry?: readonly number[];
  readonly sort?: readonly SortKey[];
  readonly formats?: readonly number[];
  readonly describedTypeOids?: readonly number[];
  readonly extraFloatDigits?: number;
};

function aggregate(shards: readonly (readonly Value[])[][], options: Options) {
  const { types, outputs, groupBy = [], carry = [], sort } = options;
  const route: PlanNode = {
    kind: 'route',
    query: { kind: 'as-received' },
    visibleCount: types.length,
    hiddenCount: 0,
  };
  const input: PlanNode =
    groupBy.length === 0
      ? { kind: 'append', input: route }
      : { kind: 'merge-append', input: route, keys: groupBy };
  const node: PlanNode = { kind: 'aggregate', input, groupBy, outputs, carry };
  const root: PlanNode = sort === undefined ? node : { kind: 'sort', input: node, keys: sort };
  const { source } = buildOperators(root, {
    streams: shards.map((rows) => new ListSource(rows, [1])),
    shardTypeOids: types,
    resultFormats: options.formats ?? [],
    range: { offset: 0, count: Infinity },
    extraFloatDigits: options.extraFloatDigits ?? 1,
    mergeBytesMax: 1e6,
    describedTypeOids: options.describedTypeOids ?? null,
  });
  return drain(source);
}

const count: AggregateOutput = { kind: 'count', hidden: 0 };
const sum: AggregateOutput = { kind: 'sum', hidden: 0 };
const numeric = (unscaled: bigint, scale: number) =>
  encodeNumeric({ kind: 'finite', unscaled, scale });
const bool = (value: boolean) => Buffer.from([value ? 1 : 0]);

describe('an aggregate without groups', () => {
  const outputs: AggregateOutput[] = [
    count,
    sum,
    { kind: 'avg', hiddenSum: 0, hiddenCount: 0 },
    { kind: 'max', visible: 0, order: sortKey(0) },
  ];

  it('gives exactly one row for no rows: a count of 0 and NULLs', () => {
    expect(aggregate([[], []], { types: [TypeOid.int8], outputs })).toEqual([
      ['0', null, null, null],
    ]);
    const truths: AggregateOutput[] = [
      { kind: 'bool_and', hidden: 0 },
      { kind: 'bool_or', hidden: 0 },
    ];
    expect(aggregate([[]], { types: [TypeOid.bool], outputs: truths })).toEqual([[null, null]]);
  });

  it('keeps a constant, which every shard gives alike', () => {
    const constant: AggregateOutput[] = [{ kind: 'group', visible: 1 }, count];
    const rows = [[int8(1n), 'x']] as const;
    expect(
      aggregate([[...rows], [...rows]], { types: [TypeOid.int8, 25], outputs: constant }),
    ).toEqual([['x', '2']]);
  });

  it('does not count NULLs, and one value is enough', () => {
    const shards = [[[null]], [[int8(7)]], [[null]]];
    expect(aggregate(shards, { types: [TypeOid.int8], outputs: [sum] })).toEqual([['7']]);
    expect(aggregate([[[null]], [[null]]], { types: [TypeOid.int8], outputs: [sum] })).toEqual([
      [null],
    ]);
  });

  it('adds counts up as bigint and refuses to pass its range', () => {
    const max = 2n ** 63n - 1n;
    const options = { types: [TypeOid.int8], outputs: [sum] };
    expect(aggregate([[[int8(max - 1n)]], [[int8(1)]]], options)).toEqual([[max.toString()]]);
    expect(() => aggregate([[[int8(max)]], [[int8(1)]]], options)).toThrow(
      expect.objectContaining({ sqlState: '22003', message: 'bigint out of range' }),
    );
    expect(() => aggregate([[[int8(-max)]], [[int8(-2)]]], options)).toThrow('out of range');
  });

  it('adds numerics without rounding and averages them with the scale of a server', () => {
    const types = [TypeOid.numeric, TypeOid.int8];
    const outputs: AggregateOutput[] = [sum, { kind: 'avg', hiddenSum: 0, hiddenCount: 1 }];
    const shards = [[[numeric(10n, 2), int8(1)]], [[numeric(20n, 2), int8(2)]]];
    expect(aggregate(shards, { types, outputs })).toEqual([['0.30', '0.10000000000000000000']]);
    const thirds = [[[int8(1), int8(1)]], [[int8(9), int8(2)]]];
    const average: AggregateOutput[] = [{ kind: 'avg', hiddenSum: 0, hiddenCount: 1 }];
    expect(aggregate(thirds, { types: [TypeOid.int8, TypeOid.int8], outputs: average })).toEqual([
      ['3.3333333333333333'],
    ]);
  });

  it('adds floats as the server prints them, under the session setting', () => {
    const shards = [[[float8(0.1)]], [[float8(0.2)]]];
    const options = { types: [TypeOid.float8], outputs: [sum] };
    expect(aggregate(shards, options)).toEqual([['0.30000000000000004']]);
    expect(aggregate(shards, { ...options, extraFloatDigits: 0 })).toEqual([['0.3']]);
    expect(() => aggregate([[[float8(1e308)]], [[float8(1e308)]]], options)).toThrow(
      expect.objectContaining({ sqlState: '22003', message: 'value out of range: overflow' }),
    );
    expect(aggregate([[[float8(Infinity)]], [[float8(1)]]], options)).toEqual([['Infinity']]);
  });

  it('averages zeros to 0 whatever their signs, as avg() begins with 0', () => {
    const average: AggregateOutput[] = [{ kind: 'avg', hiddenSum: 0, hiddenCount: 1 }];
    const shards = [[[float8(-0), int8(1)]], [[float8(-0), int8(2)]]];
    const types = [TypeOid.float8, TypeOid.int8];
    expect(aggregate(shards, { types, outputs: average })).toEqual([['0']]);
  });

  it('answers in the format that the client asked for', () => {
    const options = { types: [TypeOid.int8], outputs: [count, sum], formats: [1, 0] };
    expect(aggregate([[[int8(5)]]], options)).toEqual([[int8(5).toString('latin1'), '5']]);
  });

  it('keeps the visible value of the extreme that the hidden copies decide', () => {
    const outputs: AggregateOutput[] = [
      { kind: 'min', visible: 0, order: sortKey(1) },
      { kind: 'max', visible: 0, order: sortKey(1) },
    ];
    const shards = [[['nine', int8(9)]], [[null, null]], [['minus one', int8(-1)]]];
    expect(aggregate(shards, { types: [TypeOid.text, TypeOid.int8], outputs })).toEqual([
      ['minus one', 'nine'],
    ]);
  });

  it.each([
    [
      [true, true],
      ['t', 't'],
    ],
    [
      [true, false],
      ['f', 't'],
    ],
    [
      [false, null],
      ['f', 'f'],
    ],
    [
      [null, true],
      ['t', 't'],
    ],
  ])('folds the truths %j', (values, expected) => {
    const outputs: AggregateOutput[] = [
      { kind: 'bool_and', hidden: 0 },
      { kind: 'bool_or', hidden: 0 },
    ];
    const shards = values.map((value) => [[value === null ? null : bool(value)]]);
    expect(aggregate(shards, { types: [TypeOid.bool], outputs })).toEqual([expected]);
  });

  it.each([
    ['sum', TypeOid.money],
    ['sum', TypeOid.interval],
    ['avg', TypeOid.float4],
    ['count', TypeOid.int4],
    ['bool_or', TypeOid.int8],
  ])('refuses %s of partial results with the type OID %i', (kind, typeOid) => {
    const output = { kind, hidden: 0, hiddenSum: 0, hiddenCount: 0 } as AggregateOutput;
    expect(() => aggregate([[]], { types: [typeOid], outputs: [output] })).toThrow(
      expect.objectContaining({ sqlState: '0A000' }),
    );
  });

  it('refuses a sum that would not have the described type', () => {
    const options = { types: [TypeOid.int8], outputs: [sum], describedTypeOids: [TypeOid.numeric] };
    expect(() => aggregate([[]], options)).toThrow(expect.objectContaining({ sqlState: '0A000' }));
  });

  it.each([
    ['int8', TypeOid.int8, Buffer.alloc(4)],
    ['bool', TypeOid.bool, Buffer.alloc(2)],
    ['float8', TypeOid.float8, Buffer.alloc(4)],
  ])('refuses a %s of the wrong size from a server', (_, type, value) => {
    const output: AggregateOutput = { kind: type === TypeOid.bool ? 'bool_or' : 'sum', hidden: 0 };
    expect(() => aggregate([[[value]]], { types: [type], outputs: [output] })).toThrow(
      expect.objectContaining({ sqlState: '22P03' }),
    );
  });
});

describe('an aggregate by groups', () => {
  const options: Options = {
    types: [TypeOid.text, TypeOid.int8, TypeOid.text],
    groupBy: [sortKey(2)],
    outputs: [
      { kind: 'group', visible: 0 },
      { kind: 'sum', hidden: 1 },
    ],
  };

  it('folds the shards\u2019 rows of one group and gives none for no rows', () => {
    const shards = [
      [
        ['A', int8(1), 'a'],
        ['B', int8(2), 'b'],
        ['N', int8(8), null],
      ],
      [
        ['A', int8(10), 'a'],
        ['C', int8(20), 'c'],
        ['N', int8(80), null],
      ],
      [],
    ];
    expect(aggregate(shards, options)).toEqual([
      ['A', '11'],
      ['B', '2'],
      ['C', '20'],
      ['N', '88'],
    ]);
    expect(aggregate([[], []], options)).toEqual([]);
  });

  it('shows the first row of a group whose values are equal but differ in bytes', () => {
    const shards = [[['1.0', int8(1), numeric(10n, 1)]], [['1.00', int8(1), numeric(100n, 2)]]];
    const types = [TypeOid.text, TypeOid.int8, TypeOid.numeric];
    expect(aggregate(shards, { ...options, types })).toEqual([['1.0', '2']]);
  });

  it('is DISTINCT when nothing is aggregated', () => {
    const outputs: AggregateOutput[] = [{ kind: 'group', visible: 0 }];
    const shards = [
      [['x', int8(0), 'x']],
      [
        ['x', int8(0), 'x'],
        ['y', int8(0), 'y'],
      ],
    ];
    expect(aggregate(shards, { ...options, outputs })).toEqual([['x'], ['y']]);
  });

  it('sorts by a result, by value whatever its format, then by a carried column', () => {
    const shards = [
      [
        ['A', int8(9), 'a'],
        ['B', int8(10), 'b'],
        ['C', int8(5), 'c'],
      ],
      [['C', int8(4), 'c']],
    ];
    const sort = [sortKey(1, { descending: true }), sortKey(2, { descending: true })];
    const sorted = aggregate(shards, { ...options, carry: [2], sort });
    expect(sorted.map((row) => row.slice(0, 2))).toEqual([
      ['B', '10'],
      ['C', '9'],
      ['A', '9'],
    ]);
  });
});
