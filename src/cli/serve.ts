import type { Clock } from '../base/clock.ts';
import { type RunningSupervisor, readConfiguration, runSupervisor } from './run-supervisor.ts';
import { untilSignal } from './until-signal.ts';

/** `pgweave serve`: until SIGTERM or SIGINT has drained it. */
export async function serve(
  path: string,
  { allowStranded }: { readonly allowStranded: boolean },
  clock: Clock,
): Promise<void> {
  let running: RunningSupervisor | null = null;
  const { asked, abort } = untilSignal(() => {
    // reload() logs how it went.
    running?.supervisor.reload().catch(() => {});
  });
  const configuration = await readConfiguration(path);
  try {
    running = await runSupervisor(path, configuration, { clock, signal: abort, allowStranded });
  } catch (error) {
    // Told to stop before its shards answered: that is no failure.
    if (abort.aborted) return;
    throw error;
  }
  const { database, listen } = configuration.config;
  const port = running.supervisor.clientPort ?? listen.port;
  process.stdout.write(`ready postgresql://${urlHost(listen.host)}:${port}/${database}\n`);
  await asked;
  await running.supervisor.stop();
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
