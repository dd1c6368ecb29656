const windowRuns = 64;
const shortMs = 5;
const longMs = 100;
const smallBytes = 16_384;

/**
 * What a cached plan has learnt about its own traffic: decides whether the next run may stand in a
 * queue with other clients' statements (architecture, section "A server connection is a pipeline").
 *
 * A statement counts as short by its fastest recent run, because on a busy machine all runs are
 * slow; but one long or large run among the recent ones disqualifies it, because those behind it
 * would have to wait.
 */
export class ShardTraffic {
  #fastestMs = Number.POSITIVE_INFINITY;
  #fastestBeforeMs = Number.POSITIVE_INFINITY;
  #runs = 0;
  #penaltyRuns = 0;

  /** False for a statement that was never run. */
  get shareable(): boolean {
    return this.#penaltyRuns === 0 && Math.min(this.#fastestMs, this.#fastestBeforeMs) < shortMs;
  }

  /** `bytes`: of the answer. */
  note(latencyMs: number, bytes: number): void {
    if (latencyMs > longMs || bytes > smallBytes) this.#penaltyRuns = windowRuns;
    else if (this.#penaltyRuns > 0) this.#penaltyRuns -= 1;
    this.#fastestMs = Math.min(this.#fastestMs, latencyMs);
    this.#runs += 1;
    if (this.#runs < windowRuns) return;
    this.#runs = 0;
    this.#fastestBeforeMs = this.#fastestMs;
    this.#fastestMs = Number.POSITIVE_INFINITY;
  }
}
