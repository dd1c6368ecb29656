import { unreachable } from '../../src/base/assert.ts';
import type { KnownDifference } from './known-differences.ts';
import { type ClientRun, compareSeen, type Verdict } from './seen.ts';
import { things } from './things.ts';

export type ClientReport = {
  readonly client: string;
  readonly version: string;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** For people, with a line for each thing that is not equal. */
  readonly text: string;
};

/** A client that ends early differs in the thing `run`, whatever it told before. */
export function reportClient(client: string, pgweave: ClientRun, plain: ClientRun): ClientReport {
  const [ours, theirs] = [pgweave, plain].map(
    (run) => new Map(run.things.map(({ name, seen }) => [name, seen])),
  );
  const names = [...new Set([...(ours?.keys() ?? []), ...(theirs?.keys() ?? [])])];
  const verdicts = new Map(
    names.map((name) => [name, compareSeen(ours?.get(name), theirs?.get(name))]),
  );
  for (const name of names.filter((each) => !isThing(each))) {
    verdicts.set(name, { kind: 'differs', pgweave: 'not in the list of things', plain: '' });
  }
  // Failing on both sides, it may not even have begun: that is no agreement.
  if (pgweave.failure !== null || plain.failure !== null) {
    const [here, there] = [pgweave.failure ?? 'ended well', plain.failure ?? 'ended well'];
    verdicts.set('run', { kind: 'differs', pgweave: here, plain: there });
  }
  const version = pgweave.version ?? plain.version ?? '';
  const equal = countOf(verdicts, 'equal');
  const lines = [...verdicts].flatMap(([name, verdict]) => lineOf(name, verdict));
  const text = `${client} ${version}: ${equal} of ${verdicts.size} equal\n${lines.join('')}`;
  return { client, version, verdicts, text };
}

/** What is neither equal nor known, and reasons that nothing needs any more. */
export function unexplained(
  reports: readonly ClientReport[],
  known: readonly KnownDifference[],
): { readonly surprises: readonly string[]; readonly idle: readonly string[] } {
  const seen = reports.flatMap(({ client, verdicts }) =>
    [...verdicts].map(([thing, { kind }]) => ({ client, thing, isEqual: kind === 'equal' })),
  );
  const isAbout = (each: KnownDifference, { client, thing }: { client: string; thing: string }) =>
    each.client === client && each.thing === thing;
  return {
    surprises: seen
      .filter((each) => !each.isEqual && !known.some((reason) => isAbout(reason, each)))
      .map(({ client, thing }) => `${client}: ${thing}`),
    idle: known
      .filter((reason) => seen.some((each) => each.isEqual && isAbout(reason, each)))
      .map(({ client, thing, reason }) => `${client}: ${thing}: ${reason}`),
  };
}

/** The README's table. */
export function markdownTable(reports: readonly ClientReport[]): string {
  const lines = reports.map(({ client, version, verdicts }) => {
    const others = [...verdicts].filter(([, { kind }]) => kind !== 'equal').map(([name]) => name);
    return `| ${client} | ${version} | ${countOf(verdicts, 'equal')} | ${others.join(', ')} |`;
  });
  return ['| client | version | equal | not |', '| --- | --- | ---: | --- |', ...lines].join('\n');
}

function isThing(name: string): boolean {
  return things.some((thing) => thing === name);
}

function countOf(verdicts: ReadonlyMap<string, Verdict>, kind: Verdict['kind']): number {
  return [...verdicts.values()].filter((verdict) => verdict.kind === kind).length;
}

function lineOf(name: string, verdict: Verdict): readonly string[] {
  switch (verdict.kind) {
    case 'equal':
      return [];
    case 'refused':
      return [`  ${name} is refused: ${verdict.error}\n`];
    case 'differs':
      return [
        `  ${name} differs\n    pgweave: ${verdict.pgweave}\n    plain:   ${verdict.plain}\n`,
      ];
    default:
      return unreachable(verdict);
  }
}
