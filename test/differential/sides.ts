import type { WireAnswer, WireClient } from '../support/wire-client.ts';
import { choosesFreely, difference, isRefusal } from './compare.ts';
import { request } from './fragment.ts';
import { render } from './query.ts';
import type { Step } from './scenario.ts';

/** One session through pgweave and its twin on the plain server. */
export type Sides = { readonly proxy: WireClient; readonly plain: WireClient };

export type Verdict =
  | { readonly kind: 'equal'; readonly plain: WireAnswer }
  | { readonly kind: 'refused'; readonly proxied: WireAnswer }
  | {
      readonly kind: 'different';
      readonly what: string;
      readonly proxied: WireAnswer;
      readonly plain: WireAnswer;
    };

/**
 * Runs the step through pgweave first: what it refuses must not run on the plain server, whose rows
 * would then differ.
 */
export async function compareStep(step: Step, sides: Sides): Promise<Verdict> {
  const { query, mode } = step;
  const sent = request(render(query), mode);
  const proxied = await sides.proxy.request(sent);
  if (isRefusal(proxied)) return { kind: 'refused', proxied };
  const plain = await sides.plain.request(sent);
  let what = difference(query, proxied, plain, null);
  if (what !== null && choosesFreely(query)) {
    const all = request(render({ ...query, limit: null, offset: null }), mode);
    const unlimited = (await sides.plain.request(all)).results[0]?.rows ?? [];
    what = difference(query, proxied, plain, unlimited);
  }
  return what === null ? { kind: 'equal', plain } : { kind: 'different', what, proxied, plain };
}
