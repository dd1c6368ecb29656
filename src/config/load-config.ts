import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { scramSaltBytes } from '../protocol/scram-verifier.ts';
import { buildShardMap, type ShardMapDescription } from '../sharding/build-shard-map.ts';
import type { Config, ConfigMistake } from './config.ts';
import { type ConfigFile, configFile } from './config-file.ts';
import { ConfigSource } from './config-source.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Environment } from './overrides.ts';
import { readDistributions } from './read-distributions.ts';
import { readShape } from './read-shape.ts';
import { readTables } from './read-tables.ts';
import { readTopology, type Topology } from './read-topology.ts';
import { readUsers } from './read-users.ts';
import { suggest } from './suggest.ts';

export type LoadOptions = {
  /** Of the file: relative paths in it start from its directory. */
  readonly path: string;
  /** Usually process.env. */
  readonly environment: Environment;
  /** Version of the shard map in it; default 1. */
  readonly mapVersion?: number;
};

export type LoadedConfig =
  | { readonly kind: 'loaded'; readonly config: Config }
  /** In file order, at least one. */
  | { readonly kind: 'rejected'; readonly mistakes: readonly ConfigMistake[] };

/** Options that are read whole; the other sections are read entry by entry. */
const plainSections = [
  'database',
  'listen',
  'admin',
  'workers',
  'authentication',
  'control',
  'servers',
  'limits',
  'failover',
  'tls',
  'log',
] as const;
type PlainSections = Pick<ConfigFile, (typeof plainSections)[number]>;

/**
 * Reads the text of a configuration file: a frozen, valid configuration, or all its mistakes at
 * once. Docs: docs/configuration.md.
 */
export function loadConfig(text: string, options: LoadOptions): LoadedConfig {
  const source = new ConfigSource(text, options.environment);
  if (!source.isReadable) return { kind: 'rejected', mistakes: inFileOrder(source.mistakes) };
  reportUnknownSections(source);
  const sections = readPlainSections(source);
  const topology = readTopology(source);
  const map = {
    version: options.mapVersion ?? 1,
    shards: [...topology.nodes.keys()],
    home: topology.home,
    distributions: readDistributions(source),
    tables: readTables(source),
  };
  const users = readUsers(source, {
    authentication: sections?.authentication ?? 'trust',
    salt: () => randomBytes(scramSaltBytes),
  });
  const { home } = map;
  if (source.mistakes.length > 0 || sections === null || home === null) {
    return { kind: 'rejected', mistakes: inFileOrder(source.mistakes) };
  }
  const config = configOf(sections, { topology, users, map: { ...map, home }, path: options.path });
  return { kind: 'loaded', config: deepFreeze(config) };
}

function reportUnknownSections(source: ConfigSource): void {
  const known = Object.keys(configFile.shape);
  for (const name of source.names([])) {
    if (known.includes(name)) continue;
    source.reportName([name], `unknown option "${name}"`, suggest(name, known));
  }
}

function readPlainSections(source: ConfigSource): PlainSections | null {
  const read: { [section: string]: unknown } = {};
  const before = source.mistakes.length;
  for (const name of plainSections) read[name] = readShape(source, [name], configFile.shape[name]);
  if (source.mistakes.length > before) return null;
  const sections = read as PlainSections;
  checkTogether(source, sections);
  return sections;
}

/** What single options cannot know of each other. */
function checkTogether(source: ConfigSource, { listen, admin, failover }: PlainSections): void {
  if (listen.port !== 0 && listen.port === admin.port && listen.host === admin.host) {
    const message = `listen and admin share the port ${listen.port}`;
    source.report(['admin', 'port'], message, 'give the admin address another port');
  }
  if (failover.suspect_after < failover.probe_interval) {
    const message = 'a node is suspected before the next probe is due';
    const remedy = 'make suspect_after two probe_intervals or more';
    source.report(['failover', 'suspect_after'], message, remedy);
  }
  if (failover.hang_after < failover.suspect_after) {
    const message = 'a node is given up before it is suspected';
    source.report(['failover', 'hang_after'], message, 'make hang_after longer than suspect_after');
  }
  const { hooks } = failover;
  if (hooks.fence_required && hooks.fence === undefined) {
    const message = 'a fence is required, and there is no program for it';
    source.report(['failover', 'hooks', 'fence_required'], message, 'set failover.hooks.fence');
  }
  if (failover.durability === 'async' && !hooks.fence_required && !failover.accept_data_loss) {
    const message =
      'async failover may lose acknowledged commits, and nothing fences an old primary';
    const remedy = 'set failover.hooks.fence and fence_required, or accept_data_loss: true';
    source.report(['failover', 'durability'], message, remedy);
  }
}

type Parts = {
  readonly topology: Topology;
  readonly users: Config['users'];
  readonly map: ShardMapDescription;
  readonly path: string;
};

function configOf(sections: PlainSections, { topology, users, map, path }: Parts): Config {
  const inDirectory = (file: string) => resolve(dirname(path), file);
  const hook = (file: string | undefined, timeoutMs: number) =>
    file === undefined ? null : { file: inDirectory(file), timeoutMs };
  const { listen, admin, control, servers, limits, failover, tls, log } = sections;
  return {
    database: sections.database,
    listen,
    admin,
    workers: sections.workers === 'auto' ? availableParallelism() : sections.workers,
    shardMap: buildShardMap(map),
    nodes: topology.nodes,
    combineNodes: topology.combineNodes,
    externalShards: topology.externalShards,
    authentication: sections.authentication,
    users,
    controlUser: { name: control.user, password: control.password ?? null },
    allowCleartextToServers: servers.allow_cleartext_password,
    tls:
      tls === undefined
        ? null
        : {
            certificateFile: inDirectory(tls.certificate_file),
            keyFile: inDirectory(tls.key_file),
          },
    limits: {
      clientsMax: limits.clients_max,
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
      planCacheEntries: limits.plan_cache_entries,
      preparedStatementsPerServerMax: limits.prepared_statements_per_server_max,
    },
    failover: {
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
      lagBytesMax: failover.max_lag,
      stateDirectory: inDirectory(failover.state_directory),
      hooks: {
        fence: hook(failover.hooks.fence, failover.hooks.fence_timeout),
        fenceRequired: failover.hooks.fence_required,
        rejoin: hook(failover.hooks.rejoin, failover.hooks.rejoin_timeout),
        notify: hook(failover.hooks.notify, failover.hooks.notify_timeout),
      },
    },
    log,
  };
}

function inFileOrder(mistakes: readonly ConfigMistake[]): readonly ConfigMistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
