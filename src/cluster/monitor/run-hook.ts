import { spawn } from 'node:child_process';
import type { Clock } from '../../base/clock.ts';
import type { NodeAddress } from '../../config/config.ts';
import type { HookCall, HookOutcome } from '../failover/hook-call.ts';

export type HookProgram = { readonly file: string; readonly timeoutMs: number };

/** EX_TEMPFAIL of sysexits.h: not now, try again. */
const tryAgainCode = 75;
const outputLengthMax = 2000;
/** Between asking a script that is too late to end, and ending it. */
const patienceMs = 1000;

/**
 * Runs a script of the operator with the call in its environment. It gets no standard input, and what
 * it prints last is its reason. After its time it is sent SIGTERM, then SIGKILL, with all that it
 * started. Never rejects.
 */
export function runHook(
  program: HookProgram,
  call: HookCall,
  { clock, nodes }: { readonly clock: Clock; readonly nodes: readonly NodeAddress[] },
): Promise<HookOutcome> {
  return new Promise((resolve) => {
    const child = spawn(program.file, [], {
      env: { ...process.env, ...hookEnvironment(call, nodes) },
      // A group of its own, so that all of it can be ended.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let late = false;
    const signal = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // It has ended meanwhile.
      }
    };
    const cancelTimer = clock.after(program.timeoutMs, () => {
      late = true;
      signal('SIGTERM');
      clock.after(patienceMs, () => signal('SIGKILL'));
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output = (output + text).slice(-outputLengthMax);
      });
    }
    child.on('error', (error) => {
      cancelTimer();
      resolve({ kind: 'failed', reason: `could not run ${program.file}: ${error.message}` });
    });
    // Not `close`: something that the script left running may hold its output open for ever.
    child.on('exit', (code) => {
      cancelTimer();
      const reason = output.trim().split('\n').at(-1) ?? '';
      if (late) resolve({ kind: 'failed', reason: `not done within ${program.timeoutMs} ms` });
      else if (code === 0) resolve({ kind: 'done' });
      else if (code === tryAgainCode) resolve({ kind: 'later', reason });
      else resolve({ kind: 'failed', reason: `exit code ${code}: ${reason}` });
    });
  });
}

/** Documented in docs/failover.md. */
function hookEnvironment(
  call: HookCall,
  nodes: readonly NodeAddress[],
): { readonly [name: string]: string } {
  const addressOf = (id: string | null) => nodes.find((node) => node.id === id);
  const node = addressOf(call.node);
  const primary = addressOf(call.primary);
  return {
    PGWEAVE_EVENT: call.event,
    PGWEAVE_SHARD: call.shard,
    PGWEAVE_NODE: call.node,
    PGWEAVE_NODE_HOST: node?.host ?? '',
    PGWEAVE_NODE_PORT: String(node?.port ?? ''),
    PGWEAVE_PRIMARY: call.primary ?? '',
    PGWEAVE_PRIMARY_HOST: primary?.host ?? '',
    PGWEAVE_PRIMARY_PORT: String(primary?.port ?? ''),
    PGWEAVE_EPOCH: String(call.epoch),
    PGWEAVE_UUID: call.uuid,
    PGWEAVE_TIMELINE: String(call.timeline),
    PGWEAVE_SWITCH_LSN: call.switchLsn ?? '',
    PGWEAVE_MESSAGE: call.message,
  };
}
