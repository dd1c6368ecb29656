import { errorsOf, quantile } from './chaos-table.ts';
import { type Case, type CommitRound, steps, victims } from './commit-round.ts';

export type CaseRound = { readonly what: Case } & (
  | { readonly kind: 'done'; readonly round: CommitRound }
  | { readonly kind: 'failed'; readonly reason: string }
);

/** A line per victim, over all of its rounds, and one for all. */
export function commitTable(rounds: readonly CaseRound[]): string {
  const isOf = (victim: Case['victim']) => rounds.filter(({ what }) => what.victim === victim);
  const all = victims.map((victim) => [victim, isOf(victim)] as const);
  return [
    '| who dies | steps | rounds | commits | errors by SQLSTATE | what was prepared is ended, p50 ms | max ms | broken promises |',
    '| --- | --- | ---: | ---: | --- | ---: | ---: | --- |',
    ...[...all, ['all of these', rounds] as const]
      .filter(([, own]) => own.length > 0)
      .map(([name, own]) => line(name, own)),
  ].join('\n');
}

function line(name: string, rounds: readonly CaseRound[]): string {
  const done = rounds.flatMap((each) => (each.kind === 'done' ? [each.round] : []));
  const failed = rounds.flatMap((each) => (each.kind === 'failed' ? [each.reason] : []));
  const ended = done.map(({ endedMs }) => endedMs);
  const findings = [...new Set(done.flatMap((round) => round.findings)), ...failed];
  const cells = [
    name,
    stepsOf(rounds),
    rounds.length,
    done.reduce((sum, { committed }) => sum + committed, 0),
    // A connection that is lost, or cannot be had while nobody listens, has no SQLSTATE.
    errorsOf(done.map(({ errors }) => [...errors].filter(([code]) => /^\w{5}$/.test(code)))),
    quantile(ended, 0.5),
    quantile(ended, 1),
    findings.length === 0 ? 'none' : findings.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

function stepsOf(rounds: readonly CaseRound[]): string {
  const tried = new Set(rounds.map(({ what }) => what.step));
  return tried.size === steps.length ? 'all' : [...tried].join(', ');
}

export function isWell(rounds: readonly CaseRound[]): boolean {
  return rounds.every((each) => each.kind === 'done' && each.round.findings.length === 0);
}
