import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterView } from '../../../src/admin/cluster-view.ts';
import { type AdminHttp, startAdminHttp } from '../../../src/admin/http.ts';
import { listen } from '../../../src/base/listen.ts';
import { silentTelemetry, type Telemetry } from '../../../src/base/telemetry.ts';
import { clusterViewFixture } from '../../support/cluster-view-fixture.ts';
import { localAdmin } from '../../support/config-fixture.ts';

let http: AdminHttp | null = null;

afterEach(async () => {
  await http?.close();
  http = null;
});

async function start(
  changes: Partial<ClusterView> = {},
  telemetry: Telemetry = silentTelemetry,
): Promise<string> {
  const { view } = clusterViewFixture(changes);
  http = await startAdminHttp(() => localAdmin, view, telemetry);
  return `http://127.0.0.1:${http.port}`;
}

/** Sends raw bytes and collects what comes until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

describe('the admin pages', () => {
  it('say that the process is alive, ready or not', async () => {
    const base = await start({ obstacles: () => ['worker 0 is starting'] });
    const response = await fetch(`${base}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
  });

  it('say that it is ready', async () => {
    const response = await fetch(`${await start()}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      ready: true,
      reasons: [],
      shards: [{ shard: 'a_m', primary: '127.0.0.1:5433' }, { shard: 'n_z' }],
    });
  });

  it('say why it is not ready', async () => {
    const reasons = ['shard "n_z" has no primary: promoting 127.0.0.1:5436'];
    const response = await fetch(`${await start({ obstacles: () => reasons })}/readyz?verbose`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ ready: false, reasons });
  });

  it('give the metrics with their content type', async () => {
    const response = await fetch(`${await start()}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(await response.text()).toBe('pgweave_up 1\n');
  });

  it('list themselves', async () => {
    const text = await (await fetch(await start())).text();
    for (const page of ['/healthz', '/readyz', '/metrics']) expect(text).toContain(page);
  });

  it('answer HEAD without a body', async () => {
    const response = await fetch(`${await start()}/healthz`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('content-length')).toBe('3');
  });

  it('refuse other methods and other paths', async () => {
    const base = await start();
    const posted = await fetch(`${base}/metrics`, { method: 'POST', body: 'x' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
    expect((await fetch(`${base}/etc/passwd`)).status).toBe(404);
  });

  it('log a page that fails and tell the client nothing of it', async () => {
    const logged: string[] = [];
    const telemetry = {
      ...silentTelemetry,
      log: (_level: string, text: string) => logged.push(text),
    };
    const metrics = () => Promise.reject(new Error('a secret'));
    const response = await fetch(`${await start({ metrics }, telemetry)}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(logged).toEqual(['a page of the admin port failed']);
  });

  it('survive what is not HTTP', async () => {
    const base = await start();
    expect(await raw(http?.port ?? 0, '\u0000\u0000\u0000\u0008garbage\r\n\r\n')).toContain('400');
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  it('close on a client that does not finish its request', { timeout: 15_000 }, async () => {
    await start();
    const begin = performance.now();
    expect(await raw(http?.port ?? 0, 'GET /healthz HTTP/1.1\r\nhost:')).toContain('408');
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  it('name a port that is in use in one line', async () => {
    const squatter = createServer();
    const port = await listen(squatter, { host: '127.0.0.1', port: 0, purpose: 'a test' });
    const { view } = clusterViewFixture();
    const started = startAdminHttp(() => ({ ...localAdmin, port }), view, silentTelemetry);
    await expect(started).rejects.toThrow(
      `cannot listen for the admin pages on 127.0.0.1:${port}: the port is in use`,
    );
    squatter.close();
  });

  it('name an address that is not ours', async () => {
    const { view } = clusterViewFixture();
    const started = startAdminHttp(
      () => ({ ...localAdmin, host: '203.0.113.1' }),
      view,
      silentTelemetry,
    );
    await expect(started).rejects.toThrow('the address does not belong to this machine');
  });
});
