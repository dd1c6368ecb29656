export type ServerSettings = { readonly [name: string]: string | number };

export type ServerSettingsOptions = {
  /** False is for tests only: without fsync a crash of the machine loses what was committed. */
  readonly durable: boolean;
  /** Added to ours, or in their place. */
  readonly settings: ServerSettings;
};

/**
 * postgresql.conf for one of many small servers on one machine: little memory, few background
 * processes, a replication that notices silence after seconds instead of a minute. The same text
 * for all nodes: what differs (port, name) comes on the command line, what follows the role
 * (primary_conninfo, synchronous_standby_names) stands in postgresql.auto.conf.
 */
export function settingsText({ durable, settings }: ServerSettingsOptions): string {
  const all: ServerSettings = {
    ...ours,
    fsync: durable ? 'on' : 'off',
    ...settings,
  };
  const lines = Object.entries(all).map(
    ([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`,
  );
  return lines.join('');
}

const ours: ServerSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 200,
  superuser_reserved_connections: 5,
  shared_buffers: '32MB',
  // In files of the data directory, so that a killed server leaves nothing in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  jit: 'off',
  // Without three I/O workers per server; cores are for the other servers, not for parallel plans.
  io_method: 'sync',
  // Not below initdb's own values for these: a standby copied before the primary's first start would
  // refuse to start with less.
  max_worker_processes: 8,
  max_parallel_workers_per_gather: 0,
  max_logical_replication_workers: 0,
  autovacuum_max_workers: 1,
  wal_level: 'replica',
  hot_standby: 'on',
  max_wal_senders: 10,
  max_replication_slots: 10,
  max_prepared_transactions: 100,
  min_wal_size: '32MB',
  max_wal_size: '128MB',
  // What a clone may fall behind while it is copied.
  wal_keep_size: '96MB',
  checkpoint_timeout: '15min',
  // Idle, a primary speaks to its standbys after half of this: they know soon that it is silent.
  wal_sender_timeout: '1s',
  wal_receiver_timeout: '4s',
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '200ms',
  // Session defaults that initdb would take from the environment of whoever runs it.
  timezone: 'UTC',
  log_timezone: 'UTC',
  datestyle: 'iso, mdy',
  lc_messages: 'C',
  default_text_search_config: 'pg_catalog.english',
  log_line_prefix: '%m [%p] %q%a ',
};
