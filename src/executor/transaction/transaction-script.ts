import type { SessionSettings } from '../../backend/session-settings.ts';
import { assert } from '../../base/assert.ts';

type Savepoint = {
  readonly name: string;
  /** Where its own text stands. */
  readonly place: number;
  readonly settings: SessionSettings;
};

/**
 * What a block has said so far that a shard must hear which joins later: BEGIN, SETs, and savepoints
 * that are open. Empty between blocks.
 */
export class TransactionScript {
  #texts: string[] = [];
  #savepoints: Savepoint[] = [];
  #length = 0;

  /** Characters of all texts. */
  get length(): number {
    return this.#length;
  }

  /** The name of the innermost one; null: none is set. */
  get lastSavepoint(): string | null {
    return this.#savepoints.at(-1)?.name ?? null;
  }

  /** How many are open, one inside the other. */
  get savepointCount(): number {
    return this.#savepoints.length;
  }

  /** BEGIN, and what follows it; null: nothing does. */
  get parts(): { readonly begin: string; readonly rest: string | null } {
    const [begin, ...rest] = this.#texts;
    assert(begin !== undefined, 'a block has a script');
    return { begin, rest: rest.length === 0 ? null : rest.join(';') };
  }

  begin(text: string): void {
    this.clear();
    this.note(text);
  }

  /** The client's BEGIN in place of ours. */
  replaceBegin(text: string): void {
    this.#length += text.length - (this.#texts[0]?.length ?? 0);
    this.#texts[0] = text;
  }

  note(text: string): void {
    this.#texts.push(text);
    this.#length += text.length;
  }

  savepoint(name: string, text: string, settings: SessionSettings): void {
    this.#savepoints.push({ name, place: this.#texts.length, settings });
    this.note(text);
  }

  /** False when there is no such savepoint. */
  release(name: string): boolean {
    const index = this.#find(name);
    const first = this.#savepoints[index]?.place;
    if (first === undefined) return false;
    // Who joins later has no need of them, and a long transaction may set very many.
    const released = new Set(this.#savepoints.splice(index).map(({ place }) => place - first));
    for (const [place, text] of this.#cut(first).entries()) {
      if (!released.has(place)) this.note(text);
    }
    return true;
  }

  /** The settings as they were then; null when there is no such savepoint. */
  rollbackTo(name: string): SessionSettings | null {
    const index = this.#find(name);
    const savepoint = this.#savepoints[index];
    if (savepoint === undefined) return null;
    this.#savepoints.length = index + 1;
    this.#cut(savepoint.place + 1);
    return savepoint.settings;
  }

  clear(): void {
    if (this.#texts.length > 0) this.#texts = [];
    if (this.#savepoints.length > 0) this.#savepoints = [];
    this.#length = 0;
  }

  #find(name: string): number {
    return this.#savepoints.findLastIndex((savepoint) => savepoint.name === name);
  }

  /** Takes the texts from `place` on away. */
  #cut(place: number): readonly string[] {
    const texts = this.#texts.splice(place);
    for (const { length } of texts) this.#length -= length;
    return texts;
  }
}
