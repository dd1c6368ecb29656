import { unreachable } from '../../base/assert.ts';
import type { CopyOptions } from './copy-options.ts';
import type { CopyDefaults, CopyPlan } from './copy-plan.ts';

/** The plan as text that a DBA can read. */
export function explainCopy(copy: CopyPlan): readonly string[] {
  switch (copy.kind) {
    case 'rows-in':
      return [
        `Copy into ${copy.table}, rows by key of "${copy.distribution}": ${copy.key.name}, field ${copy.key.index + 1}`,
        ...(copy.rewrittenText === null ? [] : [`  ${copy.rewrittenText}`]),
        ...defaultsText(copy.defaults),
        `  ${optionsText(copy.options)}`,
      ];
    case 'copies-in':
      return [
        `Copy into every copy of ${copy.fullName}`,
        ...defaultsText(copy.defaults),
        `  ${optionsText(copy.options)}`,
      ];
    case 'rows-out':
      return [`Copy from the shards of "${copy.distribution}"`, `  ${optionsText(copy.options)}`];
    case 'copy-out':
      return ['Copy from any shard'];
    case 'query-out':
      return ['Copy from a query', `  ${copy.queryText.trim()}`, `  ${optionsText(copy.options)}`];
    default:
      return unreachable(copy);
  }
}

function defaultsText(defaults: CopyDefaults | null): readonly string[] {
  if (defaults === null) return [];
  const { selectList, per, text } = defaults;
  return [`  Defaults, computed once per ${per}: ${selectList}`, `  ${text}`];
}

function optionsText({ format, encoding, ...others }: CopyOptions): string {
  const marks = Object.entries(format).map(([name, value]) => {
    return `${name} ${Buffer.isBuffer(value) ? JSON.stringify(value.toString()) : value}`;
  });
  const set = Object.entries({ encoding, ...others }).filter(
    ([, value]) => !['', 'null', 'false', 'default'].includes(String(value)),
  );
  return [...marks, ...set.map(([name, value]) => `${name} ${value}`)].join(', ');
}
