export type TransactionCommand =
  | {
      readonly kind: 'begin';
      readonly tag: 'BEGIN' | 'START TRANSACTION';
      readonly isolation: string | null;
      readonly readOnly: boolean | null;
    }
  | { readonly kind: 'commit'; readonly chain: boolean }
  | { readonly kind: 'rollback'; readonly chain: boolean }
  /** The client's own two-phase commit. */
  | { readonly kind: 'prepare'; readonly gid: string }
  | {
      readonly kind: 'finish-prepared';
      readonly tag: 'COMMIT PREPARED' | 'ROLLBACK PREPARED';
      readonly gid: string;
    }
  | { readonly kind: 'savepoint'; readonly name: string }
  | { readonly kind: 'release'; readonly name: string }
  | { readonly kind: 'rollback-to'; readonly name: string };
