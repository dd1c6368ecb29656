import { expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { ShardStream } from '../../../src/executor/merge/shard-stream.ts';
import { syncMessage } from '../../../src/protocol/constant-messages.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { FakeConnection } from './fake-connection.ts';

it('ends when the server gives up a portal that was to be opened only, cancelled meanwhile', () => {
  const seen: string[] = [];
  const stream = new ShardStream({
    described: () => seen.push('described'),
    rowsWanted: () => 1,
    progressed: () => seen.push('progressed'),
    failed: () => seen.push('failed'),
    ended: () => seen.push('ended'),
    notice: () => seen.push('notice'),
  });
  const connection = new FakeConnection('a');
  const messages = { first: [syncMessage], portal: 'p', firstRows: null };
  stream.open(connection, () => seen.push('released'), messages);
  stream.discard('cancel');
  connection.deliver(encodeErrorResponse(new PgError('57014', 'canceling statement')));
  connection.ready('failed');
  expect(connection.cancelled).toEqual([stream]);
  expect(stream.hasEnded).toBe(true);
  expect(seen.filter((event) => event !== 'progressed')).toEqual(['released', 'ended']);
});
