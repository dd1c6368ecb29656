import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { env } = process;

/** The certificate authority of this run: `verify-full`, the name `localhost`. */
export const ssl = { ca: readFileSync(env.PGSSLROOTCERT, 'utf8') };

/** A certificate of the client's own, which is all that the server asks `holder` for. */
export const holder = {
  user: 'holder',
  ssl: {
    ...ssl,
    cert: readFileSync(env.HOLDER_CERTIFICATE, 'utf8'),
    key: readFileSync(env.HOLDER_KEY, 'utf8'),
  },
};

export const connection = {
  host: env.PGHOST,
  port: Number(env.PGPORT),
  user: env.PGUSER,
  password: env.PGPASSWORD,
  database: env.PGDATABASE,
};

/** Rows of this client: its customers, one on each shard, and ids that are the same on both sides. */
export const client = env.CLIENT;
export const customers = ['Adam', 'Kim', 'Pia', 'Zoe'].map((name) => `${name}-of-${client}`);
const tag = createHash('md5').update(client).digest('hex').slice(0, 12);
export const sampleId = (number) => `00000000-0000-4000-a${String(number).padStart(3, '0')}-${tag}`;

/** Hours of work on every shard, to be cancelled. */
export const longReport =
  'select sum(length(cust_id) + g) from reservation, generate_series(1, 100000000) g';

/** The version of an npm package. */
export function tellVersion(library) {
  const file = new URL(`../node_modules/${library}/package.json`, import.meta.url);
  print({ version: JSON.parse(readFileSync(file, 'utf8')).version });
}

/** Says what `look` returns, or how it failed; the next things are done all the same. */
export async function tell(name, look) {
  try {
    const seen = await look();
    print({ name, seen });
  } catch (error) {
    const { code, message } = rootOf(error);
    print({ name, seen: { error: code ?? 'none', message } });
  }
}

/** The SQLSTATE, constraint and message of a failure that is expected. */
export async function failureOf(promise) {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    const { code, constraint, constraint_name, message } = rootOf(error);
    return [code, constraint ?? constraint_name ?? null, message];
  }
}

/** ORMs wrap PostgreSQL's error. */
function rootOf(error) {
  const inner = error.driverError ?? error.original ?? error.nativeError ?? error.cause;
  return inner instanceof Error && inner.code !== undefined ? inner : error;
}

/** Dates, bytes and big numbers as texts, so that JSON keeps them. */
function print(line) {
  const text = JSON.stringify(line, (_, value) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (value?.type === 'Buffer') return `bytes ${Buffer.from(value.data).toString('hex')}`;
    if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
    return value;
  });
  process.stdout.write(`${text}\n`);
}

/** One value of every common type, by the columns of `sample`. */
export const sampleRow = {
  small: -7,
  whole: 42,
  big: '9007199254740993',
  exact: '12345678901234567890.0123456789',
  single: 1.5,
  twice: 0.1,
  flag: true,
  words: 'Zoë says "hi" \\ \'there\'\n',
  short: 'short',
  fixed: 'ab',
  bytes: Buffer.from([0, 1, 127, 128, 255]),
  day: '2024-02-29',
  clock: '23:59:59.123456',
  moment: '2024-02-29 12:34:56.789',
  instant: '2024-02-29T12:34:56.789Z',
  span: '1 day 02:03:04',
  document: { a: [1, 2, null], b: 'ü' },
  tree: { deep: { er: [true, { x: 1.5 }] } },
  mood: 'happy',
  numbers: [1, 2, 3],
  labels: ['a', 'b,c', 'd"e', ''],
  address: '192.168.1.5',
};
