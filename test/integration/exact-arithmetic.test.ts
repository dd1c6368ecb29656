import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float4Text, float8Text } from '../../src/executor/merge/float-text.ts';
import {
  decodeNumeric,
  encodeNumeric,
  type Numeric,
  numericText,
} from '../../src/executor/merge/numeric.ts';
import { addNumeric, averageNumeric } from '../../src/executor/merge/numeric-arithmetic.ts';
import { withSession } from '../../src/lab/sql.ts';
import { type PlainPostgres, startPlainPostgres } from '../support/lab.ts';
import { type Random, seededRandom } from '../support/random.ts';

const seed = Number(process.env['SEED'] ?? 20_261_122);
const login = { database: 'app', password: null };
let plain: PlainPostgres;

beforeAll(async () => {
  plain = await startPlainPostgres();
});

afterAll(async () => {
  await plain?.stop();
});

describe(`arithmetic drawn with seed ${seed}`, () => {
  it('of 5,000 numerics has every digit of the server', async () => {
    const random = seededRandom(seed);
    const cases = Array.from({ length: 5000 }, () => [
      numericLiteral(random),
      numericLiteral(random),
      String(random.integer(1, random.pick([10, 10_000, 2_000_000_000]))),
    ]);
    const answer = await query(
      `select encode(numeric_send(a), 'hex'), a::text, encode(numeric_send(b), 'hex'),
         (a + b)::text, encode(numeric_send(a + b), 'hex'), n::text, (a / n::numeric)::text,
         encode(numeric_send(a / n::numeric), 'hex')
       from unnest($1::numeric[], $2::numeric[], $3::int8[]) with ordinality as t(a, b, n, o)
       order by o`,
      [0, 1, 2].map((column) => cases.map((row) => row[column])),
    );
    const ours = answer.map(([a = '', , b = '', , , n = '']) => {
      const left = decodeNumeric(Buffer.from(a, 'hex'), 0, a.length / 2);
      const right = decodeNumeric(Buffer.from(b, 'hex'), 0, b.length / 2);
      const [sum, quotient] = [addNumeric(left, right), averageNumeric(left, BigInt(n))];
      const hex = (value: Numeric) => encodeNumeric(value).toString('hex');
      const sumTexts = [numericText(sum), hex(sum)];
      return [
        hex(left),
        numericText(left),
        b,
        ...sumTexts,
        n,
        numericText(quotient),
        hex(quotient),
      ];
    });
    expect(ours).toEqual(answer);
  });

  it.each([3, 1, 0, -2, -15])(
    'of 4,000 floats prints as the server does with extra_float_digits %i',
    async (extraFloatDigits) => {
      const random = seededRandom(seed + extraFloatDigits);
      const values = Array.from({ length: 2000 }, () => float(random));
      const singles = values.map(Math.fround);
      const answer = await query(
        'select a::text, b::float4::text from unnest($1::float8[], $2::float8[]) with ordinality as t(a, b, o) order by o',
        [values.map(parameter), singles.map(parameter)],
        `set extra_float_digits = ${extraFloatDigits}`,
      );
      const ours = values.map((value, index) => [
        float8Text(value, extraFloatDigits),
        float4Text(singles[index] ?? 0, extraFloatDigits),
      ]);
      expect(ours).toEqual(answer);
    },
  );
});

function query(text: string, values: unknown[][], before = 'select 1'): Promise<string[][]> {
  return withSession(plain.server, login, async (session) => {
    await session.query(before);
    const answer = await session.query({ text, values, rowMode: 'array' });
    return answer.rows;
  });
}

function numericLiteral(random: Random): string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => random.integer(0, 9)).join('');
  if (random.integer(0, 29) === 0)
    return random.pick(['NaN', 'Infinity', '-Infinity', '0.000', '1e50']);
  const whole = digits(random.integer(1, random.pick([1, 4, 9, 40])));
  const fraction = '0'.repeat(random.pick([0, 0, 3, 20])) + digits(random.integer(0, 14));
  return `${random.pick(['', '-'])}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function float(random: Random): number {
  switch (random.integer(0, 4)) {
    case 0:
      return finite(random.bytes(8).readDoubleBE(0));
    case 1:
      return Number(`${random.integer(1, 99_999)}e${random.integer(-40, 30)}`);
    case 2:
      return 2 ** random.integer(-140, 120) * random.pick([1, -1, 3, 5]);
    case 3:
      return random.bytes(4).readFloatBE(0);
    default:
      return random.integer(0, 10_000_000) / 100;
  }
}

/** What a float4 can hold, too: the cast of anything larger fails. */
function finite(value: number): number {
  return Number.isFinite(Math.fround(value)) && Math.fround(value) !== 0 ? value : 0.1;
}

function parameter(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
