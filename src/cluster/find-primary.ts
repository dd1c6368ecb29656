import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Config, NodeAddress } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { controlLogin, withControlConnection } from './control-connection.ts';

/** The first node that says it is no standby; for when nobody watches the shard. 08001: there is none. */
export async function findPrimary(
  config: Config,
  shard: ShardId,
  nodes: readonly NodeAddress[],
): Promise<NodeAddress> {
  const { limits } = config;
  const login = controlLogin(config);
  const reasons: string[] = [];
  for (const node of nodes) {
    try {
      const timeoutMs = limits.connectTimeoutMs;
      const isPrimary = await withControlConnection({ node, login, timeoutMs }, async (session) => {
        const rows = await session.query<{ recovering: boolean }>(
          'select pg_is_in_recovery() as recovering',
        );
        return rows[0]?.recovering === false;
      });
      if (isPrimary) return node;
      reasons.push(`${node.id} is a standby`);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new PgError(SqlState.cannotConnect, `shard ${shard} has no primary that can be asked`, {
    detail: reasons.join('\n'),
  });
}
