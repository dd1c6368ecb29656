/** A constant as an argument of EXECUTE; `text` is its value. */
export type ConstantArgument = {
  readonly kind: 'string' | 'integer' | 'boolean' | 'null';
  readonly text: string;
};

/** SQL's prepared statements. They share their names with those of the protocol. */
export type PreparedCommand =
  | {
      readonly kind: 'prepare';
      readonly name: string;
      /** With parentheses; empty: no types are declared. */
      readonly typesText: string;
      readonly queryText: string;
      /** Where the query begins in the statement (UTF-16). */
      readonly queryStart: number;
    }
  | {
      readonly kind: 'execute';
      readonly name: string;
      readonly argumentsText: string;
      /** null for one that a server must compute. */
      readonly arguments: readonly (ConstantArgument | null)[];
    }
  /** `name` null: ALL. */
  | { readonly kind: 'deallocate'; readonly name: string | null };
