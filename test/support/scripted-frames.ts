import { PgError } from '../../src/base/pg-error.ts';
import { encodeCommandComplete } from '../../src/protocol/command-complete.ts';
import { encodeDataRow } from '../../src/protocol/data-row.ts';
import { encodeErrorResponse, encodeNoticeResponse } from '../../src/protocol/error-response.ts';
import { MessageWriter } from '../../src/protocol/message-writer.ts';
import { encodeParameterDescription } from '../../src/protocol/parameter-description.ts';
import { encodeParameterStatus } from '../../src/protocol/parameter-status.ts';
import { encodeRowDescription } from '../../src/protocol/row-description.ts';

/** Text columns: `value`, and one for each that pgweave adds to the statement. */
export function madeUpDescription(sql: string): Buffer {
  return encodeRowDescription(
    madeUpColumns(sql).map((name) => ({
      name,
      tableOid: 0,
      columnNumber: 0,
      typeOid: 25,
      typeSize: -1,
      typeModifier: -1,
      format: 0,
    })),
  );
}

/** The same text in each column. */
export function madeUpRow(sql: string, text: string): Buffer {
  return encodeDataRow(madeUpColumns(sql).map(() => text));
}

function madeUpColumns(sql: string): readonly string[] {
  return ['value', ...[...sql.matchAll(/AS (__pgweave_\d+)/g)].map(([, name = '']) => name)];
}

/** CopyInResponse (0x47) or CopyOutResponse (0x48) for one text column. */
export function copyFormat(code: number): Buffer {
  return new MessageWriter().begin(code).int8(0).int16(1).int16(0).end().take();
}

export function copyRow(text: string): Buffer {
  return new MessageWriter().begin(0x64).text(text).end().take();
}

/** What answers with a tag alone, by its first word. */
export const tags: { readonly [word: string]: string } = {
  insert: 'INSERT 0 1',
  update: 'UPDATE 1',
  delete: 'DELETE 1',
  savepoint: 'SAVEPOINT',
  release: 'RELEASE',
  create: 'CREATE TABLE',
  move: 'MOVE 1',
};

export const madeUpNotice = encodeNoticeResponse({
  severity: 'NOTICE',
  sqlState: '00000',
  message: 'made up',
});

/** All parameters of the text are text. */
export function madeUpParameters(sql: string): Buffer {
  const numbers = [...sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
  return encodeParameterDescription(new Array<number>(Math.max(0, ...numbers)).fill(25));
}

/** What a server reports when SET changes what it reports. */
export function settingStatus(sql: string): Buffer | null {
  const [, name = '', value = ''] =
    /^\w+\s+(?:local\s+|session\s+)?"?([\w.]+)"?\s*(?:=|to)?\s*(.*)$/i.exec(sql) ?? [];
  if (!/^application_name$/i.test(name)) return null;
  return encodeParameterStatus('application_name', value.replaceAll("'", ''));
}

export function declaredCursor(sql: string): { readonly name: string; readonly query: string } {
  const [, name = '', query = ''] = /^\w+\s+(\w+).*?\bfor\s+(.*)$/is.exec(sql) ?? [];
  return { name, query };
}

export function rowsComplete(sql: string, count: number): Buffer {
  return encodeCommandComplete(`${/^\s*fetch/i.test(sql) ? 'FETCH' : 'SELECT'} ${count}`);
}

export function errorFrame(code: string, message: string, severity?: 'FATAL'): Buffer {
  return encodeErrorResponse(
    new PgError(code, message, severity === undefined ? {} : { severity }),
  );
}

type Status = 'idle' | 'in-transaction' | 'failed';

/** What COMMIT, ROLLBACK, PREPARE TRANSACTION, COMMIT PREPARED and so on do, as PostgreSQL has it. */
export function endOfTransaction(
  sql: string,
  status: Status,
): { readonly tag: string; readonly status: Status } {
  const [word = ''] = /\w+/.exec(sql) ?? [];
  const isRollback = /rollback/i.test(word);
  if (/^\s*\w+ prepared\b/i.test(sql)) return { tag: `${word.toUpperCase()} PREPARED`, status };
  if (/^\s*rollback\b.*\bto\b/i.test(sql)) return { tag: 'ROLLBACK', status: 'in-transaction' };
  const isPrepare = /prepare/i.test(word);
  if (isRollback || status === 'failed' || (isPrepare && status === 'idle')) {
    return { tag: 'ROLLBACK', status: 'idle' };
  }
  return { tag: isPrepare ? 'PREPARE TRANSACTION' : 'COMMIT', status: 'idle' };
}
