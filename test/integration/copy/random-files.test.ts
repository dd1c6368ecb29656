import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CopyClient } from '../../support/copy-client.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { WriteWorld } from '../../support/write-world.ts';

let world: WriteWorld;
let proxy: CopyClient;
let plain: CopyClient;

beforeAll(async () => {
  world = await WriteWorld.start();
  proxy = await CopyClient.connect(world.addresses.proxy);
  plain = await CopyClient.connect(world.addresses.plain);
}, 60_000);

afterAll(async () => {
  proxy?.close();
  plain?.close();
  await world?.stop();
});

type File = { readonly text: string; readonly data: Buffer };

const texts = [
  '',
  'a',
  'x y',
  'tab\t',
  'back\\slash',
  'q"uote',
  "'",
  ',',
  'a\nb',
  'c\r\nd',
  '\\.',
  '\\N',
  'ü',
  '"',
];

/** Rows (owner, id, balance), the key in the middle; now and then one with a mistake. */
function rowsOf(random: Random): (string | null)[][] {
  const mistakes = random.integer(0, 3) === 0;
  return Array.from({ length: random.integer(0, 30) }, (_, index) => {
    const id = random.pick([index, 100 + index, 200 + index]);
    const row = [
      random.integer(0, 5) === 0 ? null : random.pick(texts) + random.pick(texts),
      String(id),
      random.integer(0, 3) === 0 ? null : String(random.integer(-5, 5)),
    ];
    if (!mistakes || random.integer(0, 15) !== 0) return row;
    const [owner = '', key = '', balance = ''] = row;
    return random.pick([
      [owner, 'key', balance],
      [owner, key, 'x'],
      [owner, key],
      [owner],
      [owner, key, balance, 'more'],
      [owner, null, balance],
      [owner, '9'.repeat(20), balance],
    ]);
  });
}

function textFile(random: Random): File {
  const delimiter = random.pick(['\t', '|', ',']);
  const nullText = random.pick(['\\N', '', 'nil']);
  const lineEnd = random.pick(['\n', '\r\n', '\r']);
  const header = random.integer(0, 2) === 0;
  const letters = new Map([
    ['\n', 'n'],
    ['\r', 'r'],
    ['\t', 't'],
  ]);
  const field = (value: string | null) => {
    if (value === null) return nullText;
    return [...value]
      .map((character) => {
        const letter = letters.get(character);
        if (letter !== undefined) return `\\${letter}`;
        return character === '\\' || character === delimiter ? `\\${character}` : character;
      })
      .join('');
  };
  const lines = rowsOf(random).map((row) => row.map(field).join(delimiter));
  const options = `delimiter '${delimiter}', null '${nullText}', header ${header}`;
  return file(random, options, header ? ['any line', ...lines] : lines, lineEnd, [
    '\\.',
    '\\.x',
    '\r',
    'a\\',
  ]);
}

function csvFile(random: Random): File {
  const delimiter = random.pick([',', ';']);
  const quote = random.pick(['"', "'"]);
  const escaping = random.pick([quote, '\\', '!']);
  const nullText = random.pick(['', 'nil']);
  const header = random.integer(0, 2) === 0;
  const field = (value: string | null) => {
    if (value === null) return nullText;
    const mustQuote =
      value === nullText || [delimiter, quote, '\n', '\r'].some((mark) => value.includes(mark));
    if (!mustQuote && random.integer(0, 3) !== 0) return value;
    const inner = [...value].map((each) =>
      each === quote || each === escaping ? escaping + each : each,
    );
    return quote + inner.join('') + quote;
  };
  const lines = rowsOf(random).map((row) => row.map(field).join(delimiter));
  const sql = (mark: string) => `'${mark.replaceAll("'", "''")}'`;
  const options = `format csv, delimiter '${delimiter}', quote ${sql(quote)}, escape ${sql(escaping)}, null '${nullText}', header ${header}`;
  const lineEnd = random.pick(['\n', '\r\n']);
  return file(random, options, header ? [`${quote}a\nb${quote}`, ...lines] : lines, lineEnd, [
    quote,
    `a${quote}b`,
    '\r',
  ]);
}

function file(
  random: Random,
  options: string,
  lines: readonly string[],
  lineEnd: string,
  oddities: readonly string[],
): File {
  const all = [...lines];
  if (random.integer(0, 4) === 0)
    all.splice(random.integer(0, all.length), 0, random.pick(oddities));
  const end = random.integer(0, 2) === 0 ? '' : lineEnd;
  const ignore = random.integer(0, 4) === 0 ? ', on_error ignore' : '';
  const where = random.integer(0, 4) === 0 ? ' where balance is null or balance > 0' : '';
  return {
    text: `copy account (owner, id, balance) from stdin (${options}${ignore})${where}`,
    data: Buffer.from(all.length === 0 ? '' : all.join(lineEnd) + end),
  };
}

function binaryFile(random: Random): File {
  const parts: Buffer[] = [Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')];
  const number = (bytes: number, value: bigint) => {
    const all = Buffer.alloc(8);
    all.writeBigInt64BE(value);
    return all.subarray(8 - bytes);
  };
  for (const row of rowsOf(random)) {
    parts.push(number(2, BigInt(row.length)));
    for (const [index, value] of row.entries()) {
      const isNumber = index > 0 && value !== null && /^-?\d{1,15}$/.test(value);
      const bytes = isNumber
        ? number(index === 1 ? 8 : 4, BigInt(value))
        : Buffer.from(value ?? '');
      parts.push(number(4, BigInt(value === null ? -1 : bytes.length)), bytes);
    }
  }
  if (random.integer(0, 3) > 0) parts.push(Buffer.from([0xff, 0xff]));
  const whole = Buffer.concat(parts);
  const length = random.integer(0, 6) === 0 ? random.integer(0, whole.length) : whole.length;
  return {
    text: 'copy account (owner, id, balance) from stdin (format binary)',
    data: whole.subarray(0, length),
  };
}

function cut(random: Random, data: Buffer): readonly Buffer[] {
  const pieces: Buffer[] = [];
  const size = random.pick([3, 50, 100_000]);
  for (let at = 0; at < data.length; at += size) pieces.push(data.subarray(at, at + size));
  return pieces;
}

describe('files of any kind', () => {
  it('are stored, or refused in the same line, as one PostgreSQL does', async () => {
    const seed = Number(process.env['COPY_SEED'] ?? 1);
    const random = seededRandom(seed);
    const outcomes = new Map<string, number>();
    for (let round = 0; round < Number(process.env['COPY_FILES'] ?? 250); round++) {
      const { text, data } = random.pick([textFile, csvFile, binaryFile])(random);
      await world.clear();
      const protocol = random.pick(['simple', 'extended'] as const);
      const ours = await proxy.run({ text, protocol, data: cut(random, data) });
      const theirs = await plain.run({ text, protocol, data: [data] });
      const told = ({ tag, error, notices, status }: typeof ours) => ({
        tag,
        error: error === null ? null : [error.get('C'), error.get('M'), error.get('W')],
        notices: notices.map((fields) => fields.get('M')),
        status,
      });
      const what = { seed, round, text, data: data.toString('latin1') };
      expect({ ...what, ...told(ours) }).toEqual({ ...what, ...told(theirs) });
      expect({ ...what, differences: await world.differences() }).toEqual({
        ...what,
        differences: [],
      });
      const outcome = ours.error?.get('C') ?? 'stored';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(outcomes.get('stored')).toBeGreaterThan(50);
    expect(outcomes.size).toBeGreaterThan(2);
  }, 120_000);
});
