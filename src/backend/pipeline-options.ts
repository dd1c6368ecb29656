import type { Clock } from '../base/clock.ts';
import type { NodeAddress } from '../config/config.ts';
import type { TypeTranslation } from '../protocol/type-translation.ts';

export type PipelineOptions = {
  readonly node: NodeAddress;
  readonly clock: Clock;
  /** Bytes of one server message that has to be held whole. */
  readonly frameBytesMax: number;
  readonly preparedStatementsMax: number;
  /** For cancel requests. */
  readonly connectTimeoutMs: number;
  /** null: the server calls types as the home shard does. Asked for each answer. */
  readonly types: () => TypeTranslation | null;
};
