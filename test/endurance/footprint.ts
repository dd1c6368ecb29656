import { readdirSync, readFileSync } from 'node:fs';
import { pidTree } from '../../src/lab/pid-tree.ts';
import type { ServedCluster } from '../support/served-cluster.ts';

/** What pgweave holds at one moment, over all its processes. */
export type Footprint = {
  readonly residentBytes: number;
  readonly fileDescriptors: number;
  readonly serverConnections: number;
  readonly clients: number;
};

/** Linux only: it reads /proc. */
export async function footprintOf(served: ServedCluster): Promise<Footprint> {
  const pools = await served.console('show pools');
  const clients = await served.console('show clients');
  const pids = await pidTree(served.run.pid);
  const perProcess = pids.map(usageOf);
  return {
    residentBytes: perProcess.reduce((sum, { bytes }) => sum + bytes, 0),
    fileDescriptors: perProcess.reduce((sum, { descriptors }) => sum + descriptors, 0),
    serverConnections: pools.reduce(
      (sum, { active, idle }) => sum + Number(active) + Number(idle),
      0,
    ),
    clients: clients.length,
  };
}

function usageOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    bytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** User and system time of all processes so far, in seconds. */
export async function cpuSecondsOf(served: ServedCluster): Promise<number> {
  const pids = await pidTree(served.run.pid);
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

export function footprintText({ residentBytes, ...rest }: Footprint): string {
  const { fileDescriptors, serverConnections, clients } = rest;
  const megabytes = (residentBytes / 1024 ** 2).toFixed(0);
  return `${megabytes} MB resident, ${fileDescriptors} file descriptors, ${serverConnections} server connections, ${clients} clients`;
}
