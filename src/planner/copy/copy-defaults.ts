import type { SqlNode } from '../../sql/ast.ts';
import { rewriteUtility } from '../rewrite-query.ts';
import type { ColumnSchema, RelationSchema } from '../schema.ts';
import { expressionOf } from '../write/given-defaults.ts';
import { varianceOf } from '../write/stable-defaults.ts';
import type { CopyOptions } from './copy-options.ts';
import type { CopyDefaults } from './copy-plan.ts';

type CopyNode = Extract<SqlNode, { CopyStmt: unknown }>['CopyStmt'];

/**
 * null when there are none. `given`: the columns of the client's rows. What differs from row to row
 * matters only where the same row is stored on several shards.
 */
export function copyDefaults(
  node: CopyNode,
  { sharding, columns }: RelationSchema,
  given: readonly string[],
  options: CopyOptions,
): CopyDefaults | null {
  const isDistributed = sharding.kind === 'distributed';
  const found = columns.flatMap((column) => {
    const { name, isGenerated = false } = column;
    const variance = given.includes(name) || isGenerated ? 'none' : defaultVariance(column);
    return variance === 'none' || (isDistributed && variance === 'row')
      ? []
      : [{ column, variance }];
  });
  if (found.length === 0) return null;
  const names = [...found.map(({ column }) => column.name), ...given];
  const attlist = names.map((sval): SqlNode => ({ String: { sval } }));
  const query = rewriteUtility({ CopyStmt: { ...node, attlist, ...verbose(node, options) } });
  const [piece] = query.kind === 'rewritten' ? query.pieces : [];
  return {
    columns: found.map(({ column: { name, typeOid } }) => ({ name, typeOid })),
    selectList: found.map(({ column }) => valueText(column)).join(', '),
    per: found.some(({ variance }) => variance === 'row') ? 'row' : 'statement',
    text: typeof piece === 'string' ? piece : null,
  };
}

/** How the default of a column differs; without one there is nothing to differ. */
export function defaultVariance({ default: text }: ColumnSchema): 'none' | 'statement' | 'row' {
  return text === undefined ? 'none' : varianceOf(expressionOf(text));
}

/** FirstNormalObjectId: types of users and extensions. */
const userOidMin = 16_384;

/** Of the column's type, as storing it would make it; what is in parentheses comes with storing. */
function valueText({ default: text = 'NULL', typeName, typeOid }: ColumnSchema): string {
  return typeOid < userOidMin ? `(${text})::pg_catalog."${typeName}"` : `(${text})`;
}

/** With REJECT_LIMIT each row left out must be told. */
function verbose({ options = [] }: CopyNode, { rejectLimit }: CopyOptions): Partial<CopyNode> {
  if (rejectLimit === null) return {};
  const others = options.filter(
    (option) => !('DefElem' in option) || option.DefElem.defname !== 'log_verbosity',
  );
  const told: SqlNode = {
    DefElem: {
      defname: 'log_verbosity',
      arg: { String: { sval: 'verbose' } },
      defaction: 'DEFELEM_UNSPEC',
    },
  };
  return { options: [...others, told] };
}
