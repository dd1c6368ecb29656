import { describe, expect, it } from 'vitest';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import {
  decodeParameterDescription,
  encodeParameterDescription,
} from '../../../src/protocol/parameter-description.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
} from '../../../src/protocol/row-description.ts';
import {
  type TypeTranslation,
  translateDataRow,
  translateParameterDescription,
  translateRowDescription,
} from '../../../src/protocol/type-translation.ts';

const [mood, moods, pair, pairs, range, multirange, domain] = [1, 2, 3, 4, 5, 6, 7].map(
  (n) => 20_000 + n,
);
const toHome = new Map([1, 2, 3, 4, 5, 6, 7].map((n) => [20_000 + n, 30_000 + n]));
const types: TypeTranslation = {
  toHome,
  toServer: new Map([...toHome].map(([server, home]) => [home, server])),
  parts: new Map([
    [moods ?? 0, { kind: 'array' }],
    [pair ?? 0, { kind: 'record' }],
    [pairs ?? 0, { kind: 'array' }],
    [range ?? 0, { kind: 'range', of: pair ?? 0 }],
    [multirange ?? 0, { kind: 'multirange', of: range ?? 0 }],
    [domain ?? 0, { kind: 'domain', of: pair ?? 0 }],
  ]),
};

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const sized = (value: Buffer | null) =>
  value === null ? int32(-1) : Buffer.concat([int32(value.length), value]);
/** Binary values as a server with these OIDs sends them. */
const valuesWith = (base: number) => {
  const record = (text: string) =>
    Buffer.concat([
      int32(2),
      int32(base + 1),
      sized(Buffer.from(text)),
      int32(23),
      sized(int32(9)),
    ]);
  const array = (element: number, items: readonly (Buffer | null)[]) =>
    Buffer.concat([
      int32(1),
      int32(1),
      int32(element),
      int32(items.length),
      int32(1),
      ...items.map(sized),
    ]);
  const between = Buffer.concat([Buffer.from([2]), sized(record('a')), sized(record('b'))]);
  return [
    Buffer.from('sad'),
    array(base + 1, [Buffer.from('sad'), null]),
    record('happy'),
    array(base + 3, [record('x'), null, record('yy')]),
    between,
    Buffer.concat([int32(2), sized(between), sized(Buffer.from([1]))]),
    record('z'),
    Buffer.concat([int32(0), int32(0), int32(base + 1)]),
    null,
  ];
};
const oids = [mood, moods, pair, pairs, range, multirange, domain, moods, moods].map(
  (oid) => oid ?? 0,
);

function described(typeOids: readonly number[], format: number): Buffer {
  return encodeRowDescription(
    typeOids.map((typeOid, index) => ({
      name: `column ${index}`,
      tableOid: 0,
      columnNumber: 0,
      typeOid,
      typeSize: -1,
      typeModifier: -1,
      format,
    })),
  );
}

describe('types by the OIDs of another server', () => {
  it('are translated in descriptions, and others are left alone', () => {
    const frame = described([23, ...oids, 2_000_000], 0);
    expect(translateRowDescription(types, frame, 0, frame.length)).toEqual(new Array(11).fill(0));
    const columns = decodeRowDescription(frame, 0, frame.length);
    const homes = oids.map((oid) => toHome.get(oid));
    expect(columns.map(({ typeOid }) => typeOid)).toEqual([23, ...homes, 2_000_000]);
    const parameters = encodeParameterDescription([...oids, 25]);
    translateParameterDescription(types, parameters, 0, parameters.length);
    expect(decodeParameterDescription(parameters, 0, parameters.length)).toEqual([...homes, 25]);
  });

  it('are translated inside of binary values, wherever the frame begins', () => {
    for (const offset of [0, 3]) {
      const description = described(oids, 1);
      const inner = translateRowDescription(types, description, 0, description.length);
      expect(inner).toEqual([0, ...oids.slice(1)]);
      const row = encodeDataRow(valuesWith(20_000));
      const bytes = Buffer.concat([Buffer.alloc(offset, 7), row, Buffer.alloc(5, 7)]);
      const end = offset + row.length;
      translateDataRow(types, inner, { bytes, start: offset, end });
      expect(bytes.subarray(offset, end)).toEqual(encodeDataRow(valuesWith(30_000)));
      expect(bytes.subarray(end)).toEqual(Buffer.alloc(5, 7));
    }
  });

  it('do not make it read beyond a value that is not what its type says', () => {
    const random = (seed: number) =>
      Buffer.from(Array.from({ length: 40 }, (_, index) => (seed * 69_069 + index * 7919) % 256));
    for (let seed = 0; seed < 200; seed += 1) {
      const garbage = oids.map((_, index) =>
        random(seed * 10 + index).subarray(0, (seed * 7 + index) % 40),
      );
      const row = encodeDataRow(garbage);
      const length = row.length;
      expect(() =>
        translateDataRow(types, oids, { bytes: row, start: 0, end: length }),
      ).not.toThrow();
    }
  });
});
