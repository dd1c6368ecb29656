import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { declaredFunctions } from './own-functions.ts';
import type { Tables } from './table.ts';

/** A range map needs one cut fewer than shards; the first ones are in every larger map. */
const customerCuts = ['P', 'E', 'V', 'K', 'S', 'Z'];
/** No row has a key from 20 to 39, so that a shard stays empty wherever both are cuts. */
const levelCuts = [20, 40, 0, 10, 50, -5];

export function shardNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `s${index + 1}`);
}

/**
 * pgweave's configuration for any number of shards up to seven. From four on the plain server, which
 * has all types, combines the rows that pgweave gathers.
 */
export function worldConfig(
  cluster: LabCluster,
  tables: Tables,
  { port, adminPort }: { readonly port: number; readonly adminPort: number },
  plain: PostgresServer,
): string {
  const names = cluster.shards.map(({ name }) => name);
  const nodes = cluster.shards.map(
    ({ name, primary }) => `  ${name}: { nodes: ["${primary.host}:${primary.port}"] }`,
  );
  const sharding = Object.values(tables).flatMap((table) => {
    if (table.kind === 'home') return [];
    if (table.kind === 'reference') return [`  ${table.name}: { reference: true }`];
    return [`  ${table.name}: { distribution: ${table.distribution}, key: ${table.key.name} }`];
  });
  const weighted = (heavy: number) =>
    names.map((name, index) => `${name}: ${index % 3 === heavy ? 2 : 1}`).join(', ');
  return `
database: app
listen: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
workers: 1
shards:
${nodes.join('\n')}
home: ${names[0]}
combine: { nodes: [${names.length < 4 ? '' : `"${plain.id}"`}] }
distributions:
  customer:
    type: text
    fold: upper
    ranges:
${ranges(names, [...customerCuts.slice(0, names.length - 1)].sort())}
  meter:
    type: int8
    ring: { ${weighted(0)} }
  file:
    type: uuid
    ring: { ${weighted(1)} }
  level:
    type: int4
    ranges:
${ranges(
  [...names].reverse(),
  [...levelCuts.slice(0, names.length - 1)].sort((a, b) => a - b),
)}
  period:
    type: date
    ranges:
${ranges(names.slice(-2), names.length > 1 ? ['2000-01-01'] : [])}
tables:
${sharding.join('\n')}
${declaredFunctions}
authentication: trust
users:
  app: {}
control: { user: postgres }
failover: { enabled: false }
log: { level: warn }
`;
}

function ranges(names: readonly string[], cuts: readonly (string | number)[]): string {
  return names
    .map((name, index) => {
      const from = index === 0 ? '' : `, from: "${cuts[index - 1]}"`;
      const to = index === names.length - 1 ? '' : `, to: "${cuts[index]}"`;
      return `      - { shard: ${name}${from}${to} }`;
    })
    .join('\n');
}
