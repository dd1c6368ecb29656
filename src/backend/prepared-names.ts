/** The prepared statements of one server session: at most `max`, the least recently used leaves. */
export class PreparedNames {
  readonly #max: number;
  /** In order of use, the latest last. */
  readonly #names = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts as a use. */
  has(name: string): boolean {
    if (!this.#names.delete(name)) return false;
    this.#names.add(name);
    return true;
  }

  /** Returns the name that has to leave, or null. */
  add(name: string): string | null {
    this.#names.delete(name);
    this.#names.add(name);
    if (this.#names.size <= this.#max) return null;
    const [oldest = name] = this.#names;
    this.#names.delete(oldest);
    return oldest;
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  clear(): void {
    this.#names.clear();
  }
}
