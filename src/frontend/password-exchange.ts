import { randomBytes, timingSafeEqual } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { User } from '../config/config.ts';
import {
  decodePassword,
  decodeSaslInitialResponse,
  decodeSaslResponse,
  encodeAuthenticationMd5Password,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../protocol/authentication.ts';
import { md5Answer } from '../protocol/md5-password.ts';
import {
  beginScramServer,
  finishScramServer,
  type ScramServerStep,
} from '../protocol/scram-server.ts';
import {
  mockScramVerifier,
  parseScramVerifier,
  type ScramKeys,
  scramMechanism,
  scramPlusMechanism,
} from '../protocol/scram-verifier.ts';

/** After a PasswordMessage: another question, or the end. */
export type PasswordStep =
  | { readonly kind: 'ask'; readonly message: Buffer }
  | {
      readonly kind: 'right';
      /** To be sent before AuthenticationOk. */
      readonly message: Buffer | null;
      readonly keys: ScramKeys | null;
    }
  | { readonly kind: 'wrong' };

/** Asks a client for a password in its own way. */
export type PasswordExchange = {
  /** The first question. */
  readonly question: Buffer;
  /** Throws PgError 08P01, 0A000, 28000. */
  answer(chunk: Buffer, start: number, end: number): PasswordStep;
};

const md5SaltBytes = 4;

/**
 * The MD5 method as PostgreSQL has it since version 10; who has no hash is answered wrong after the
 * same question. `account` is null for an unknown user.
 */
export function md5Exchange(account: User | null): PasswordExchange {
  const salt = randomBytes(md5SaltBytes);
  const hash = account?.md5Hash ?? `md5${randomBytes(16).toString('hex')}`;
  return {
    question: encodeAuthenticationMd5Password(salt),
    answer(chunk, start, end) {
      const given = Buffer.from(decodePassword(chunk, start, end));
      const wanted = Buffer.from(md5Answer(hash, salt));
      const isRight = given.length === wanted.length && timingSafeEqual(given, wanted);
      return isRight ? { kind: 'right', message: null, keys: null } : { kind: 'wrong' };
    },
  };
}

export type ScramExchangeOptions = {
  readonly userName: string;
  /** Null for an unknown user: costs and looks the same as a wrong password. */
  readonly account: User | null;
  readonly mockSecret: Buffer;
  /** As in ScramOffer. */
  readonly endPoint: Buffer | null;
};

export class ScramExchange implements PasswordExchange {
  readonly question: Buffer;
  readonly #options: ScramExchangeOptions;
  readonly #mechanisms: readonly string[];
  /** What the client has chosen before it was asked for its first message. */
  #mechanism: string | null = null;
  #step: ScramServerStep | null = null;

  constructor(options: ScramExchangeOptions) {
    this.#options = options;
    const plus = options.endPoint === null ? [] : [scramPlusMechanism];
    this.#mechanisms = [...plus, scramMechanism];
    this.question = encodeAuthenticationSasl(this.#mechanisms);
  }

  answer(chunk: Buffer, start: number, end: number): PasswordStep {
    if (this.#step !== null) return this.#finish(this.#step, decodeSaslResponse(chunk, start, end));
    if (this.#mechanism !== null) {
      return this.#challenge(this.#mechanism, decodeSaslResponse(chunk, start, end));
    }
    const { mechanism, response } = decodeSaslInitialResponse(chunk, start, end);
    if (!this.#mechanisms.includes(mechanism)) {
      throw new PgError(
        SqlState.protocolViolation,
        'client selected an invalid SASL authentication mechanism',
        { severity: 'FATAL' },
      );
    }
    if (response !== null) return this.#challenge(mechanism, response);
    this.#mechanism = mechanism;
    return { kind: 'ask', message: encodeAuthenticationSaslContinue('') };
  }

  #challenge(mechanism: string, clientFirst: string): PasswordStep {
    const { account, userName, mockSecret, endPoint } = this.#options;
    const stored = account?.verifier ?? null;
    const verifier =
      (stored === null ? null : parseScramVerifier(stored)) ??
      mockScramVerifier(userName, mockSecret);
    const nonce = randomBytes(18).toString('base64');
    this.#step = beginScramServer(clientFirst, verifier, nonce, { mechanism, endPoint });
    return { kind: 'ask', message: encodeAuthenticationSaslContinue(this.#step.message) };
  }

  #finish(step: ScramServerStep, clientFinal: string): PasswordStep {
    const accepted = finishScramServer(step, clientFinal);
    if (accepted === null || this.#options.account === null) return { kind: 'wrong' };
    const message = encodeAuthenticationSaslFinal(accepted.message);
    return { kind: 'right', message, keys: accepted.keys };
  }
}
