import { afterAll, beforeAll, expect, it } from 'vitest';
import { Dice } from '../../differential/dice.ts';
import type { WireRequest } from '../../support/wire-client.ts';
import { simple, type Told, toldBy, WriteWorld } from '../../support/write-world.ts';
import { RandomWrites } from './random-writes.ts';

// WRITES_SEED and WRITES_STATEMENTS choose another run.
const seed = Number(process.env['WRITES_SEED'] ?? 1);
const statements = Number(process.env['WRITES_STATEMENTS'] ?? 600);

let world: WriteWorld;

beforeAll(async () => {
  world = await WriteWorld.start();
}, 120_000);

afterAll(async () => {
  await world?.stop();
});

type Pair = { readonly told: Told; readonly plain: Told | null };

/** Through pgweave first; what it refuses does not run on the plain server, which is failed likewise. */
async function both(request: WireRequest): Promise<Pair> {
  const told = toldBy(await world.proxy.request(request));
  if (told.error !== '0A000') return { told, plain: toldBy(await world.plain.request(request)) };
  if (told.status === 'E') await world.plain.request(simple('select 1/0'));
  return { told, plain: null };
}

function comparable({ message: _, rows, ...rest }: Told) {
  return { ...rest, rows: rows.map((row) => JSON.stringify(row)).sort() };
}

it(
  `random writes leave what one PostgreSQL has, each row where its key belongs (seed ${seed})`,
  async () => {
    const dice = new Dice(seed);
    const writes = new RandomWrites(dice);
    const trail: string[] = [];
    let refused = 0;
    let inBlock = false;
    const check = async (request: WireRequest) => {
      const { told, plain } = await both(request);
      trail.push(JSON.stringify(request));
      if (plain === null) refused += 1;
      else
        expect(comparable(told), `${trail.slice(-12).join('\n')}\n${told.message}`).toEqual(
          comparable(plain),
        );
      inBlock = told.status !== 'I';
    };
    for (let step = 0; step < statements; step += 1) {
      if (!inBlock && dice.chance(0.15)) await check(simple('begin'));
      await check(writes.next());
      if (inBlock && dice.chance(0.3))
        await check(simple(dice.pick(['savepoint a', 'rollback to a', 'release a'])));
      if (inBlock && dice.chance(0.2))
        await check(simple(dice.pick(['commit', 'commit', 'rollback'])));
      if (!inBlock) expect(await world.differences(), trail.slice(-12).join('\n')).toEqual([]);
    }
    expect(refused / statements).toBeLessThan(0.01);
  },
  60_000 + statements * 200,
);
