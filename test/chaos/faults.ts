import { availableParallelism } from 'node:os';
import { sleep } from '../../src/base/clock.ts';
import { pidTree, signalAll } from '../../src/lab/pid-tree.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { ChaosWorld } from './chaos-world.ts';
import {
  alterSystem,
  fillLogDisk,
  startBusyProcesses,
  startCancelStorm,
} from './server-trouble.ts';

export type Fault<World = ChaosWorld> = {
  readonly name: string;
  readonly title: string;
  /** How many promotions are right. */
  readonly failovers: { readonly min: number; readonly max: number };
  /** No statement outside of a transaction may get an error; `resolved`: with resolve_writes. */
  readonly errorless?: 'always' | 'resolved';
  /** How many it needs; default 1. */
  readonly standbysMin?: number;
  /** It disturbs links rather than processes. */
  readonly ofLinks?: boolean;
  /** It kills pgweave, which is started again. */
  readonly restarts?: boolean;
  /** Resolves when statements may be expected to flow again, if only after a while. */
  inject(world: World): Promise<void>;
};

const none = { min: 0, max: 0 };
const once = { min: 1, max: 1 };
const atMostOnce = { min: 0, max: 1 };

/** The faults of the design that need nothing but processes and links. */
export const faults: readonly Fault[] = [
  {
    name: 'F1',
    title: 'kill -9 of the primary',
    failovers: once,
    errorless: 'resolved',
    inject: async (world) => (await world.primary()).kill(),
  },
  {
    name: 'F2',
    title: 'SIGSTOP of all its processes, woken 5 s later',
    failovers: once,
    errorless: 'resolved',
    async inject(world) {
      const primary = await world.primary();
      await primary.pause();
      await sleep(5000);
      await primary.resume();
    },
  },
  {
    name: 'F3',
    title: 'SIGSTOP of its postmaster only, until an alarm tells of it',
    failovers: none,
    async inject(world) {
      const { pid } = await world.primary();
      if (pid === null) throw new Error('the primary does not run');
      process.kill(pid, 'SIGSTOP');
      try {
        await world.served.until(
          'an alarm',
          async () => (await world.served.metric('pgweave_node_accepts_connections')) === 1,
          20_000,
        );
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    },
  },
  {
    name: 'F4',
    title: 'kill -9 of one of its backends',
    failovers: atMostOnce,
    async inject(world) {
      const pid = await withSession(
        await world.primary(),
        world.served.lab.login,
        async (session) => {
          const { rows } = await session.query<{ pid: number }>(
            "select pid from pg_stat_activity where backend_type = 'background writer'",
          );
          return rows[0]?.pid;
        },
      );
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    },
  },
  {
    name: 'F5',
    title: 'fast stop of the primary',
    failovers: once,
    errorless: 'resolved',
    inject: async (world) => (await world.primary()).stop('fast'),
  },
  {
    name: 'F6',
    title: 'black hole between pgweave and the primary for 1.5 s',
    ofLinks: true,
    failovers: none,
    async inject(world) {
      const link = world.front(await world.primary());
      await link.set({ kind: 'black-hole' });
      await sleep(1500);
      await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F6L',
    title: 'the same, until pgweave believes itself',
    ofLinks: true,
    failovers: once,
    errorless: 'resolved',
    inject: async (world) => world.front(await world.primary()).set({ kind: 'black-hole' }),
  },
  {
    name: 'F7',
    title: 'black hole between the primary and its standbys for 4 s',
    ofLinks: true,
    failovers: none,
    async inject(world) {
      const links = (await world.standbys()).map((node) => world.upstream(node));
      for (const link of links) await link.set({ kind: 'black-hole' });
      await sleep(4000);
      for (const link of links) await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F8',
    title: 'the primary isolated from all, healed 3 s later',
    ofLinks: true,
    failovers: once,
    errorless: 'resolved',
    async inject(world) {
      const links = [
        world.front(await world.primary()),
        ...(await world.standbys()).map((node) => world.upstream(node)),
      ];
      for (const link of links) await link.set({ kind: 'black-hole' });
      await sleep(3000);
      for (const link of links) await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F9',
    title: 'links to all servers late by 100 ms for 5 s',
    ofLinks: true,
    failovers: none,
    errorless: 'always',
    async inject(world) {
      const links = world.shard.nodes.map((node) => world.front(node));
      for (const link of links) await link.set({ kind: 'delay', delayMs: 100 });
      await sleep(5000);
      for (const link of links) await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F10',
    title: 'the supervisor does not run for 2 s',
    failovers: none,
    errorless: 'always',
    async inject(world) {
      world.served.run.kill('SIGSTOP');
      await sleep(2000);
      world.served.run.kill('SIGCONT');
    },
  },
  {
    name: 'F10L',
    title: 'eight busy processes for each core, for 5 s',
    failovers: none,
    errorless: 'always',
    async inject() {
      const end = startBusyProcesses(8 * availableParallelism());
      await sleep(5000);
      end();
    },
  },
  {
    name: 'F11',
    title: 'every flush of the log of the primary takes 100 ms more, for 4 s',
    failovers: none,
    errorless: 'always',
    async inject(world) {
      const primary = await world.primary();
      const settings = ['fsync = on', 'commit_delay = 100000', 'commit_siblings = 0'];
      await alterSystem(world, primary, (name) => `set ${name}`, settings);
      await sleep(4000);
      const names = settings.map((setting) => setting.split(' ')[0] ?? '');
      await alterSystem(world, primary, (name) => `reset ${name}`, names);
    },
  },
  {
    name: 'F12',
    title: 'the log of the primary cannot grow: a limit of file sizes, as a full disk',
    failovers: once,
    inject: async (world) => fillLogDisk(world, await world.primary()),
  },
  {
    name: 'F13',
    title: 'kill -9 of the primary while the replay of its standbys is paused',
    failovers: once,
    errorless: 'resolved',
    async inject(world) {
      for (const standby of await world.standbys()) {
        await withSession(standby, world.served.lab.login, (session) =>
          session.query('select pg_wal_replay_pause()'),
        );
      }
      await sleep(300);
      await (await world.primary()).kill();
    },
  },
  {
    name: 'F14',
    title: 'all standbys die, then the primary, which returns 2 s later',
    failovers: none,
    async inject(world) {
      const standbys = await world.standbys();
      const primary = await world.primary();
      for (const standby of standbys) await standby.kill();
      await world.served.until('solo', async () => (await world.row())['durability'] === 'solo');
      await primary.kill();
      for (const standby of standbys) await standby.start();
      await sleep(2000);
      if ((await world.findPrimary()) !== null) throw new Error('promoted while solo');
      await primary.start();
    },
  },
  {
    name: 'F15',
    title: 'all die at once; the standbys return first',
    failovers: atMostOnce,
    async inject(world) {
      const standbys = await world.standbys();
      const primary = await world.primary();
      await Promise.all([primary, ...standbys].map((node) => node.kill()));
      await sleep(500);
      await Promise.all(standbys.map((node) => node.start()));
      await sleep(1500);
      await primary.start();
    },
  },
  {
    name: 'F16',
    title: 'each new primary is killed after 1 s, three times',
    failovers: { min: 1, max: 3 },
    async inject(world) {
      for (let turn = 0; turn < 3; turn += 1) {
        const primary = await waitForPrimary(world);
        await primary.kill();
        await sleep(1000);
        await primary.start();
      }
    },
  },
  ...(['promoting', 'open', 'revoking'] as const).map(
    (phase): Fault => ({
      name: `F17${phase[0]?.toUpperCase()}`,
      title: `kill -9 of the primary, and of pgweave when its record says ${phase}`,
      failovers: atMostOnce,
      restarts: true,
      standbysMin: phase === 'revoking' ? 2 : 1,
      async inject(world) {
        const primary = await world.primary();
        const { epoch } = await world.record();
        const killed = world.killProxyWhen(
          (record) => record.phase === phase && (phase !== 'open' || record.epoch > epoch),
        );
        await primary.kill();
        await killed;
        await world.served.restart();
      },
    }),
  ),
  {
    name: 'F17C',
    title: 'kill -9 of pgweave in the middle of a switchover',
    failovers: atMostOnce,
    restarts: true,
    async inject(world) {
      let isOver = false;
      const killed = world
        .killProxyWhen(({ phase }) => phase === 'claimed')
        .finally(() => {
          isOver = true;
        });
      // Refused as long as the standby is not near enough.
      while (!isOver) {
        await world.served.console('switchover a').catch(() => []);
        await sleep(50);
      }
      await killed;
      await world.served.restart();
    },
  },
  {
    name: 'F19',
    title: 'the killed primary is started again at once by another supervisor',
    failovers: atMostOnce,
    async inject(world) {
      const primary = await world.primary();
      await primary.kill();
      await primary.start();
    },
  },
  {
    name: 'F20',
    title: 'the time of day of pgweave jumps by an hour, forth and back',
    failovers: none,
    errorless: 'always',
    async inject(world) {
      for (let jump = 0; jump < 3; jump += 1) {
        signalAll(await pidTree(world.served.run.pid), 'SIGUSR2');
        await sleep(700);
      }
    },
  },
  {
    name: 'F21',
    title:
      'waits for the standby are cancelled all the time, then both standby and primary are lost',
    ofLinks: true,
    failovers: once,
    async inject(world) {
      const primary = await world.primary();
      const links = (await world.standbys()).map((node) => world.upstream(node));
      for (const link of links) await link.set({ kind: 'delay', delayMs: 30 });
      const storm = await startCancelStorm(world, primary);
      await sleep(1500);
      // Nothing gets to a standby any more, and every commit is told that it need not wait.
      for (const link of links) await link.set({ kind: 'black-hole' });
      await sleep(300);
      await primary.kill();
      await storm.end();
      for (const link of links) await link.set({ kind: 'cut' });
      for (const link of links) await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F23',
    title: 'planned switchover',
    failovers: once,
    errorless: 'always',
    async inject(world) {
      await world.served.console('switchover a');
    },
  },
  {
    name: 'F23L',
    title: 'planned switchover that is given up half-way, since nothing gets to the standby',
    ofLinks: true,
    failovers: none,
    errorless: 'resolved',
    async inject(world) {
      const links = (await world.standbys()).map((node) => world.upstream(node));
      for (const link of links) await link.set({ kind: 'black-hole' });
      await world.served.console('switchover a').catch(() => []);
      for (const link of links) await link.set({ kind: 'cut' });
      for (const link of links) await link.set({ kind: 'pass' });
    },
  },
  {
    name: 'F24',
    title: 'kill -9 of the primary while the configuration changes all the time',
    failovers: once,
    errorless: 'resolved',
    inject: (world) => whileReloading(world, async () => (await world.primary()).kill()),
  },
  {
    name: 'F24S',
    title: 'planned switchover while the configuration changes all the time',
    failovers: atMostOnce,
    errorless: 'always',
    inject: (world) =>
      whileReloading(world, () => world.served.console('switchover a').catch(() => [])),
  },
];

/** What changes makes pgweave begin to watch the shard anew, from its record. */
async function whileReloading(world: ChaosWorld, work: () => Promise<unknown>): Promise<void> {
  const isOver = work().then(() => sleep(500).then(() => true));
  for (let turn = 0; !(await Promise.race([isOver, sleep(30).then(() => false)])); turn += 1) {
    await world.served.reconfigure((text) =>
      text.replace('cooldown: 0', `cooldown: 0, partition_after: ${3000 + (turn % 2)}ms`),
    );
  }
}

async function waitForPrimary(world: ChaosWorld): Promise<PostgresServer> {
  await world.served.until('a primary', async () => (await world.findPrimary()) !== null, 30_000);
  return await world.primary();
}
