import type { Round } from './chaos-round.ts';
import type { FaultRounds } from './run-rounds.ts';

/** A line per fault, over all of its rounds. */
export function chaosTable(results: readonly FaultRounds[]): string {
  return [
    '| fault | | rounds | stall p50 ms | p99 ms | max ms | errors outside of transactions | in transactions | rows lost | false promotions | broken promises |',
    '| --- | --- | ---: | ---: | ---: | ---: | --- | --- | ---: | ---: | --- |',
    ...results.map(line),
  ].join('\n');
}

function line({ fault, rounds, failures }: FaultRounds): string {
  const { name, title, failovers } = fault;
  const stalls = rounds.map(({ stallMs }) => stallMs);
  const at = (share: number) => quantile(stalls, share);
  const falsely = rounds.reduce(
    (sum, round) => sum + Math.max(0, round.failovers - failovers.max),
    0,
  );
  const lost = rounds.reduce((sum, round) => sum + round.lost.length, 0);
  const findings = [...new Set(rounds.flatMap((round) => round.findings)), ...failures];
  const cells = [
    name,
    title,
    rounds.length,
    at(0.5),
    at(0.99),
    at(1),
    errorsOf(rounds.map(({ errors }) => [...errors])),
    errorsOf(rounds.map(({ blockErrors }) => [...blockErrors])),
    lost,
    falsely,
    findings.length === 0 ? 'none' : findings.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** How long each step took, and what the clients waited beyond the release. */
export function stepsTable(results: readonly FaultRounds[]): string {
  const names = ['proof', 'claim', 'promotion', 'release', 'clients'];
  const columns = names.flatMap((name) => [`${name} p50`, 'p99']);
  return [
    `| fault | ${columns.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(columns.length)}`,
    ...results.flatMap(({ fault, rounds }) => {
      const all = rounds.filter(({ steps }) => steps.length > 0).map(durations);
      if (all.length === 0) return [];
      const cells = names.flatMap((_, index) => {
        const values = all.map((round) => round[index] ?? 0);
        return [quantile(values, 0.5), quantile(values, 0.99)];
      });
      return [`| ${[fault.name, ...cells].join(' | ')} |`];
    }),
  ].join('\n');
}

function durations({ steps, stallMs }: Round): readonly number[] {
  return [...steps, stallMs].map((at, index) => at - (index === 0 ? 0 : (steps[index - 1] ?? 0)));
}

/** 0 of no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
  return Math.round(sorted[index] ?? 0);
}

/** Each code with its count over all rounds, as text. */
export function errorsOf(all: readonly (readonly [string, number][])[]): string {
  const sums = new Map<string, number>();
  for (const [code, count] of all.flat()) {
    sums.set(code, (sums.get(code) ?? 0) + count);
  }
  const texts = [...sums].sort().map(([code, count]) => `${code}: ${count}`);
  return texts.length === 0 ? 'none' : texts.join(', ');
}
