declare const brand: unique symbol;

/** A primitive that one checked function mints, so that a plain string cannot take its place. */
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
