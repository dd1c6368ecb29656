import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Locale } from './data-directory.ts';
import { findFreePorts } from './free-port.ts';
import { Guard } from './guard.ts';
import { discardLabDirectory, type LabDirectory, openLabDirectory } from './lab-directory.ts';
import { type LabRecord, readLabRecord, writeLabRecord } from './lab-record.ts';
import { LabShard } from './lab-shard.ts';
import {
  findPostgresPackage,
  type PostgresBinaries,
  preparePostgres,
} from './postgres-binaries.ts';
import { PortInUseError, PostgresServer } from './postgres-server.ts';
import { runTogether } from './run-together.ts';
import { chooseServerAccount, type ServerAccount } from './server-account.ts';
import { type ServerSettings, settingsText } from './server-settings.ts';
import { type Login, withSession } from './sql.ts';
import { temporaryParents } from './temporary-parents.ts';

export type LabClusterOptions = {
  readonly shards: readonly string[];
  /** Synchronous streaming standbys of each primary. */
  readonly standbys: number;
  /** null: a temporary one, removed by stop(). One that holds a lab is started again as it is. */
  readonly directory: string | null;
  /** How large a temporary one may grow. */
  readonly bytesMax: number;
  /** Made on every shard, owned by the role `app` with the password `app`. */
  readonly database: string;
  /** `scram-sha-256` makes a random password for the superuser `postgres`. */
  readonly authentication: 'trust' | 'scram-sha-256';
  readonly locale: Locale;
  /** False: without fsync, for tests. */
  readonly durable: boolean;
  /** Of every server, added to the lab's own or in their place. */
  readonly settings: ServerSettings;
  /** Aborting a start stops what was started and removes what was made. */
  readonly signal?: AbortSignal | undefined;
};

type Installation = {
  readonly directory: LabDirectory;
  readonly account: ServerAccount | null;
  readonly binaries: PostgresBinaries;
  readonly guard: Guard;
};

const portAttemptsMax = 3;

/** Real shards on this machine. Nothing of it is left when `start` rejects or `stop` resolves. */
export class LabCluster {
  readonly shards: readonly LabShard[];
  /** For the superuser `postgres`, to the lab's database. */
  readonly login: Login;
  readonly #directory: LabDirectory;
  readonly #guard: Guard;
  readonly #stopping = new AbortController();
  readonly #rebuilding = new Set<Promise<void>>();

  private constructor(record: LabRecord, installation: Installation) {
    const { directory, account, binaries, guard } = installation;
    this.shards = record.shards.map(({ name, nodes }) => {
      const servers = nodes.map(
        (node) =>
          new PostgresServer({
            ...node,
            directory: join(directory.path, node.name),
            account,
            binaries,
            guard,
          }),
      );
      return new LabShard(name, servers);
    });
    this.login = { database: record.database, password: record.password };
    this.#directory = directory;
    this.#guard = guard;
  }

  static async start(options: LabClusterOptions): Promise<LabCluster> {
    const account = await chooseServerAccount();
    const directory = await openLabDirectory(
      options.directory,
      await temporaryParents(options.bytesMax),
      account,
    );
    const guard = new Guard(directory.kind === 'temporary' ? directory.path : null);
    try {
      const record =
        directory.kind === 'existing'
          ? await readLabRecord(directory.path)
          : await newRecord(options);
      requireShards(record, options.shards, directory.path);
      options.signal?.throwIfAborted();
      const binaries = await preparePostgres(findPostgresPackage(), directory.path, account);
      const installation = { directory, account, binaries, guard };
      const cluster = new LabCluster(record, installation);
      await cluster.#bringUp(options, installation);
      return cluster;
    } catch (error) {
      await discardLabDirectory(directory);
      await guard.close();
      throw inOurWords(error, directory.path);
    }
  }

  get nodes(): readonly PostgresServer[] {
    return this.shards.flatMap((shard) => shard.nodes);
  }

  get directory(): string {
    return this.#directory.path;
  }

  /** Started again from an earlier run: database and rows are there. */
  get existing(): boolean {
    return this.#directory.kind === 'existing';
  }

  shard(name: string): LabShard {
    const shard = this.shards.find((candidate) => candidate.name === name);
    assert(shard !== undefined, `no shard ${name} in this lab`);
    return shard;
  }

