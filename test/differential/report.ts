import type { Scenario } from './scenario.ts';

type Count = { statements: number; refused: number; failed: number };

/**
 * Counts answers by construct: a refusal is no mistake, but its share is what users feel. A statement
 * that fails on PostgreSQL, too, proves little: few should.
 */
export class Report {
  readonly #counts = new Map<string, Count>();
  readonly #reasons = new Map<string, number>();
  #seconds = 0;

  answered(scenario: Scenario, failed: boolean): void {
    const count = this.#count(scenario);
    count.statements += 1;
    if (failed) count.failed += 1;
  }

  refused(scenario: Scenario, message: string, failed: boolean): void {
    const count = this.#count(scenario);
    count.statements += 1;
    count.refused += 1;
    if (failed) count.failed += 1;
    this.#reasons.set(message, (this.#reasons.get(message) ?? 0) + 1);
  }

  took(seconds: number): void {
    this.#seconds += seconds;
  }

  get shares(): readonly ConstructShare[] {
    return [...this.#counts]
      .map(([construct, { statements, refused }]) => ({ construct, statements, refused }))
      .sort((a, b) => (a.construct < b.construct ? -1 : 1));
  }

  toString(): string {
    const rows = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    const all = { statements: 0, refused: 0, failed: 0 };
    for (const [, { statements, refused, failed }] of rows) {
      all.statements += statements;
      all.refused += refused;
      all.failed += failed;
    }
    const lines = [...rows, ['all', all] as const].map(([construct, count]) => {
      const share = (part: number) => `${((100 * part) / count.statements).toFixed(1)} %`;
      return [
        construct.padEnd(38),
        String(count.statements).padStart(10),
        share(count.refused).padStart(10),
        share(count.failed).padStart(10),
      ].join('');
    });
    const reasons = [...this.#reasons]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 25)
      .map(([message, count]) => `${String(count).padStart(8)}  ${message}`);
    return [
      `${'construct'.padEnd(38)}statements   refused    errors`,
      ...lines,
      `${Math.round(all.statements / this.#seconds)} statements/s`,
      ...(reasons.length > 0 ? ['refused most often:', ...reasons] : []),
    ].join('\n');
  }

  #count(scenario: Scenario): Count {
    const [construct = ''] = scenario.construct.split(':');
    const count = this.#counts.get(construct) ?? { statements: 0, refused: 0, failed: 0 };
    this.#counts.set(construct, count);
    return count;
  }
}

export type ConstructShare = {
  readonly construct: string;
  readonly statements: number;
  readonly refused: number;
};
