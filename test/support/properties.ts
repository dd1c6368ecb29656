import fc from 'fast-check';
import { PgError } from '../../src/base/pg-error.ts';

// A failure prints the seed and the smallest input. Longer, and elsewhere:
//
//     FUZZ_RUNS=20000 FUZZ_SEED=3 npx vitest run --project fast properties
fc.configureGlobal({
  seed: Number(process.env['FUZZ_SEED'] ?? 7),
  numRuns: Number(process.env['FUZZ_RUNS'] ?? 300),
});

/** What `read` returns, or what it refuses in the words of a PgError; anything else is thrown. */
export function outcome<Value>(read: () => Value): Value | string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    return `${error.sqlState} ${error.message}`;
  }
}

export const anyBytes: fc.Arbitrary<Buffer> = fc
  .uint8Array({ maxLength: 400 })
  .map((bytes) => Buffer.from(bytes));

/** Any characters that a message can hold. */
export const anyName: fc.Arbitrary<string> = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((text) => wellFormed(text).replaceAll('\0', ''));

/** Without halves of surrogate pairs, which no message can hold. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

export const anyOid: fc.Arbitrary<number> = fc.nat(0xffff_ffff);

export const anyValue: fc.Arbitrary<Buffer | null> = fc.option(anyBytes);

/** Pieces of `bytes`, cut at these places (of 1000 parts). */
export function cutAt(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = cuts.map((cut) => Math.floor((cut * bytes.length) / 1000));
  const sorted = [0, ...places.toSorted((left, right) => left - right), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

export const anyCuts: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(1000), { maxLength: 12 });

export function byteByByte(bytes: Buffer): readonly Buffer[] {
  return Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1));
}

type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly mask: number }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Buffer };

const place = fc.nat(1000);
const interesting = [-0x8000_0000, -2, -1, 0, 1, 3, 4, 5, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff];

const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip'), at: place, mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut'), at: place, length: fc.nat(30) }),
  fc.record({ kind: fc.constant('repeat'), at: place, length: fc.nat(60) }),
  fc.record({ kind: fc.constant('number'), at: place, value: fc.constantFrom(...interesting) }),
  fc.record({ kind: fc.constant('insert'), at: place, bytes: anyBytes }),
) as fc.Arbitrary<Damage>;

/** The same bytes after one to four accidents. */
export function damaged(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(whole, fc.array(anyDamage, { minLength: 1, maxLength: 4 }))
    .map(([bytes, damages]) => damages.reduce(suffer, Buffer.from(bytes)));
}

function suffer(bytes: Buffer, damage: Damage): Buffer {
  const at = Math.floor((damage.at * bytes.length) / 1000);
  switch (damage.kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] ?? 0) ^ damage.mask;
      return flipped;
    }
    case 'cut':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + damage.length)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, at + damage.length), bytes.subarray(at)]);
    case 'number': {
      if (bytes.length < at + 4) return bytes;
      const changed = Buffer.from(bytes);
      changed.writeInt32BE(damage.value, at);
      return changed;
    }
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), damage.bytes, bytes.subarray(at)]);
  }
}
