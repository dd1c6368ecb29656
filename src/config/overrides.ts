export type Environment = { readonly [name: string]: string | undefined };

/**
 * Environment variables that stand above the file: what differs between machines that run one file.
 * Secrets go into the file as `${NAME}` instead.
 */
export const overrides: readonly { readonly variable: string; readonly path: readonly string[] }[] =
  [
    { variable: 'PGWEAVE_LISTEN_HOST', path: ['listen', 'host'] },
    { variable: 'PGWEAVE_LISTEN_PORT', path: ['listen', 'port'] },
    { variable: 'PGWEAVE_ADMIN_HOST', path: ['admin', 'host'] },
    { variable: 'PGWEAVE_ADMIN_PORT', path: ['admin', 'port'] },
    { variable: 'PGWEAVE_WORKERS', path: ['workers'] },
    { variable: 'PGWEAVE_LOG_LEVEL', path: ['log', 'level'] },
    { variable: 'PGWEAVE_STATE_DIRECTORY', path: ['failover', 'state_directory'] },
  ];

/** The overrides that the environment sets, in order. */
export function activeOverrides(environment: Environment): readonly {
  readonly path: readonly string[];
  readonly variable: string;
  readonly text: string;
}[] {
  return overrides.flatMap(({ variable, path }) => {
    const text = environment[variable];
    return text === undefined ? [] : [{ path, variable, text }];
  });
}
