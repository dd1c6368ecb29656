import type { Config, FailoverHooks, Limits } from '../config/config.ts';
import type { HbaRule } from '../config/hba.ts';
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
    ['hba', config.hba.map(hbaText).join('; '), 'reload'],
    ['users', [...config.users.keys()].join(', '), 'reload'],
    ['control.user', config.controlUser.name, 'reload'],
    ['servers.allow_cleartext_password', config.allowCleartextToServers ? 'on' : 'off', 'reload'],
    ['users_file', config.usersFile ?? 'none', 'reload'],
    ['auth_query', config.authQuery === null ? 'off' : 'on', 'reload'],
    ['servers.sslmode', config.serverEncryption.mode, 'reload'],
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
    ['failover.resolve_writes', failover.resolvesWrites ? 'on' : 'off', 'reload'],
    ['failover.accept_off', failover.acceptsOff.join(', '), 'reload'],
    ['failover.state_directory', failover.stateDirectory, 'restart'],
    ...hookEntries(failover.hooks),
    ['safe_writes', config.safeWrites ? 'on' : 'off', 'reload'],
    ['drift_interval', milliseconds(config.driftIntervalMs), 'reload'],
    ['log.level', config.log.level, 'reload'],
  ];
  return { columns: ['name', 'value', 'changes_with'], rows: entries };
}

/** As a line of pg_hba.conf. */
function hbaText(rule: HbaRule): string {
  const { type, databases, users, addresses, method, clientCertificate } = rule;
  const names = (list: 'all' | readonly string[]) => (list === 'all' ? list : list.join(','));
  const networks = addresses === 'all' ? addresses : addresses.map(({ text }) => text);
  const option = clientCertificate === 'none' ? [] : [`clientcert=${clientCertificate}`];
  return [type, names(databases), names(users), names(networks), method, ...option].join(' ');
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
    const text = isTime ? milliseconds(value ?? 0) : String(value ?? 'none');
    return [`limits.${option}`, text, 'reload'];
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function milliseconds(value: number): string {
  return `${value}ms`;
}
