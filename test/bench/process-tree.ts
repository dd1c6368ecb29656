import { readdirSync, readFileSync } from 'node:fs';

export type Usage = {
  /** User and system time of all processes, in milliseconds; whole clock ticks of 10 ms. */
  readonly cpuMs: number;
  readonly residentBytes: number;
};

const msPerTick = 10;
const pageBytes = 4096;

/** What a process and all its children use now. Linux only: it reads /proc. */
export function treeUsage(pid: number): Usage {
  let cpuMs = 0;
  let residentBytes = 0;
  for (const member of treeOf(pid)) {
    const fields = statFields(member);
    cpuMs += (Number(fields[11]) + Number(fields[12])) * msPerTick;
    residentBytes += Number(fields[21]) * pageBytes;
  }
  return { cpuMs, residentBytes };
}

function treeOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))];
}

/** From the third field (state) on; the second, the name, may hold blanks. */
function statFields(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
