import { expect } from 'vitest';
import type { WireRequest, WireValue } from './wire-client.ts';
import { extended, simple, type Told, type WriteWorld } from './write-world.ts';

export const accounts = `insert into account (id, owner, balance) values
  (1, 'ann', 10), (2, 'bob', 20), (101, 'cid', 30), (102, 'dan', 40), (201, 'eve', 50), (202, null, 60)`;
export const entries = `insert into entry values (1, 1, 1.5), (1, 2, 2.5), (101, 1, 3), (201, 1, 4), (202, 1, 5.25)`;
export const places = `insert into place values ('berlin', 'Berlin', 3), ('london', 'London', 8), ('paris', 'Paris', 2)`;

/** Both sides must tell the same and store the same. */
export async function same(world: WriteWorld, request: WireRequest, inOrder = true): Promise<Told> {
  const { told, plain } = await world.both(request);
  const comparable = ({ message: _, rows, ...rest }: Told) => ({
    ...rest,
    rows: inOrder ? rows : [...rows].sort(),
  });
  expect({
    ...comparable(told),
    text: request.text,
    message: told.error === plain.error ? null : told.message,
  }).toEqual({
    ...comparable(plain),
    text: request.text,
    message: null,
  });
  expect(await world.differences()).toEqual([]);
  return told;
}

export async function given(world: WriteWorld, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) await same(world, simple(text));
}

/** Refused before anything is stored. */
export async function refused(
  world: WriteWorld,
  text: string,
  sqlState: string,
  values: readonly WireValue[] = [],
): Promise<void> {
  for (const request of values.length > 0
    ? [extended(text, values)]
    : [simple(text), extended(text)]) {
    const answer = await world.proxy.request(request);
    expect([text, answer.error?.sqlState, answer.status]).toEqual([text, sqlState, 'I']);
  }
  expect(await world.differences()).toEqual([]);
}
