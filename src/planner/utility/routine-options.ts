import type { SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';

export type RoutineOptions = {
  language?: string;
  body?: string;
  /** SET search_path of a procedure. */
  searchPath?: readonly string[];
};

/** What DO and CREATE FUNCTION or PROCEDURE say behind the name. */
export function routineOptions(options: readonly SqlNode[] | undefined): RoutineOptions {
  const found: RoutineOptions = {};
  for (const option of options ?? []) {
    if (!('DefElem' in option)) continue;
    const { defname, arg } = option.DefElem;
    if (arg === undefined) continue;
    if (defname === 'language' && 'String' in arg) found.language = arg.String.sval ?? '';
    else if (defname === 'as' && 'List' in arg) {
      const [body] = stringsOf(arg.List.items);
      if (body !== undefined) found.body = body;
    } else if (defname === 'set' && 'VariableSetStmt' in arg) {
      const { name, args } = arg.VariableSetStmt;
      if (name === 'search_path') found.searchPath = (args ?? []).map(nameOf);
    }
  }
  return found;
}

function nameOf(node: SqlNode): string {
  return 'A_Const' in node ? (node.A_Const.sval?.sval ?? '') : '';
}
