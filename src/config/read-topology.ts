import type { ShardId } from '../sharding/shard-id.ts';
import { combineIdOf } from './combine-id.ts';
import type { NodeAddress, NodeId } from './config.ts';
import { configFile } from './config-file.ts';
import type { ConfigPath, ConfigSource } from './config-source.ts';
import { readEntries, readShape } from './read-shape.ts';
import { suggest } from './suggest.ts';

export type Topology = {
  /** In file order. */
  readonly nodes: ReadonlyMap<ShardId, readonly NodeAddress[]>;
  readonly externalShards: ReadonlySet<ShardId>;
  readonly combineNodes: readonly NodeAddress[];
  readonly home: ShardId | null;
};

/** Names that need no quotes anywhere: in metrics, in file names, on a command line. */
const shardNamePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;
const defaultPort = 5432;

/** The shards, their nodes, the home shard, and nodes of no shard. Mistakes go to `source`. */
export function readTopology(source: ConfigSource): Topology {
  const entries = readEntries(source, ['shards'], configFile.shape.shards.valueType);
  const nodes = new Map<ShardId, readonly NodeAddress[]>();
  const externalShards = new Set<ShardId>();
  const seen = new Map<NodeId, ConfigPath>();
  for (const [name, { nodes: written, promotion }] of entries) {
    if (promotion === 'external') externalShards.add(name as ShardId);
    if (!shardNamePattern.test(name)) {
      const remedy = 'use letters, digits, "_", "-" and ".", at most 63 of them';
      source.reportName(['shards', name], `"${name}" is not a shard name`, remedy);
    }
    const shard = name as ShardId;
    const addresses = written.map((text, index) =>
      readNode(source, ['shards', name, 'nodes', index], { text, shard, seen }),
    );
    if (written.length === 0) {
      source.report(['shards', name, 'nodes'], `shard "${name}" has no nodes`, 'list host:port');
    }
    nodes.set(
      shard,
      addresses.filter((address) => address !== null),
    );
  }
  const combineNodes = readCombineNodes(source, seen);
  const known = source.names(['shards']);
  if (known.length === 0) {
    const remedy = 'add "shards:" with a line like "a: { nodes: [db1:5432, db2:5432] }"';
    source.reportName(['shards'], 'there are no shards', remedy);
  }
  return { nodes, externalShards, combineNodes, home: readHome(source, known) };
}

function readCombineNodes(
  source: ConfigSource,
  seen: Map<NodeId, ConfigPath>,
): readonly NodeAddress[] {
  const written = readShape(source, ['combine'], configFile.shape.combine)?.nodes ?? [];
  return written
    .map((text, index) =>
      readNode(source, ['combine', 'nodes', index], { text, shard: null, seen }),
    )
    .filter((address) => address !== null);
}

/** The shard called `name`, if there is one; otherwise a mistake at `path`. */
export function readShard(source: ConfigSource, path: ConfigPath, name: string): ShardId | null {
  const known = source.names(['shards']);
  if (known.includes(name)) return name as ShardId;
  source.report(path, `there is no shard "${name}"`, suggest(name, known));
  return null;
}

function readHome(source: ConfigSource, known: readonly string[]): ShardId | null {
  const written = source.at(['home']);
  if (written === undefined || written === null) {
    const remedy = `add "home: ${known[0] ?? '...'}": tables in no distribution live there`;
    source.reportName(['home'], '"home" is missing', remedy);
    return null;
  }
  const home = readShape(source, ['home'], configFile.shape.home);
  return home === null ? null : readShard(source, ['home'], home);
}

type NodeText = {
  readonly text: string;
  /** null: of none. */
  readonly shard: ShardId | null;
  readonly seen: Map<NodeId, ConfigPath>;
};

/** `host`, `host:port`, `[::1]:port`. */
function readNode(source: ConfigSource, path: ConfigPath, node: NodeText): NodeAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/.exec(node.text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? defaultPort);
  if (host === undefined || port < 1 || port > 65_535) {
    source.report(path, `"${node.text}" is not an address`, 'write host:port, like db1:5432');
    return null;
  }
  const id = (match?.[1] === undefined ? `${host}:${port}` : `[${host}]:${port}`) as NodeId;
  const first = node.seen.get(id);
  if (first !== undefined) {
    const message = `the node ${id} is listed twice (first in line ${source.lineOf(first)})`;
    source.report(path, message, 'a server has one place: remove one of the two');
    return null;
  }
  node.seen.set(id, path);
  return { id, host, port, shard: node.shard ?? combineIdOf(id) };
}
