import type { Load, Measurement } from './pgbench.ts';

/** One line per target and load; several rounds are summed up by their median. */
export class ResultsTable {
  readonly #rounds = new Map<string, { load: Load; target: string; rounds: Measurement[] }>();

  add(load: Load, target: string, measurement: Measurement | null): void {
    const key = `${load.mode} ${load.clients} ${target}`;
    const line = this.#rounds.get(key) ?? { load, target, rounds: [] };
    if (measurement !== null) line.rounds.push(measurement);
    this.#rounds.set(key, line);
  }

  /** Markdown. `of best PgBouncer` compares throughput under the same load. */
  toMarkdown(): string {
    const lines = [...this.#rounds.values()]
      .sort((a, b) => modeOrder(a.load) - modeOrder(b.load) || a.load.clients - b.load.clients)
      .map(({ load, target, rounds }) => {
        const head = `| ${load.mode} | ${load.clients} | ${target} |`;
        if (rounds.length === 0) return `${head} not supported | | | | |`;
        const tps = median(rounds.map((each) => each.transactionsPerSecond));
        const best = this.#bestPgbouncer(load);
        const cpu = rounds.flatMap((each) => each.cpuMicroseconds ?? []);
        return [
          `${head} ${Math.round(tps).toLocaleString('en')}`,
          best === null ? '' : `${(tps / best).toFixed(2)}`,
          median(rounds.map((each) => each.medianMs)).toFixed(2),
          median(rounds.map((each) => each.p99Ms)).toFixed(2),
          `${cpu.length === 0 ? '' : median(cpu).toFixed(1)} |`,
        ].join(' | ');
      });
    return [
      '| protocol | clients | through | statements/s | of best PgBouncer | p50 ms | p99 ms | proxy CPU us |',
      '| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |',
      ...lines,
    ].join('\n');
  }

  #bestPgbouncer(load: Load): number | null {
    const rates = [...this.#rounds.values()]
      .filter((line) => line.target.startsWith('PgBouncer'))
      .filter((line) => line.load.mode === load.mode && line.load.clients === load.clients)
      .filter((line) => line.rounds.length > 0)
      .map((line) => median(line.rounds.map((each) => each.transactionsPerSecond)));
    return rates.length === 0 ? null : Math.max(...rates);
  }
}

function modeOrder(load: Load): number {
  return ['simple', 'extended', 'prepared'].indexOf(load.mode);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
