import { resultName } from '../intermediate-results.ts';
import { hiddenPrefix } from '../tree-builders.ts';

/**
 * Stands in a query for the type that a column (counted from 0) of an intermediate result turns out
 * to have.
 */
export function resultTypeName(name: string, column: number): string {
  const number = name.slice(resultName(0).length - 1);
  return `${hiddenPrefix}type_${number}_${column}`;
}
