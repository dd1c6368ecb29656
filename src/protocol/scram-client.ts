import { timingSafeEqual } from 'node:crypto';
import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { hmac, type ScramKeys, saltPassword, sha256, xor } from './scram-verifier.ts';

/** After our answer to the server's first message. */
export type ScramClientStep = {
  /** To be sent as SASLResponse. */
  readonly message: string;
  readonly serverSignature: Buffer;
};

/** So that a server cannot keep this process busy for minutes; PostgreSQL's default is 4096. */
export const scramIterationsMax = 1_000_000;

/** What a client proves: a password, or the keys that a login with the same verifier showed. */
export type ScramSecret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'keys'; readonly keys: ScramKeys };

/** `unoffered`: we could bind, and the server does not offer it; a lie there ends the login. */
export type ScramBinding =
  | { readonly kind: 'none' }
  | { readonly kind: 'unoffered' }
  | { readonly kind: 'bound'; readonly endPoint: Buffer };

export type ScramLogin = {
  readonly secret: ScramSecret;
  /** Printable ASCII without a comma, fresh each time. */
  readonly clientNonce: string;
  readonly binding: ScramBinding;
};

const serverFirstFormat =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,8})(?:,.*)?$/s;
const serverFinalFormat = /^v=([A-Za-z0-9+/]{43}=)(?:,.*)?$/s;

/** The SASLInitialResponse. */
export function beginScramClient(login: Pick<ScramLogin, 'clientNonce' | 'binding'>): string {
  return `${gs2Header(login.binding)}${clientFirstBare(login.clientNonce)}`;
}

/** Answers the server's first message: slow on purpose. Throws PgError 08P01. */
export function continueScramClient(login: ScramLogin, serverFirst: string): ScramClientStep {
  const match = serverFirstFormat.exec(serverFirst);
  if (match === null) throw malformed();
  const [, nonce = '', salt = '', iterations] = match;
  // A server that repeats our nonce alone has added nothing of its own: a replay.
  if (!nonce.startsWith(login.clientNonce) || nonce === login.clientNonce) throw malformed();
  if (Number(iterations) > scramIterationsMax) throw malformed();
  const keys = keysOf(login.secret, Buffer.from(salt, 'base64'), Number(iterations));
  const withoutProof = `c=${channelBinding(login.binding)},r=${nonce}`;
  const authMessage = `${clientFirstBare(login.clientNonce)},${serverFirst},${withoutProof}`;
  const proof = xor(keys.clientKey, hmac(sha256(keys.clientKey), authMessage));
  return {
    message: `${withoutProof},p=${proof.toString('base64')}`,
    serverSignature: hmac(keys.serverKey, authMessage),
  };
}

/** True when the server has proved that it knows the password too. Throws PgError 08P01. */
export function verifyScramServer(step: ScramClientStep, serverFinal: string): boolean {
  const match = serverFinalFormat.exec(serverFinal);
  if (match === null) throw malformed();
  return timingSafeEqual(Buffer.from(match[1] ?? '', 'base64'), step.serverSignature);
}

function keysOf(secret: ScramSecret, salt: Buffer, iterations: number): ScramKeys {
  if (secret.kind === 'keys') return secret.keys;
  const salted = saltPassword(secret.password, salt, iterations);
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') };
}

function gs2Header(binding: ScramBinding): string {
  switch (binding.kind) {
    case 'none':
      return 'n,,';
    case 'unoffered':
      return 'y,,';
    case 'bound':
      return 'p=tls-server-end-point,,';
    default:
      return unreachable(binding);
  }
}

function channelBinding(binding: ScramBinding): string {
  const endPoint = binding.kind === 'bound' ? [binding.endPoint] : [];
  return Buffer.concat([Buffer.from(gs2Header(binding)), ...endPoint]).toString('base64');
}

/** The server knows the user from the startup packet; PostgreSQL's clients leave it out here. */
function clientFirstBare(clientNonce: string): string {
  return `n=,r=${clientNonce}`;
}

function malformed(): PgError {
  return new PgError(SqlState.protocolViolation, 'malformed SCRAM message from server');
}
