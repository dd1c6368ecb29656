import { timingSafeEqual } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { hmac, type ScramVerifier, sha256, xor } from './scram-verifier.ts';

/** Between our first message and the client's last one. */
export type ScramServerStep = {
  /** To be sent in AuthenticationSASLContinue. */
  readonly message: string;
  readonly verifier: ScramVerifier;
  readonly channelBinding: string;
  readonly nonce: string;
  readonly clientFirstBare: string;
};

// gs2-header, then the bare message: reserved m= is not allowed, n= is ignored in favour of the
// user of the startup packet, as PostgreSQL does.
const clientFirstFormat =
  /^(([nyp])(?:=[^,]*)?,([^,]*),)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s;
const clientFinalFormat = /^(c=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([A-Za-z0-9+/]{43}=)$/s;

/**
 * Answers the client's first message. `serverNonce` is printable ASCII without a comma, fresh and
 * unpredictable. Throws PgError 08P01, 0A000.
 */
export function beginScramServer(
  clientFirst: string,
  verifier: ScramVerifier,
  serverNonce: string,
): ScramServerStep {
  const match = clientFirstFormat.exec(clientFirst);
  if (match === null) throw malformed();
  const [, header = '', binding, authorization, clientFirstBare = '', clientNonce] = match;
  if (binding === 'p')
    throw malformed('The client demands channel binding, which was not offered.');
  if (authorization !== '') {
    throw new PgError(
      SqlState.featureNotSupported,
      'client uses authorization identity, but it is not supported',
      { severity: 'FATAL' },
    );
  }
  const nonce = `${clientNonce}${serverNonce}`;
  const salt = verifier.salt.toString('base64');
  return {
    message: `r=${nonce},s=${salt},i=${verifier.iterations}`,
    verifier,
    channelBinding: Buffer.from(header).toString('base64'),
    nonce,
    clientFirstBare,
  };
}

/**
 * Checks the client's proof. Returns what AuthenticationSASLFinal carries, null when the password
 * is wrong. Throws PgError 08P01.
 */
export function finishScramServer(step: ScramServerStep, clientFinal: string): string | null {
  const match = clientFinalFormat.exec(clientFinal);
  if (match === null) throw malformed();
  const [, withoutProof = '', channelBinding, nonce, proof = ''] = match;
  if (channelBinding !== step.channelBinding)
    throw malformed('Unexpected channel-binding attribute.');
  if (nonce !== step.nonce) throw malformed('Nonce does not match.');
  const authMessage = `${step.clientFirstBare},${step.message},${withoutProof}`;
  const { storedKey, serverKey } = step.verifier;
  const clientKey = xor(Buffer.from(proof, 'base64'), hmac(storedKey, authMessage));
  if (!timingSafeEqual(sha256(clientKey), storedKey)) return null;
  return `v=${hmac(serverKey, authMessage).toString('base64')}`;
}

function malformed(detail?: string): PgError {
  return new PgError(SqlState.protocolViolation, 'malformed SCRAM message', {
    severity: 'FATAL',
    detail,
  });
}
