import { decodeBind, encodeBind } from '../../src/protocol/bind-message.ts';
import { decodeClose, encodeClose } from '../../src/protocol/close-message.ts';
import { copyDone, flushMessage, syncMessage } from '../../src/protocol/constant-messages.ts';
import { DataRowReader } from '../../src/protocol/data-row.ts';
import { decodeDescribe, encodeDescribe } from '../../src/protocol/describe-message.ts';
import { decodeErrorFields } from '../../src/protocol/error-response.ts';
import { decodeExecute, encodeExecute } from '../../src/protocol/execute-message.ts';
import { MessageWriter } from '../../src/protocol/message-writer.ts';
import { decodeParameterDescription } from '../../src/protocol/parameter-description.ts';
import { decodeParse, encodeParse } from '../../src/protocol/parse-message.ts';
import { decodeQuery, encodeQuery } from '../../src/protocol/query-message.ts';
import { decodeRowDescription } from '../../src/protocol/row-description.ts';

// Messages as a person writes them: `Bind "portal" "statement" "value" NULL`, `Execute "" 10`.

/** Cuts `Parse "s" "a, b", Sync` at the commas between messages, each into its words. */
export function splitMessages(line: string): readonly (readonly string[])[] {
  const messages: string[][] = [[]];
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"|,|[^\s,"]+/g)) {
    if (token === ',') messages.push([]);
    else messages.at(-1)?.push(token);
  }
  return messages;
}

function text(word: string | undefined): string {
  return word === undefined ? '' : String(JSON.parse(word));
}

/** A client's message from its words. */
export function encodeClientMessage([name, ...words]: readonly string[]): Buffer {
  const [first, second, ...more] = words;
  switch (name) {
    case 'Query':
      return encodeQuery(text(first));
    case 'Parse':
      return encodeParse({ name: text(first), sql: text(second), typeOids: more.map(Number) });
    case 'Bind':
      return encodeBind({
        portal: text(first),
        statement: text(second),
        formats: [],
        values: more.map((word) => (word === 'NULL' ? null : text(word))),
        resultFormats: [],
      });
    case 'Describe':
    case 'Close': {
      const encode = name === 'Close' ? encodeClose : encodeDescribe;
      return encode({ kind: first === 'portal' ? 'portal' : 'statement', name: text(second) });
    }
    case 'Execute':
      return encodeExecute({ portal: text(first), rowsMax: Number(second ?? 0) });
    case 'Sync':
      return syncMessage;
    case 'Flush':
      return flushMessage;
    case 'CopyData':
      return new MessageWriter().begin(0x64).text(text(first)).end().take();
    case 'CopyDone':
      return copyDone;
    case 'CopyFail':
      return new MessageWriter().begin(0x66).cString(text(first)).end().take();
    case 'FunctionCall':
      return new MessageWriter().begin(0x46).int32(1).end().take();
    case 'Terminate':
      return Buffer.from([0x58, 0, 0, 0, 4]);
    case 'Bytes':
      return Buffer.from(words.join(''), 'hex');
    default:
      throw new Error(`no such message: ${name}`);
  }
}

const clientNames: { readonly [code: string]: string } = {
  S: 'Sync',
  H: 'Flush',
  c: 'CopyDone',
  X: 'Terminate',
  F: 'FunctionCall',
};

/** A message from a client as text. */
export function clientMessageText(frame: Buffer): string {
  const code = String.fromCharCode(frame[0] ?? 0);
  const end = frame.length;
  switch (code) {
    case 'Q':
      return queryText(decodeQuery(frame, 0, end));
    case 'P': {
      const { name, sql, typeOids } = decodeParse(frame, 0, end);
      return ['Parse', JSON.stringify(name), JSON.stringify(sql), ...typeOids].join(' ');
    }
    case 'B': {
      const { portal, statement, values } = decodeBind(frame, 0, end);
      const shown = values.map((value) =>
        value === null ? 'NULL' : JSON.stringify(value.toString()),
      );
      return ['Bind', JSON.stringify(portal), JSON.stringify(statement), ...shown].join(' ');
    }
    case 'D':
    case 'C': {
      const { kind, name } =
        code === 'D' ? decodeDescribe(frame, 0, end) : decodeClose(frame, 0, end);
      return `${code === 'D' ? 'Describe' : 'Close'} ${kind} ${JSON.stringify(name)}`;
    }
    case 'E': {
      const { portal, rowsMax } = decodeExecute(frame, 0, end);
      return `Execute ${JSON.stringify(portal)}${rowsMax === 0 ? '' : ` ${rowsMax}`}`;
    }
    case 'd':
      return `CopyData ${JSON.stringify(frame.toString('utf8', 5))}`;
    case 'f':
      return `CopyFail ${JSON.stringify(frame.toString('utf8', 5, end - 1))}`;
    default:
      return clientNames[code] ?? `?${code}`;
  }
}

const serverNames: { readonly [code: string]: string } = {
  '1': 'ParseComplete',
  '2': 'BindComplete',
  '3': 'CloseComplete',
  n: 'NoData',
  s: 'PortalSuspended',
  I: 'EmptyQueryResponse',
  G: 'CopyInResponse',
  H: 'CopyOutResponse',
  c: 'CopyDone',
  K: 'BackendKeyData',
};

/** A message from a server as text; cancel keys are not shown. */
export function serverMessageText(frame: Buffer): string {
  const code = String.fromCharCode(frame[0] ?? 0);
  const end = frame.length;
  switch (code) {
    case 'Z':
      return `ReadyForQuery ${String.fromCharCode(frame[5] ?? 0)}`;
    case 'C':
      return `CommandComplete ${frame.toString('utf8', 5, end - 1)}`;
    case 'E':
    case 'N': {
      const fields = decodeErrorFields(frame, 0, end);
      const name = code === 'E' ? 'ErrorResponse' : 'NoticeResponse';
      const severity = fields.get('V') === 'FATAL' ? 'FATAL ' : '';
      const place = fields.has('P') ? ` at ${fields.get('P')}` : '';
      return `${name} ${severity}${fields.get('C')} "${fields.get('M')}"${place}`;
    }
    case 'T':
      return `RowDescription ${decodeRowDescription(frame, 0, end)
        .map((field) => field.name)
        .join(' ')}`;
    case 't':
      return ['ParameterDescription', ...decodeParameterDescription(frame, 0, end)].join(' ');
    case 'D':
      return `DataRow ${rowText(frame)}`;
    case 'S': {
      const [name = '', value = ''] = frame.toString('utf8', 5, end - 1).split('\0');
      return `ParameterStatus ${name}=${value}`;
    }
    case 'd':
      return `CopyData ${JSON.stringify(frame.toString('utf8', 5))}`;
    case 'R':
      return frame.readInt32BE(5) === 0 ? 'AuthenticationOk' : 'AuthenticationSASL';
    default:
      return serverNames[code] ?? `?${code}`;
  }
}

function rowText(frame: Buffer): string {
  const reader = new DataRowReader();
  reader.open(frame, 0, frame.length);
  const values: string[] = [];
  while (reader.next()) {
    const { valueStart, valueLength } = reader;
    values.push(
      valueLength < 0 ? 'NULL' : frame.toString('utf8', valueStart, valueStart + valueLength),
    );
  }
  return values.join(' | ');
}

function queryText(sql: string): string {
  return asksCatalogue(sql) ? 'Query of the catalogue' : `Query ${JSON.stringify(sql)}`;
}

/** What a transaction asks after it has changed tables: there are none. */
export function asksCatalogue(sql: string): boolean {
  return / as answer\s+from /i.test(sql);
}
