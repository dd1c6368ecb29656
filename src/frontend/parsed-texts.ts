import type { Schema } from '../planner/schema.ts';
import { meansTheSame } from '../sql/means-the-same.ts';
import type { PreparedStatement } from './prepared-statement.ts';

/** Of the Parse message; longer texts are not remembered. */
const tailBytesMax = 8 * 1024;
/** Of one generation, there are two. */
const generationBytesMax = 4 * 1024 * 1024;
/** What an entry takes besides its text, roughly. */
const entryBytes = 1024;

/** What the meaning of a text depends on. */
export type TextContext = {
  /** PlanningSettings.settingsNumber. */
  readonly settingsNumber: number;
  readonly schema: Schema;
};

type Entry = { statement: PreparedStatement; isNew: boolean };

/**
 * The unnamed statements of all sessions of a worker by the bytes of their Parse, so that a text
 * which comes again is neither decoded nor lexed nor planned.
 *
 * Its second coming also gives it a name under which servers may keep it, which spares them most
 * of the work of a short statement. The client must not be able to tell: so only texts that mean
 * the same whenever they are parsed (see `meansTheSame`) get one, and each name stands for one
 * text under one set of session settings and one catalogue.
 *
 * Two generations instead of an order of use: what is found in the old one moves to the young one;
 * when that is full, the old one goes.
 */
export class ParsedTexts {
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;
  #lastName = 0;

  /** null when it is not known. */
  find(context: TextContext, tail: Buffer): PreparedStatement | null {
    if (tail.length > tailBytesMax) return null;
    const key = keyOf(context, tail);
    let entry = this.#young.get(key);
    if (entry === undefined) {
      entry = this.#old.get(key);
      if (entry === undefined) return null;
      this.#insert(key, entry);
    }
    // Planned for tables that may look different now.
    if (entry.statement.planned.basis.schema !== context.schema) return null;
    if (entry.isNew) this.#seenAgain(entry);
    return entry.statement;
  }

  add(context: TextContext, statement: PreparedStatement): void {
    if (statement.tail.length > tailBytesMax) return;
    this.#insert(keyOf(context, statement.tail), { statement, isNew: true });
  }

  #seenAgain(entry: Entry): void {
    entry.isNew = false;
    const { statement } = entry;
    const { traffic, source } = statement.planned;
    if (traffic === null || !meansTheSame(source.text)) return;
    this.#lastName += 1;
    entry.statement = { ...statement, serverName: `pgweave_u${this.#lastName}` };
  }

  #insert(key: string, entry: Entry): void {
    this.#youngBytes += key.length + entryBytes;
    if (this.#youngBytes > generationBytesMax) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = key.length + entryBytes;
    }
    this.#young.set(key, entry);
  }
}

function keyOf({ settingsNumber }: TextContext, tail: Buffer): string {
  return `${settingsNumber} ${tail.toString('latin1')}`;
}
