import type { DemoShard } from './demo-shards.ts';

export type DemoConfigOptions = {
  readonly database: string;
  /** With `host:port` of each node. */
  readonly shards: readonly (DemoShard & { readonly nodes: readonly string[] })[];
  /** Of the superuser `postgres`; null where the servers ask for none. */
  readonly password: string | null;
  readonly port: number;
  readonly adminPort: number;
  /** Of the durable cluster record. */
  readonly stateDirectory: string;
};

/** The configuration file of the demo, as a DBA would write it. Holds the superuser's password. */
export function demoConfigText(options: DemoConfigOptions): string {
  const { database, password } = options;
  const [home] = options.shards;
  const shards = options.shards.map(
    ({ name, nodes }) => `  ${name}: { nodes: [${nodes.map(quoted).join(', ')}] }\n`,
  );
  const ranges = options.shards.map((shard) => `      - { ${rangeText(shard)} }\n`);
  const ring = options.shards.map(({ name }) => `${name}: 1`).join(', ');
  const control = password === null ? '' : `\n  password: ${quoted(password)}`;
  return `# The configuration of a running demo: pgweave check, explain and where work on it.
database: ${database}
listen: { host: 127.0.0.1, port: ${options.port} }
admin: { host: 127.0.0.1, port: ${options.adminPort} }

shards: # each is a primary and its standby; which is which is found at run time
${shards.join('')}home: ${home?.name} # tables that are in no distribution

distributions:
  customer:
    type: text
    fold: upper # 'kim' and 'Kim' lie on the same shard
    ranges: # from is included, to is not
${ranges.join('')}  chat:
    type: uuid
    ring: { ${ring} }

tables:
  customer: { distribution: customer, key: cust_id }
  reservation: { distribution: customer, key: cust_id }
  chat_session: { distribution: chat, key: id }
  item: { reference: true }

users:
  app: { password: app, admin: true }

control: # probes the servers and promotes standbys
  user: postgres${control}

failover:
  state_directory: ${quoted(options.stateDirectory)}
`;
}

function rangeText({ name, from, to }: DemoShard): string {
  const bounds = [
    `shard: ${name}`,
    ...(from === null ? [] : [`from: "${from}"`]),
    ...(to === null ? [] : [`to: "${to}"`]),
  ];
  return bounds.join(', ');
}

/** JSON's strings are YAML's. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
