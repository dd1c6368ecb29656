/** A map that knows how many bytes its values take, as `weigh` says of each. */
export class WeighedMap<Value> extends Map<string, Value> {
  readonly #weigh: (name: string, value: Value) => number;
  #bytes = 0;

  constructor(weigh: (name: string, value: Value) => number) {
    super();
    this.#weigh = weigh;
  }

  get bytes(): number {
    return this.#bytes;
  }

  override set(name: string, value: Value): this {
    this.#forget(name);
    this.#bytes += this.#weigh(name, value);
    return super.set(name, value);
  }

  override delete(name: string): boolean {
    this.#forget(name);
    return super.delete(name);
  }

  override clear(): void {
    this.#bytes = 0;
    super.clear();
  }

  #forget(name: string): void {
    const value = this.get(name);
    if (value !== undefined) this.#bytes -= this.#weigh(name, value);
  }
}
