import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** `root` and everything that it started, directly or not, as far as it still runs. */
export async function pidTree(root: number): Promise<readonly number[]> {
  const pairs = process.platform === 'linux' ? await pairsFromProc() : await pairsFromPs();
  const tree = [root];
  for (const parent of tree) {
    for (const [pid, parentPid] of pairs) if (parentPid === parent) tree.push(pid);
  }
  return tree;
}

/**
 * False for a pid that no longer exists, or that has ended and waits for a parent that never asks
 * (in a container the first process may be no init). One that we may not signal exists.
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return process.platform !== 'linux' || !isZombie(pid);
}

/** Signals in the given order; those that have ended meanwhile are passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, signal);
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}

type PidAndParent = readonly [pid: number, parentPid: number];

/** proc(5), /proc/pid/stat: "pid (name) state ppid ..."; the name may hold blanks and brackets. */
async function pairsFromProc(): Promise<readonly PidAndParent[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const pairs = names.map(async (name): Promise<PidAndParent> => {
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
    const [, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [Number(name), Number(parentPid ?? 0)];
  });
  return Promise.all(pairs);
}

async function pairsFromPs(): Promise<readonly PidAndParent[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  return stdout
    .trim()
    .split('\n')
    .map((line): PidAndParent => {
      const [pid, parentPid] = line.trim().split(/\s+/);
      return [Number(pid), Number(parentPid)];
    });
}
