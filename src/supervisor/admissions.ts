import type { Limits } from '../config/config.ts';
import { type Place, placeLimit } from '../frontend/admission.ts';

/** Who has which places: clients of all workers, counted in one process so that limits are exact. */
export class Admissions {
  readonly #counts = new Map<string, number>();
  /** By worker and by its number of the client. */
  readonly #taken = new Map<number, Map<number, string[]>>();

  /** The place that is full, and then nothing was taken; null: all were. */
  take(worker: number, client: number, places: readonly Place[], limits: Limits): Place | null {
    const full = places.find((place) => {
      const most = placeLimit(limits, place.kind);
      return most !== null && (this.#counts.get(keyOf(place)) ?? 0) >= most;
    });
    if (full !== undefined) return full;
    const clients = this.#taken.get(worker) ?? new Map<number, string[]>();
    this.#taken.set(worker, clients);
    const keys = places.map(keyOf);
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    clients.set(client, [...(clients.get(client) ?? []), ...keys]);
    return null;
  }

  leave(worker: number, client: number): void {
    const clients = this.#taken.get(worker);
    for (const key of clients?.get(client) ?? []) this.#release(key);
    clients?.delete(client);
  }

  /** With everybody in it. */
  workerDied(worker: number): void {
    for (const client of [...(this.#taken.get(worker)?.keys() ?? [])]) this.leave(worker, client);
  }

  #release(key: string): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

function keyOf({ kind, name }: Place): string {
  return `${kind} ${name}`;
}
