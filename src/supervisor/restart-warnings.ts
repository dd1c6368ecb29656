import type { Config } from '../config/config.ts';

/** What differs between two configurations and only a restart changes, a line each. */
export function restartWarnings(running: Config, next: Config): readonly string[] {
  const fixed: readonly (readonly [string, (config: Config) => string])[] = [
    ['listen', (config) => `${config.listen.host}:${config.listen.port}`],
    ['admin', (config) => `${config.admin.host}:${config.admin.port}`],
    ['workers', (config) => String(config.workers)],
    ['failover.state_directory', (config) => config.failover.stateDirectory],
  ];
  return fixed
    .filter(([, value]) => value(running) !== value(next))
    .map(([option, value]) => {
      return `${option}: ${value(next)} takes effect after a restart, until then ${value(running)}`;
    });
}
