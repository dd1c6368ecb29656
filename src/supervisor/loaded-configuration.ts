import type { Config } from '../config/config.ts';

/** A file and what it says. */
export type LoadedConfiguration = { readonly text: string; readonly config: Config };
