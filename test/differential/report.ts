import type { Scenario } from './scenario.ts';

type Count = { statements: number; refused: number };

/** Counts answers by construct: a refusal is no mistake, but its share is what users feel. */
export class Report {
  readonly #counts = new Map<string, Count>();
  readonly #reasons = new Map<string, number>();

  answered(scenario: Scenario): void {
    this.#count(scenario).statements += 1;
  }

  refused(scenario: Scenario, message: string): void {
    const count = this.#count(scenario);
    count.statements += 1;
    count.refused += 1;
    this.#reasons.set(message, (this.#reasons.get(message) ?? 0) + 1);
  }

  toString(): string {
    const rows = [...this.#counts].map(([construct, { statements, refused }]) => {
      const share = `${((100 * refused) / statements).toFixed(1)} %`;
      return `${construct.padEnd(28)}${String(statements).padStart(8)}${share.padStart(10)}`;
    });
    const reasons = [...this.#reasons]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 25)
      .map(([message, count]) => `${String(count).padStart(8)}  ${message}`);
    return [
      `${'construct'.padEnd(26)}statements   refused`,
      ...rows,
      ...(reasons.length > 0 ? ['refused most often:', ...reasons] : []),
    ].join('\n');
  }

  #count(scenario: Scenario): Count {
    const [construct = ''] = scenario.construct.split(':');
    const count = this.#counts.get(construct) ?? { statements: 0, refused: 0 };
    this.#counts.set(construct, count);
    return count;
  }
}
