import { readFile } from 'node:fs/promises';
import { sleep } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { accountOf } from '../config/account.ts';
import type { Config, User } from '../config/config.ts';
import { readUserlist } from '../config/read-userlist.ts';
import { scramSaltOf } from '../protocol/scram-verifier.ts';

/**
 * Reads `users_file`, again and again: what has not changed is not hashed again. Between two plain
 * passwords, which are slow on purpose, everybody else has a turn.
 */
export class UsersFile {
  readonly #saltSecret: Buffer;
  #known = new Map<string, User>();

  constructor(saltSecret: Buffer) {
    this.#saltSecret = saltSecret;
  }

  /** Nobody without a file. Rejects with PgError F0000 that names every line that is wrong. */
  async read({ usersFile, allowMd5 }: Config): Promise<readonly User[]> {
    if (usersFile === null) return [];
    const { entries, mistakes } = readUserlist(await readText(usersFile));
    if (mistakes.length > 0) {
      throw new PgError(SqlState.configFileError, `${usersFile} is not a userlist`, {
        detail: mistakes
          .map((line) => `${usersFile}:${line}:1: write "name" "password"`)
          .join('\n'),
      });
    }
    const options = { allowMd5, salt: (user: string) => scramSaltOf(user, this.#saltSecret) };
    const next = new Map<string, User>();
    for (const { name, password } of entries) {
      const key = JSON.stringify([name, password, allowMd5]);
      const known = this.#known.get(key);
      if (known === undefined) await sleep(0);
      next.set(key, known ?? accountOf(name, password, options));
    }
    this.#known = next;
    return [...next.values()];
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgError(SqlState.configFileError, `cannot read ${file}: ${reason}`, { cause });
  }
}
