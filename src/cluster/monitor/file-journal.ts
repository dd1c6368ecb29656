import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckedFailover } from '../failover/failover-check.ts';
import type { PastFailover } from '../failover/past-failover.ts';

/** How many are remembered and shown. */
const entriesMax = 100;

/**
 * The changes of primaries in a file beside the cluster records, a line of JSON each. For people: no
 * decision is taken from it, so a line that was torn by a crash is left out.
 */
export class FileJournal {
  readonly #directory: string;
  #entries: readonly PastFailover[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<FileJournal> {
    const journal = new FileJournal(directory);
    const text = await readFile(journal.#path, 'utf8').catch(() => '');
    journal.#entries = latest(text.split('\n').flatMap(readLine));
    return journal;
  }

  /** The oldest first. */
  get entries(): readonly PastFailover[] {
    return this.#entries;
  }

  /** Rejects when the disk does not take it; it is remembered all the same. */
  append(entry: PastFailover): Promise<void> {
    this.#entries = latest([...this.#entries, entry]);
    const writing = this.#writing.then(() => this.#write(entry));
    this.#writing = writing.catch(() => {});
    return writing;
  }

  /** Adds what was found later to its entry; as `append`. Nothing when it is forgotten already. */
  async complete({ shard, epoch, check }: CheckedFailover): Promise<void> {
    const entry = this.#entries.find((one) => one.shard === shard && one.epoch === epoch);
    if (entry !== undefined) await this.append({ ...entry, check });
  }

  async #write(entry: PastFailover): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await appendFile(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  get #path(): string {
    return join(this.#directory, 'failovers.jsonl');
  }
}

/** A later line about the same change of a primary knows more. */
function latest(entries: readonly PastFailover[]): readonly PastFailover[] {
  const byEpoch = new Map(entries.map((entry) => [`${entry.epoch} ${entry.shard}`, entry]));
  return [...byEpoch.values()].slice(-entriesMax);
}

function readLine(line: string): PastFailover[] {
  try {
    const value: unknown = JSON.parse(line);
    if (!isPastFailover(value)) return [];
    const { check = null } = value;
    return [{ ...value, check: check === null ? null : { ...check, errors: check.errors ?? {} } }];
  } catch {
    return [];
  }
}

function isPastFailover(value: unknown): value is PastFailover {
  if (typeof value !== 'object' || value === null) return false;
  const entry: { readonly [name: string]: unknown } = { ...value };
  const texts = ['shard', 'cause', 'from', 'to', 'reason'];
  const numbers = ['epoch', 'openedAt', 'confirmedMs', 'claimedMs', 'promotedMs', 'openedMs'];
  return (
    texts.every((name) => typeof entry[name] === 'string') &&
    numbers.every((name) => typeof entry[name] === 'number') &&
    Array.isArray(entry['findings'])
  );
}
