import { parseArgs } from 'node:util';
import { crowd, unbalanced } from './crowd.ts';
import { dieInEveryState } from './deaths.ts';
import { EnduranceWorld } from './endurance-world.ts';
import { footprintText } from './footprint.ts';
import { fuzz } from './fuzz.ts';
import { leaveAtRandom } from './leaving.ts';
import { storm } from './storm.ts';

const help = `Many clients, bad clients and dying clients against two shards; prints what it cost.

  --fuzz            damaged traffic only; the other parts are left out
  --attempts N      connections with damaged traffic (default 2000)
  --width N         of them at a time (default 24)
  --seed N          of the damage (default 7)
  --idle N          clients that are logged in and do nothing (default 10000)
  --active N        clients that ask and write meanwhile (default 200)
  --minutes N       how long (default 10)
  --storm N         clients that come and go in a second (default 1000)
  --storm-seconds N how long (default 20)
  --deaths N        rounds of clients that die in every state (default 20)
  --leaving N       sessions that do random things and leave in the middle of it (default 3000)
`;

const { values } = parseArgs({
  options: {
    fuzz: { type: 'boolean', default: false },
    attempts: { type: 'string', default: '2000' },
    width: { type: 'string', default: '24' },
    seed: { type: 'string', default: '7' },
    idle: { type: 'string', default: '10000' },
    active: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '10' },
    storm: { type: 'string', default: '1000' },
    'storm-seconds': { type: 'string', default: '20' },
    deaths: { type: 'string', default: '20' },
    leaving: { type: 'string', default: '3000' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) print(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const world = await EnduranceWorld.start();
  const findings: string[] = [];
  try {
    if (!values.fuzz) findings.push(...(await endure(world)));
    const { seed, attempts, width } = values;
    print(`fuzz, seed ${seed}\n`);
    const report = await fuzz(world, {
      seed: Number(seed),
      attempts: Number(attempts),
      width: Number(width),
      print: (line) => print(`${line}\n`),
    });
    const { answers, slowestMs } = report.neighbour;
    print(`${attempts} connections; neighbours: ${answers} answers, slowest ${ms(slowestMs)}\n`);
    findings.push(...report.findings);
  } finally {
    await world.stop();
  }
  print(findings.length === 0 ? 'nothing wrong\n' : `${findings.join('\n')}\n`);
  return findings.length === 0 ? 0 : 1;
}

async function endure(world: EnduranceWorld): Promise<readonly string[]> {
  const findings: string[] = [];
  const rest = async (what: string) => {
    print(`${what}: ${footprintText(await world.resting())}\n`);
  };
  await dieInEveryState(world, 1);
  await rest('at the beginning');
  const deaths = await dieInEveryState(world, Number(values.deaths));
  await rest(`after ${deaths} deaths`);
  const sessions = Number(values.leaving);
  const left = await leaveAtRandom(world, { seed: Number(values.seed), sessions, width: 24 });
  findings.push(...(await unbalanced(world)));
  await rest(`after ${left} sessions that left`);
  for (const [how, target] of [
    ['trust', world.stray],
    ['SCRAM', world.app],
  ] as const) {
    const perSecond = Number(values.storm);
    const seconds = Number(values['storm-seconds']);
    const report = await storm(world, { perSecond, seconds, target });
    findings.push(...report.failed);
    print(
      `storm (${how}): ${report.reachedPerSecond.toFixed(0)} of ${perSecond} per second, ${report.cpuMsPerClient.toFixed(2)} ms of CPU each, slowest ${ms(report.slowestMs)}, ${report.failed.length} failed\n`,
    );
    await rest('afterwards');
  }
  const [idle, active] = [Number(values.idle), Number(values.active)];
  const report = await crowd(world, { idle, active, seconds: Number(values.minutes) * 60 });
  findings.push(...report.findings);
  print(
    `${idle} idle and ${active} active clients: ${footprintText(report.crowded)}; ${report.answers} answers, slowest ${ms(report.slowestMs)}, ${report.cpuShare.toFixed(2)} cores\n`,
  );
  await rest('afterwards');
  return [...findings, ...world.faults];
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function print(text: string): void {
  process.stdout.write(text);
}
