import { timingSafeEqual } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { hmac, saltPassword, sha256, xor } from './scram-verifier.ts';

/** After our answer to the server's first message. */
export type ScramClientStep = {
  /** To be sent as SASLResponse. */
  readonly message: string;
  readonly serverSignature: Buffer;
};

/** So that a server cannot keep this process busy for minutes; PostgreSQL's default is 4096. */
export const scramIterationsMax = 1_000_000;

const gs2Header = 'n,,';
const serverFirstFormat =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,8})(?:,.*)?$/s;
const serverFinalFormat = /^v=([A-Za-z0-9+/]{43}=)(?:,.*)?$/s;

/** The SASLInitialResponse. `clientNonce` is printable ASCII without a comma, fresh each time. */
export function beginScramClient(clientNonce: string): string {
  return `${gs2Header}${clientFirstBare(clientNonce)}`;
}

/** Answers the server's first message: slow on purpose. Throws PgError 08P01. */
export function continueScramClient(
  login: { readonly password: string; readonly clientNonce: string },
  serverFirst: string,
): ScramClientStep {
  const match = serverFirstFormat.exec(serverFirst);
  if (match === null) throw malformed();
  const [, nonce = '', salt = '', iterations] = match;
  // A server that repeats our nonce alone has added nothing of its own: a replay.
  if (!nonce.startsWith(login.clientNonce) || nonce === login.clientNonce) throw malformed();
  if (Number(iterations) > scramIterationsMax) throw malformed();
  const salted = saltPassword(login.password, Buffer.from(salt, 'base64'), Number(iterations));
  const withoutProof = `c=${Buffer.from(gs2Header).toString('base64')},r=${nonce}`;
  const authMessage = `${clientFirstBare(login.clientNonce)},${serverFirst},${withoutProof}`;
  const clientKey = hmac(salted, 'Client Key');
  const proof = xor(clientKey, hmac(sha256(clientKey), authMessage));
  return {
    message: `${withoutProof},p=${proof.toString('base64')}`,
    serverSignature: hmac(hmac(salted, 'Server Key'), authMessage),
  };
}

/** True when the server has proved that it knows the password too. Throws PgError 08P01. */
export function verifyScramServer(step: ScramClientStep, serverFinal: string): boolean {
  const match = serverFinalFormat.exec(serverFinal);
  if (match === null) throw malformed();
  return timingSafeEqual(Buffer.from(match[1] ?? '', 'base64'), step.serverSignature);
}

/** The server knows the user from the startup packet; PostgreSQL's clients leave it out here. */
function clientFirstBare(clientNonce: string): string {
  return `n=,r=${clientNonce}`;
}

function malformed(): PgError {
  return new PgError(SqlState.protocolViolation, 'malformed SCRAM message from server');
}
