import { describe, expect, it } from 'vitest';
import { float4Text, float8Text } from '../../../src/executor/merge/float-text.ts';
import { readFixture } from './vectors.ts';

type Vector = [type: 'float4' | 'float8', extraFloatDigits: number, hex: string, text: string];
const vectors = readFixture('float-vectors.json') as Vector[];

describe('float text', () => {
  it.each(['float8', 'float4'] as const)(
    'writes %s as the server does, under every setting',
    (type) => {
      const chosen = vectors.filter((vector) => vector[0] === type);
      expect(chosen.length).toBeGreaterThan(500);
      for (const [, extraFloatDigits, hex, text] of chosen) {
        const bytes = Buffer.from(hex, 'hex');
        const written =
          type === 'float8'
            ? float8Text(bytes.readDoubleBE(0), extraFloatDigits)
            : float4Text(bytes.readFloatBE(0), extraFloatDigits);
        expect({ hex, extraFloatDigits, written }).toEqual({
          hex,
          extraFloatDigits,
          written: text,
        });
      }
    },
  );
});
