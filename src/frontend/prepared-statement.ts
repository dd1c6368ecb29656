import type { ServerConnection } from '../backend/server-connection.ts';
import type { PlannedStatement } from '../executor/planned-statement.ts';
import type { BoundParameters } from '../executor/select/multi-shard-select.ts';
import type { MultiShardPortal } from '../executor/select/run-multi-shard.ts';
import type { Target } from '../executor/target.ts';
import type { KeptReturning } from '../executor/write/kept-returning.ts';
import type { BindMessage } from '../protocol/bind-message.ts';
import type { ToldColumns } from './told-columns.ts';

/** What a Parse of the client made. */
export type PreparedStatement = {
  /** The client's name; empty for the unnamed one. */
  readonly name: string;
  /**
   * Its name on every server, by content. Of the unnamed one: a name that servers may keep it under
   * (see ParsedTexts), or empty when they must parse it each time.
   */
  readonly serverName: string;
  /** PlanningSettings.meaning, which a server's statement of that name was parsed under. */
  readonly meaning: string;
  readonly planned: PlannedStatement;
  readonly typeOids: readonly number[];
  /** Of the Parse message, everything behind the name. */
  readonly tail: Buffer;
  /** null for the unnamed one, which sessions share, and which is parsed anew each time. */
  readonly told: ToldColumns | null;
};

/** What a Bind of the client made. It lives until the end of the transaction. */
export type Portal = {
  readonly name: string;
  readonly statement: PreparedStatement;
  readonly parameters: BoundParameters;
  readonly resultFormats: readonly number[];
  /** Of the Bind message, everything behind the two names. */
  readonly tail: Buffer;
  /** null for statements that no shard answers (BEGIN, SET ...). */
  readonly target: Target | null;
  /** The server connection that has the portal, within a block. */
  boundOn: ServerConnection | null;
  /** Its name there. */
  serverName: string;
  /** Over several shards: open from the first Execute on. */
  cursor: MultiShardPortal | null;
  /** A write over several shards that was executed with a row limit: what it has returned. */
  returning: KeptReturning | null;
  /** How many savepoints were open when it was bound, or are still; null: its Bind has not been done. */
  savepointCount: number | null;
  /** Its transaction, or the part of it since a savepoint, is over. */
  isGone: boolean;
  /** A command, or a write over several shards: it has been run, and is not run again. */
  isDone: boolean;
};

/** Of this Bind message. */
export function newPortal(
  { portal: name, resultFormats, tail }: BindMessage,
  bound: Pick<Portal, 'statement' | 'parameters' | 'target'>,
): Portal {
  return {
    name,
    ...bound,
    resultFormats,
    tail,
    serverName: name,
    boundOn: null,
    cursor: null,
    returning: null,
    savepointCount: null,
    isGone: false,
    isDone: false,
  };
}

/** Over several shards the connections are given back; on one shard the server is told by others. */
export function closePortal(portal: Portal): void {
  portal.isGone = true;
  portal.cursor?.close();
  portal.returning?.drop();
}

/** What an entry takes besides its texts, roughly. */
const entryBytes = 1024;
const literalBytes = 64;

/** Roughly; of the unnamed one nothing: there is never more than one, as long as a message at most. */
export function weightOfStatement(name: string, { tail, planned }: PreparedStatement): number {
  if (name === '') return 0;
  const { literals } = planned.source.lexed;
  return entryBytes + 2 * (name.length + tail.length) + literalBytes * literals.length;
}

/** As weightOfStatement. */
export function weightOfPortal(name: string, { tail, parameters }: Portal): number {
  if (name === '') return 0;
  return entryBytes + 2 * name.length + tail.length + literalBytes * parameters.values.length;
}
