import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listen } from '../base/listen.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Admin } from '../config/config.ts';
import type { ClusterView } from './cluster-view.ts';
import { challenge, mayRead } from './http-access.ts';

/** Bounds for slow or many clients: scrapes and probes are short. */
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
const idleTimeoutMs = 15_000;
const connectionsMax = 64;
const openPage = '/healthz';

export type AdminHttp = {
  readonly port: number;
  close(): Promise<void>;
};

type Answer = {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: { readonly [name: string]: string };
};
type Page = () => Answer | Promise<Answer>;

/**
 * Read-only pages for probes and scrapers: nothing here changes anything, and no page holds a
 * secret. `admin` says who may read them; the bare word that the process runs is for everybody.
 */
export async function startAdminHttp(
  admin: () => Admin,
  view: Pick<ClusterView, 'version' | 'obstacles' | 'status' | 'metrics'>,
  telemetry: Telemetry,
): Promise<AdminHttp> {
  const pages: ReadonlyMap<string, Page> = new Map<string, Page>([
    ['/', () => plain(200, index(view.version))],
    ['/healthz', () => plain(200, 'ok\n')],
    ['/readyz', () => readiness(view)],
    ['/metrics', () => metrics(view)],
  ]);
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
    answer(pages, request, admin())
      .catch((error: unknown) => {
        telemetry.log('error', 'a page of the admin port failed', { path: request.url, error });
        return plain(500, 'internal error, see the log\n');
      })
      .then((page) => send(request, response, page))
      // send() only writes to the response, whose errors are events of its socket.
      .catch(() => response.destroy());
  });
  bound(server);
  const port = await listen(server, { ...admin(), purpose: 'the admin pages' });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function bound(server: Server): void {
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.keepAliveTimeout = headersTimeoutMs;
  server.maxConnections = connectionsMax;
  // Also for a client that does not read its answer.
  server.setTimeout(idleTimeoutMs, (socket) => socket.destroy());
}

async function answer(
  pages: ReadonlyMap<string, Page>,
  request: IncomingMessage,
  admin: Admin,
): Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (path !== openPage && !mayRead(admin, request.headers.authorization)) {
    return { ...plain(401, 'not authorized\n'), headers: { 'www-authenticate': challenge(admin) } };
  }
  const page = pages.get(path);
  if (page === undefined) return plain(404, `no page ${path}, see /\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'only GET and HEAD\n');
  }
  return await page();
}

function send(request: IncomingMessage, response: ServerResponse, page: Answer): void {
  const length = Buffer.byteLength(page.body);
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(page.status === 405 ? { allow: 'GET, HEAD' } : {}),
    ...page.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

function readiness(view: Pick<ClusterView, 'obstacles' | 'status'>): Answer {
  const reasons = view.obstacles();
  const shards = view.status().shards.map(({ shard, state, primary, epoch, durability }) => ({
    shard,
    state,
    primary,
    epoch,
    durability,
  }));
  const body = `${JSON.stringify({ ready: reasons.length === 0, reasons, shards })}\n`;
  const status = reasons.length === 0 ? 200 : 503;
  return { status, contentType: 'application/json', body };
}

async function metrics(view: Pick<ClusterView, 'metrics'>): Promise<Answer> {
  const page = await view.metrics();
  return { status: 200, ...page };
}

function plain(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function index(version: string): string {
  return [
    `pgweave ${version}`,
    '',
    '/healthz  200 while the process runs',
    '/readyz   200 when every shard has a primary and the workers are ready, else 503; JSON',
    '/metrics  for Prometheus',
    '',
  ].join('\n');
}
