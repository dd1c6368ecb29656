import { randomBytes } from 'node:crypto';
import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress, User } from '../config/config.ts';
import {
  type AuthenticationRequest,
  encodePassword,
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../protocol/authentication.ts';
import { md5Answer, md5Hash } from '../protocol/md5-password.ts';
import {
  beginScramClient,
  continueScramClient,
  type ScramBinding,
  type ScramClientStep,
  type ScramSecret,
  verifyScramServer,
} from '../protocol/scram-client.ts';
import { scramMechanism, scramPlusMechanism } from '../protocol/scram-verifier.ts';

export type Login = {
  readonly node: NodeAddress;
  readonly user: User;
  readonly allowCleartext: boolean;
  /** What the connection's TLS can be bound to; null: no TLS, or a certificate without a hash. */
  readonly endPoint: Buffer | null;
};

type Scram =
  | { readonly kind: 'none' }
  | { readonly kind: 'begun'; readonly clientNonce: string; readonly binding: ScramBinding }
  | { readonly kind: 'answered'; readonly step: ScramClientStep }
  | { readonly kind: 'verified' };

/** Answers the authentication requests of one login, in order. */
export class ServerLogin {
  readonly #login: Login;
  #scram: Scram = { kind: 'none' };

  constructor(login: Login) {
    this.#login = login;
  }

  /** The message to send; null when the server expects none. Throws PgError 28000, 08P01. */
  answer(request: AuthenticationRequest): Buffer | null {
    switch (request.kind) {
      case 'ok':
        return this.#finish();
      case 'cleartext-password':
        return this.#cleartext();
      case 'md5-password':
        return encodePassword(this.#md5(request.salt));
      case 'sasl':
        return this.#beginScram(request.mechanisms);
      case 'sasl-continue':
        return this.#continueScram(request.message);
      case 'sasl-final':
        return this.#verifyServer(request.message);
      case 'unsupported':
        throw this.#refusal(`authentication method ${request.method} is not supported`);
    }
  }

  #finish(): null {
    // A server that skips its last message has not proved that it knows the password.
    if (this.#scram.kind === 'none' || this.#scram.kind === 'verified') return null;
    throw this.#refusal('the server ended SCRAM authentication without its proof');
  }

  #cleartext(): Buffer {
    if (!this.#login.allowCleartext) {
      throw this.#refusal(
        'the server asks for the password in cleartext',
        'Use scram-sha-256 in its pg_hba.conf, or allow cleartext in the configuration.',
      );
    }
    return encodePassword(this.#password());
  }

  #md5(salt: Buffer): string {
    const { serverUser, serverSecret } = this.#login.user;
    if (serverSecret.kind === 'md5') return md5Answer(serverSecret.hash, salt);
    return md5Answer(md5Hash({ user: serverUser, password: this.#password() }), salt);
  }

  #beginScram(mechanisms: readonly string[]): Buffer {
    const { endPoint } = this.#login;
    const isBound = endPoint !== null && mechanisms.includes(scramPlusMechanism);
    if (!isBound && !mechanisms.includes(scramMechanism)) {
      throw this.#refusal(`the server offers only ${mechanisms.join(', ')}`);
    }
    this.#scramSecret();
    const clientNonce = randomBytes(18).toString('base64');
    const binding: ScramBinding = isBound
      ? { kind: 'bound', endPoint }
      : { kind: endPoint === null ? 'none' : 'unoffered' };
    this.#scram = { kind: 'begun', clientNonce, binding };
    const mechanism = isBound ? scramPlusMechanism : scramMechanism;
    return encodeSaslInitialResponse(mechanism, beginScramClient({ clientNonce, binding }));
  }

  #continueScram(message: string): Buffer {
    if (this.#scram.kind !== 'begun') throw this.#refusal('SCRAM messages out of order');
    const { clientNonce, binding } = this.#scram;
    const login = { secret: this.#scramSecret(), clientNonce, binding };
    const step = continueScramClient(login, message);
    this.#scram = { kind: 'answered', step };
    return encodeSaslResponse(step.message);
  }

  #verifyServer(message: string): null {
    if (this.#scram.kind !== 'answered') throw this.#refusal('SCRAM messages out of order');
    if (!verifyScramServer(this.#scram.step, message)) {
      throw this.#refusal('the server does not know the password itself');
    }
    this.#scram = { kind: 'verified' };
    return null;
  }

  #scramSecret(): ScramSecret {
    const { serverSecret } = this.#login.user;
    if (serverSecret.kind === 'keys') return serverSecret;
    return { kind: 'password', password: this.#password() };
  }

  #password(): string {
    const { serverSecret } = this.#login.user;
    switch (serverSecret.kind) {
      case 'password':
        return serverSecret.password;
      case 'none':
        throw this.#refusal('the server asks for a password, and the configuration has none');
      case 'md5':
      case 'keys':
        throw this.#refusal(
          'the server asks for a password in another way than the one that is known of it',
        );
      default:
        return unreachable(serverSecret);
    }
  }

  #refusal(reason: string, hint?: string): PgError {
    const { node, user } = this.#login;
    return new PgError(
      SqlState.invalidAuthorization,
      `could not log in to server ${node.id} as "${user.serverUser}": ${reason}`,
      { hint },
    );
  }
}
