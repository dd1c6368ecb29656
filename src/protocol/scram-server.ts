import { timingSafeEqual } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import {
  hmac,
  type ScramKeys,
  type ScramVerifier,
  scramPlusMechanism,
  sha256,
  xor,
} from './scram-verifier.ts';

/** What the client chose, and what it could have chosen. */
export type ScramOffer = {
  readonly mechanism: string;
  /** `tls-server-end-point` of our certificate; null: SCRAM-SHA-256-PLUS was not offered. */
  readonly endPoint: Buffer | null;
};

/** Between our first message and the client's last one. */
export type ScramServerStep = {
  /** To be sent in AuthenticationSASLContinue. */
  readonly message: string;
  readonly verifier: ScramVerifier;
  /** base64, as the client must repeat it. */
  readonly channelBinding: string;
  readonly isBound: boolean;
  readonly nonce: string;
  readonly clientFirstBare: string;
};

/** `message` is for AuthenticationSASLFinal; `keys` can log in where the same verifier is stored. */
export type ScramAccepted = { readonly message: string; readonly keys: ScramKeys };

// gs2-header, then the bare message: reserved m= is not allowed, n= is ignored in favour of the
// user of the startup packet, as PostgreSQL does.
const clientFirstFormat =
  /^(([nyp])(?:=([^,]*))?,([^,]*),)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s;
const clientFinalFormat = /^(c=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([A-Za-z0-9+/]{43}=)$/s;
const bindingType = 'tls-server-end-point';

/**
 * Answers the client's first message. `serverNonce` is printable ASCII without a comma, fresh and
 * unpredictable. Throws PgError 08P01, 0A000, 28000.
 */
export function beginScramServer(
  clientFirst: string,
  verifier: ScramVerifier,
  serverNonce: string,
  offer: ScramOffer,
): ScramServerStep {
  const match = clientFirstFormat.exec(clientFirst);
  if (match === null) throw malformed();
  const [, header = '', binding, type, authorization, clientFirstBare = '', clientNonce] = match;
  const bound = demandFittingBinding(offer, { binding: binding ?? '', type });
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
    channelBinding: Buffer.concat([Buffer.from(header), ...bound]).toString('base64'),
    isBound: bound.length > 0,
    nonce,
    clientFirstBare,
  };
}

/**
 * Checks the client's proof; null when the password is wrong. Throws PgError 08P01, and 28000 when
 * the client is bound to another channel: somebody stands in between.
 */
export function finishScramServer(
  step: ScramServerStep,
  clientFinal: string,
): ScramAccepted | null {
  const match = clientFinalFormat.exec(clientFinal);
  if (match === null) throw malformed();
  const [, withoutProof = '', channelBinding, nonce, proof = ''] = match;
  if (channelBinding !== step.channelBinding) {
    if (step.isBound) throw refused('SCRAM channel binding check failed');
    throw malformed('Unexpected channel-binding attribute.');
  }
  if (nonce !== step.nonce) throw malformed('Nonce does not match.');
  const authMessage = `${step.clientFirstBare},${step.message},${withoutProof}`;
  const { storedKey, serverKey } = step.verifier;
  const clientKey = xor(Buffer.from(proof, 'base64'), hmac(storedKey, authMessage));
  if (!timingSafeEqual(sha256(clientKey), storedKey)) return null;
  const signature = hmac(serverKey, authMessage).toString('base64');
  return { message: `v=${signature}`, keys: { clientKey, serverKey } };
}

/** What the client must add to its gs2 header to show which channel it sees. RFC 5802, section 6. */
function demandFittingBinding(
  { mechanism, endPoint }: ScramOffer,
  { binding, type }: { readonly binding: string; readonly type: string | undefined },
): readonly Buffer[] {
  if (mechanism !== scramPlusMechanism) {
    if (binding === 'p') {
      throw malformed(
        'The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.',
      );
    }
    if (binding === 'y' && endPoint !== null) {
      throw refused(
        'SCRAM channel binding negotiation error',
        'The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.',
      );
    }
    return [];
  }
  if (binding !== 'p' || endPoint === null) {
    throw malformed(
      'The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.',
    );
  }
  if (type !== bindingType) {
    throw new PgError(
      SqlState.protocolViolation,
      `unsupported SCRAM channel-binding type "${(type ?? '').slice(0, 64)}"`,
      { severity: 'FATAL' },
    );
  }
  return [endPoint];
}

function malformed(detail?: string): PgError {
  return new PgError(SqlState.protocolViolation, 'malformed SCRAM message', {
    severity: 'FATAL',
    detail,
  });
}

function refused(message: string, detail?: string): PgError {
  return new PgError(SqlState.invalidAuthorization, message, { severity: 'FATAL', detail });
}
