import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { scramSaltOf } from '../protocol/scram-verifier.ts';
import { buildShardMap, type ShardMapDescription } from '../sharding/build-shard-map.ts';
import type { Config, ConfigMistake } from './config.ts';
import { type ConfigFile, configFile } from './config-file.ts';
import { ConfigSource } from './config-source.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Environment } from './overrides.ts';
import { readDistributions } from './read-distributions.ts';
import { readFunctions } from './read-functions.ts';
import { type HbaContext, readHba } from './read-hba.ts';
import { readShape } from './read-shape.ts';
import { readTables } from './read-tables.ts';
import { readTopology, type Topology } from './read-topology.ts';
import { readUsers } from './read-users.ts';
import {
  adminOf,
  authQueryOf,
  clientTlsOf,
  failoverOf,
  limitsOf,
  serverEncryptionOf,
} from './sections.ts';
import { suggest } from './suggest.ts';

export type LoadOptions = {
  /** Of the file: relative paths in it start from its directory. */
  readonly path: string;
  /** Usually process.env. */
  readonly environment: Environment;
  /** Version of the shard map in it; default 1. */
  readonly mapVersion?: number;
  /** Of this installation: salts are made of it. Default: another one each time. */
  readonly saltSecret?: Buffer;
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
  'allow_md5',
  'safe_writes',
  'drift_interval',
  'users_file',
  'auth_query',
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
    functions: readFunctions(source),
  };
  const hba = readHba(source, {
    authentication: sections?.authentication ?? 'trust',
    allowMd5: sections?.allow_md5 ?? true,
    tls: tlsFor(sections),
  });
  const saltSecret = options.saltSecret ?? randomBytes(32);
  const users = readUsers(source, {
    hba,
    allowMd5: sections?.allow_md5 ?? true,
    hasOtherUsers: sections === null || (sections.users_file ?? sections.auth_query) !== undefined,
    salt: (user) => scramSaltOf(user, saltSecret),
  });
  const { home } = map;
  if (source.mistakes.length > 0 || sections === null || home === null) {
    return { kind: 'rejected', mistakes: inFileOrder(source.mistakes) };
  }
  const { path } = options;
  const config = configOf(sections, { topology, hba, users, map: { ...map, home }, path });
  return { kind: 'loaded', config: deepFreeze(config) };
}

/** Sections that cannot be read say nothing about TLS: no mistakes because of that. */
function tlsFor(sections: PlainSections | null): HbaContext['tls'] {
  if (sections === null) return { hasAuthority: true };
  return sections.tls === undefined ? null : { hasAuthority: sections.tls.ca_file !== undefined };
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
function checkTogether(source: ConfigSource, sections: PlainSections): void {
  const { listen, admin, failover } = sections;
  checkServerEncryption(source, sections.servers);
  checkAdmin(source, admin);
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

function checkServerEncryption(source: ConfigSource, servers: PlainSections['servers']): void {
  const { sslmode, sslrootcert, sslcert, sslkey } = servers;
  if (sslmode.startsWith('verify') && sslrootcert === undefined) {
    const remedy = 'set servers.sslrootcert to a file of authorities, or to system';
    source.report(['servers', 'sslmode'], `${sslmode} has nothing to verify with`, remedy);
  }
  if (sslrootcert === 'system' && sslmode !== 'verify-full') {
    const message = `weak sslmode "${sslmode}" may not be used with sslrootcert: system`;
    source.report(['servers', 'sslmode'], message, 'use "verify-full"');
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    const missing = sslcert === undefined ? 'sslcert' : 'sslkey';
    source.report(['servers'], `${missing} is missing`, 'a certificate goes with its key');
  }
}

function checkAdmin(source: ConfigSource, admin: PlainSections['admin']): void {
  if ((admin.user === undefined) === (admin.password === undefined)) return;
  const missing = admin.user === undefined ? 'user' : 'password';
  source.report(['admin'], `"admin.${missing}" is missing`, 'a user goes with a password');
}

type Parts = {
  readonly topology: Topology;
  readonly hba: Config['hba'];
  readonly users: Config['users'];
  readonly map: ShardMapDescription;
  readonly path: string;
};

function configOf(sections: PlainSections, { topology, hba, users, map, path }: Parts): Config {
  const inDirectory = (file: string) => resolve(dirname(path), file);
  const { control, servers, tls } = sections;
  return {
    database: sections.database,
    listen: sections.listen,
    admin: adminOf(sections.admin),
    workers: sections.workers === 'auto' ? availableParallelism() : sections.workers,
    shardMap: buildShardMap(map),
    nodes: topology.nodes,
    combineNodes: topology.combineNodes,
    externalShards: topology.externalShards,
    hba,
    users,
    usersFile: sections.users_file === undefined ? null : inDirectory(sections.users_file),
    authQuery: authQueryOf(sections.auth_query),
    allowMd5: sections.allow_md5,
    controlUser: { name: control.user, password: control.password ?? null },
    allowCleartextToServers: servers.allow_cleartext_password,
    serverEncryption: serverEncryptionOf(servers, inDirectory),
    tls: tls === undefined ? null : clientTlsOf(tls, inDirectory),
    limits: limitsOf(sections.limits),
    failover: failoverOf(sections.failover, inDirectory),
    safeWrites: sections.safe_writes,
    driftIntervalMs: sections.drift_interval,
    log: sections.log,
  };
}

function inFileOrder(mistakes: readonly ConfigMistake[]): readonly ConfigMistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
