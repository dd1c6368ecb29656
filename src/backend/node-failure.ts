import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Limits, NodeAddress } from '../config/config.ts';

/** No connection could be made. `cause` is what the network said. */
export function cannotConnect(node: NodeAddress, cause: Error): PgError {
  return new PgError(
    SqlState.cannotConnect,
    `could not connect to server ${node.id}: ${cause.message}`,
    { cause },
  );
}

/** An open connection broke. */
export function connectionLost(node: NodeAddress, cause: Error | null): PgError {
  const reason = cause === null ? 'it closed the connection' : cause.message;
  return new PgError(
    SqlState.connectionFailure,
    `the connection to server ${node.id} was lost: ${reason}`,
    { cause },
  );
}

/** The server says what has no place in the protocol here. */
export function unexpectedMessage(node: NodeAddress, code: number): PgError {
  const message = `server ${node.id} sent an unexpected message of type ${code}`;
  return new PgError(SqlState.protocolViolation, message);
}

/** A lease request has waited too long. */
export function noneCameFree(pool: {
  readonly node: NodeAddress;
  readonly connectionsMax: number;
  readonly limits: Limits;
}): PgError {
  const { node, connectionsMax, limits } = pool;
  return new PgError(SqlState.tooManyConnections, 'sorry, too many statements already', {
    detail: `None of the ${connectionsMax} connections to server ${node.id} came free within ${limits.acquireTimeoutMs} ms.`,
    hint: 'Make transactions shorter, or raise the limit of server connections.',
  });
}

/** Sessions already keep as many connections to themselves as they may. */
export function noneToReserve(node: NodeAddress, reservedMax: number): PgError {
  return new PgError(SqlState.tooManyConnections, 'sorry, too many reserved server connections', {
    detail: `${reservedMax} connections to server ${node.id} are reserved by sessions of this worker.`,
    hint: 'End what keeps them (LISTEN, temporary tables, session advisory locks, cursors WITH HOLD), or raise limits.reserved_connections_max.',
  });
}

/** The node itself may be in trouble: not a wrong password, not a full server. */
export function isNodeTrouble(error: PgError): boolean {
  return error.sqlState.startsWith('08') || error.sqlState.startsWith('57P');
}
