import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { sleep } from '../../src/base/clock.ts';
import { pidTree } from '../../src/lab/pid-tree.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { ChaosWorld } from './chaos-world.ts';

export async function alterSystem(
  world: ChaosWorld,
  node: PostgresServer,
  command: (setting: string) => string,
  settings: readonly string[],
): Promise<void> {
  await withSession(node, world.served.lab.login, async (session) => {
    for (const setting of settings) await session.query(`alter system ${command(setting)}`);
    await session.query('select pg_reload_conf()');
  });
}

/** No privilege and no small disk is needed: what lies behind the limit cannot be written. */
export async function fillLogDisk(world: ChaosWorld, node: PostgresServer): Promise<void> {
  if (node.pid === null) throw new Error('the primary does not run');
  // Sessions of before have limits of their own; some may end meanwhile.
  const [postmaster, ...backends] = await pidTree(node.pid);
  const limit = (pid = 0) =>
    promisify(execFile)('prlimit', [`--pid=${pid}`, '--fsize=65536'], { ...node.account });
  await limit(postmaster);
  for (const pid of backends) await limit(pid).catch(() => {});
  await withSession(node, world.served.lab.login, (session) =>
    session.query('select pg_switch_wal()'),
  ).catch(() => {});
}

/** They take the processor from pgweave, servers and clients alike; the result ends them. */
export function startBusyProcesses(count: number): () => void {
  const busy = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  return () => {
    for (const child of busy) child.kill('SIGKILL');
  };
}

/** Ends every wait for a standby as soon as it is seen. */
export async function startCancelStorm(
  world: ChaosWorld,
  node: PostgresServer,
): Promise<{ end(): Promise<void> }> {
  let isOver = false;
  const running = withSession(node, world.served.lab.login, async (session) => {
    while (!isOver) {
      await session.query(
        "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'",
      );
      await sleep(5);
    }
  }).catch(() => {});
  return {
    async end() {
      isOver = true;
      await running;
    },
  };
}
