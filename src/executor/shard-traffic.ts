/**
 * What a cached plan has learnt about its own traffic: decides whether the next run may stand in a
 * queue with other clients' statements (architecture, section "A server connection is a pipeline").
 */
export class ShardTraffic {
  #latencyMs = Number.POSITIVE_INFINITY;
  #bytes = 0;

  /** Short and small so far; a statement that was never run is not. */
  get shareable(): boolean {
    return this.#latencyMs < 5 && this.#bytes < 16_384;
  }

  note(latencyMs: number, bytes: number): void {
    const weight = 0.2;
    this.#latencyMs = Number.isFinite(this.#latencyMs)
      ? this.#latencyMs + weight * (latencyMs - this.#latencyMs)
      : latencyMs;
    // Size rises at once and falls slowly: one large answer makes everyone behind it wait.
    this.#bytes = Math.max(bytes, this.#bytes + weight * (bytes - this.#bytes));
  }
}
