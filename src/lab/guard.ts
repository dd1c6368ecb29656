import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { commandEnvironment } from './run-command.ts';

/**
 * Ends servers and removes their directory when we end without having done so ourselves (kill -9,
 * a crash): then the pipe closes, on whose other end a small shell waits. Without it a killed test
 * or demo would leave its servers running for ever.
 */
export class Guard {
  readonly #shell: ChildProcess;

  /** `directory` is removed at our sudden end; null: none. */
  constructor(directory: string | null) {
    this.#shell = spawn('/bin/sh', ['-c', script, 'pgweave-guard', directory ?? ''], {
      cwd: '/',
      env: commandEnvironment,
      // Ctrl-C on the terminal must not end the guard before us.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // A guard that is gone guards nothing, but is no reason to stop the servers.
    this.#shell.on('error', () => {});
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
  }

  watch(pid: number): void {
    this.#shell.stdin?.write(`watch ${pid}\n`);
  }

  /** It has ended: the system may give its number to another. */
  release(pid: number): void {
    this.#shell.stdin?.write(`release ${pid}\n`);
  }

  /** Everything is stopped and removed already. */
  async close(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#shell;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#shell, 'exit');
    this.#shell.ref();
    this.#shell.stdin?.end('close\n');
    await ended;
  }
}

const script = `
pids=
while read -r word pid; do
  case $word in
    watch) pids="$pids $pid" ;;
    release)
      rest=
      for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done
      pids=$rest ;;
    close) exit 0 ;;
  esac
done
for each in $pids; do kill -CONT "$each"; kill -QUIT "$each"; done
sleep 1
for each in $pids; do kill -KILL "$each"; done
[ -z "$1" ] || rm -rf "$1"
`;
