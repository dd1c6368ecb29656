import { z } from 'zod';
import { crashSettings } from './config.ts';
import { count, countOrAuto, duration, flag, nonEmpty, size, weight } from './option-types.ts';

const second = 1000;
const day = 86_400 * second;
const megabyte = 1024 ** 2;
const gigabyte = 1024 ** 3;

const limits = z
  .strictObject({
    clients_max: count({ min: 1, max: 1_000_000 }).prefault('10000'),
    clients_per_user_max: count({ min: 1, max: 1_000_000 }).optional(),
    clients_per_database_max: count({ min: 1, max: 1_000_000 }).optional(),
    clients_per_address_max: count({ min: 1, max: 1_000_000 }).optional(),
    server_connections_max: count({ min: 1, max: 10_000 }).prefault('20'),
    reserved_connections_max: count({ min: 0, max: 10_000 }).prefault('10'),
    pipeline_depth_max: count({ min: 1, max: 1000 }).prefault('16'),
    message_bytes_max: size({ min: 64 * 1024, max: gigabyte }).prefault('64MB'),
    acquire_timeout: duration({ min: 1, max: day }).prefault('10s'),
    hold_max: duration({ min: 0, max: day }).prefault('10s'),
    login_timeout: duration({ min: 1, max: day }).prefault('60s'),
    connect_timeout: duration({ min: 1, max: day }).prefault('3s'),
    drain_timeout: duration({ min: 0, max: day }).prefault('30s'),
    server_idle_timeout: duration({ min: second, max: day }).prefault('10min'),
    merge_bytes_max: size({ min: megabyte, max: 64 * gigabyte }).prefault('64MB'),
    // An array that a server is given has room for 1 GB, in which each value takes more than here.
    gather_bytes_max: size({ min: megabyte, max: 512 * megabyte }).prefault('64MB'),
    client_buffer_bytes: size({ min: 16 * 1024, max: gigabyte }).prefault('1MB'),
    session_bytes_max: size({ min: megabyte, max: 64 * gigabyte }).prefault('64MB'),
    plan_cache_entries: count({ min: 1, max: 1_000_000 }).prefault('4096'),
    prepared_statements_per_server_max: count({ min: 1, max: 100_000 }).prefault('500'),
  })
  .prefault({});

const hookFile = nonEmpty('the program').optional();

const hooks = z
  .strictObject({
    fence: hookFile,
    fence_required: flag().prefault('false'),
    fence_timeout: duration({ min: 100, max: 3600 * second }).prefault('2s'),
    rejoin: hookFile,
    rejoin_timeout: duration({ min: second, max: day }).prefault('10min'),
    notify: hookFile,
    notify_timeout: duration({ min: 100, max: 3600 * second }).prefault('10s'),
  })
  .prefault({});

const failover = z
  .strictObject({
    enabled: flag().prefault('true'),
    durability: z.enum(['sync', 'strict', 'async']).prefault('sync'),
    synchronous_standbys: count({ min: 1, max: 8 }).prefault('1'),
    accept_data_loss: flag().prefault('false'),
    max_lag: size({ min: 0, max: 64 * gigabyte }).prefault('1MB'),
    probe_interval: duration({ min: 10, max: 60 * second }).prefault('100ms'),
    heartbeat_interval: duration({ min: 100, max: 60 * second }).prefault('1s'),
    suspect_after: duration({ min: 20, max: 600 * second }).prefault('250ms'),
    hang_after: duration({ min: 50, max: 3600 * second }).prefault('700ms'),
    partition_after: duration({ min: 100, max: 3600 * second }).prefault('3s'),
    restart_grace: duration({ min: 0, max: 3600 * second }).prefault('500ms'),
    degrade_after: duration({ min: 50, max: 3600 * second }).prefault('1s'),
    promote_timeout: duration({ min: 100, max: 3600 * second }).prefault('5s'),
    cooldown: duration({ min: 0, max: day }).prefault('30s'),
    resolve_commits: flag().prefault('true'),
    resolve_writes: flag().prefault('false'),
    accept_off: z.array(z.enum(crashSettings)).prefault([]),
    state_directory: nonEmpty('the directory').prefault('state'),
    hooks,
  })
  .prefault({});

const distribution = z.strictObject({
  type: nonEmpty('the type'),
  fold: z.enum(['upper', 'none']).prefault('none'),
  ranges: z
    .array(
      z.strictObject({
        shard: nonEmpty('the shard'),
        from: z.string().nullish(),
        to: z.string().nullish(),
      }),
    )
    .optional(),
  ring: z.record(z.string(), weight({ min: 0.01, max: 100 })).optional(),
  modulo: z.array(nonEmpty('the shard')).optional(),
});

