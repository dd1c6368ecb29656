import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Rehearsal } from '../cluster/failover/dry-run.ts';
import type { OperatorCommand } from '../cluster/failover/operator-command.ts';
import type { Config, NodeId } from '../config/config.ts';
import { suggest } from '../config/suggest.ts';
import type { AdminResult } from '../frontend/admin-console.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ClusterView } from './cluster-view.ts';
import type { OperatorWords } from './operator-words.ts';

/** Carries out a command that changes the roles of servers, or says what it would do. */
export async function operate(
  view: ClusterView,
  telemetry: Telemetry,
  user: { readonly name: string },
  words: OperatorWords,
): Promise<AdminResult> {
  const { shard, command } = commandOf(view.config(), words);
  const tag = words.kind.toUpperCase();
  if (words.dryRun) return rehearsalResult(tag, view.rehearse(shard, command));
  telemetry.log('warn', 'an operator gave a command', { user: user.name, shard, ...command });
  const message = await view.command(shard, command);
  return { columns: [], rows: [], tag, notice: message };
}

function commandOf(
  config: Config,
  { kind, name, to, allowDataLoss }: OperatorWords,
): { readonly shard: ShardId; readonly command: OperatorCommand } {
  if (kind === 'rejoin') {
    const nodes = [...config.nodes.values()].flat();
    const node = findNode(
      nodes.map(({ id }) => id),
      name,
    );
    const shard = nodes.find(({ id }) => id === node)?.shard;
    if (shard !== undefined) return { shard, command: { kind, node } };
  }
  const shard = findShard(config, name);
  const node = to === null ? null : findNode(nodeIds(config, shard), to);
  switch (kind) {
    case 'failover':
      return { shard, command: { kind, to: node, allowDataLoss } };
    case 'switchover':
      return { shard, command: { kind, to: node } };
    case 'pause':
    case 'resume':
      return { shard, command: { kind } };
    case 'rejoin':
      throw new PgError(SqlState.invalidParameterValue, `node "${name}" does not exist`);
    default:
      return unreachable(kind);
  }
}

/** Exactly as written, else the only one that differs in letter case. */
function findShard(config: Config, name: string): ShardId {
  const { shards } = config.shardMap;
  const exact = shards.find((shard) => shard === name);
  if (exact !== undefined) return exact;
  const [folded, ...others] = shards.filter((shard) => shard.toLowerCase() === name.toLowerCase());
  if (folded !== undefined && others.length === 0) return folded;
  throw new PgError(SqlState.invalidParameterValue, `shard "${name}" does not exist`, {
    hint: suggest(name, shards),
  });
}

function nodeIds(config: Config, shard: ShardId): readonly NodeId[] {
  return (config.nodes.get(shard) ?? []).map(({ id }) => id);
}

function findNode(ids: readonly NodeId[], name: string): NodeId {
  const node = ids.find((id) => id.toLowerCase() === name.toLowerCase());
  if (node !== undefined) return node;
  throw new PgError(SqlState.invalidParameterValue, `node "${name}" does not exist`, {
    hint: `${suggest(name, ids)}; a node is written as in the configuration, host:port`,
  });
}

function rehearsalResult(tag: string, { willDo, message, nodes }: Rehearsal): AdminResult {
  return {
    columns: ['node', 'may_become_primary', 'lag_bytes', 'reason'],
    rows: nodes.map(({ node, isPrimary, lagBytes, obstacle }) => [
      node,
      obstacle === null ? 'yes' : 'no',
      isPrimary || lagBytes === null ? null : String(lagBytes),
      obstacle,
    ]),
    tag,
    notice: `dry run: ${willDo ? '' : 'refused: '}${message}`,
  };
}
