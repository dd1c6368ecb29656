import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { saslPrep } from './saslprep.ts';

/** What a server stores instead of a SCRAM-SHA-256 password (RFC 5802). */
export type ScramVerifier = {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
};

/** RFC 5802, section 3. Whoever has both can log in to a server that stores their verifier. */
export type ScramKeys = { readonly clientKey: Buffer; readonly serverKey: Buffer };

export const scramMechanism = 'SCRAM-SHA-256';
/** With channel binding. */
export const scramPlusMechanism = 'SCRAM-SHA-256-PLUS';
/** PostgreSQL's default. */
export const scramIterations = 4096;
export const scramSaltBytes = 16;
const keyBytes = 32;

const verifierFormat =
  /^SCRAM-SHA-256\$([1-9]\d{0,8}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/;

/** PostgreSQL's stored format, as in pg_authid.rolpassword. */
export function buildScramVerifier(password: string, salt: Buffer, iterations: number): string {
  const salted = saltPassword(password, salt, iterations);
  const storedKey = sha256(hmac(salted, 'Client Key'));
  const serverKey = hmac(salted, 'Server Key');
  const keys = `${storedKey.toString('base64')}:${serverKey.toString('base64')}`;
  return `${scramMechanism}$${iterations}:${salt.toString('base64')}$${keys}`;
}

/** Null when the text is not a SCRAM-SHA-256 verifier. */
export function parseScramVerifier(text: string): ScramVerifier | null {
  const match = verifierFormat.exec(text);
  if (match === null) return null;
  const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = match;
  return {
    iterations: Number(iterations),
    salt: Buffer.from(salt, 'base64'),
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
}

/**
 * For a user who does not exist or has no password: its salt is always the same for one user and
 * `secret`, so that an unknown user looks like a wrong password. No proof fits it.
 */
export function mockScramVerifier(user: string, secret: Buffer): ScramVerifier {
  const noKey = Buffer.alloc(keyBytes);
  const salt = scramSaltOf(user, secret);
  return { iterations: scramIterations, salt, storedKey: noKey, serverKey: noKey };
}

/**
 * The salt of a user whose password we know, and of one who does not exist: alike, and the same
 * after a restart, so that nobody learns from it who exists.
 */
export function scramSaltOf(user: string, secret: Buffer): Buffer {
  return createHmac('sha256', secret).update(user).digest().subarray(0, scramSaltBytes);
}

/** Slow on purpose: about a millisecond for 4096 iterations. */
export function saltPassword(password: string, salt: Buffer, iterations: number): Buffer {
  assert(iterations > 0, 'SCRAM needs an iteration');
  return pbkdf2Sync(saslPrep(password), salt, iterations, keyBytes, 'sha256');
}

export function hmac(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function xor(left: Buffer, right: Buffer): Buffer {
  assert(left.length === right.length, 'xor of different lengths');
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] as number)));
}