  /** Makes the node a standby of its shard's current primary: see LabShard.rebuild. */
  async rebuild(node: PostgresServer): Promise<void> {
    const shard = this.shards.find(({ nodes }) => nodes.includes(node));
    assert(shard !== undefined, `${node.name} is not of this lab`);
    const rebuilding = shard.rebuild(node, this.login, this.#stopping.signal);
    this.#rebuilding.add(rebuilding);
    try {
      await rebuilding;
    } finally {
      this.#rebuilding.delete(rebuilding);
    }
  }

  /** Within 5 s, also of nodes that hang. What is kept is shut down cleanly. */
  async stop(): Promise<void> {
    const kept = this.#directory.kind !== 'temporary';
    await this.#end(kept ? 'fast' : 'immediate');
    if (!kept) await rm(this.directory, { recursive: true, force: true });
    await this.#guard.close();
  }

  /** Marks the directory as a finished lab, so that a later start finds its servers and rows. */
  async keep(): Promise<void> {
    await writeLabRecord(this.directory, this.#record());
  }

  /** Stops, and removes what start() made, also a directory that was to be kept. */
  async discard(): Promise<void> {
    await this.#end('immediate');
    await discardLabDirectory(this.#directory);
    await this.#guard.close();
  }

  async #bringUp(options: LabClusterOptions, installation: Installation): Promise<void> {
    try {
      if (this.existing) {
        await runTogether(this.shards, (shard, stop) => shard.start(stop), options.signal);
        return;
      }
      await this.#create(options, installation);
      await this.#startOnFreePorts(options.signal);
      await runTogether(
        this.shards,
        (shard, stop) => this.#prepareShard(shard, stop),
        options.signal,
      );
    } catch (error) {
      await this.#stopNodes('immediate');
      throw error;
    }
  }

  async #create(options: LabClusterOptions, { account, binaries }: Installation): Promise<void> {
    const { password } = this.login;
    const settings = settingsText(options);
    await runTogether(
      this.shards,
      (shard) => shard.create({ account, binaries, locale: options.locale, password, settings }),
      options.signal,
    );
  }

  /** Another program may take a port between our look and our start. */
  async #startOnFreePorts(signal: AbortSignal | undefined): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await Promise.all(this.shards.map((shard) => shard.assignRoles(this.login.password)));
      try {
        await runTogether(this.shards, (shard, stop) => shard.start(stop), signal);
        return;
      } catch (error) {
        if (!(error instanceof PortInUseError) || attempt === portAttemptsMax) throw error;
      }
      await this.#stopNodes('immediate');
      const ports = await findFreePorts(this.nodes.length);
      for (const [index, node] of this.nodes.entries()) node.moveTo(ports[index] ?? node.port);
    }
  }

  /** Replication first: a commit on a primary waits for its standby. */
  async #prepareShard(shard: LabShard, signal: AbortSignal): Promise<void> {
    const { database, password } = this.login;
    const login = { database: 'postgres', password };
    await shard.waitForReplication(login, signal);
    await withSession(shard.primary, login, async (session) => {
      // So that the standby, too, can be asked at once.
      await session.query('set synchronous_commit = remote_apply');
      await session.query("create role app login password 'app'");
      await session.query(`create database ${session.escapeIdentifier(database)} owner app`);
    });
  }

  /** A rebuild ends because its servers do; it starts none after the abort. */
  async #end(mode: 'fast' | 'immediate'): Promise<void> {
    this.#stopping.abort(new PgError(SqlState.adminShutdown, 'the lab is stopping'));
    await this.#stopNodes(mode);
    await Promise.allSettled(this.#rebuilding);
  }

  async #stopNodes(mode: 'fast' | 'immediate'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(mode)));
  }

  #record(): LabRecord {
    return {
      version: 1,
      ...this.login,
      shards: this.shards.map(({ name, nodes }) => ({
        name,
        nodes: nodes.map((node) => ({ name: node.name, port: node.port })),
      })),
    };
  }
}

async function newRecord(options: LabClusterOptions): Promise<LabRecord> {
  const nodesPerShard = 1 + options.standbys;
  const ports = await findFreePorts(options.shards.length * nodesPerShard);
  return {
    version: 1,
    database: options.database,
    password: options.authentication === 'trust' ? null : randomBytes(18).toString('base64url'),
    shards: options.shards.map((name, shard) => ({
      name,
      nodes: ports
        .slice(shard * nodesPerShard, (shard + 1) * nodesPerShard)
        .map((port, index) => ({ name: `${name}-${index + 1}`, port })),
    })),
  };
}

function requireShards(record: LabRecord, wanted: readonly string[], directory: string): void {
  const found = record.shards.map(({ name }) => name);
  if (found.join() === wanted.join()) return;
  throw new PgError(
    SqlState.ioError,
    `${directory} holds the shards ${found.join(', ')}, not ${wanted.join(', ')}`,
    { hint: 'choose the same shards, or another directory' },
  );
}

/** The file system's errors as one line that names the place. */
function inOurWords(error: unknown, directory: string): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  const reason =
    error.code === 'ENOSPC'
      ? `no space left for the servers in ${directory}`
      : `cannot set up the servers in ${directory}: ${error.message}`;
  return new PgError(SqlState.ioError, reason, { cause: error });
}
