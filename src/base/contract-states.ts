import { SqlState } from './sql-state.ts';

/** What a client may be told when a server is lost: see docs/failover.md. */
export const contractStates: readonly string[] = [
  SqlState.transactionResolutionUnknown,
  SqlState.serializationFailure,
  SqlState.adminShutdown,
  SqlState.cannotConnectNow,
];
