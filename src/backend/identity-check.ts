import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress } from '../config/config.ts';
import { decodeTextRow } from '../protocol/data-row.ts';
import { decodeErrorResponse } from '../protocol/error-response.ts';
import { BackendCode } from '../protocol/message-code.ts';
import type { PrimaryIdentity } from './primary-identity.ts';

/** One row of five columns: see IdentityCheck. Any role may ask. `withUuid`: of the table of epochs. */
export function identityQuestion(withUuid: boolean): string {
  const uuid = withUuid
    ? '(select e.uuid from pgweave.epoch e order by e.epoch desc limit 1)'
    : 'null';
  return `select pg_catalog.pg_is_in_recovery(),
    (select system_identifier from pg_catalog.pg_control_system()),
    case when not pg_catalog.pg_is_in_recovery() then ('x' || pg_catalog.left(
      pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int end,
    ${uuid}, pg_catalog.current_setting('synchronous_commit')`;
}

/** Takes the answer of a new session to the question who its server is. */
export class IdentityCheck {
  readonly #node: NodeAddress;
  readonly #expected: PrimaryIdentity;
  #found: readonly (string | null)[] | null = null;

  constructor(node: NodeAddress, expected: PrimaryIdentity) {
    this.#node = node;
    this.#expected = expected;
  }

  get question(): string {
    return identityQuestion(this.#expected.uuid !== null);
  }

  /** Throws PgError 57P03 when the server cannot answer, since it may be another one's by now. */
  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === BackendCode.dataRow) {
      this.#found = decodeTextRow(chunk, start, end);
    } else if (code === BackendCode.errorResponse) {
      const cause = decodeErrorResponse(chunk, start, end);
      throw this.#refusal(`it does not say who it is: ${cause.message}`, cause);
    }
  }

  /** At the end of the answer. Throws PgError 57P03 when it is another server. */
  compare(): void {
    const [recovering, systemId, timeline, uuid, synchronousCommit] = this.#found ?? [];
    const expected = this.#expected;
    if (recovering !== 'f') throw this.#refusal('it is in recovery');
    if (systemId !== expected.systemId) throw this.#refusal('it belongs to another cluster');
    if (expected.timeline !== null && timeline !== String(expected.timeline)) {
      throw this.#refusal(`it is on timeline ${timeline}, not ${expected.timeline}`);
    }
    if (uuid !== expected.uuid) throw this.#refusal('it is of another epoch');
    if (expected.synchronousCommit !== null && synchronousCommit !== expected.synchronousCommit) {
      throw this.#refusal(`synchronous_commit is ${synchronousCommit} there`);
    }
  }

  #refusal(reason: string, cause?: PgError): PgError {
    const { id, shard } = this.#node;
    const message = `server ${id} is not the primary of shard "${shard}": ${reason}`;
    return new PgError(SqlState.cannotConnectNow, message, { cause });
  }
}
