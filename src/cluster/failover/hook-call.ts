import type { NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';

/** The moments at which a script of the operator runs. */
export type HookKind = 'fence' | 'rejoin' | 'notify';

/** One run of a hook: what it is told. */
export type HookCall = {
  readonly hook: HookKind;
  /**
   * `fence`: `node` must not be able to take writes any more. `rejoin`: it is to become a standby of
   * `primary`. Any other word is what `notify` is told of.
   */
  readonly event: string;
  readonly shard: ShardId;
  readonly node: NodeId;
  /** null: there is none. */
  readonly primary: NodeId | null;
  readonly epoch: number;
  readonly uuid: string;
  readonly timeline: number;
  readonly switchLsn: string | null;
  /** In words. */
  readonly message: string;
};

/** `later`: the script asks to be run again. */
export type HookOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'later'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };
