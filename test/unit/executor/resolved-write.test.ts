import { beforeEach, describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import type { CommitQuestion } from '../../../src/cluster/transactions/commit-question.ts';
import type { TransactionOutcome } from '../../../src/cluster/transactions/transaction-outcome.ts';
import { ResolvedWrite, type WriteEnd } from '../../../src/executor/commit/resolved-write.ts';
import { encodeCommandComplete } from '../../../src/protocol/command-complete.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { FakeConnection } from './fake-connection.ts';

const lost = new PgError('08006', 'the connection was lost');
const inserted = encodeCommandComplete('INSERT 0 1');

let connection: FakeConnection;
let passed: Buffer[];
let asked: (string | null)[];
let ends: WriteEnd[];
let landings: number;

function start(outcome: TransactionOutcome | null): void {
  const node = connection.node;
  const question: CommitQuestion = {
    shard: 'a' as ShardId,
    node: node.id,
    epoch: 1,
    startedAt: '1',
    xid: null,
  };
  new ResolvedWrite({
    connection,
    question,
    messages: [encodeQuery('insert')],
    script: null,
    output: {
      write: (bytes, from, to) => passed.push(Buffer.from(bytes.subarray(from, to))),
      push: (frame) => passed.push(frame),
      flush: () => {},
      writable: true,
      unsentBytes: 0,
      onDrain: () => {},
    },
    ask: async ({ xid }) => {
      asked.push(xid);
      return outcome;
    },
    onError: () => {},
    onLanded: () => {
      landings += 1;
    },
    done: (end) => ends.push(end),
  }).start();
}

function sent(): readonly string[] {
  return connection.messages.map((message) => message.toString('utf8', 5, message.length - 1));
}

function tellId(): void {
  connection.deliver(encodeCommandComplete('BEGIN'));
  connection.deliver(encodeDataRow([Buffer.from('77')]), encodeCommandComplete('SELECT 1'));
  connection.ready('in-transaction');
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

beforeEach(() => {
  connection = new FakeConnection('a');
  [passed, asked, ends, landings] = [[], [], [], 0];
});

describe('a write in a block of its own', () => {
  it('sends COMMIT as soon as the ID is known, while the statement runs', () => {
    start(null);
    expect(sent()).toEqual(['BEGIN; SELECT pg_catalog.pg_current_xact_id()', 'insert']);
    tellId();
    expect(sent()).toHaveLength(3);
    expect(sent()[2]).toBe('COMMIT');
  });

  it('is answered when it is committed, not before', () => {
    start(null);
    tellId();
    connection.deliver(inserted);
    connection.ready('in-transaction');
    expect(passed).toEqual([]);
    connection.deliver(encodeCommandComplete('COMMIT'));
    connection.ready();
    expect(passed).toEqual([inserted]);
    expect([ends, landings]).toEqual([[{ kind: 'done', ok: true }], 1]);
  });

  it('is certainly not done when its connection ends before the ID is known', async () => {
    start('committed');
    connection.lose(lost);
    await settle();
    expect([asked, ends, landings]).toEqual([[], [{ kind: 'undone', cause: lost }], 1]);
  });

  it('is asked about by its ID when its connection ends later', async () => {
    start('committed');
    tellId();
    connection.deliver(inserted);
    connection.ready('in-transaction');
    connection.lose(lost);
    await settle();
    expect([asked, passed, landings]).toEqual([['77'], [inserted], 1]);
    expect(ends).toEqual([{ kind: 'done', ok: true }]);
  });

  it('says so when nobody knows', async () => {
    start(null);
    tellId();
    connection.lose(lost);
    await settle();
    expect(ends).toMatchObject([{ kind: 'failed', error: { sqlState: '08007' } }]);
    expect(passed).toEqual([]);
  });

  it('claims no success without the answer that goes with it', async () => {
    start('committed');
    tellId();
    connection.lose(lost);
    await settle();
    expect(ends).toMatchObject([
      {
        kind: 'failed',
        error: {
          sqlState: '08007',
          detail: 'The statement has been committed. the connection was lost',
        },
      },
    ]);
    expect(passed).toEqual([]);
  });

  it('fails with the reason for which its block could not be opened', () => {
    start(null);
    const refusal = encodeErrorResponse(new PgError('57014', 'canceling statement'));
    connection.deliver(encodeCommandComplete('BEGIN'), refusal);
    connection.ready('failed');
    connection.deliver(encodeErrorResponse(new PgError('25P02', 'aborted')));
    connection.ready('failed');
    expect(sent()[2]).toBe('COMMIT');
    connection.deliver(encodeCommandComplete('ROLLBACK'));
    connection.ready();
    expect(ends).toEqual([{ kind: 'failed', error: { frame: refusal } }]);
    expect(passed).toEqual([]);
  });
});
