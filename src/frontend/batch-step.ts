import type { PgError } from '../base/pg-error.ts';
import type { Portal, PreparedStatement } from './prepared-statement.ts';

/** One message of the extended protocol, its names resolved. */
export type BatchStep =
  | { readonly kind: 'parse'; readonly statement: PreparedStatement }
  /** `replaced`: the unnamed portal so far, which ends now. */
  | { readonly kind: 'bind'; readonly portal: Portal; readonly replaced: Portal | null }
  | { readonly kind: 'describe-statement'; readonly statement: PreparedStatement }
  | { readonly kind: 'describe-portal'; readonly portal: Portal }
  | { readonly kind: 'execute'; readonly portal: Portal; readonly rowsMax: number }
  /** `portal` is set when a server has it too. */
  | { readonly kind: 'close'; readonly portal: Portal | null }
  /** Of what is no portal of Bind: a cursor that DECLARE has made, or nothing. */
  | CursorStep
  /** The message itself was wrong; whatever follows up to Sync is skipped. */
  | { readonly kind: 'error'; readonly error: PgError };

export type CursorStep = {
  readonly kind: 'cursor';
  readonly action: 'describe' | 'execute' | 'close';
  readonly name: string;
  readonly rowsMax: number;
};
