import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as authentication from '../../../src/protocol/authentication.ts';
import {
  decodeBackendKeyData,
  encodeBackendKeyData,
} from '../../../src/protocol/backend-key-data.ts';
import { decodeBind, encodeBind } from '../../../src/protocol/bind-message.ts';
import { decodeClose, encodeClose } from '../../../src/protocol/close-message.ts';
import {
  decodeCommandComplete,
  encodeCommandComplete,
} from '../../../src/protocol/command-complete.ts';
import { decodeTextRow, encodeDataRow } from '../../../src/protocol/data-row.ts';
import { decodeDescribe, encodeDescribe } from '../../../src/protocol/describe-message.ts';
import {
  decodeErrorFields,
  decodeErrorResponse,
  encodeErrorFields,
} from '../../../src/protocol/error-response.ts';
import { decodeExecute, encodeExecute } from '../../../src/protocol/execute-message.ts';
import { BackendCode } from '../../../src/protocol/message-code.ts';
import {
  decodeParameterDescription,
  encodeParameterDescription,
} from '../../../src/protocol/parameter-description.ts';
import {
  decodeParameterStatus,
  encodeParameterStatus,
} from '../../../src/protocol/parameter-status.ts';
import { decodeParse, encodeParse } from '../../../src/protocol/parse-message.ts';
import { decodeQuery, encodeQuery } from '../../../src/protocol/query-message.ts';
import { decodeReadyForQuery, readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import {
  decodeRowDescription,
  encodeRowDescription,
} from '../../../src/protocol/row-description.ts';
import {
  type TypeTranslation,
  translateDataRow,
  translateParameterDescription,
  translateRowDescription,
} from '../../../src/protocol/type-translation.ts';
import { anyBytes, anyName, anyOid, anyValue, damaged, outcome } from '../../support/properties.ts';

type Decode = (bytes: Buffer, start: number, end: number) => unknown;
type Kind = {
  readonly name: string;
  readonly decode: Decode;
  /** Messages, and what is to be read from each; undefined: the test only asks for a PgError. */
  readonly messages: fc.Arbitrary<{ readonly bytes: Buffer; readonly meant: unknown }>;
};

function kind<Meant>(
  name: string,
  decode: Decode,
  meant: fc.Arbitrary<Meant>,
  encode: (value: Meant) => Buffer,
): Kind {
  const messages = meant.map((value) => ({ bytes: encode(value), meant: value }));
  return { name, decode, messages };
}

const target = fc.record({ kind: fc.constantFrom('statement', 'portal'), name: anyName });
const formats = fc.array(fc.constantFrom(0, 1), { maxLength: 5 });
const bind = fc
  .record({
    portal: anyName,
    statement: anyName,
    values: fc.array(anyValue, { maxLength: 6 }),
    resultFormats: formats,
  })
  .chain((message) =>
    fc
      .array(fc.constantFrom(0, 1), {
        minLength: message.values.length,
        maxLength: message.values.length,
      })
      .map((list) => ({ ...message, formats: list })),
  );
const field = fc.record({
  name: anyName,
  tableOid: anyOid,
  columnNumber: fc.integer({ min: -0x8000, max: 0x7fff }),
  typeOid: anyOid,
  typeSize: fc.integer({ min: -0x8000, max: 0x7fff }),
  typeModifier: fc.integer({ min: -1, max: 0x7fff_ffff }),
  format: fc.constantFrom(0, 1),
});
const errorFields = fc
  .array(fc.tuple(fc.constantFrom('S', 'V', 'C', 'M', 'D', 'H', 'P', 'n', 't'), anyName))
  .map((pairs) => new Map(pairs));
const secret = fc.uint8Array({ minLength: 4, maxLength: 256 }).map((bytes) => Buffer.from(bytes));

const kinds: readonly Kind[] = [
  kind('Query', decodeQuery, anyName, encodeQuery),
  kind(
    'Parse',
    (bytes, start, end) => {
      const { name, sql, typeOids } = decodeParse(bytes, start, end);
      return { name, sql, typeOids };
    },
    fc.record({ name: anyName, sql: anyName, typeOids: fc.array(anyOid, { maxLength: 6 }) }),
    encodeParse,
  ),
  kind(
    'Bind',
    (bytes, start, end) => {
      const { tail: _, ...message } = decodeBind(bytes, start, end);
      return message;
    },
    bind,
    encodeBind,
  ),
  kind('Describe', decodeDescribe, target, encodeDescribe),
  kind('Close', decodeClose, target, encodeClose),
  kind(
    'Execute',
    decodeExecute,
    fc.record({ portal: anyName, rowsMax: fc.nat(0x7fff_ffff) }),
    encodeExecute,
  ),
  kind('PasswordMessage', authentication.decodePassword, anyName, authentication.encodePassword),
  kind(
    'SASLInitialResponse',
    authentication.decodeSaslInitialResponse,
    fc.record({ mechanism: anyName, response: anyName }),
    ({ mechanism, response }) => authentication.encodeSaslInitialResponse(mechanism, response),
  ),
  kind(
    'SASLResponse',
    authentication.decodeSaslResponse,
    anyName,
    authentication.encodeSaslResponse,
  ),
  kind(
    'AuthenticationSASLContinue',
    authentication.decodeAuthentication,
    anyName.map((message) => ({ kind: 'sasl-continue' as const, message })),
    ({ message }) => authentication.encodeAuthenticationSaslContinue(message),
  ),
  kind(
    'AuthenticationSASL',
    authentication.decodeAuthentication,
    fc
      .array(
        anyName.filter((name) => name !== ''),
        { minLength: 1, maxLength: 3 },
      )
      .map((mechanisms) => ({ kind: 'sasl' as const, mechanisms })),
    ({ mechanisms }) => authentication.encodeAuthenticationSasl(mechanisms),
  ),
  kind(
    'BackendKeyData',
    decodeBackendKeyData,
    fc.record({ backendId: fc.integer(), secret }),
    encodeBackendKeyData,
  ),
  kind('CommandComplete', decodeCommandComplete, anyName, encodeCommandComplete),
  kind(
    'ParameterStatus',
    decodeParameterStatus,
    fc.record({ name: anyName, value: anyName }),
    ({ name, value }) => encodeParameterStatus(name, value),
  ),
  kind(
    'ParameterDescription',
    decodeParameterDescription,
    fc.array(anyOid, { maxLength: 8 }),
    encodeParameterDescription,
  ),
  kind(
    'RowDescription',
    decodeRowDescription,
    fc.array(field, { maxLength: 5 }),
    encodeRowDescription,
  ),
  kind('DataRow', decodeTextRow, fc.array(fc.option(anyName), { maxLength: 6 }), encodeDataRow),
  kind('ErrorResponse', decodeErrorFields, errorFields, (fields) =>
    encodeErrorFields(BackendCode.errorResponse, fields),
  ),
];

/** In the middle of a chunk, whose other bytes must not be read. */
function within(frame: Buffer, before: Buffer, after: Buffer) {
  const bytes = Buffer.concat([before, frame, after]);
  return { bytes, start: before.length, end: before.length + frame.length };
}

describe.each(kinds)('$name', ({ decode, messages }) => {
  it('is read as it was written, wherever it lies in a chunk', () => {
    fc.assert(
      fc.property(messages, anyBytes, anyBytes, ({ bytes, meant }, before, after) => {
        const chunk = within(bytes, before, after);
        expect(decode(chunk.bytes, chunk.start, chunk.end)).toEqual(meant);
      }),
      { numRuns: 100 },
    );
  });

  it('that is damaged is read by its own bytes alone, or refused', () => {
    const bytes = damaged(messages.map((message) => message.bytes)).filter(
      ({ length }) => length >= 5,
    );
    fc.assert(
      fc.property(bytes, anyBytes, anyBytes, (frame, before, after) => {
        const alone = outcome(() => decode(frame, 0, frame.length));
        const chunk = within(frame, before, after);
        expect(outcome(() => decode(chunk.bytes, chunk.start, chunk.end))).toEqual(alone);
      }),
      { numRuns: 150 },
    );
  });
});

describe('what a server says', () => {
  const answers = fc.oneof(...kinds.map(({ messages }) => messages.map(({ bytes }) => bytes)));
  const frames = fc.oneof(damaged(answers), anyBytes).filter(({ length }) => length >= 7);
  const types: TypeTranslation = {
    toHome: new Map([0, 1, 2, 3, 0x0101_0101].map((oid) => [oid, oid + 1])),
    toServer: new Map(),
    parts: new Map([
      [0, { kind: 'array' }],
      [1, { kind: 'record' }],
      [2, { kind: 'range', of: 1 }],
      [3, { kind: 'multirange', of: 2 }],
      [4, { kind: 'domain', of: 0 }],
    ]),
  };

  it('of an error is a PgError whatever it is', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        outcome(() => decodeErrorResponse(frame, 0, frame.length));
        expect(decodeReadyForQuery(frame, 0, frame.length)).toSatisfy(
          (status) => status === null || status in readyForQuery,
        );
      }),
    );
  });

  it('of types is translated within its own bytes', () => {
    const inner = fc.array(fc.nat(5), { maxLength: 4 });
    fc.assert(
      fc.property(frames, inner, anyBytes, (frame, oids, other) => {
        for (const translate of [
          (bytes: Buffer, start: number, end: number) =>
            translateRowDescription(types, bytes, start, end),
          (bytes: Buffer, start: number, end: number) =>
            translateParameterDescription(types, bytes, start, end),
          (bytes: Buffer, start: number, end: number) =>
            translateDataRow(types, oids, { bytes, start, end }),
        ]) {
          const { bytes, start, end } = within(frame, other, other);
          outcome(() => translate(bytes, start, end));
          expect(bytes.subarray(0, start)).toEqual(other);
          expect(bytes.subarray(end)).toEqual(other);
        }
      }),
    );
  });
});
