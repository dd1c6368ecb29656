import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { refuse } from '../refuse.ts';
import { isOn } from './plan-setting.ts';
import type { TransactionCommand } from './transaction-command.ts';

type TransactionNode = Extract<SqlNode, { TransactionStmt: unknown }>['TransactionStmt'];

/** BEGIN, COMMIT, SAVEPOINT and their kin. DEFERRABLE only changes when a transaction waits. */
export function planTransaction(node: TransactionNode): Plan {
  const name = node.savepoint_name ?? '';
  const gid = node.gid ?? '';
  const chain = node.chain === true;
  switch (node.kind) {
    case 'TRANS_STMT_BEGIN':
      return begin(node, 'BEGIN');
    case 'TRANS_STMT_START':
      return begin(node, 'START TRANSACTION');
    case 'TRANS_STMT_COMMIT':
      return command({ kind: 'commit', chain });
    case 'TRANS_STMT_ROLLBACK':
      return command({ kind: 'rollback', chain });
    case 'TRANS_STMT_SAVEPOINT':
      return command({ kind: 'savepoint', name });
    case 'TRANS_STMT_RELEASE':
      return command({ kind: 'release', name });
    case 'TRANS_STMT_ROLLBACK_TO':
      return command({ kind: 'rollback-to', name });
    case 'TRANS_STMT_PREPARE':
      return command({ kind: 'prepare', gid });
    case 'TRANS_STMT_COMMIT_PREPARED':
      return command({ kind: 'finish-prepared', tag: 'COMMIT PREPARED', gid });
    case 'TRANS_STMT_ROLLBACK_PREPARED':
      return command({ kind: 'finish-prepared', tag: 'ROLLBACK PREPARED', gid });
    default:
      return refuse('this transaction command is not supported', 'Use BEGIN and COMMIT.');
  }
}

function begin(node: TransactionNode, tag: 'BEGIN' | 'START TRANSACTION'): Plan {
  const isolation = isolationOf(node);
  return command({ kind: 'begin', tag, isolation, readOnly: readOnlyOf(node) });
}

function command(transaction: TransactionCommand): Plan {
  return { kind: 'transaction', command: transaction };
}

function optionOf(node: TransactionNode, name: string): SqlNode | null {
  for (const option of node.options ?? []) {
    if ('DefElem' in option && option.DefElem.defname === name) return option.DefElem.arg ?? null;
  }
  return null;
}

function isolationOf(node: TransactionNode): string | null {
  const value = optionOf(node, 'transaction_isolation');
  return value !== null && 'A_Const' in value ? (value.A_Const.sval?.sval ?? null) : null;
}

function readOnlyOf(node: TransactionNode): boolean | null {
  const value = optionOf(node, 'transaction_read_only');
  return value === null ? null : isOn(value);
}
