import { createHash } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { PreparedStatement } from './prepared-statement.ts';

/** Literals that stand for the time at which they are read (manual, 8.5.1.4). */
const timeOfReading = /['$]\s*(?:now|today|tomorrow|yesterday)\b/i;
let lastOfItsOwn = 0;

/**
 * The name that a client's named statement has on every server: by content, so that all clients
 * with the same text share one, and a server connection parses it once. A server reads literals
 * when it parses: only sessions whose settings mean the same (PlanningSettings.meaning) share, and
 * nobody shares a text that stands for a time.
 */
export function serverStatementName(tail: Buffer, meaning: string): string {
  const hash = createHash('sha256').update(meaning).update('\0').update(tail);
  if (timeOfReading.test(tail.toString('latin1'))) {
    lastOfItsOwn += 1;
    hash.update(`\0${lastOfItsOwn}`);
  }
  return `pgweave_${hash.digest('base64url').slice(0, 24)}`;
}

/** `name` as the client knows it. */
export function noStatement(name: string): PgError {
  return new PgError(
    SqlState.invalidSqlStatementName,
    name === ''
      ? 'unnamed prepared statement does not exist'
      : `prepared statement "${name}" does not exist`,
  );
}

export function takenStatement(name: string): PgError {
  const message = `prepared statement "${name}" already exists`;
  return new PgError(SqlState.duplicatePreparedStatement, message);
}

/** Servers know the statement by another name, and say that. Throws PgError 08P01. */
export function requireParameters(statement: PreparedStatement, given: number): void {
  const { name, planned, typeOids } = statement;
  const required = Math.max(typeOids.length, planned.source.lexed.parameterCount);
  if (given === required) return;
  throw new PgError(
    SqlState.protocolViolation,
    `bind message supplies ${given} parameters, but prepared statement "${name}" requires ${required}`,
  );
}
