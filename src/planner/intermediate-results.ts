import type { RangeVarNode } from '../sql/ast.ts';
import { walk } from '../sql/walk.ts';
import type { IntermediateResult } from './plan.ts';
import type { Column } from './scope.ts';
import { hiddenPrefix } from './tree-builders.ts';

const namePrefix = `${hiddenPrefix}result_`;

/** The intermediate results of one statement, in the order in which they must be collected. */
export class IntermediateResults {
  #all: { readonly plan: IntermediateResult; readonly columns: readonly Column[] }[] = [];

  get plans(): readonly IntermediateResult[] {
    return this.#all.map(({ plan }) => plan);
  }

  /** The name under which a query reads it. */
  get nextName(): string {
    return resultName(this.#all.length);
  }

  add(plan: IntermediateResult, columns: readonly Column[]): string {
    const name = this.nextName;
    this.#all.push({ plan, columns });
    return name;
  }

  /** Its columns as a query sees them; null for any other table. */
  columnsOf(table: RangeVarNode): readonly Column[] | null {
    if (table.schemaname !== undefined) return null;
    return this.#all[numberOf(table.relname ?? '')]?.columns ?? null;
  }

  /** Forgets those that came after the first `count`. */
  cutTo(count: number): void {
    this.#all = this.#all.slice(0, count);
  }
}

export function resultName(result: number): string {
  return `${namePrefix}${result}`;
}

/** The numbers of the results that a query reads, in their order, each once. */
export function resultsIn(query: unknown): readonly number[] {
  const found = new Set<number>();
  walk(query, (node) => {
    const isName = 'RangeVar' in node && node.RangeVar.schemaname === undefined;
    const number = isName ? numberOf(node.RangeVar.relname ?? '') : -1;
    if (number !== -1) found.add(number);
    return true;
  });
  return [...found].sort((a, b) => a - b);
}

function numberOf(name: string): number {
  return name.startsWith(namePrefix) ? Number(name.slice(namePrefix.length)) : -1;
}
