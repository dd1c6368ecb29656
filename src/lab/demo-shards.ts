import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/** Key range [from, to) of folded customer ids; null is open. */
export type DemoShard = {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
};

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The alphabet in `count` pieces, named after their first and last letters: a_d, e_o, p_u, v_z. */
export function demoShards(count: number): readonly DemoShard[] {
  if (!Number.isInteger(count) || count < 1 || count > letters.length) {
    throw new PgError(
      SqlState.invalidParameterValue,
      `the demo has 1 to ${letters.length} shards, not ${count}`,
    );
  }
  const starts = count === 4 ? [...'AEPV'] : evenStarts(count);
  return starts.map((first, index) => {
    const to = starts[index + 1] ?? null;
    const last = letters[(to === null ? letters.length : letters.indexOf(to)) - 1] ?? first;
    const name = first === last ? first : `${first}_${last}`;
    // What sorts before A belongs to the first, what sorts after Z (accents, Hangul) to the last.
    return { name: name.toLowerCase(), from: index === 0 ? null : first, to };
  });
}

function evenStarts(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => letters[Math.round((letters.length * index) / count)] ?? '',
  );
}
