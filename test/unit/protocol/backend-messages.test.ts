import { PassThrough } from 'node:stream';
import { parse } from 'pg-protocol';
import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import {
  decodeAuthentication,
  encodeAuthenticationCleartextPassword,
  encodeAuthenticationMd5Password,
  encodeAuthenticationOk,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../../../src/protocol/authentication.ts';
import {
  decodeBackendKeyData,
  encodeBackendKeyData,
} from '../../../src/protocol/backend-key-data.ts';
import {
  decodeCommandComplete,
  encodeCommandComplete,
  rowCountOfTag,
} from '../../../src/protocol/command-complete.ts';
import * as constant from '../../../src/protocol/constant-messages.ts';
import { DataRowReader, encodeDataRow } from '../../../src/protocol/data-row.ts';
import {
  decodeErrorFields,
  decodeErrorResponse,
  encodeErrorResponse,
  encodeNoticeResponse,
  isFatal,
} from '../../../src/protocol/error-response.ts';
import { encodeNegotiateProtocolVersion } from '../../../src/protocol/negotiate-protocol-version.ts';
import {
  decodeParameterDescription,
  encodeParameterDescription,
} from '../../../src/protocol/parameter-description.ts';
import {
  decodeParameterStatus,
  encodeParameterStatus,
} from '../../../src/protocol/parameter-status.ts';
import { decodeReadyForQuery, readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
} from '../../../src/protocol/row-description.ts';

/** What pg-protocol reads from our bytes. */
async function parsed(...frames: Buffer[]): Promise<unknown[]> {
  const stream = new PassThrough();
  const messages: unknown[] = [];
  const done = parse(stream, (message) => messages.push(message));
  stream.end(Buffer.concat(frames));
  await done;
  return messages;
}

describe('backend messages, against the parser of pg-protocol', () => {
  it('encodes the messages without a body', async () => {
    const messages = await parsed(
      constant.parseComplete,
      constant.bindComplete,
      constant.closeComplete,
      constant.noData,
      constant.portalSuspended,
      constant.emptyQueryResponse,
      constant.copyDone,
    );
    expect(messages.map((message) => (message as { name: string }).name)).toEqual([
      'parseComplete',
      'bindComplete',
      'closeComplete',
      'noData',
      'portalSuspended',
      'emptyQuery',
      'copyDone',
    ]);
  });

  it('encodes and decodes RowDescription', async () => {
    const fields = [
      {
        name: 'größe',
        tableOid: 4294967295,
        columnNumber: 3,
        typeOid: 23,
        typeSize: -1,
        typeModifier: -1,
        format: 0,
      },
      {
        name: 'b',
        tableOid: 0,
        columnNumber: 0,
        typeOid: 25,
        typeSize: 4,
        typeModifier: 12,
        format: 1,
      },
    ];
    const frame = encodeRowDescription(fields);
    expect(decodeRowDescription(frame, 0, frame.length)).toEqual(fields);
    expect(await parsed(frame)).toMatchObject([
      {
        fieldCount: 2,
        fields: [
          {
            name: 'größe',
            columnID: 3,
            dataTypeID: 23,
            dataTypeSize: -1,
            dataTypeModifier: -1,
            format: 'text',
          },
          { name: 'b', tableID: 0, dataTypeSize: 4, dataTypeModifier: 12, format: 'binary' },
        ],
      },
    ]);
  });

  it('encodes and walks DataRow', async () => {
    const frame = encodeDataRow(['one', null, '', Buffer.from([0xff])]);
    expect((await parsed(encodeDataRow(['one', null, '']))) as object[]).toMatchObject([
      { name: 'dataRow', fields: ['one', null, ''] },
    ]);
    const chunk = Buffer.concat([Buffer.alloc(9), frame]);
    const reader = new DataRowReader();
    reader.open(chunk, 9, chunk.length);
    expect(reader.columnCount).toBe(4);
    const seen: (Buffer | null)[] = [];
    while (reader.next()) {
      const { valueStart, valueLength } = reader;
      seen.push(valueLength < 0 ? null : chunk.subarray(valueStart, valueStart + valueLength));
    }
    expect(seen).toEqual([Buffer.from('one'), null, Buffer.alloc(0), Buffer.from([0xff])]);
    reader.open(chunk, 9, chunk.length);
    expect(reader.seek(3)).toBe(true);
    expect(reader.valueLength).toBe(1);
    expect(reader.seek(4)).toBe(false);
  });

  it('refuses rows that do not hold what they count', () => {
    const frame = encodeDataRow(['one', 'two']);
    const reader = new DataRowReader();
    for (let end = 0; end < frame.length; end++) {
      expect(() => {
        reader.open(frame, 0, end);
        while (reader.next());
      }, `cut at ${end}`).toThrow('malformed row from server');
    }
  });

  it('encodes and decodes ErrorResponse and NoticeResponse', async () => {
    const error = new PgError('42P01', 'relation "x" does not exist', {
      detail: 'd',
      hint: 'h',
      position: 15,
    });
    const frame = encodeErrorResponse(error);
    expect(decodeErrorResponse(frame, 0, frame.length)).toMatchObject({
      sqlState: '42P01',
      message: 'relation "x" does not exist',
      detail: 'd',
      hint: 'h',
      position: 15,
      severity: 'ERROR',
    });
    expect(decodeErrorFields(frame, 0, frame.length).get('V')).toBe('ERROR');
    expect(await parsed(frame)).toMatchObject([
      {
        severity: 'ERROR',
        code: '42P01',
        message: 'relation "x" does not exist',
        detail: 'd',
        hint: 'h',
        position: '15',
      },
    ]);
    const notice = encodeNoticeResponse({
      severity: 'WARNING',
      sqlState: '01000',
      message: 'careful',
    });
    expect(await parsed(notice)).toMatchObject([
      { name: 'notice', severity: 'WARNING', message: 'careful' },
    ]);
    for (let end = 5; end < frame.length; end++) {
      expect(() => decodeErrorFields(frame, 0, end)).toThrow();
    }
  });

  it('knows a fatal error in any language', () => {
    expect(isFatal(new Map([['S', 'FATAL']]))).toBe(true);
    expect(
      isFatal(
        new Map([
          ['S', 'FATAAL'],
          ['V', 'PANIC'],
        ]),
      ),
    ).toBe(true);
    expect(
      isFatal(
        new Map([
          ['S', 'FATAL'],
          ['V', 'ERROR'],
        ]),
      ),
    ).toBe(false);
  });

  it('sends an error whose text holds a NUL', async () => {
    expect(await parsed(encodeErrorResponse(new PgError('XX000', 'a\0b')))).toMatchObject([
      { message: 'ab' },
    ]);
  });

  it('encodes and decodes the small ones', async () => {
    const status = encodeParameterStatus('TimeZone', 'Asia/Seoul');
    const key = encodeBackendKeyData({ backendId: -5, secret: Buffer.from([1, 2, 3, 4]) });
    const tag = encodeCommandComplete('INSERT 0 3');
    const parameters = encodeParameterDescription([23, 25]);
    expect(decodeParameterStatus(status, 0, status.length)).toEqual({
      name: 'TimeZone',
      value: 'Asia/Seoul',
    });
    expect(decodeBackendKeyData(key, 0, key.length)).toEqual({
      backendId: -5,
      secret: Buffer.from([1, 2, 3, 4]),
    });
    expect(decodeCommandComplete(tag, 0, tag.length)).toBe('INSERT 0 3');
    expect(decodeParameterDescription(parameters, 0, parameters.length)).toEqual([23, 25]);
    expect(await parsed(status, key, tag, parameters)).toMatchObject([
      { parameterName: 'TimeZone', parameterValue: 'Asia/Seoul' },
      { processID: -5, secretKey: 0x01020304 },
      { text: 'INSERT 0 3' },
      { dataTypeIDs: [23, 25] },
    ]);
  });

  it('encodes and decodes ReadyForQuery', async () => {
    for (const [status, letter] of [
      ['idle', 'I'],
      ['in-transaction', 'T'],
      ['failed', 'E'],
    ] as const) {
      expect(await parsed(readyForQuery[status])).toMatchObject([{ status: letter }]);
      expect(decodeReadyForQuery(readyForQuery[status], 0, 6)).toBe(status);
    }
    expect(decodeReadyForQuery(Buffer.from([0x5a, 0, 0, 0, 5, 0x58]), 0, 6)).toBeNull();
  });

  it('encodes and decodes what a login asks for', async () => {
    const frames = [
      encodeAuthenticationOk(),
      encodeAuthenticationCleartextPassword(),
      encodeAuthenticationMd5Password(Buffer.from([1, 2, 3, 4])),
      encodeAuthenticationSasl(['SCRAM-SHA-256']),
      encodeAuthenticationSaslContinue('r=x'),
      encodeAuthenticationSaslFinal('v=y'),
    ];
    expect(frames.map((frame) => decodeAuthentication(frame, 0, frame.length))).toEqual([
      { kind: 'ok' },
      { kind: 'cleartext-password' },
      { kind: 'md5-password', salt: Buffer.from([1, 2, 3, 4]) },
      { kind: 'sasl', mechanisms: ['SCRAM-SHA-256'] },
      { kind: 'sasl-continue', message: 'r=x' },
      { kind: 'sasl-final', message: 'v=y' },
    ]);
    expect(await parsed(...frames)).toMatchObject([
      { name: 'authenticationOk' },
      { name: 'authenticationCleartextPassword' },
      { name: 'authenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) },
      { name: 'authenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
      { name: 'authenticationSASLContinue' },
      { name: 'authenticationSASLFinal' },
    ]);
  });

  it('names the version it speaks and the options it does not know', () => {
    const frame = encodeNegotiateProtocolVersion({ minor: 2, unknownOptions: ['_pq_.x'] });
    expect(frame).toEqual(Buffer.from('v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0', 'latin1'));
  });

  it('reads the count of a command tag', () => {
    expect(rowCountOfTag('SELECT 12')).toBe(12);
    expect(rowCountOfTag('INSERT 0 3')).toBe(3);
    expect(rowCountOfTag('BEGIN')).toBe(0);
  });
});
