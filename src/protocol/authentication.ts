import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { BackendCode, FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** What a server asks for during the login: the messages with code `R`. */
export type AuthenticationRequest =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartext-password' }
  | { readonly kind: 'md5-password'; readonly salt: Buffer }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'sasl-continue'; readonly message: string }
  | { readonly kind: 'sasl-final'; readonly message: string }
  /** Kerberos, GSSAPI, SSPI: `method` is the protocol's number for it. */
  | { readonly kind: 'unsupported'; readonly method: number };

const okMethod = 0;
const cleartextMethod = 3;
const md5Method = 5;
const saslMethod = 10;
const saslContinueMethod = 11;
const saslFinalMethod = 12;

/** Copies what it returns. Throws PgError 08P01. */
export function decodeAuthentication(
  bytes: Buffer,
  start: number,
  end: number,
): AuthenticationRequest {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const method = cursor.int32();
  switch (method) {
    case okMethod:
      return { kind: 'ok' };
    case cleartextMethod:
      return { kind: 'cleartext-password' };
    case md5Method:
      return { kind: 'md5-password', salt: Buffer.from(cursor.view(4)) };
    case saslMethod:
      return { kind: 'sasl', mechanisms: readMechanisms(cursor) };
    case saslContinueMethod:
      return { kind: 'sasl-continue', message: readRest(cursor) };
    case saslFinalMethod:
      return { kind: 'sasl-final', message: readRest(cursor) };
    default:
      return { kind: 'unsupported', method };
  }
}

export function encodeAuthenticationOk(): Buffer {
  return begin(okMethod).end().take();
}

export function encodeAuthenticationCleartextPassword(): Buffer {
  return begin(cleartextMethod).end().take();
}

export function encodeAuthenticationMd5Password(salt: Buffer): Buffer {
  return begin(md5Method).bytes(salt).end().take();
}

export function encodeAuthenticationSasl(mechanisms: readonly string[]): Buffer {
  const writer = begin(saslMethod);
  for (const mechanism of mechanisms) writer.cString(mechanism);
  return writer.int8(0).end().take();
}

export function encodeAuthenticationSaslContinue(message: string): Buffer {
  return begin(saslContinueMethod).text(message).end().take();
}

export function encodeAuthenticationSaslFinal(message: string): Buffer {
  return begin(saslFinalMethod).text(message).end().take();
}

/** A client's PasswordMessage: the password, or its md5 answer. Throws PgError 08P01. */
export function decodePassword(bytes: Buffer, start: number, end: number): string {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const password = cursor.string();
  cursor.finish();
  return password;
}

/** `response` is null when the client waits to be asked. */
export type SaslInitialResponse = { readonly mechanism: string; readonly response: string | null };

/** Throws PgError 08P01. */
export function decodeSaslInitialResponse(
  bytes: Buffer,
  start: number,
  end: number,
): SaslInitialResponse {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const mechanism = cursor.string();
  const length = cursor.int32();
  const response = length === -1 ? null : cursor.view(length).toString('utf8');
  cursor.finish();
  return { mechanism, response };
}

export function decodeSaslResponse(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start + 5, end);
}

export function encodePassword(password: string): Buffer {
  return new MessageWriter().begin(FrontendCode.password).cString(password).end().take();
}

export function encodeSaslInitialResponse(mechanism: string, response: string): Buffer {
  return new MessageWriter()
    .begin(FrontendCode.password)
    .cString(mechanism)
    .value(response)
    .end()
    .take();
}

export function encodeSaslResponse(response: string): Buffer {
  return new MessageWriter().begin(FrontendCode.password).text(response).end().take();
}

function begin(method: number): MessageWriter {
  return new MessageWriter(64).begin(BackendCode.authentication).int32(method);
}

function readMechanisms(cursor: MessageCursor): readonly string[] {
  const mechanisms: string[] = [];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) mechanisms.push(name);
  if (mechanisms.length === 0) {
    throw new PgError(SqlState.protocolViolation, 'server offers no SASL mechanism');
  }
  return mechanisms;
}

function readRest(cursor: MessageCursor): string {
  return cursor.view(cursor.bytesLeft).toString('utf8');
}
