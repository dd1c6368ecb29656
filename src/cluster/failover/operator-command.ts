import type { NodeId } from '../../config/config.ts';

/** What an operator asks of one shard. `to` null: whoever fits best. */
export type OperatorCommand =
  | { readonly kind: 'failover'; readonly to: NodeId | null; readonly allowDataLoss: boolean }
  /** Like a failover, but only with a healthy primary: nothing may be lost. */
  | { readonly kind: 'switchover'; readonly to: NodeId | null }
  /** Nobody is promoted any more without being told to. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** Makes a node a standby of the primary again, by the rejoin hook. */
  | { readonly kind: 'rejoin'; readonly node: NodeId };

/** What became of it, in words. */
export type OperatorAnswer =
  | { readonly kind: 'done'; readonly message: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string | undefined };
