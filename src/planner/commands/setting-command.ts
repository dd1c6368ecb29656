/** SET, RESET and DISCARD ALL. */
export type SettingCommand =
  /** `value` is SQL text for the right side of SET ... TO, ready to replay; null means DEFAULT. */
  | {
      readonly kind: 'set';
      readonly name: string;
      readonly value: string | null;
      readonly local: boolean;
    }
  | { readonly kind: 'reset'; readonly name: string }
  | { readonly kind: 'reset-all' }
  | { readonly kind: 'discard-all' };
