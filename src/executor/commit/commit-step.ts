import { decodeCommandComplete } from '../../protocol/command-complete.ts';
import { encodeErrorResponse } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { type InternalOutcome, internalExchange } from '../internal-exchange.ts';
import type { Participant } from '../transaction/participant.ts';
import { rolledBack } from './commit-errors.ts';
import { isInterruptedWait } from './interrupted-wait.ts';

/** `tag`: what the server says when it has done it, the row count left out. */
export type CommitOrder = {
  readonly participant: Participant;
  readonly sql: string;
  readonly tag: string;
};

/** `error` also when the server has done something else, as when it rolls back on COMMIT. */
export type CommitAnswer = {
  readonly participant: Participant;
  readonly outcome: InternalOutcome;
  /** False: see isInterruptedWait. */
  readonly isReplicated: boolean;
};

/**
 * Sends all at once; `done` with the answers in the same order when the last one is there.
 * `onNotice`: notices and ParameterStatus, valid in the call.
 */
export function takeStep(
  orders: readonly CommitOrder[],
  onNotice: (chunk: Buffer, start: number, end: number) => void,
  done: (answers: readonly CommitAnswer[]) => void,
): void {
  const answers: CommitAnswer[] = [];
  let waiting = orders.length;
  for (const [index, order] of orders.entries()) {
    const { participant, sql } = order;
    let tag = '';
    let isReplicated = true;
    const exchange = internalExchange(
      (outcome) => {
        answers[index] = { participant, outcome: checked(order, outcome, tag), isReplicated };
        waiting -= 1;
        if (waiting === 0) done(answers);
      },
      (code, chunk, start, end) => {
        if (code === BackendCode.commandComplete) tag = decodeCommandComplete(chunk, start, end);
        else if (isInterruptedWait(code, chunk, start, end)) isReplicated = false;
        else if (isForClient(code)) onNotice(chunk, start, end);
      },
    );
    participant.connection.send(exchange, [encodeQuery(sql)]);
  }
}

function checked(order: CommitOrder, outcome: InternalOutcome, tag: string): InternalOutcome {
  if (outcome.kind !== 'ready' || tag.startsWith(order.tag)) return outcome;
  const { status } = outcome;
  return { kind: 'error', status, frame: encodeErrorResponse(rolledBack(order.participant.shard)) };
}

function isForClient(code: number): boolean {
  return code === BackendCode.noticeResponse || code === BackendCode.parameterStatus;
}
