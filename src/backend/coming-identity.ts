import type { PrimaryIdentity } from './primary-identity.ts';

/**
 * Who the server must prove to be that is about to become primary. Logins to it begin before that is
 * known, wait with the question, and ask all at once: what takes long is done by then.
 */
export class ComingIdentity {
  readonly #expected: PrimaryIdentity['synchronousCommit'];
  readonly #waiting = new Set<(identity: PrimaryIdentity | null) => void>();
  #known: { readonly identity: PrimaryIdentity | null } | null = null;

  /** `synchronousCommit`: of its sessions, as far as that can be told before. */
  constructor(synchronousCommit: PrimaryIdentity['synchronousCommit']) {
    this.#expected = synchronousCommit;
  }

  get isKnown(): boolean {
    return this.#known !== null;
  }

  /** With what its sessions begin; see PrimaryIdentity. */
  get synchronousCommit(): PrimaryIdentity['synchronousCommit'] {
    return this.#known === null
      ? this.#expected
      : (this.#known.identity?.synchronousCommit ?? null);
  }

  /** Calls back when it is known, perhaps at once. Returns a function that gives up waiting. */
  when(callback: (identity: PrimaryIdentity | null) => void): () => void {
    if (this.#known !== null) {
      callback(this.#known.identity);
      return () => {};
    }
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  /** The server is primary now. null: it has nothing to prove. */
  become(identity: PrimaryIdentity | null): void {
    this.#known = { identity };
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback(identity);
  }
}
