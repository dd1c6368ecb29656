import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { refusal, refuse } from '../refuse.ts';
import type { SettingCommand } from './setting-command.ts';
import { safeWrites, settingLimit } from './setting-limits.ts';

type SetNode = Extract<SqlNode, { VariableSetStmt: unknown }>['VariableSetStmt'];

const isolation = 'transaction_isolation';
const transactionProperties = new Set([
  isolation,
  'transaction_read_only',
  'transaction_deferrable',
]);

/** SET and RESET. Settings are kept by the session and replayed on every server it uses. */
export function planSetting(node: SetNode): Plan {
  const name = (node.name ?? '').toLowerCase();
  const local = node.is_local === true;
  if (local && name === safeWrites) {
    return refuse(
      `SET LOCAL ${safeWrites} is not supported`,
      `SET ${safeWrites} for the session, and back; or confirm the statement with WHERE true.`,
    );
  }
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

/**
 * SET TRANSACTION and SET SESSION CHARACTERISTICS, which are settings by another name. Of several
 * properties of a transaction the level is what the session must know; all travel in the text.
 */
function transactionSetting(node: SetNode, form: string): SettingCommand {
  const ofSession = form === 'session characteristics';
  const properties = (node.args ?? []).flatMap((option) =>
    'DefElem' in option ? [option.DefElem] : [],
  );
  const named = properties.find(({ defname }) => defname === isolation) ?? properties[0];
  if (
    named === undefined ||
    (ofSession && properties.length > 1) ||
    (!ofSession && form !== 'transaction')
  ) {
    throw refusal(
      'this form of SET TRANSACTION is not supported',
      'Set one property at a time, or name them all in BEGIN.',
    );
  }
  for (const { defname = '' } of properties) {
    if (!transactionProperties.has(defname)) {
      throw refusal(`SET TRANSACTION of ${defname} is not supported`, 'Name it in BEGIN.');
    }
  }
  const { defname: name = '', arg } = named;
  const value = arg === undefined ? null : name === isolation ? valueText(arg) : onOrOff(arg);
  return { kind: 'set', name: ofSession ? `default_${name}` : name, value, local: !ofSession };
}

function onOrOff(node: SqlNode): string {
  return isOn(node) ? "'on'" : "'off'";
}

export function isOn(node: SqlNode): boolean {
  return 'A_Const' in node && (node.A_Const.ival?.ival ?? 0) !== 0;
}
