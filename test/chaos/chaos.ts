import { parseArgs } from 'node:util';
import { chaosTable, stepsTable } from './chaos-table.ts';
import { ChaosWorld } from './chaos-world.ts';
import { type Fault, faults } from './faults.ts';
import { PatroniWorld, patroniFaults } from './patroni/patroni-world.ts';
import { type KeptWorld, runAllRounds } from './run-rounds.ts';

const help = `Faults on real servers under a write load; prints what clients saw. A round that fails is told
of, and the next begins anew; SIGTERM ends it after the round at hand, with the table of those before.

  --fault F1,F2    which ones (default: all); --fault list names them
  --rounds N       of each (default 3)
  --seed N         of everything that is left to chance (default 7)
  --clients N      that write (default 16)
  --standbys N     of the primary (default 1)
  --mode NAME      sync, strict or async (default sync)
  --direct         no relays on the links, for figures: faults of processes only
  --lists          two clients more whose serializable transactions must have had one order
  --failover YAML  more options of the section failover, e.g. 'resolve_writes: true'
  --patroni        the same load on Patroni, etcd and HAProxy instead, faults F1, F2, F2A, F23
                   (apt-get install patroni python3-etcd etcd-server haproxy postgresql)
`;

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '7' },
    clients: { type: 'string', default: '16' },
    standbys: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'sync' },
    failover: { type: 'string', default: '' },
    direct: { type: 'boolean', default: false },
    lists: { type: 'boolean', default: false },
    patroni: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

let isOver = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isOver = true;
  });
}

if (values.help) print(help);
else if (values.fault === 'list')
  print(faults.map(({ name, title }) => `${name}\t${title}\n`).join(''));
else if (values.patroni) process.exitCode = await compare();
else process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = chosenOf(faults);
  const mode = (['sync', 'strict', 'async'] as const).find((name) => name === values.mode);
  if (chosen.length === 0 || mode === undefined) {
    print(help);
    return 2;
  }
  const linked = values.direct ? chosen.filter(({ ofLinks }) => ofLinks === true) : [];
  if (linked.length > 0) {
    const names = linked.map(({ name }) => name).join(', ');
    print(`--direct leaves out the relays that these faults need: ${names}\n`);
    return 2;
  }
  const open = () =>
    ChaosWorld.start({
      standbys: Number(values.standbys),
      durability: mode,
      failover: values.failover,
      direct: values.direct,
    });
  return await runAll(open, chosen, `${values.standbys} standbys, ${mode} ${values.failover}`);
}

async function compare(): Promise<number> {
  const open = () => PatroniWorld.start();
  return await runAll(open, chosenOf(patroniFaults), 'Patroni with one synchronous standby');
}

function chosenOf<World>(all: readonly Fault<World>[]): readonly Fault<World>[] {
  const wanted = values.fault === '' ? null : values.fault.split(',');
  const isPossible = ({ standbysMin = 1, ofLinks = false }: Fault<World>) =>
    standbysMin <= Number(values.standbys) && !(ofLinks && values.direct);
  return all.filter((fault) => wanted?.includes(fault.name) ?? isPossible(fault));
}

async function runAll<World extends KeptWorld>(
  open: () => Promise<World>,
  chosen: readonly Fault<World>[],
  about: string,
): Promise<number> {
  const results = await runAllRounds({
    faults: chosen,
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    clients: Number(values.clients),
    lists: values.lists,
    mayLose: values.mode === 'async',
    resolves: /resolve_writes: *(true|on)/.test(values.failover),
    open,
    isOver: () => isOver,
    print,
  });
  print(`\nseed ${values.seed}, ${values.clients} clients, ${about}\n\n`);
  print(`${chaosTable(results)}\n\n${stepsTable(results)}\n`);
  const isWell = results.every(
    ({ rounds, failures }) =>
      failures.length === 0 && rounds.every(({ findings }) => findings.length === 0),
  );
  return isWell ? 0 : 1;
}

function print(text: string): void {
  process.stdout.write(text);
}
