import type { Admin, AuthQuery, ClientTls, Failover, Limits, ServerEncryption } from './config.ts';
import type { ConfigFile } from './config-file.ts';

/** Sections of the file as the program calls them. */

/** Of a path in the file. */
type InDirectory = (file: string) => string;

/**
 * PgBouncer's, since it knows of expired passwords (1.23): the role that asks must be able to read
 * pg_authid, or have a function of its own.
 */
const defaultAuthQuery =
  'SELECT rolname, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname=$1 AND rolcanlogin';

export function adminOf(admin: ConfigFile['admin']): Admin {
  const { host, port, user, password } = admin;
  return {
    host,
    port,
    bearerToken: admin.bearer_token ?? null,
    basic: user === undefined || password === undefined ? null : { user, password },
    adminUsers: admin.admin_users,
    statsUsers: admin.stats_users,
  };
}

export function authQueryOf(written: ConfigFile['auth_query']): AuthQuery | null {
  if (written === undefined) return null;
  const { user, password = null, query = defaultAuthQuery, cache } = written;
  return { user, password, query, cacheMs: cache };
}

export function serverEncryptionOf(
  { sslmode, sslrootcert, sslcert, sslkey, sslcrl }: ConfigFile['servers'],
  inDirectory: InDirectory,
): ServerEncryption {
  const path = (file: string | undefined) => (file === undefined ? null : inDirectory(file));
  const file = path(sslrootcert);
  const root = file === null ? null : ({ kind: 'file', file } as const);
  return {
    mode: sslmode,
    rootCertificate: sslrootcert === 'system' ? { kind: 'system' } : root,
    certificateFile: path(sslcert),
    keyFile: path(sslkey),
    crlFile: path(sslcrl),
  };
}

export function clientTlsOf(
  tls: NonNullable<ConfigFile['tls']>,
  inDirectory: InDirectory,
): ClientTls {
  return {
    certificateFile: inDirectory(tls.certificate_file),
    keyFile: inDirectory(tls.key_file),
    caFile: tls.ca_file === undefined ? null : inDirectory(tls.ca_file),
    crlFile: tls.crl_file === undefined ? null : inDirectory(tls.crl_file),
    minVersion: tls.min_version,
  };
}

export function limitsOf(limits: ConfigFile['limits']): Limits {
  return {
    clientsMax: limits.clients_max,
    clientsPerUserMax: limits.clients_per_user_max ?? null,
    clientsPerDatabaseMax: limits.clients_per_database_max ?? null,
    clientsPerAddressMax: limits.clients_per_address_max ?? null,
    serverConnectionsMax: limits.server_connections_max,
    reservedConnectionsMax: limits.reserved_connections_max,
    pipelineDepthMax: limits.pipeline_depth_max,
    messageBytesMax: limits.message_bytes_max,
    acquireTimeoutMs: limits.acquire_timeout,
    holdMaxMs: limits.hold_max,
    loginTimeoutMs: limits.login_timeout,
    connectTimeoutMs: limits.connect_timeout,
    drainTimeoutMs: limits.drain_timeout,
    serverIdleTimeoutMs: limits.server_idle_timeout,
    mergeBytesMax: limits.merge_bytes_max,
    gatherBytesMax: limits.gather_bytes_max,
    clientBufferBytes: limits.client_buffer_bytes,
    sessionBytesMax: limits.session_bytes_max,
    planCacheEntries: limits.plan_cache_entries,
    preparedStatementsPerServerMax: limits.prepared_statements_per_server_max,
  };
}

export function failoverOf(failover: ConfigFile['failover'], inDirectory: InDirectory): Failover {
  const hook = (file: string | undefined, timeoutMs: number) =>
    file === undefined ? null : { file: inDirectory(file), timeoutMs };
  return {
    enabled: failover.enabled,
    durability: failover.durability,
    synchronousStandbys: failover.synchronous_standbys,
    probeIntervalMs: failover.probe_interval,
    heartbeatIntervalMs: failover.heartbeat_interval,
    suspectAfterMs: failover.suspect_after,
    hangMs: failover.hang_after,
    partitionMs: failover.partition_after,
    restartGraceMs: failover.restart_grace,
    degradeAfterMs: failover.degrade_after,
    promoteTimeoutMs: failover.promote_timeout,
    cooldownMs: failover.cooldown,
    resolvesCommits: failover.resolve_commits,
    resolvesWrites: failover.resolve_writes,
    lagBytesMax: failover.max_lag,
    acceptsOff: failover.accept_off,
    stateDirectory: inDirectory(failover.state_directory),
    hooks: {
      fence: hook(failover.hooks.fence, failover.hooks.fence_timeout),
      fenceRequired: failover.hooks.fence_required,
      rejoin: hook(failover.hooks.rejoin, failover.hooks.rejoin_timeout),
      notify: hook(failover.hooks.notify, failover.hooks.notify_timeout),
    },
  };
}
