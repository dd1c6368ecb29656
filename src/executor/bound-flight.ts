import type { ServerConnection } from '../backend/server-connection.ts';
import { encodeBind } from '../protocol/bind-message.ts';
import { encodeClose } from '../protocol/close-message.ts';
import { syncMessage } from '../protocol/constant-messages.ts';
import { encodeDescribe } from '../protocol/describe-message.ts';
import { encodeExecute } from '../protocol/execute-message.ts';
import { encodeParse } from '../protocol/parse-message.ts';
import type { Flight } from './flight.ts';
import { type Reply, ReplyScript } from './reply-script.ts';
import { serverTypeOids } from './server-type-oids.ts';
import type { StatementRun } from './statement-run.ts';

const swallow: Reply = { kind: 'swallow', prepared: null };

/**
 * A statement with the values of its EXECUTE, under its name on every server. Of the messages of
 * the extended protocol the client sees those that belong to the answer of a query.
 */
export function boundFlight(run: StatementRun, serverName: string): Flight['build'] {
  const { planned, parameters, resultFormats, describe } = run;
  return (connection: ServerConnection) => {
    const messages: Buffer[] = [];
    const replies: Reply[] = [];
    if (!connection.hasPrepared(serverName)) {
      const evicted = connection.notePrepared(serverName);
      if (evicted !== null) {
        messages.push(encodeClose({ kind: 'statement', name: evicted }));
        replies.push({ kind: 'swallow-close' });
      }
      const typeOids = serverTypeOids(connection, parameters.typeOids);
      messages.push(encodeParse({ name: serverName, sql: planned.text, typeOids }));
      replies.push({ kind: 'swallow', prepared: serverName });
    }
    const { formats, values } = parameters;
    messages.push(
      encodeBind({ portal: '', statement: serverName, formats, values, resultFormats }),
      // In the extended protocol the server still has to know the types of binary rows.
      encodeDescribe({ kind: 'portal', name: '' }),
      encodeExecute({ portal: '', rowsMax: 0 }),
      syncMessage,
    );
    replies.push(swallow, describe ? { kind: 'forward-rows' } : swallow, { kind: 'forward' });
    return { messages, script: new ReplyScript(replies) };
  };
}
