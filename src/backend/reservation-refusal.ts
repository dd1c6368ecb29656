import type { PgError } from '../base/pg-error.ts';
import type { Limits, NodeAddress } from '../config/config.ts';
import { noneToReserve } from './node-failure.ts';

/** Why a pool has no connection left that a session may keep; null: it has. One is left to all. */
export function reservationRefusal(
  pool: { readonly node: NodeAddress; readonly connectionsMax: number; readonly limits: Limits },
  reservedCount: number,
): PgError | null {
  const { connectionsMax, limits, node } = pool;
  const share = (limits.reservedConnectionsMax * connectionsMax) / limits.serverConnectionsMax;
  const reservedMax = Math.min(Math.ceil(share), connectionsMax - 1);
  return reservedCount < reservedMax ? null : noneToReserve(node, reservedMax);
}
