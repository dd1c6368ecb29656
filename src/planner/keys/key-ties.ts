import type { Distribution } from '../../sharding/distribution.ts';
import type { KeyCondition, KeyGroup } from '../plan.ts';

/** One occurrence of a distributed table in a statement. */
export type Instance = { readonly distribution: Distribution; readonly name: string };

/**
 * What a statement says about the keys of its distributed tables. Instances are numbered in order
 * of their appearance.
 *
 * `tie(a, b)`: rows of either matter only together with rows of the other that have an equal key,
 * so they form one class. `follow(a, b)`: rows of `a` matter only together with rows of `b` that
 * have an equal key, not the other way round (`b` is on the preserved side of an outer join, or in
 * an outer query); what is known about `a` alone then says nothing, and `a` needs nothing of its own.
 */
export class KeyTies {
  readonly #instances: Instance[] = [];
  readonly #parents: number[] = [];
  readonly #leaders: (number | null)[] = [];
  readonly #conditions: KeyCondition[][] = [];

  get count(): number {
    return this.#instances.length;
  }

  add(instance: Instance): number {
    const number = this.#instances.length;
    this.#instances.push(instance);
    this.#parents.push(number);
    this.#leaders.push(null);
    this.#conditions.push([]);
    return number;
  }

  /** Rows of the instance matter only when they satisfy the condition. */
  restrict(instance: number, condition: KeyCondition): void {
    if (condition.kind !== 'all') this.#conditions[instance]?.push(condition);
  }

  tie(a: number, b: number): void {
    if (this.#comparable(a, b)) this.#parents[this.#classOf(a)] = this.#classOf(b);
  }

  follow(follower: number, leader: number): void {
    if (this.#comparable(follower, leader)) this.#leaders[follower] ??= leader;
  }

  distribution(instance: number): Distribution | undefined {
    return this.#instances[instance]?.distribution;
  }

  /** The class whose keys the instance's rows share, after following. */
  rootOf(instance: number): number {
    const path = new Set<number>();
    let current = this.#classOf(instance);
    while (!path.has(current)) {
      path.add(current);
      const leader = this.#leaderOf(current);
      if (leader === null) return current;
      current = this.#classOf(leader);
    }
    // Followers in a circle: each keeps to itself, which only asks for more.
    return this.#classOf(instance);
  }

  /** Every group of instances whose keys are equal, with what is known about them. */
  groups(): readonly KeyGroup[] {
    const roots = new Set(this.#instances.map((_, instance) => this.rootOf(instance)));
    return [...roots].map((root) => ({
      distribution: this.#instances[root]?.distribution.name ?? '',
      condition: this.#conditionOf(root),
    }));
  }

  nameOf(instance: number): string {
    return this.#instances[instance]?.name ?? '';
  }

  #comparable(a: number, b: number): boolean {
    return a !== b && this.distribution(a)?.name === this.distribution(b)?.name;
  }

  #classOf(instance: number): number {
    let current = instance;
    for (;;) {
      const parent = this.#parents[current] ?? current;
      if (parent === current) return current;
      current = parent;
    }
  }

  #leaderOf(root: number): number | null {
    for (let instance = 0; instance < this.count; instance += 1) {
      const leader = this.#leaders[instance] ?? null;
      if (leader === null || this.#classOf(instance) !== root) continue;
      if (this.#classOf(leader) !== root) return leader;
    }
    return null;
  }

  #conditionOf(root: number): KeyCondition {
    const conditions = this.#conditions.filter((_, instance) => this.#classOf(instance) === root);
    return allOf(conditions.flat());
  }
}

export function allOf(conditions: readonly KeyCondition[]): KeyCondition {
  const known = distinct(conditions.filter((condition) => condition.kind !== 'all'));
  if (known.some((condition) => condition.kind === 'none')) return { kind: 'none' };
  if (known.length === 0) return { kind: 'all' };
  return known.length === 1 && known[0] !== undefined
    ? known[0]
    : { kind: 'and', conditions: known };
}

export function anyOf(conditions: readonly KeyCondition[]): KeyCondition {
  const possible = conditions.filter((condition) => condition.kind !== 'none');
  if (possible.some((condition) => condition.kind === 'all')) return { kind: 'all' };
  if (possible.length === 0) return { kind: 'none' };
  return possible.length === 1 && possible[0] !== undefined
    ? possible[0]
    : { kind: 'or', conditions: possible };
}

/** The same condition often arrives twice, by both sides of a join. */
function distinct(conditions: readonly KeyCondition[]): readonly KeyCondition[] {
  return [...new Map(conditions.map((each) => [JSON.stringify(each), each])).values()];
}
