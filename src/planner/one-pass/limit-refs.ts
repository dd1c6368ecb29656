import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { slotOf } from '../../sql/bind-slots.ts';
import type { ValueRef } from '../../sql/statement.ts';
import { simpleTypeName } from '../keys/key-operand.ts';
import type { PlanNode } from '../plan.ts';
import { refusal } from '../refuse.ts';
import type { StatementContext } from '../statement-context.ts';
import { cast, integer, operator } from '../tree-builders.ts';

export type LimitRefs = { readonly count: ValueRef | null; readonly offset: ValueRef | null };

/** LIMIT and OFFSET of a query over several shards. Throws for what is computed. */
export function limitRefs(context: StatementContext, select: SelectNode): LimitRefs {
  if (select.limitOption === 'LIMIT_OPTION_WITH_TIES') {
    throw refusal('FETCH ... WITH TIES is not supported across shards', 'Use LIMIT.');
  }
  return {
    count: refOf(context, select.limitCount, 'LIMIT'),
    offset: refOf(context, select.limitOffset, 'OFFSET'),
  };
}

export function withLimit(input: PlanNode, { count, offset }: LimitRefs): PlanNode {
  return count === null && offset === null ? input : { kind: 'limit', input, count, offset };
}

function refOf(
  context: StatementContext,
  node: SqlNode | undefined,
  clause: 'LIMIT' | 'OFFSET',
): ValueRef | null {
  if (node === undefined || ('A_Const' in node && node.A_Const.isnull === true)) return null;
  if ('TypeCast' in node && node.TypeCast.arg !== undefined) {
    const type = simpleTypeName(node.TypeCast.typeName) ?? '';
    if (['int2', 'int4', 'int8'].includes(type)) return refOf(context, node.TypeCast.arg, clause);
  }
  if (!('ParamRef' in node)) throw computed(clause);
  const number = node.ParamRef.number ?? 0;
  const slot = slotOf(number);
  if (slot === null) return { kind: 'parameter', index: number - 1 };
  const kind = context.lexed.literals[slot.slot]?.kind;
  if (kind !== 'int4' && kind !== 'int8') throw computed(clause);
  if (slot.negated) {
    const state =
      clause === 'LIMIT' ? SqlState.invalidRowCountInLimit : SqlState.invalidRowCountInOffset;
    throw new PgError(state, `${clause} must not be negative`);
  }
  return { kind: 'literal', slot: slot.slot };
}

function computed(clause: string): PgError {
  return refusal(
    `${clause} of a computed value is not supported across shards`,
    'Give it as an integer or a parameter.',
  );
}

/**
 * How many rows each shard must give: those that OFFSET skips may all be its own. NULL (no limit)
 * where the sum would be too large for a bigint.
 */
export function limitOfShards(select: SelectNode, refs: LimitRefs): SqlNode | null {
  const { limitCount, limitOffset } = select;
  if (limitCount === undefined || refs.count === null) return null;
  if (limitOffset === undefined || refs.offset === null) return limitCount;
  const count = cast(limitCount, 'int8');
  const offset: SqlNode = {
    MinMaxExpr: {
      op: 'IS_GREATEST',
      args: [cast(limitOffset, 'int8'), integer(0)],
    },
  };
  const room = operator('-', bigintMax, offset);
  return {
    CaseExpr: {
      args: [
        { CaseWhen: { expr: operator('<=', count, room), result: operator('+', count, offset) } },
      ],
    },
  };
}

const bigintMax: SqlNode = cast({ A_Const: { sval: { sval: '9223372036854775807' } } }, 'int8');
