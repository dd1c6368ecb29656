import { Client } from 'pg';
import { type PlainPostgres, startPlainPostgres } from './lab.ts';
import { ServedCluster, type ServedOptions } from './served-cluster.ts';

/** What a client saw of one statement: the tag with its count and the rows as text, or an error. */
export type Seen =
  | { readonly tag: string; readonly columns: readonly string[]; readonly rows: readonly unknown[] }
  | { readonly error: string };

/** The same rows behind pgweave, over shards, and in one PostgreSQL. */
export class BothSides {
  readonly served: ServedCluster;
  readonly plain: PlainPostgres;

  private constructor(served: ServedCluster, plain: PlainPostgres) {
    this.served = served;
    this.plain = plain;
  }

  static async start(options: ServedOptions): Promise<BothSides> {
    const { schema = '' } = options;
    const plain = await startPlainPostgres({ schema });
    try {
      return new BothSides(await ServedCluster.start(options), plain);
    } catch (error) {
      await plain.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.served.stop();
    await this.plain.stop();
  }

  async connectPlain(): Promise<Client> {
    const { host, port } = this.plain.server;
    const client = new Client({ host, port, user: 'app', database: 'app' });
    await client.connect();
    return client;
  }

  /** psql's way to each side. */
  get urls(): { readonly served: string; readonly plain: string } {
    const { host, port } = this.plain.server;
    return {
      served: `postgresql://app:app@127.0.0.1:${this.served.port}/app`,
      plain: `postgresql://app@${host}:${port}/app`,
    };
  }

  /** Runs the statements in a session on each side, going on after errors. */
  async run(statements: readonly string[]): Promise<{ served: Seen[]; plain: Seen[] }> {
    const [served, plain] = await Promise.all([this.served.connect(), this.connectPlain()]);
    try {
      return { served: await seen(served, statements), plain: await seen(plain, statements) };
    } finally {
      await Promise.all([served.end(), plain.end()]);
    }
  }
}

async function seen(client: Client, statements: readonly string[]): Promise<Seen[]> {
  const answers: Seen[] = [];
  for (const text of statements) {
    try {
      const { command, rowCount, fields, rows } = await client.query({ text, rowMode: 'array' });
      answers.push({ tag: `${command} ${rowCount}`, columns: fields.map((f) => f.name), rows });
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      answers.push({ error: `${code} ${message}` });
    }
  }
  return answers;
}
