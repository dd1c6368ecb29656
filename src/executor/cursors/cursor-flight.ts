import { encodeBind } from '../../protocol/bind-message.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeDescribe } from '../../protocol/describe-message.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { Flight } from '../flight.ts';
import { type Reply, ReplyScript } from '../reply-script.ts';
import { serverTypeOids } from '../server-type-oids.ts';
import type { StatementRun } from '../statement-run.ts';

/** The client's own text to the shard, answered in the protocol that it came in. */
export function cursorFlight(run: StatementRun, shard: ShardId, write: boolean): Flight {
  const { planned, padding } = run;
  if (run.describe) return plainFlight(shard, write, [encodeQuery(padding + planned.text)], null);
  return { shard, write, traffic: null, build: unnamedFlight(run) };
}

/** A statement with its values, answered as Execute is. */
export function unnamedFlight(run: StatementRun): Flight['build'] {
  const { planned, parameters, resultFormats } = run;
  const { formats, values } = parameters;
  return (connection) => {
    const typeOids = serverTypeOids(connection, parameters.typeOids);
    // It must know the types of binary rows then.
    const describes = connection.types !== null && resultFormats.includes(1);
    const messages = [
      encodeParse({ name: '', sql: planned.text, typeOids }),
      encodeBind({ portal: '', statement: '', formats, values, resultFormats }),
      ...(describes ? [encodeDescribe({ kind: 'portal', name: '' })] : []),
      encodeExecute({ portal: '', rowsMax: 0 }),
      syncMessage,
    ];
    const unseen = messages.slice(2).map(() => swallow);
    return { messages, script: new ReplyScript([...unseen, forward]) };
  };
}

/** `replies` null: the simple protocol. */
export function plainFlight(
  shard: ShardId,
  write: boolean,
  messages: readonly Buffer[],
  replies: readonly Reply[] | null,
): Flight {
  const script = replies === null ? null : new ReplyScript(replies);
  return { shard, write, traffic: null, build: () => ({ messages, script }) };
}

export const forward: Reply = { kind: 'forward' };
export const swallow: Reply = { kind: 'swallow', prepared: null };