const table = z.strictObject({
  distribution: nonEmpty('the distribution').optional(),
  key: nonEmpty('the key').optional(),
  reference: flag().prefault('false'),
});

const declaredFunction = z.strictObject({ shards: z.enum(['any']) });

const user = z.strictObject({
  password: nonEmpty('the password').optional(),
  server_user: nonEmpty('the user').optional(),
  server_password: nonEmpty('the password').optional(),
  admin: flag().prefault('false'),
  stats: flag().prefault('false'),
  safe_writes: flag().optional(),
});

/** `all`, one name, or a list of them. */
const names = (title: string) =>
  z.union([nonEmpty(title), z.array(nonEmpty(title))]).prefault('all');

const hbaRule = z.strictObject({
  type: z.enum(['host', 'hostssl', 'hostnossl']).prefault('host'),
  database: names('the database'),
  user: names('the user'),
  address: names('the address'),
  method: z.enum(['scram-sha-256', 'md5', 'cert', 'trust', 'reject']),
  clientcert: z.enum(['verify-ca', 'verify-full']).optional(),
  clientname: z.enum(['CN', 'DN']).optional(),
  map: nonEmpty('the map').optional(),
});

const identMapping = z.strictObject({
  system_user: nonEmpty('the name'),
  user: nonEmpty('the user'),
});

/**
 * The shape of the file: every option, its type, range and default. What options mean together
 * (names that must exist, ranges without gaps) is checked afterwards by the readers.
 */
export const configFile = z.strictObject({
  database: nonEmpty('the database'),
  listen: z
    .strictObject({
      host: nonEmpty('the host').prefault('127.0.0.1'),
      port: count({ min: 0, max: 65_535 }).prefault('6432'),
    })
    .prefault({}),
  admin: z
    .strictObject({
      host: nonEmpty('the host').prefault('127.0.0.1'),
      port: count({ min: 0, max: 65_535 }).prefault('9632'),
      bearer_token: nonEmpty('the token').optional(),
      user: nonEmpty('the user').optional(),
      password: nonEmpty('the password').optional(),
      admin_users: z.array(nonEmpty('the user')).prefault([]),
      stats_users: z.array(nonEmpty('the user')).prefault([]),
    })
    .prefault({}),
  workers: countOrAuto({ min: 0, max: 256 }).prefault('auto'),
  shards: z.record(
    z.string(),
    z.strictObject({
      nodes: z.array(z.string()),
      promotion: z.enum(['pgweave', 'external']).prefault('pgweave'),
    }),
  ),
  home: nonEmpty('the home shard'),
  combine: z.strictObject({ nodes: z.array(z.string()).prefault([]) }).prefault({}),
  distributions: z.record(z.string(), distribution).prefault({}),
  tables: z.record(z.string(), table).prefault({}),
  functions: z.record(z.string(), declaredFunction).prefault({}),
  authentication: z.enum(['scram-sha-256', 'trust']).prefault('scram-sha-256'),
  hba: z.array(hbaRule).prefault([]),
  ident: z.record(z.string(), z.array(identMapping)).prefault({}),
  allow_md5: flag().prefault('false'),
  safe_writes: flag().prefault('false'),
  drift_interval: duration({ min: second, max: day }).prefault('5min'),
  users: z.record(z.string(), user).prefault({}),
  users_file: nonEmpty('the file').optional(),
  auth_query: z
    .strictObject({
      user: nonEmpty('the user'),
      password: nonEmpty('the password').optional(),
      query: nonEmpty('the query').optional(),
      cache: duration({ min: 0, max: 3600 * second }).prefault('5s'),
    })
    .optional(),
  control: z.strictObject({
    user: nonEmpty('the user'),
    password: nonEmpty('the password').optional(),
  }),
  servers: z
    .strictObject({
      allow_cleartext_password: flag().prefault('false'),
      sslmode: z
        .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
        .prefault('prefer'),
      sslrootcert: nonEmpty('the file').optional(),
      sslcert: nonEmpty('the file').optional(),
      sslkey: nonEmpty('the file').optional(),
      sslcrl: nonEmpty('the file').optional(),
    })
    .prefault({}),
  limits,
  failover,
  tls: z
    .strictObject({
      certificate_file: nonEmpty('the file'),
      key_file: nonEmpty('the file'),
      ca_file: nonEmpty('the file').optional(),
      crl_file: nonEmpty('the file').optional(),
      min_version: z.enum(['TLSv1.2', 'TLSv1.3']).prefault('TLSv1.2'),
    })
    .optional(),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).prefault('info') })
    .prefault({}),
});

export type ConfigFile = z.output<typeof configFile>;
