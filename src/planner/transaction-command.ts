export type TransactionCommand =
  | {
      readonly kind: 'begin';
      readonly tag: 'BEGIN' | 'START TRANSACTION';
      readonly isolation: string | null;
      readonly readOnly: boolean | null;
    }
  | { readonly kind: 'commit'; readonly chain: boolean }
  | { readonly kind: 'rollback'; readonly chain: boolean }
  | { readonly kind: 'savepoint'; readonly name: string }
  | { readonly kind: 'release'; readonly name: string }
  | { readonly kind: 'rollback-to'; readonly name: string };
