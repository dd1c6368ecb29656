import type { WireAnswer, WireClient } from '../support/wire-client.ts';
import { choosesFreely, difference, isRefusal } from './compare.ts';
import { request } from './fragment.ts';
import { render } from './query.ts';
import type { Step } from './scenario.ts';

/** One session through pgweave and its twin on the plain server. */
export type Sides = { readonly proxy: WireClient; readonly plain: WireClient };

export type Verdict =
  | { readonly kind: 'equal'; readonly plain: WireAnswer }
  | {
      readonly kind: 'refused';
      readonly proxied: WireAnswer;
      /** Null when it was not asked. */
      readonly plain: WireAnswer | null;
    }
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
  const sent = request(render(step.query), step.mode);
  const proxied = await sides.proxy.request(sent);
  if (isRefusal(proxied)) return { kind: 'refused', proxied, plain: null };
  return verdict(step, sides, proxied, await sides.plain.request(sent));
}

/** For steps that change nothing: both sides at the same time. */
export async function compareRead(step: Step, sides: Sides): Promise<Verdict> {
  const sent = request(render(step.query), step.mode);
  const [proxied, plain] = await Promise.all([
    sides.proxy.request(sent),
    sides.plain.request(sent),
  ]);
  if (isRefusal(proxied)) return { kind: 'refused', proxied, plain };
  return verdict(step, sides, proxied, plain);
}

async function verdict(
  { query, mode }: Step,
  sides: Sides,
  proxied: WireAnswer,
  plain: WireAnswer,
): Promise<Verdict> {
  let what = difference(query, proxied, plain, null);
  if (what !== null && choosesFreely(query)) {
    const all = request(render({ ...query, limit: null, offset: null, withTies: false }), mode);
    const unlimited = (await sides.plain.request(all)).results[0]?.rows ?? [];
    what = difference(query, proxied, plain, unlimited);
  }
  return what === null ? { kind: 'equal', plain } : { kind: 'different', what, proxied, plain };
}
