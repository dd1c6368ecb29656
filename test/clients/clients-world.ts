import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { demoConfigText } from '../../src/lab/demo-config.ts';
import { demoConstraintsSql, demoTablesSql } from '../../src/lab/demo-schema.ts';
import { demoShards } from '../../src/lab/demo-shards.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import { ChildRun } from '../support/child-run.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import { moreTablesSql, moreTablesYaml, rowsSql } from './tables.ts';

/** What a client's program finds in its environment: libpq's own names. */
export type ClientEnvironment = { readonly [name: string]: string };

export type ClientsWorld = {
  readonly pgweave: ClientEnvironment;
  readonly plain: ClientEnvironment;
  /** What pgweave logged. */
  readonly log: () => string;
  stop(): Promise<void>;
};

const shards = demoShards(4);

/**
 * The demo's map in front of four servers, and one server with the same tables and rows. Both ask for
 * SCRAM-SHA-256, the role `holder` for a certificate, and offer TLS with one for `localhost`.
 */
export async function startClientsWorld(): Promise<ClientsWorld> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const certificates = await makeCertificates();
    undo.push(() => rm(certificates.directory, { recursive: true, force: true }));
    // `plain` is a shard to the lab only: pgweave does not know it.
    const lab = await startServers(['plain', ...shards.map(({ name }) => name)], certificates);
    undo.push(() => lab.stop());
    const configPath = join(certificates.directory, 'pgweave.yaml');
    await writeFile(configPath, await configOf(lab, certificates));
    const pgweave = new ChildRun(['serve', '--config', configPath]);
    undo.push(() => pgweave.stop());
    const port = Number(new URL(await pgweave.ready()).port);
    const plainPort = lab.shard('plain').primary.port;
    for (const each of [port, plainPort]) await insertRows(each);
    const { holder } = certificates;
    const environment = (own: number): ClientEnvironment => ({
      PGHOST: 'localhost',
      PGPORT: String(own),
      PGUSER: 'app',
      PGPASSWORD: 'app',
      PGDATABASE: 'app',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: certificates.authority,
      HOLDER_CERTIFICATE: holder.certificate,
      HOLDER_KEY: holder.key,
      HOLDER_KEY_DER: holder.der,
    });
    return {
      pgweave: environment(port),
      plain: environment(plainPort),
      log: () => pgweave.stderr,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(
  names: readonly string[],
  { authority, certificate, key }: Certificates,
): Promise<LabCluster> {
  const lab = await LabCluster.start({
    shards: names,
    standbys: 0,
    directory: null,
    bytesMax: 512 * 1024 ** 2,
    database: 'app',
    authentication: 'scram-sha-256',
    locale: { provider: 'builtin', name: 'C.UTF-8' },
    durable: false,
    settings: {
      ssl: 'on',
      ssl_cert_file: certificate,
      ssl_key_file: key,
      ssl_ca_file: authority,
    },
  });
  try {
    await letHolderIn(lab);
    const role = "create role holder login password 'holder'";
    const tables = `${role}; set role app; ${demoTablesSql} ${demoConstraintsSql} ${moreTablesSql}`;
    await Promise.all(
      lab.shards.map(({ primary }) =>
        withSession(primary, lab.login, (session) => session.query(tables)),
      ),
    );
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** By certificate, where clients log in themselves: the shards ask pgweave for a password. */
async function letHolderIn(lab: LabCluster): Promise<void> {
  const server = lab.shard('plain').primary;
  const path = join(server.directory, 'data', 'pg_hba.conf');
  const rules = await readFile(path, 'utf8');
  await writeFile(path, `hostssl all holder all cert\n${rules}`);
  await withSession(server, lab.login, (session) => session.query('select pg_reload_conf()'));
}

async function configOf(
  lab: LabCluster,
  { authority, certificate, key }: Certificates,
): Promise<string> {
  const [adminPort = 0] = await findFreePorts(1);
  const text = demoConfigText({
    ...lab.login,
    port: 0,
    adminPort,
    shards: shards.map((shard) => ({
      ...shard,
      nodes: lab.shard(shard.name).nodes.map(({ id }) => id),
    })),
    stateDirectory: join(lab.directory, 'state'),
  });
  const withTables = text.replace(/^tables:\n/m, (line) => `${line}${moreTablesYaml}`);
  const withUsers = withTables.replace(/^users:\n/m, '$&  holder: { password: holder }\n');
  return `${withUsers}
tls: { certificate_file: ${certificate}, key_file: ${key}, ca_file: ${authority} }
hba:
  - { type: hostssl, user: holder, method: cert }
  - { method: scram-sha-256 }
`;
}

async function insertRows(port: number): Promise<void> {
  const client = new Client({
    ...{ host: '127.0.0.1', port, user: 'app', password: 'app', database: 'app' },
  });
  await client.connect();
  try {
    for (const sql of rowsSql) await client.query(sql);
  } finally {
    await client.end();
  }
}
