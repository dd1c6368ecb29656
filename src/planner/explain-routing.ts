import { unreachable } from '../base/assert.ts';
import type { KeyCondition, KeyLimit, KeyValue, Routing } from './plan.ts';

/** Where a statement goes, as text. */
export function explainRouting(routing: Routing): readonly string[] {
  switch (routing.kind) {
    case 'home':
      return ['Home shard'];
    case 'any':
      return ['Any shard (reference tables)'];
    case 'by-key':
      return [
        ...routing.groups.map(
          (group) => `By key of "${group.distribution}": ${conditionText(group.condition)}`,
        ),
        ...(routing.withHome ? ['With the home shard'] : []),
      ];
    default:
      return unreachable(routing);
  }
}

function conditionText(condition: KeyCondition): string {
  switch (condition.kind) {
    case 'all':
      return 'all';
    case 'none':
      return 'none';
    case 'equal':
      return `= ${explainKey(condition.value)}`;
    case 'in':
      return `in (${condition.values.map(explainKey).join(', ')})`;
    case 'equal-any':
      return `= any(${explainKey(condition.array)})`;
    case 'range':
      return rangeText(condition.low, condition.high);
    case 'like':
      return `like ${explainKey(condition.pattern)}`;
    case 'starts-with':
      return `starts with ${explainKey(condition.prefix)}`;
    case 'and':
      return condition.conditions.map(nestedText).join(' and ');
    case 'or':
      return condition.conditions.map(nestedText).join(' or ');
    case 'assign':
      return `stores ${condition.values.map(explainKey).join(', ')}`;
    default:
      return unreachable(condition);
  }
}

function nestedText(condition: KeyCondition): string {
  const text = conditionText(condition);
  return condition.kind === 'and' || condition.kind === 'or' ? `(${text})` : text;
}

function rangeText(low: KeyLimit | null, high: KeyLimit | null): string {
  const parts: string[] = [];
  if (low !== null) parts.push(`>${low.inclusive ? '=' : ''} ${explainKey(low.value)}`);
  if (high !== null) parts.push(`<${high.inclusive ? '=' : ''} ${explainKey(high.value)}`);
  return parts.join(' and ');
}

/** A value as SQL; `?0` and `$1` stand for literals and parameters. */
export function explainKey(value: KeyValue): string {
  const name = value.ref.kind === 'literal' ? `?${value.ref.slot}` : `$${value.ref.index + 1}`;
  const cast = value.castType === null ? '' : `::${value.castType}`;
  return `${value.negated ? '-' : ''}${name}${cast}${value.soleUse ? '' : ' (if its type is declared)'}`;
}
