import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';
import type { Plan, Reject } from '../plan.ts';
import { refuse, rejectOf } from '../refuse.ts';
import { relationOf } from '../relation-item.ts';
import type { RelationSchema } from '../schema.ts';
import type { StatementContext } from '../statement-context.ts';
import { fullName } from '../write/full-name.ts';
import { copyDefaults, defaultVariance } from './copy-defaults.ts';
import { type CopyOptions, copyOptions } from './copy-options.ts';
import { copyQueryText, verboseCopyText } from './copy-text.ts';

type CopyNode = Extract<SqlNode, { CopyStmt: unknown }>['CopyStmt'];

/** COPY, unless it is of a table of the home shard (null). `text` is the statement's. */
export function planCopy(context: StatementContext, node: CopyNode, text: string): Plan | null {
  const { relation: table, options: nodes = [], is_from: isFrom = false } = node;
  const relation = table === undefined ? null : relationOf(context, table);
  const options = copyOptions(nodes);
  if (relation === null || relation.sharding.kind === 'local') {
    return table === undefined ? planQuery(node, text, options) : null;
  }
  if (isOnServer(node)) {
    return refuse(
      'COPY of a sharded table from or to a file or program of the server is not supported',
      "Use COPY ... FROM STDIN or TO STDOUT, or psql's \\copy.",
    );
  }
  if (isFrom) return planRowsIn(node, relation, options, text);
  const { sharding } = relation;
  return {
    kind: 'copy',
    copy:
      sharding.kind === 'distributed'
        ? { kind: 'rows-out', distribution: sharding.distribution.name, options }
        : { kind: 'copy-out' },
  };
}

function isOnServer({ filename, is_program: isProgram }: CopyNode): boolean {
  return filename !== undefined || isProgram === true;
}

function planQuery(node: CopyNode, text: string, options: CopyOptions): Plan {
  if (isOnServer(node)) {
    return refuse(
      'COPY of a query to a file or program of the server is not supported',
      "Use COPY ... TO STDOUT, or psql's \\copy.",
    );
  }
  const query = copyQueryText(text);
  if (query === null)
    return refuse('COPY written in this way is not supported', 'Leave out comments.');
  return { kind: 'copy', copy: { kind: 'query-out', ...query, options } };
}

function planRowsIn(
  node: CopyNode,
  relation: RelationSchema,
  options: CopyOptions,
  text: string,
): Plan {
  const { sharding, name: table } = relation;
  const rewrittenText = options.rejectLimit === null ? null : verboseText(node, options, text);
  const named = stringsOf(node.attlist);
  const columns = node.attlist === undefined ? storedColumns(relation) : named;
  const defaults = copyDefaults(node, relation, columns, options);
  if (defaults?.text === null) {
    return refuse(
      'COPY written in this way, with defaults that differ from shard to shard, is not supported',
      'Write the values of all columns.',
    );
  }
  if (sharding.kind !== 'distributed') {
    const marked = markedDefault(relation, columns, options);
    if (marked !== null) return marked;
    const copies = { table, fullName: fullName(relation), options, rewrittenText, defaults };
    return { kind: 'copy', copy: { kind: 'copies-in', ...copies } };
  }
  const { key: name, distribution } = sharding;
  const index = columns.indexOf(name);
  if (index < 0) {
    const message = `COPY into "${table}" without its key "${name}"`;
    const hint = 'The key says which shard a row belongs to.';
    return rejectOf(new PgError(SqlState.notNullViolation, message, { hint }));
  }
  const column = relation.columns.find((each) => each.name === name);
  const forced = {
    notNull: includes(options.forceNotNull, name),
    null: includes(options.forceNull, name),
  };
  const key = { name, index, isNotNull: column?.notNull === true, forced };
  return {
    kind: 'copy',
    copy: {
      kind: 'rows-in',
      table,
      distribution: distribution.name,
      key,
      options,
      rewrittenText,
      defaults,
    },
  };
}

/** What stands for a default in a row each copy would compute for itself. */
function markedDefault(
  { name: table, columns }: RelationSchema,
  given: readonly string[],
  { format }: CopyOptions,
): Reject | null {
  if (format.kind === 'binary' || format.defaultText === null) return null;
  const differs = columns.some(
    (column) => given.includes(column.name) && defaultVariance(column) !== 'none',
  );
  if (!differs) return null;
  return refuse(
    `COPY with the option DEFAULT into reference table "${table}", whose defaults are computed, is not supported`,
    'Write the values, or leave the column out.',
  );
}

function storedColumns({ columns }: RelationSchema): readonly string[] {
  return columns.filter(({ isGenerated }) => isGenerated !== true).map(({ name }) => name);
}

function includes(names: readonly string[] | 'all', name: string): boolean {
  return names === 'all' || names.includes(name);
}

function verboseText({ options = [] }: CopyNode, { verbosity }: CopyOptions, text: string) {
  const placeOf = (wanted: string): number | null => {
    for (const option of options) {
      if (!('DefElem' in option) || option.DefElem.defname !== wanted) continue;
      // The grammar counts bytes.
      return Buffer.from(text)
        .subarray(0, option.DefElem.location ?? 0)
        .toString().length;
    }
    return null;
  };
  const limitAt = placeOf('reject_limit');
  return verbosity === 'verbose' || limitAt === null
    ? null
    : verboseCopyText(text, limitAt, placeOf('log_verbosity'));
}
