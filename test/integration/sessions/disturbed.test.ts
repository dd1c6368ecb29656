import { serialize } from 'pg-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { withSession } from '../../../src/lab/sql.ts';
import { LoadClient } from '../../endurance/load-client.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { ServedCluster } from '../../support/served-cluster.ts';

// More sessions than server connections, each with rows of its own on both shards, while statements are
// cancelled, time out and fail, and servers' sessions are terminated. A session must always see what it
// knows: what it was told to be committed, nothing that it was told to be undone, and its own settings.

const seed = Number(process.env['FUZZ_SEED'] ?? 3);
const steps = Number(process.env['DISTURBED_STEPS'] ?? 70);
const sessions = 8;

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: 'create table entry (id int primary key, note text not null)',
    workers: 2,
    limits: 'server_connections_max: 6, reserved_connections_max: 2',
    more: 'authentication: trust',
  });
  const client = await served.connect();
  const ids = Array.from({ length: sessions }, (_, index) => idsOf(index)).flat();
  await client.query(`insert into entry values ${ids.map((id) => `(${id}, 'first')`).join(', ')}`);
  await client.end();
});

afterAll(async () => {
  await served?.stop();
});

function idsOf(session: number): readonly [number, number] {
  return [1 + session, 1_000_001 + session];
}

/** null: the connection ended. */
type Outcome =
  | { readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly error: PgError | null };

class DisturbedSession {
  readonly findings: string[] = [];
  commits = 0;
  failures = 0;
  readonly #number: number;
  readonly #random: Random;
  readonly #ids: readonly [number, number];
  #client: LoadClient | null = null;
  /** By id: what is committed, and what the open transaction sees; null: none is open. */
  #committed: readonly string[] = ['first', 'first'];
  #open: string[] | null = null;
  #count = 0;
  #said: string[] = [];

  constructor(number: number) {
    this.#number = number;
    this.#random = seededRandom(seed * 1000 + number);
    this.#ids = idsOf(number);
  }

  async run(): Promise<void> {
    for (let step = 0; step < steps && this.findings.length === 0; step++) {
      this.#client ??= await this.#connect();
      await this.#random.pick(this.#choices)();
    }
    await this.#end();
    await this.#client?.end();
  }

