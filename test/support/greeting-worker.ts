import type { Socket } from 'node:net';
import { PgError } from '../../src/base/pg-error.ts';
import { SqlState } from '../../src/base/sql-state.ts';
import type { GlobalId } from '../../src/cluster/transactions/global-id.ts';
import type { NodeId } from '../../src/config/config.ts';
import { createTrafficMetrics } from '../../src/observability/traffic-metrics.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import type { StartWorker, WorkerStart } from '../../src/supervisor/worker-link.ts';

/**
 * A worker that speaks lines instead of PostgreSQL's protocol. A client is greeted with
 * `worker <index> pid <pid>` or `refused`; then each line is a command:
 * `echo ...`, `hang` (blocks the event loop), `life NODE`, `lost NODE`, `cancel PID SECRET`, `admin SQL`, `schema`,
 * `settle ID SHARD`, * `version`, `states`.
 */
export const startGreetingWorker: StartWorker = async (link, start) => {
  if (start.configuration.configText === 'cannot start') throw new Error('told not to start');
  const { workerIndex } = start.place;
  const sockets = new Set<Socket>();
  const cancels: string[] = [];
  const metrics = createTrafficMetrics(`worker ${workerIndex}`);
  let state: WorkerStart['configuration'] = start.configuration;
  const answer = async (line: string): Promise<string> => {
    const [command = '', first = '', second = ''] = line.split(' ');
    switch (command) {
      case 'hang':
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(first));
        return 'awake';
      case 'life':
        link.proofOfLife([first as NodeId]);
        return 'sent';
      case 'lost':
        link.serverLost(first as NodeId);
        return 'sent';
      case 'cancel':
        link.cancel({ processId: Number(first), secretKey: second });
        return 'sent';
      case 'cancels':
        return cancels.join(',');
      case 'admin':
        return await link.console
          .execute(line.slice(6), { name: 'ops', admin: true })
          .then((result) => JSON.stringify(result.rows))
          .catch((error: { readonly sqlState: string }) => error.sqlState);
      case 'schema':
        await link.schemaChanged();
        return String(state.catalogue.relations.length);
      case 'settle':
        return String(await link.settleTransaction(first as GlobalId, [second as ShardId]));
      case 'version':
        return `${state.version} ${state.configText}`;
      case 'states':
        return JSON.stringify(state.shardStates);
      case 'statement':
        metrics.statement('single-shard');
        metrics.shardLatency('a_m', 3);
        return 'counted';
      default:
        return line;
    }
  };
  return {
    client(socket, refused) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const line = String(chunk).trim();
        answer(line)
          .then((text) => socket.write(`${text}\n`))
          .catch((error: unknown) => socket.write(`${String(error)}\n`));
      });
      socket.write(refused ? 'refused\n' : `worker ${workerIndex} pid ${process.pid}\n`);
    },
    loginFailed: () => {},
    holders: () => [],
    breakDeadlock: (session) => cancels.push(`deadlock ${session}`),
    shardStates: (shardStates) => {
      state = { ...state, shardStates };
    },
    catalogue: (catalogue) => {
      state = { ...state, catalogue };
    },
    configuration: (configuration) => {
      if (configuration.configText === 'refuse me') {
        throw new PgError(SqlState.configFileError, 'the certificate cannot be used');
      }
      state = configuration;
    },
    cancel: (key) => cancels.push(`${key.processId}:${key.secretKey}`),
    drain: async (timeoutMs) => {
      const deadline = performance.now() + timeoutMs;
      while (sockets.size > 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      for (const socket of sockets) socket.destroy();
    },
    report: async ({ clients }) => ({
      clients: clients
        ? [...sockets].map((socket) => ({
            processId: 1,
            user: 'app',
            database: 'shop',
            applicationName: '',
            address: socket.remoteAddress ?? '',
            port: socket.remotePort ?? 0,
            tls: false,
            state: 'idle' as const,
            shards: [],
            connectedAt: 0,
          }))
        : [],
      shards: [],
      pools: [
        {
          node: '127.0.0.1:5433' as NodeId,
          counts: {
            idle: 1,
            active: 2,
            reserved: 0,
            connecting: 0,
            waiting: workerIndex,
            waitMs: workerIndex,
          },
        },
      ],
      metrics: await metrics.snapshot(),
    }),
  };
};
