import type { Config, FailoverHooks, Limits } from '../config/config.ts';
import type { Table } from './show-tables.ts';

/** The running configuration as name and value; secrets and stored verifiers are not in it. */
export function configTable(config: Config, configPath: string): Table {
  const { failover } = config;
  const entries: readonly (readonly [string, string, Change])[] = [
    ['(file)', configPath, 'restart'],
    ['database', config.database, 'reload'],
    ['listen', `${config.listen.host}:${config.listen.port}`, 'restart'],
    ['admin', `${config.admin.host}:${config.admin.port}`, 'restart'],
    ['workers', String(config.workers), 'restart'],
    ['shards', config.shardMap.shards.join(', '), 'reload'],
    ['home', config.shardMap.home, 'reload'],
    ['combine.nodes', config.combineNodes.map(({ id }) => id).join(', '), 'reload'],
    ['(shard map version)', String(config.shardMap.version), 'reload'],
    ['authentication', config.authentication, 'reload'],
    ['users', [...config.users.keys()].join(', '), 'reload'],
    ['control.user', config.controlUser.name, 'reload'],
    ['servers.allow_cleartext_password', config.allowCleartextToServers ? 'on' : 'off', 'reload'],
    ['tls', config.tls === null ? 'off' : 'on', 'reload'],
    ...limitEntries(config.limits),
    ['failover.enabled', failover.enabled ? 'on' : 'off', 'reload'],
    ['failover.durability', failover.durability, 'reload'],
    ['failover.synchronous_standbys', String(failover.synchronousStandbys), 'reload'],
    ['failover.max_lag', String(failover.lagBytesMax), 'reload'],
    ['failover.heartbeat_interval', milliseconds(failover.heartbeatIntervalMs), 'reload'],
    ['failover.probe_interval', milliseconds(failover.probeIntervalMs), 'reload'],
    ['failover.suspect_after', milliseconds(failover.suspectAfterMs), 'reload'],
    ['failover.hang_after', milliseconds(failover.hangMs), 'reload'],
    ['failover.partition_after', milliseconds(failover.partitionMs), 'reload'],
    ['failover.degrade_after', milliseconds(failover.degradeAfterMs), 'reload'],
    ['failover.restart_grace', milliseconds(failover.restartGraceMs), 'reload'],
    ['failover.promote_timeout', milliseconds(failover.promoteTimeoutMs), 'reload'],
    ['failover.cooldown', milliseconds(failover.cooldownMs), 'reload'],
    ['failover.resolve_commits', failover.resolvesCommits ? 'on' : 'off', 'reload'],
    ['failover.state_directory', failover.stateDirectory, 'restart'],
    ...hookEntries(failover.hooks),
    ['log.level', config.log.level, 'reload'],
  ];
  return { columns: ['name', 'value', 'changes_with'], rows: entries };
}

type Change = 'reload' | 'restart';

function hookEntries(hooks: FailoverHooks): (readonly [string, string, Change])[] {
  const programs = ['fence', 'rejoin', 'notify'] as const;
  return [
    ...programs.map((name) => {
      const hook = hooks[name];
      const text = hook === null ? 'none' : `${hook.file} (${milliseconds(hook.timeoutMs)})`;
      return [`failover.hooks.${name}`, text, 'reload'] as const;
    }),
    ['failover.hooks.fence_required', hooks.fenceRequired ? 'on' : 'off', 'reload'],
  ];
}

/** Under the file's own names: `acquireTimeoutMs` is written `acquire_timeout` there. */
function limitEntries(limits: Limits): (readonly [string, string, Change])[] {
  return Object.entries(limits).map(([name, value]) => {
    const isTime = name.endsWith('Ms');
    const option = snakeCase(isTime ? name.slice(0, -2) : name);
    return [`limits.${option}`, isTime ? milliseconds(value) : String(value), 'reload'];
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function milliseconds(value: number): string {
  return `${value}ms`;
}
