import type { SqlNode } from '../sql/ast.ts';
import type { Plan, SettingCommand } from './plan.ts';
import { refusal, refuse } from './refuse.ts';
import { settingLimit } from './setting-limits.ts';

type SetNode = Extract<SqlNode, { VariableSetStmt: unknown }>['VariableSetStmt'];

const isolation = 'transaction_isolation';
const readOnly = 'transaction_read_only';

/** SET and RESET. Settings are kept by the session and replayed on every server it uses. */
export function planSetting(node: SetNode): Plan {
  const name = (node.name ?? '').toLowerCase();
  const local = node.is_local === true;
  switch (node.kind) {
    case 'VAR_RESET_ALL':
      return setting({ kind: 'reset-all' });
    case 'VAR_SET_MULTI':
      return setting(transactionSetting(node, name));
    case 'VAR_RESET':
      return setting({ kind: 'reset', name });
    case 'VAR_SET_DEFAULT':
      return setting({ kind: 'set', name, value: null, local });
    case 'VAR_SET_VALUE': {
      const value = (node.args ?? []).map(valueText).join(', ');
      return settingLimit(name, value) ?? setting({ kind: 'set', name, value, local });
    }
    default:
      return refuse('this form of SET is not supported', 'Use SET name TO value.');
  }
}

function setting(command: SettingCommand): Plan {
  return { kind: 'setting', command };
}

/** Ready to stand right of SET ... TO; names become strings, which SET reads alike. */
function valueText(node: SqlNode): string {
  if ('A_Const' in node) {
    const { ival, fval, sval, boolval } = node.A_Const;
    if (sval !== undefined) return quoted(sval.sval ?? '');
    if (fval !== undefined) return fval.fval ?? '0';
    if (boolval !== undefined) return boolval.boolval === true ? "'on'" : "'off'";
    if (ival !== undefined) return String(ival.ival ?? 0);
  }
  if ('TypeCast' in node) return intervalText(node.TypeCast);
  throw refusal('this value of a setting is not supported', 'Write it as a string.');
}

/** The manual's INTERVAL_MASK(HOUR) | INTERVAL_MASK(MINUTE), the fields of `HOUR TO MINUTE`. */
const hourToMinute = 3072;

/**
 * SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE. PostgreSQL keeps it as a text, INTERVAL '-08:00:00', and
 * reads such a text; with other fields or other digits the text would mean another interval.
 */
function intervalText({ arg, typeName }: Extract<SqlNode, { TypeCast: unknown }>['TypeCast']) {
  const [fields] = typeName?.typmods ?? [];
  const mask = fields !== undefined && 'A_Const' in fields ? fields.A_Const.ival?.ival : undefined;
  const text = arg !== undefined && 'A_Const' in arg ? (arg.A_Const.sval?.sval ?? '') : '';
  if (mask !== hourToMinute || !/^[+-]?\d{1,2}:\d{2}$/.test(text)) {
    throw refusal(
      'this interval is not supported as a time zone',
      "Write '-08:00' HOUR TO MINUTE.",
    );
  }
  return quoted(`INTERVAL '${text}'`);
}

function quoted(value: string): string {
  const doubled = value.replaceAll("'", "''");
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

/** SET TRANSACTION and SET SESSION CHARACTERISTICS, which are settings by another name. */
function transactionSetting(node: SetNode, form: string): SettingCommand {
  const [option, ...more] = node.args ?? [];
  const ofSession = form === 'session characteristics';
  if (
    option === undefined ||
    more.length > 0 ||
    !('DefElem' in option) ||
    (!ofSession && form !== 'transaction')
  ) {
    throw refusal(
      'this form of SET TRANSACTION is not supported',
      'Set one property at a time, or name them all in BEGIN.',
    );
  }
  const { defname: name = '', arg } = option.DefElem;
  if ((name !== isolation && name !== readOnly) || arg === undefined) {
    throw refusal(`SET TRANSACTION of ${name} is not supported`, 'Name it in BEGIN.');
  }
  const value = name === isolation ? valueText(arg) : isOn(arg) ? "'on'" : "'off'";
  return { kind: 'set', name: ofSession ? `default_${name}` : name, value, local: !ofSession };
}

export function isOn(node: SqlNode): boolean {
  return 'A_Const' in node && (node.A_Const.ival?.ival ?? 0) !== 0;
}
