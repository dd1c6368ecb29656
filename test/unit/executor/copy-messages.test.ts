import { describe, expect, it } from 'vitest';
import { copyError, skippedRow, skippedRows } from '../../../src/executor/copy/copy-messages.ts';
import { SentLines } from '../../../src/executor/copy/sent-lines.ts';
import { decodeErrorFields, encodeErrorFields } from '../../../src/protocol/error-response.ts';
import { BackendCode } from '../../../src/protocol/message-code.ts';

const plusTen = (line: number) => line + 10;

function errorWith(context: string): Buffer {
  const fields = new Map([
    ['C', '22P02'],
    ['M', 'wrong'],
    ['W', context],
  ]);
  return encodeErrorFields(BackendCode.errorResponse, fields);
}

function moved(context: string): readonly [string | undefined, number | null] {
  const { frame, line } = copyError(errorWith(context), 't1', plusTen);
  return [decodeErrorFields(frame, 0, frame.length).get('W'), line];
}

describe('what servers say of lines', () => {
  it('is told with the line of the client, in any language', () => {
    expect(moved('COPY t1, line 3, column c: "COPY t1, line 4"')).toEqual([
      'COPY t1, line 13, column c: "COPY t1, line 4"',
      13,
    ]);
    expect(moved('COPY t1, Zeile 3')).toEqual(['COPY t1, Zeile 13', 13]);
    expect(moved('PL/pgSQL function f() line 7 at RAISE\nCOPY t1, line 3: "x\ny"')).toEqual([
      'PL/pgSQL function f() line 7 at RAISE\nCOPY t1, line 13: "x\ny"',
      13,
    ]);
    expect(moved('SQL statement "SELECT 1"')).toEqual(['SQL statement "SELECT 1"', null]);
  });

  it('names the row that was left out, and counts them', () => {
    const fields = new Map([
      ['M', 'skipping row due to data type incompatibility at line 3 for column "c": "x9"'],
      ['W', 'COPY t1'],
    ]);
    const told = skippedRow(fields, plusTen);
    expect([told?.line, told?.context]).toEqual([13, ', column c: "x9"']);
    expect(
      skippedRows(new Map([['M', '12 rows were skipped due to data type incompatibility']])),
    ).toBe(12);
    expect(skippedRows(fields)).toBe(null);
  });
});

describe('lines that were sent', () => {
  it('are found by the number that the server has for them', () => {
    const lines = new SentLines();
    lines.head(2, 10);
    for (let row = 1; row <= 2000; row++) lines.add(row % 3 === 0 ? 2 : 1, 2 + 10 * row, 10);
    expect([1, 2, 3, 4, 5, 6, 7].map((line) => lines.clientLine(line))).toEqual([
      1, 2, 12, 22, 32, 32, 42,
    ]);
    expect(lines.clientLine(10_000)).toBe(null);
  });

  it('are forgotten when they must have been read long ago', () => {
    const lines = new SentLines();
    for (let row = 1; row <= 4096; row++) lines.add(1, 3 * row, 32 * 1024);
    expect(lines.clientLine(4096)).toBe(3 * 4096);
    expect(lines.clientLine(3200)).toBe(3 * 3200);
    expect(lines.clientLine(1)).not.toBe(3);
  });
});