  get #name(): string {
    return `session ${this.#number}`;
  }

  readonly #choices: readonly (() => Promise<void>)[] = [
    () => this.#read(),
    () => this.#readAll(),
    () => this.#readAll(),
    () => this.#write([0]),
    () => this.#write([1]),
    () => this.#write([0, 1]),
    () => this.#begin(),
    () => this.#end(),
    () => this.#end(),
    () => this.#setting(),
    () => this.#mistake('select 1/0'),
    () => this.#mistake('set local statement_timeout to 20; select pg_sleep(1)'),
    () => this.#idleTooLong(),
    () => this.#syncs(),
  ];

  async #connect(): Promise<LoadClient> {
    const target = { port: served.port, user: 'app', password: '', database: 'app' };
    const client = await LoadClient.connect(target);
    await client.query(`set app.me to '${this.#name}'`).catch(() => client.reset());
    return client;
  }

  /** Sometimes it is cancelled on its way. */
  async #ask(text: string, send = (client: LoadClient) => client.query(text)): Promise<Outcome> {
    this.#said.push(text);
    const client = this.#client;
    if (client === null) return { error: null };
    const asking = send(client);
    if (this.#random.integer(0, 9) === 0) {
      const delayMs = this.#random.integer(0, 15);
      void sleep(delayMs).then(() => client.cancel());
    }
    try {
      return { rows: await asking };
    } catch (error) {
      this.failures += 1;
      this.#said.push(`-- ${error instanceof Error ? error.message : String(error)}`);
      if (error instanceof PgError && error.severity !== 'FATAL') return { error };
      this.#client = null;
      return { error: null };
    }
  }

  async #read(): Promise<void> {
    const place = this.#random.pick([0, 1] as const);
    const id = this.#ids[place];
    const parts = [
      serialize.parse({ text: 'select note from entry where id = $1', types: [23] }),
      serialize.bind({ values: [String(id)] }),
      serialize.execute({}),
      serialize.sync(),
    ];
    const outcome = this.#random.integer(0, 1)
      ? await this.#ask(`select note from entry where id = ${id}`)
      : await this.#ask(`read ${id}`, (client) => client.send(parts, 1));
    if ('error' in outcome) return await this.#failed();
    this.#expect([[(this.#open ?? this.#committed)[place] ?? '']], outcome.rows);
  }

  async #readAll(): Promise<void> {
    const list = this.#ids.join(', ');
    const outcome = await this.#ask(`select note from entry where id in (${list}) order by id`);
    if ('error' in outcome) return await this.#failed();
    this.#expect(
      (this.#open ?? this.#committed).map((note) => [note]),
      outcome.rows,
    );
  }

  async #write(places: readonly (0 | 1)[]): Promise<void> {
    this.#count += 1;
    const note = `${this.#number} ${this.#count}`;
    const list = places.map((place) => this.#ids[place]).join(', ');
    const outcome = await this.#ask(`update entry set note = '${note}' where id in (${list})`);
    const after = [...(this.#open ?? this.#committed)];
    for (const place of places) after[place] = note;
    if ('error' in outcome) return await this.#failed(this.#open === null ? after : null);
    if (this.#open === null) this.#committed = after;
    else this.#open = after;
  }

  async #begin(): Promise<void> {
    if (this.#open !== null) return;
    const outcome = await this.#ask('begin');
    if ('rows' in outcome) this.#open = [...this.#committed];
  }

  async #end(): Promise<void> {
    const open = this.#open;
    if (open === null) return;
    const isCommit = this.#random.integer(0, 2) > 0;
    const outcome = await this.#ask(isCommit ? 'commit' : 'rollback');
    if ('error' in outcome) return await this.#failed(isCommit ? open : null);
    this.#open = null;
    if (!isCommit) return;
    this.#committed = open;
    this.commits += 1;
  }

  async #setting(): Promise<void> {
    const outcome = await this.#ask("select current_setting('app.me', true)");
    if ('error' in outcome) return await this.#failed();
    this.#expect([[this.#name]], outcome.rows);
  }

  async #mistake(text: string): Promise<void> {
    const outcome = await this.#ask(text);
    if ('rows' in outcome) this.findings.push(`${this.#name}: ${text} should have failed`);
    await this.#failed();
  }

  async #idleTooLong(): Promise<void> {
    if (this.#open === null || this.#random.integer(0, 3) > 0) return;
    await this.#ask('set local idle_in_transaction_session_timeout to 30');
    await this.#ask(`select 1 from entry where id = ${this.#ids[0]}`);
    await sleep(80);
    await this.#ask(`select 2 from entry where id = ${this.#ids[0]}`);
    await this.#failed();
  }

  /** More than are needed, and one that is missing. */
  async #syncs(): Promise<void> {
    const messages = [
      serialize.sync(),
      serialize.sync(),
      serialize.parse({ text: 'select nothing' }),
      serialize.bind({}),
      serialize.sync(),
      serialize.sync(),
    ];
    const outcome = await this.#ask('syncs', (client) => client.send(messages, 4));
    if ('rows' in outcome) this.findings.push(`${this.#name}: a mistake was not told`);
    await this.#failed();
  }

  /**
   * The open transaction is over. `perhaps` is what may have been committed, whole or not at all; the
   * rows tell.
   */
  async #failed(perhaps: readonly string[] | null = null): Promise<void> {
    this.#open = null;
    const isKnown = perhaps === null;
    const deadline = systemClock.now() + 20_000;
    for (;;) {
      this.#client ??= await this.#connect();
      await this.#client.query('rollback').catch(() => {});
      const list = this.#ids.join(', ');
      const text = `select note from entry where id in (${list}) order by id`;
      const rows = await this.#client.query(text).catch((error: unknown) => {
        if (!(error instanceof PgError) || error.severity === 'FATAL') this.#client = null;
        return null;
      });
      if (rows === null && systemClock.now() < deadline) continue;
      const found = rows?.map(([note]) => note ?? '') ?? [];
      if (!isKnown && found.join() === perhaps.join()) this.#committed = perhaps;
      this.#expect(
        this.#committed.map((note) => [note]),
        rows ?? [],
      );
      return;
    }
  }

  #expect(
    wanted: readonly (readonly string[])[],
    found: Extract<Outcome, { rows: unknown }>['rows'],
  ) {
    if (JSON.stringify(wanted) === JSON.stringify(found)) return;
    const before = this.#said.slice(-12).join('\n');
    this.findings.push(
      `${this.#name}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)} after\n${before}`,
    );
  }
}

describe(`sessions that are disturbed (seed ${seed})`, () => {
  it('see their own rows and settings, and transactions whole or not at all', async () => {
    const random = seededRandom(seed);
    let over = false;
    const terminating = (async () => {
      while (!over) {
        await sleep(random.integer(20, 120));
        const { primary } = random.pick(served.lab.shards);
        await withSession(primary, { database: 'app', password: null }, (session) =>
          session.query(
            `select pg_terminate_backend(pid) from (select pid from pg_stat_activity where usename = 'app' order by random() limit 1) one`,
          ),
        );
      }
    })();
    const all = Array.from({ length: sessions }, (_, number) => new DisturbedSession(number));
    await Promise.all(all.map((session) => session.run()));
    over = true;
    await terminating;
    expect(all.flatMap(({ findings }) => findings)).toEqual([]);
    expect(all.reduce((sum, { commits }) => sum + commits, 0)).toBeGreaterThan(0);
    expect(all.reduce((sum, { failures }) => sum + failures, 0)).toBeGreaterThan(sessions);
    await served.untilIdle();
    expect(served.run.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
