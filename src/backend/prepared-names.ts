/**
 * The prepared statements of one server session, at most `max`. In turn each is looked at for
 * leaving, and spared when it was used since it was looked at before: nearly the order of use, and
 * a use, which happens with every statement, moves nothing.
 */
export class PreparedNames {
  readonly #max: number;
  /** The next to be looked at first; true: used since. */
  readonly #names = new Map<string, boolean>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts as a use. */
  has(name: string): boolean {
    const isUsed = this.#names.get(name);
    if (isUsed === undefined) return false;
    if (!isUsed) this.#names.set(name, true);
    return true;
  }

  /** Returns the name that has to leave, or null. */
  add(name: string): string | null {
    if (this.has(name)) return null;
    const leaving = this.#names.size < this.#max ? null : this.#takeOne();
    this.#names.set(name, false);
    return leaving;
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  clear(): void {
    this.#names.clear();
  }

  #takeOne(): string | null {
    // Those that are spared are met again behind the others.
    for (const [name, isUsed] of this.#names) {
      this.#names.delete(name);
      if (!isUsed) return name;
      this.#names.set(name, false);
    }
    return null;
  }
}
