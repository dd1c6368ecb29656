import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { CatalogueSnapshot } from '../cluster/catalogue/catalogue-snapshot.ts';
import type { Config } from '../config/config.ts';

export type CatalogueKeeperParts = {
  readonly telemetry: Telemetry;
  /** The running configuration; the same object until it is replaced. */
  readonly config: () => Config;
  readonly read: (config: Config) => Promise<CatalogueSnapshot>;
  /** Resolves when all workers plan with it. */
  readonly onChanged: (catalogue: CatalogueSnapshot) => Promise<void>;
};

/** At start, until every shard that must be asked has answered. */
const retryMs = 500;

/**
 * Holds the catalogue of the shards and notices when it changed. One read at a time; whoever asks
 * during a read gets a read that begins after the question, shared with all who asked meanwhile.
 */
export class CatalogueKeeper {
  readonly #parts: CatalogueKeeperParts;
  #current: CatalogueSnapshot | null = null;
  #currentText = '';
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #failing = false;

  constructor(parts: CatalogueKeeperParts) {
    this.#parts = parts;
  }

  get current(): CatalogueSnapshot | null {
    return this.#current;
  }

  /** Takes a snapshot read elsewhere; true when it differs from the one held. */
  adopt(catalogue: CatalogueSnapshot): boolean {
    // Readings are numbered; what counts is whether they tell something new.
    const text = JSON.stringify({ ...catalogue, version: 0 });
    if (text === this.#currentText) return false;
    this.#current = catalogue;
    this.#currentText = text;
    return true;
  }

  /** Reads until there is a catalogue; `goOn` throws when nobody waits for it any more. */
  async readFirst(clock: Clock, goOn: () => void): Promise<void> {
    await this.refresh();
    while (this.#current === null) {
      goOn();
      await new Promise<void>((resolve) => {
        clock.after(retryMs, resolve);
      });
      await this.refresh();
    }
    goOn();
  }

  /** Never rejects: after a failed read the old catalogue stays. */
  refresh(): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#read().finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.refresh();
    });
    return this.#next;
  }

  async #read(): Promise<void> {
    const { telemetry, config, read, onChanged } = this.#parts;
    try {
      let readWith = config();
      let catalogue = await read(readWith);
      // Reloaded meanwhile: what was read may lack tables that the new file lists.
      while (readWith !== config()) {
        readWith = config();
        catalogue = await read(readWith);
      }
      this.#failing = false;
      if (this.adopt(catalogue)) await onChanged(catalogue);
    } catch (error) {
      // Once per outage, not every few seconds.
      if (!this.#failing) telemetry.log('warn', 'the catalogue could not be read', { error });
      this.#failing = true;
    }
  }
}
