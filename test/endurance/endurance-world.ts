import { systemClock } from '../../src/base/clock.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import { withSession } from '../../src/lab/sql.ts';
import { Certificates, has } from '../support/certificates.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';
import { type Footprint, footprintOf } from './footprint.ts';
import { LoadClient, type LoadTarget } from './load-client.ts';

const rowsPerShard = 500;
const schema = `${entrySchema};
  create table stray (id int primary key, note text);
  create table stray_setting (name text primary key, value text);
  create table pair (id int primary key, half int not null)`;

/**
 * Two shards behind pgweave. `app` reads rows that it can check and logs in by SCRAM; `stray` gets in
 * without a password, may touch tables of its own only, and can do there what it likes.
 */
export class EnduranceWorld {
  readonly served: ServedCluster;
  readonly #certificates: Certificates | null;
  readonly #pids: readonly number[];

  private constructor(
    served: ServedCluster,
    certificates: Certificates | null,
    pids: readonly number[],
  ) {
    this.served = served;
    this.#certificates = certificates;
    this.#pids = pids;
  }

  static async start(limits = ''): Promise<EnduranceWorld> {
    const certificates = has('openssl') ? await Certificates.create() : null;
    certificates?.issue('proxy', '/CN=localhost', { host: 'localhost' });
    const tls =
      certificates === null
        ? ''
        : `tls: { certificate_file: ${certificates.certificate('proxy')}, key_file: ${certificates.key('proxy')} }\n`;
    const served = await ServedCluster.start({
      shards: ['a', 'b'],
      schema,
      settings: { max_connections: '60' },
      limits: `message_bytes_max: 1MB, session_bytes_max: 4MB, client_buffer_bytes: 256kB, clients_max: 20000, ${limits}`,
      tables: ['stray: { distribution: by_id, key: id }', 'pair: { distribution: by_id, key: id }'],
      users: '  stray: { password: stray, server_user: stray }\n',
      more: `${tls}hba:
  - { type: host, user: stray, address: 127.0.0.0/8, method: trust }
  - { type: host, method: scram-sha-256 }
`,
    });
    await prepare(served);
    return new EnduranceWorld(served, certificates, await pidTree(served.run.pid));
  }

  async stop(): Promise<void> {
    await this.served.stop();
    await this.#certificates?.remove();
  }

  get hasTls(): boolean {
    return this.#certificates !== null;
  }

  get app(): LoadTarget {
    return { port: this.served.port, user: 'app', password: 'app', database: 'app' };
  }

  get stray(): LoadTarget {
    return { port: this.served.port, user: 'stray', password: '', database: 'app' };
  }

  /** Once nobody is left and the pools rest. */
  async resting(): Promise<Footprint> {
    await this.served.until(
      'the clients to be gone',
      async () => (await this.served.console('show clients')).length <= 1,
      30_000,
    );
    await this.served.untilIdle();
    return await footprintOf(this.served);
  }

  /** Processes that died, and what they said was their own fault. */
  get faults(): readonly string[] {
    const { log, stderr } = this.served.run;
    const dead = this.#pids.filter((pid) => !isRunning(pid)).map((pid) => `process ${pid} died`);
    const errors = log.filter(({ level }) => level === 'error' || level === 'fatal');
    // What a process that dies of an exception says, it says in plain text.
    const plain = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    return [...dead, ...errors.map((line) => JSON.stringify(line)), ...plain].map((text) =>
      text.slice(0, 2000),
    );
  }
}

/** `note` says which row it is. */
export function noteOf(id: number): string {
  return `note ${id}`;
}

export function checkedIds(): readonly number[] {
  return [0, 1].flatMap((shard) =>
    Array.from({ length: rowsPerShard }, (_, index) => shard * 1_000_000 + index + 1),
  );
}

async function prepare(served: ServedCluster): Promise<void> {
  for (const { primary } of served.lab.shards) {
    await withSession(primary, { database: 'app', password: null }, (session) =>
      session.query(
        'create role stray login; grant all on stray, stray_setting to stray; grant create, usage on schema public to stray',
      ),
    );
  }
  const client = await served.connect();
  const values = checkedIds().map((id) => `(${id}, '${noteOf(id)}')`);
  await client.query(`insert into entry values ${values.join(', ')}`);
  await client.query(`insert into pair select id, 0 from entry`);
  await client.query('insert into stray select id, note from entry');
  await client.end();
}

/**
 * Asks for rows that it knows, again and again, until it is told to stop: what is wrong, and the
 * longest that an answer took.
 */
export class Neighbour {
  readonly findings: string[] = [];
  answers = 0;
  slowestMs = 0;
  readonly #target: LoadTarget;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(target: LoadTarget, number = 0) {
    this.#target = target;
    this.#done = this.#run(number);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(number: number): Promise<void> {
    try {
      const client = await LoadClient.connect(this.#target);
      const ids = checkedIds();
      for (let turn = number; !this.#stopped; turn++) await this.#ask(client, ids, turn);
      await client.end();
    } catch (error) {
      this.findings.push(`neighbour: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #ask(client: LoadClient, ids: readonly number[], turn: number): Promise<void> {
    const id = ids[(turn * 7919) % ids.length] ?? 1;
    const startedAt = systemClock.now();
    const isOverAll = turn % 20 === 0;
    const rows = isOverAll
      ? await client.query('select count(*), min(note) from entry')
      : await client.query(`select id, note from entry where id = ${id}`);
    this.slowestMs = Math.max(this.slowestMs, systemClock.now() - startedAt);
    this.answers += 1;
    const [first] = rows;
    const wanted = isOverAll ? [String(ids.length), 'note 1'] : [String(id), noteOf(id)];
    if (rows.length !== 1 || first?.join() !== wanted.join()) {
      this.findings.push(`neighbour: wanted ${wanted.join()}, got ${JSON.stringify(rows)}`);
    }
  }
}
