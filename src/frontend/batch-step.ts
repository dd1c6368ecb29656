import type { PgError } from '../base/pg-error.ts';
import type { Portal, PreparedStatement } from './prepared-statement.ts';

/** One message of the extended protocol, its names resolved. */
export type BatchStep =
  | { readonly kind: 'parse'; readonly statement: PreparedStatement }
  | { readonly kind: 'bind'; readonly portal: Portal }
  | { readonly kind: 'describe-statement'; readonly statement: PreparedStatement }
  | { readonly kind: 'describe-portal'; readonly portal: Portal }
  | { readonly kind: 'execute'; readonly portal: Portal; readonly rowsMax: number }
  /** `portal` is set when a server has it too. */
  | { readonly kind: 'close'; readonly portal: Portal | null }
  /** The message itself was wrong; whatever follows up to Sync is skipped. */
  | { readonly kind: 'error'; readonly error: PgError };
