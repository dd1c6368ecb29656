import type { ServerConnection } from '../backend/server-connection.ts';

/** The types that a client declares, which are the home shard's, by their OIDs on this server. */
export function serverTypeOids(
  { types }: Pick<ServerConnection, 'types'>,
  typeOids: readonly number[],
): readonly number[] {
  return types === null ? typeOids : typeOids.map((oid) => types.toServer.get(oid) ?? oid);
}
