import { settingsText } from '../../../src/lab/server-settings.ts';

export type PatroniPlace = {
  readonly name: string;
  readonly dataDirectory: string;
  readonly port: number;
  readonly restPort: number;
  readonly etcdPort: number;
  /** Of PostgreSQL. */
  readonly binaries: string;
};

/**
 * The fastest that Patroni accepts: ttl 20, loop_wait 1 and retry_timeout 3 are its least values,
 * primary_start_timeout 0 fails over from a crash at once. The servers have the settings of our lab.
 */
export function patroniConfig(place: PatroniPlace): string {
  const { name, dataDirectory, port, restPort, etcdPort, binaries } = place;
  return `scope: chaos
name: ${name}
restapi: { listen: "127.0.0.1:${restPort}", connect_address: "127.0.0.1:${restPort}" }
etcd3: { host: "127.0.0.1:${etcdPort}" }
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    primary_start_timeout: 0
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    check_timeline: true
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        wal_level: replica
        hot_standby: "on"
        max_connections: 200
        max_wal_senders: 10
        max_replication_slots: 10
        max_prepared_transactions: 100
  initdb: [ { encoding: UTF8 }, { locale: C }, data-checksums ]
postgresql:
  listen: "127.0.0.1:${port}"
  connect_address: "127.0.0.1:${port}"
  data_dir: ${dataDirectory}
  bin_dir: ${binaries}
  authentication:
    superuser: { username: postgres, password: postgres }
    replication: { username: replicator, password: replicator }
    rewind: { username: postgres, password: postgres }
  pg_hba: [ "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust" ]
  parameters:
${parameters()}`;
}

/** Patroni takes care of what it owns itself. */
function parameters(): string {
  const owned =
    /^(listen_addresses|wal_level|hot_standby|max_connections|max_wal|max_repl|max_prep)/;
  const unknown = /^(io_method|max_worker_processes)/;
  return settingsText({ durable: false, settings: {} })
    .split('\n')
    .filter((line) => line !== '' && !owned.test(line) && !unknown.test(line))
    .map((line) => {
      const [name = '', value = "''"] = line.split(/ = (.*)/);
      return `    ${name}: ${JSON.stringify(value.slice(1, -1))}\n`;
    })
    .join('');
}

/** Asks the agents ten times a second, and cuts the sessions of a server that is no longer primary. */
export function haproxyConfig(port: number, places: readonly PatroniPlace[]): string {
  const servers = places.map(
    ({ name, port: server, restPort }) =>
      `  server ${name} 127.0.0.1:${server} check port ${restPort}\n`,
  );
  return `defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  timeout check 500ms
listen primary
  bind 127.0.0.1:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 100ms fastinter 100ms downinter 100ms rise 1 fall 1 on-marked-down shutdown-sessions
${servers.join('')}`;
}
