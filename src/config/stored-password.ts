import { isMd5Hash, md5Hash } from '../protocol/md5-password.ts';
import {
  buildScramVerifier,
  parseScramVerifier,
  scramIterations,
} from '../protocol/scram-verifier.ts';
import type { ServerSecret, User } from './config.ts';

export type PasswordOptions = {
  readonly allowMd5: boolean;
  /** For the SCRAM verifier of a user whose password is plain. */
  readonly salt: (user: string) => Buffer;
};

/**
 * What a password, written in one of PostgreSQL's ways or plain, is good for: towards clients, and,
 * under the same name, towards servers. A verifier logs in to servers by what its owner's login
 * shows. A plain one costs a millisecond or two.
 */
export function readPassword(
  name: string,
  password: string | null,
  { allowMd5, salt }: PasswordOptions,
): Pick<User, 'verifier' | 'md5Hash' | 'serverSecret'> {
  const none: ServerSecret = { kind: 'none' };
  if (password === null || password === '') {
    return { verifier: null, md5Hash: null, serverSecret: none };
  }
  if (isMd5Hash(password)) {
    const md5 = allowMd5 ? password : null;
    return { verifier: null, md5Hash: md5, serverSecret: { kind: 'md5', hash: password } };
  }
  if (parseScramVerifier(password) !== null) {
    return { verifier: password, md5Hash: null, serverSecret: none };
  }
  return {
    verifier: buildScramVerifier(password, salt(name), scramIterations),
    md5Hash: allowMd5 ? md5Hash({ user: name, password }) : null,
    serverSecret: { kind: 'password', password },
  };
}
