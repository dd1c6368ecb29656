import type { Random } from '../support/random.ts';
import type { Recording } from './recorded-traffic.ts';

/** What a client is to send, in these pieces, and how it leaves. */
export type Attempt = {
  readonly about: string;
  readonly pieces: readonly Buffer[];
  readonly leaves: 'end' | 'reset' | 'waits';
};

const lengths = [-0x8000_0000, -1, 0, 1, 3, 4, 5, 0xff, 0xffff, 0x10_0000, 0x7fff_ffff];
const codes = [...'QPBDECSHFXpdcf!\0\u00ff'];

/** One of the recordings after one to five accidents. The same random numbers give the same one. */
export function mutatedAttempt(recordings: readonly Recording[], random: Random): Attempt {
  const recording = random.pick(recordings);
  let messages: Buffer[] = recording.messages.map((message) => Buffer.from(message));
  const about = [recording.name];
  const accidents = random.integer(0, 5);
  for (let count = 0; count < accidents; count++) {
    const [name, accident] = random.pick(kinds);
    about.push(name);
    messages = accident(messages, random, random.pick(recordings).messages);
  }
  const leaves = random.pick(['end', 'reset', 'waits'] as const);
  return { about: about.join(', '), pieces: piecesOf(Buffer.concat(messages), random), leaves };
}

type Accident = (messages: Buffer[], random: Random, others: readonly Buffer[]) => Buffer[];

const kinds: readonly (readonly [string, Accident])[] = [
  ['flip', (messages, random) => changed(messages, random, flipped)],
  ['cut', (messages, random) => changed(messages, random, cut)],
  ['repeat bytes', (messages, random) => changed(messages, random, repeated)],
  ['length', (messages, random) => changed(messages, random, withLength)],
  ['number', (messages, random) => changed(messages, random, withNumber)],
  ['code', (messages, random) => changed(messages, random, withCode)],
  [
    'drop',
    (messages, random) =>
      messages.toSpliced(random.integer(1, messages.length), random.integer(1, 3)),
  ],
  [
    'repeat message',
    (messages, random) => {
      const at = random.integer(0, messages.length - 1);
      const again = Array(random.integer(1, 40)).fill(messages[at] ?? Buffer.alloc(0));
      return messages.toSpliced(at, 0, ...again);
    },
  ],
  [
    'reorder',
    (messages, random) => {
      const from = random.integer(0, messages.length - 1);
      const [moved] = messages.slice(from, from + 1);
      const rest = messages.toSpliced(from, 1);
      return moved === undefined ? rest : rest.toSpliced(random.integer(0, rest.length), 0, moved);
    },
  ],
  [
    'splice',
    (messages, random, others) => {
      const from = random.integer(0, others.length - 1);
      const foreign = others.slice(from, from + random.integer(1, 6));
      return messages.toSpliced(random.integer(1, messages.length), 0, ...foreign);
    },
  ],
  ['stop', (messages, random) => messages.slice(0, random.integer(1, messages.length))],
  [
    'garbage',
    (messages, random) =>
      messages.toSpliced(
        random.integer(0, messages.length),
        0,
        random.bytes(random.integer(1, 300)),
      ),
  ],
];

function changed(
  messages: Buffer[],
  random: Random,
  change: (message: Buffer, random: Random) => Buffer,
): Buffer[] {
  const at = random.integer(0, messages.length - 1);
  const message = messages[at];
  return message === undefined || message.length === 0
    ? messages
    : messages.with(at, change(message, random));
}

function flipped(message: Buffer, random: Random): Buffer {
  const copy = Buffer.from(message);
  const at = random.integer(0, copy.length - 1);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.integer(0, 7));
  return copy;
}

function cut(message: Buffer, random: Random): Buffer {
  const at = random.integer(0, message.length - 1);
  return Buffer.concat([message.subarray(0, at), message.subarray(at + random.integer(1, 9))]);
}

function repeated(message: Buffer, random: Random): Buffer {
  const at = random.integer(0, message.length - 1);
  const piece = message.subarray(at, at + random.integer(1, 20));
  return Buffer.concat([
    message.subarray(0, at),
    ...Array(random.integer(1, 50)).fill(piece),
    message.subarray(at),
  ]);
}

function withLength(message: Buffer, random: Random): Buffer {
  const copy = Buffer.from(message);
  if (copy.length >= 5) copy.writeInt32BE(random.pick(lengths), random.integer(0, 1));
  return copy;
}

function withNumber(message: Buffer, random: Random): Buffer {
  const copy = Buffer.from(message);
  const at = random.integer(0, copy.length - 1);
  if (at + 4 <= copy.length) copy.writeInt32BE(random.pick(lengths), at);
  else copy[at] = random.pick([0, 0x7f, 0xff]);
  return copy;
}

function withCode(message: Buffer, random: Random): Buffer {
  const copy = Buffer.from(message);
  copy[0] = random.pick(codes).charCodeAt(0);
  return copy;
}

/** All at once, in a few pieces, or byte by byte for a while. */
function piecesOf(bytes: Buffer, random: Random): readonly Buffer[] {
  const many = random.pick([0, 0, 3, 10, 60]);
  const cuts = Array.from({ length: many }, () => random.integer(0, bytes.length));
  const sorted = [0, ...cuts.sort((left, right) => left - right), bytes.length];
  return sorted
    .slice(1)
    .map((end, index) => bytes.subarray(sorted[index], end))
    .filter(({ length }) => length > 0);
}
