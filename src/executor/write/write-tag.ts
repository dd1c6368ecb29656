import { unreachable } from '../../base/assert.ts';
import type { Plan } from '../../planner/plan.ts';

export type WriteCommand = Extract<Plan, { readonly kind: 'modify' }>['command'];

/** Of CommandComplete, as PostgreSQL writes it. */
export function writeTag(command: WriteCommand, count: number): string {
  switch (command) {
    case 'truncate':
      return 'TRUNCATE TABLE';
    case 'setval':
    case 'select':
      return `SELECT ${count}`;
    case 'insert':
      return `INSERT 0 ${count}`;
    case 'update':
    case 'delete':
    case 'merge':
      return `${command.toUpperCase()} ${count}`;
    default:
      return unreachable(command);
  }
}
