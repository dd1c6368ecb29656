import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { refuse } from '../refuse.ts';
import type { ConstantArgument } from './prepared-command.ts';
import { argumentsText, prepareText } from './prepared-text.ts';

/** PREPARE, EXECUTE and DEALLOCATE; null for every other statement. */
export function planPrepared(statement: SqlNode, text: string): Plan | null {
  if ('PrepareStmt' in statement) {
    const parts = prepareText(text);
    if (parts === null) return refuse('PREPARE written in this way', 'Leave out comments.');
    const { name = '' } = statement.PrepareStmt;
    return { kind: 'prepared', command: { kind: 'prepare', name, ...parts } };
  }
  if ('ExecuteStmt' in statement) {
    const written = argumentsText(text);
    if (written === null) return refuse('EXECUTE written in this way', 'Leave out comments.');
    const { name = '', params = [] } = statement.ExecuteStmt;
    const constants = params.map(constantOf);
    return {
      kind: 'prepared',
      command: { kind: 'execute', name, argumentsText: written, arguments: constants },
    };
  }
  if ('DeallocateStmt' in statement) {
    const { name, isall = false } = statement.DeallocateStmt;
    return {
      kind: 'prepared',
      command: { kind: 'deallocate', name: isall ? null : (name ?? null) },
    };
  }
  const query = 'CreateTableAsStmt' in statement ? statement.CreateTableAsStmt.query : undefined;
  if (query === undefined || !('ExecuteStmt' in query)) return null;
  return refuse('CREATE TABLE AS EXECUTE is not supported', 'Write the query itself.');
}

function constantOf(node: SqlNode): ConstantArgument | null {
  if (!('A_Const' in node)) return null;
  const { sval, ival, boolval, isnull } = node.A_Const;
  if (isnull === true) return { kind: 'null', text: '' };
  if (sval !== undefined) return { kind: 'string', text: sval.sval ?? '' };
  if (ival !== undefined) return { kind: 'integer', text: String(ival.ival ?? 0) };
  if (boolval === undefined) return null;
  return { kind: 'boolean', text: boolval.boolval === true ? 't' : 'f' };
}
