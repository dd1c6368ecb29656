import type { Routing } from '../plan.ts';

/** One shard at most is concerned, whatever the values are. */
export function isOfOneKey(routing: Routing): boolean {
  if (routing.kind !== 'by-key') return true;
  const [group, ...more] = routing.groups;
  if (more.length > 0 || routing.withHome || group === undefined) return false;
  const { condition } = group;
  return (
    condition.kind === 'equal' || (condition.kind === 'assign' && condition.values.length === 1)
  );
}
