import type { ValueRef } from '../sql/statement.ts';

/** What a statement does to its server's session. It runs on the home shard, then. */
export type SessionEffect =
  /**
   * It leaves something there that is the client's alone. `temporary`: tables and their kin, whose
   * names come before others'.
   */
  | { readonly kind: 'keeps'; readonly temporary: boolean }
  /** It may end what was left there. */
  | { readonly kind: 'ends' }
  /** It calls set_config(). */
  | { readonly kind: 'sets'; readonly calls: readonly SetCall[] };

/** A call of set_config(). */
export type SetCall = { readonly name: ValueRef; readonly local: boolean | ValueRef };
