import { connect } from 'node:net';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../support/random.ts';
import { type EnduranceWorld, Neighbour } from './endurance-world.ts';
import { type Footprint, footprintText } from './footprint.ts';
import { type Attempt, mutatedAttempt } from './mutated-traffic.ts';
import { type Recording, recordTraffic } from './recorded-traffic.ts';

export type FuzzOptions = {
  readonly seed: number;
  /** Connections in all. */
  readonly attempts: number;
  /** Connections at a time. */
  readonly width: number;
  readonly print: (line: string) => void;
};

export type FuzzReport = {
  readonly before: Footprint;
  readonly after: Footprint;
  readonly findings: readonly string[];
  readonly neighbour: { readonly answers: number; readonly slowestMs: number };
};

/** A client that has nothing more to say is patient for so long. */
const patienceMs = 60;
const aliveMs = 1_500;

/**
 * Real traffic, damaged: every attempt is a connection, numbered, and made of the seed and its number
 * alone, so that `seed`, `first` and one attempt show a finding again.
 */
export async function fuzz(world: EnduranceWorld, options: FuzzOptions): Promise<FuzzReport> {
  const recordings = await recordTraffic(world);
  // What serving costs in any case is there before it is measured.
  await attack(world, recordings, { ...options, attempts: Math.min(300, options.attempts) });
  const before = await world.resting();
  const neighbours = [new Neighbour(world.app, 1), new Neighbour(world.app, 2)];
  await attack(world, recordings, options);
  for (const neighbour of neighbours) await neighbour.stop();
  const after = await world.resting();
  options.print(`before: ${footprintText(before)}\nafter:  ${footprintText(after)}`);
  const findings = [...neighbours.flatMap((one) => one.findings), ...world.faults];
  return {
    before,
    after,
    findings,
    neighbour: {
      answers: neighbours.reduce((sum, { answers }) => sum + answers, 0),
      slowestMs: Math.max(...neighbours.map(({ slowestMs }) => slowestMs)),
    },
  };
}

async function attack(
  world: EnduranceWorld,
  recordings: readonly Recording[],
  { seed, attempts, width, print }: FuzzOptions,
): Promise<void> {
  let number = 0;
  let faults = world.faults.length;
  const one = async () => {
    while (number < attempts) {
      number += 1;
      const own = number;
      const attempt = mutatedAttempt(recordings, seededRandom(seed * 1_000_003 + own));
      await send(world.served.port, attempt);
      if (world.faults.length === faults) continue;
      faults = world.faults.length;
      print(
        `seed ${seed}, attempt ${own} or just before: ${attempt.about}: ${world.faults.at(-1)}`,
      );
    }
  };
  await Promise.all(Array.from({ length: width }, one));
}

async function send(port: number, { pieces, leaves }: Attempt): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let lastAt = systemClock.now();
  let isClosed = false;
  socket.on('data', () => {
    lastAt = systemClock.now();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  const beganAt = lastAt;
  for (const piece of pieces) {
    if (isClosed) return;
    socket.write(piece);
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const patience = leaves === 'waits' ? patienceMs : patienceMs / 3;
  while (
    !isClosed &&
    systemClock.now() - lastAt < patience &&
    systemClock.now() - beganAt < aliveMs
  ) {
    await sleep(10);
  }
  if (leaves === 'end') socket.end();
  else if (leaves === 'reset') socket.resetAndDestroy();
  if (leaves !== 'reset') await sleep(2);
  socket.destroy();
}
