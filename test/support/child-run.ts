import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { waitUntil } from '../../src/lab/wait-until.ts';

export type Finished = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** The built command line as a child, as a person would run it. */
export class ChildRun {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stdout = '';
  #stderr = '';

  constructor(
    words: readonly string[],
    options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const main = resolve('dist/cli/main.js');
    if (!existsSync(main)) throw new Error(`${main} is missing: npm run build`);
    const child = spawn(process.execPath, [main, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text;
    });
    this.#child = child;
    this.#ended = once(child, 'close');
  }

  /** Runs to its end. */
  static async finish(words: readonly string[]): Promise<Finished> {
    return await new ChildRun(words).ended();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** What it logged, one record a line; lines that are no records are left out. */
  get log(): readonly { readonly level: string; readonly msg: string }[] {
    return this.#stderr.split('\n').flatMap((line) => {
      try {
        return line.startsWith('{') ? [JSON.parse(line)] : [];
      } catch {
        return [];
      }
    });
  }

  /** Its next line there meets a broken pipe. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<Finished> {
    await this.#ended;
    const { exitCode: code, signalCode: signal } = this.#child;
    return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** The URL of the line that begins with `ready `. */
  async ready(timeoutMs = 30_000): Promise<string> {
    const url = () => /^ready (\S+)/m.exec(this.#stdout)?.[1] ?? null;
    const over = () => url() !== null || this.#child.exitCode !== null;
    await waitUntil(over, { timeoutMs, pollMs: 2 });
    const found = url();
    if (found === null) throw new Error(`not ready:\n${this.#stdout}\n${this.#stderr}`);
    return found;
  }

  /** SIGTERM, and SIGKILL when that does not end it in time. */
  async stop(timeoutMs = 10_000): Promise<Finished> {
    this.kill('SIGTERM');
    const killer = setTimeout(() => this.kill('SIGKILL'), timeoutMs);
    const finished = await this.ended();
    clearTimeout(killer);
    return finished;
  }
}
