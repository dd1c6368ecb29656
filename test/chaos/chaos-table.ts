import type { Round } from './chaos-round.ts';
import type { Fault } from './faults.ts';

/** A line per fault, over all of its rounds. */
export function chaosTable(
  results: readonly { readonly fault: Fault; readonly rounds: readonly Round[] }[],
): string {
  return [
    '| fault | | rounds | stall p50 ms | p99 ms | max ms | errors by SQLSTATE | rows lost | false promotions | broken promises |',
    '| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |',
    ...results.map(({ fault, rounds }) => line(fault, rounds)),
  ].join('\n');
}

function line({ name, title, failovers }: Fault, rounds: readonly Round[]): string {
  const stalls = rounds.map(({ stallMs }) => stallMs).sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(stalls[Math.min(stalls.length - 1, Math.floor(share * stalls.length))] ?? 0);
  const falsely = rounds.reduce(
    (sum, round) => sum + Math.max(0, round.failovers - failovers.max),
    0,
  );
  const lost = rounds.reduce((sum, round) => sum + round.lost.length, 0);
  const findings = [...new Set(rounds.flatMap((round) => round.findings))];
  const cells = [
    name,
    title,
    rounds.length,
    at(0.5),
    at(0.99),
    at(1),
    errorsOf(rounds),
    lost,
    falsely,
    findings.length === 0 ? 'none' : findings.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

function errorsOf(rounds: readonly Round[]): string {
  const sums = new Map<string, number>();
  for (const [code, count] of rounds.flatMap(({ errors }) => [...errors])) {
    sums.set(code, (sums.get(code) ?? 0) + count);
  }
  const texts = [...sums].sort().map(([code, count]) => `${code}: ${count}`);
  return texts.length === 0 ? 'none' : texts.join(', ');
}
