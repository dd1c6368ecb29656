import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { Config } from '../../../src/config/config.ts';
import { encodeProcessId } from '../../../src/frontend/cancel-key.ts';
import { forkedWorkers } from '../../../src/supervisor/forked-worker.ts';
import { type Compiled, compileForNode } from '../../support/compile-for-node.ts';
import { configFixture } from '../../support/config-fixture.ts';
import { LineClient } from '../../support/line-client.ts';
import { eventually, SupervisorFixture } from '../../support/supervisor-fixture.ts';

let compiled: Compiled;
let fixture: SupervisorFixture | null = null;

beforeAll(async () => {
  const support = join(import.meta.dirname, '../../support');
  compiled = await compileForNode(join(support, 'greeting-worker-main.ts'), [
    join(support, 'lonely-supervisor-main.ts'),
  ]);
}, 60_000);

afterEach(async () => {
  await fixture?.supervisor.stop();
  fixture = null;
});

afterAll(() => compiled.remove());

async function start(config: Partial<Config> = {}): Promise<SupervisorFixture> {
  fixture = new SupervisorFixture(forkedWorkers(compiled.path, { clock: systemClock }), {
    workers: 2,
    ...config,
  });
  await fixture.supervisor.start();
  return fixture;
}

function limits(changes: Partial<Config['limits']>): Pick<Config, 'limits'> {
  return { limits: { ...configFixture().limits, ...changes } };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function pidOf(greeting: string | null): number {
  return Number(greeting?.split(' ')[3]);
}

describe('forked workers', { timeout: 30_000 }, () => {
  it('get each new client where the fewest sessions are', async () => {
    const { port } = await start();
    const greetings: (string | null)[] = [];
    const clients: LineClient[] = [];
    for (let i = 0; i < 6; i++) {
      const client = await LineClient.connect(port);
      clients.push(client);
      greetings.push((await client.line())?.slice(0, 8) ?? null);
    }
    expect(greetings.filter((text) => text === 'worker 0')).toHaveLength(3);
    expect(greetings.filter((text) => text === 'worker 1')).toHaveLength(3);
    for (const [index, client] of clients.entries()) {
      if (greetings[index] === 'worker 0') client.close();
    }
    // The client that asks is one itself.
    await eventually(async () => (await clientsPerWorker())[0] === '1');
    for (let i = 0; i < 3; i++) {
      const client = await LineClient.connect(port);
      expect(await client.line()).toMatch(/^worker 0/);
    }
  });

  it('read what a client sent before it was handed over', async () => {
    const { port } = await start();
    const client = await LineClient.connect(port);
    client.socket.write('echo early\n');
    expect(await client.line()).toMatch(/^worker/);
    expect(await client.line()).toBe('echo early');
  });

  it('leave a client above the limit refused, and let one in when a place is free', async () => {
    const { port } = await start(limits({ clientsMax: 3 }));
    const clients = await Promise.all([1, 2, 3].map(() => LineClient.connect(port)));
    for (const client of clients) expect(await client.line()).toMatch(/^worker/);
    const fourth = await LineClient.connect(port);
    expect(await fourth.line()).toBe('refused');
    fourth.close();
    clients[0]?.close();
    await eventually(async () => {
      const next = await LineClient.connect(port);
      return (await next.line())?.startsWith('worker');
    });
  });

  it('are restarted after a SIGKILL, and nobody else notices', async () => {
    const { port } = await start();
    const victim = await LineClient.connect(port);
    const other = await LineClient.connect(port);
    const pid = pidOf(await victim.line());
    const otherPid = pidOf(await other.line());
    expect(pid).not.toBe(otherPid);
    process.kill(pid, 'SIGKILL');
    expect(await victim.line()).toBeNull();
    expect(await other.ask('echo still here')).toBe('echo still here');
    const next = await eventually(async () => {
      const client = await LineClient.connect(port);
      const greeting = await client.line();
      return pidOf(greeting) === otherPid ? null : greeting;
    });
    expect(next).toMatch(/^worker 0/);
  });

  it('let a client wait while the only worker is restarted', async () => {
    const { port } = await start({ workers: 1 });
    const victim = await LineClient.connect(port);
    const pid = pidOf(await victim.line());
    process.kill(pid, 'SIGKILL');
    expect(await victim.line()).toBeNull();
    const client = await LineClient.connect(port);
    const greeting = await client.line();
    expect(greeting).toMatch(/^worker 0/);
    expect(pidOf(greeting)).not.toBe(pid);
  });

  it('leave no client hanging that a dying worker had not taken', async () => {
    const { port } = await start({ workers: 1 });
    const first = await LineClient.connect(port);
    const pid = pidOf(await first.line());
    process.kill(pid, 'SIGSTOP');
    const clients = await Promise.all(Array.from({ length: 20 }, () => LineClient.connect(port)));
    await sleep(100);
    process.kill(pid, 'SIGKILL');
    const answers = await Promise.all(clients.map((client) => client.line()));
    for (const greeting of answers) {
      expect(greeting).toMatch(/^worker 0/);
      expect(pidOf(greeting)).not.toBe(pid);
    }
  });

  it('get the cancel requests that name them', async () => {
    const { port } = await start();
    const clients = [await LineClient.connect(port), await LineClient.connect(port)];
    for (const client of clients) await client.line();
    const [zero, one] = clients;
    const processId = encodeProcessId({ workerIndex: 1, sessionNumber: 7 });
    await zero?.ask(`cancel ${processId} 00ff`);
    await eventually(async () => (await one?.ask('cancels')) === `${processId}:00ff`);
    expect(await zero?.ask('cancels')).toBe('');
    // A number without a worker disturbs nobody.
    await zero?.ask(`cancel ${encodeProcessId({ workerIndex: 900, sessionNumber: 7 })} 00ff`);
    await zero?.ask('cancel -1 00ff');
    expect(await zero?.ask('echo fine')).toBe('echo fine');
  });

  it('let sessions end within the limit of a drain', async () => {
    const running = await start(limits({ drainTimeoutMs: 5_000 }));
    const client = await LineClient.connect(running.port);
    await client.line();
    const stopped = running.supervisor.stop();
    expect(await client.ask('echo the last words')).toBe('echo the last words');
    await expect(LineClient.connect(running.port)).rejects.toThrow();
    const begin = performance.now();
    client.close();
    await stopped;
    expect(performance.now() - begin).toBeLessThan(2_000);
    expect(running.told).toContain('stop');
  });

  it('cut sessions that outlast a drain, and end even when stuck', async () => {
    const running = await start(limits({ drainTimeoutMs: 200 }));
    const idle = await LineClient.connect(running.port);
    const stuck = await LineClient.connect(running.port);
    await idle.line();
    const pid = pidOf(await stuck.line());
    stuck.socket.write('hang 20000\n');
    await sleep(50);
    const begin = performance.now();
    await running.supervisor.stop();
    expect(performance.now() - begin).toBeLessThan(4_000);
    expect(await idle.line()).toBeNull();
    expect(await stuck.line()).toBeNull();
    expect(isAlive(pid)).toBe(false);
  });

  it('leave the signals of a terminal to the supervisor', async () => {
    const { port } = await start({ workers: 1 });
    const client = await LineClient.connect(port);
    const pid = pidOf(await client.line());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    await sleep(100);
    expect(await client.ask('echo untouched')).toBe('echo untouched');
  });

  it('end by themselves when the supervisor is killed', async () => {
    const main = join(dirname(compiled.path), 'lonely-supervisor-main.js');
    const supervisor = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(supervisor.stdout, 'data');
    const clients = [
      await LineClient.connect(Number(port)),
      await LineClient.connect(Number(port)),
    ];
    const pids: number[] = [];
    for (const client of clients) pids.push(pidOf(await client.line()));
    supervisor.kill('SIGKILL');
    for (const client of clients) expect(await client.line()).toBeNull();
    await eventually(() => pids.every((pid) => !isAlive(pid)));
  });

  it('that cannot start make the start fail with one error', async () => {
    const open = forkedWorkers(compiled.path, { clock: systemClock });
    const broken = new SupervisorFixture(open, { workers: 1 }, 'cannot start');
    await expect(broken.supervisor.start()).rejects.toThrow('worker 0 ended while it started');
    expect(broken.told).toContain('stop');
    expect(broken.supervisor.adminPort).not.toBeNull();
  });

  async function clientsPerWorker(): Promise<(string | null)[]> {
    const client = await LineClient.connect(fixture?.port ?? 0);
    await client.line();
    const rows = JSON.parse((await client.ask('admin show workers')) ?? '[]') as string[][];
    client.close();
    return rows.map((row) => row[3] ?? null);
  }
});
