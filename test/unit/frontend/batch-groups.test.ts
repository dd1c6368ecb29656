import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { PlannedStatement } from '../../../src/executor/planned-statement.ts';
import type { Target } from '../../../src/executor/target.ts';
import { type BatchGroup, groupSteps } from '../../../src/frontend/batch-groups.ts';
import type { BatchStep } from '../../../src/frontend/batch-step.ts';
import type { Portal, PreparedStatement } from '../../../src/frontend/prepared-statement.ts';
import type { Plan } from '../../../src/planner/plan.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { demoSchema } from '../../support/demo-schema.ts';

const a = 'a' as ShardId;
const b = 'b' as ShardId;
const lexed = { start: 0, end: 0, fingerprint: '', literals: [], parameterCount: 0 };
const begin: Plan = {
  kind: 'transaction',
  command: { kind: 'begin', tag: 'BEGIN', isolation: null, readOnly: null },
};
const copy: Plan = { kind: 'utility', tag: 'COPY NOTE', changesSchema: false, everyShard: null };
const route = {
  kind: 'route',
  query: { kind: 'as-received' },
  visibleCount: 1,
  hiddenCount: 0,
} as const;

function statement(candidates: readonly ShardId[], plan: Plan = { kind: 'empty' }) {
  const basis = { schema: demoSchema(), searchPath: [] };
  const planned = new PlannedStatement('', lexed, plan, null, candidates, basis);
  const prepared: PreparedStatement = {
    name: '',
    serverName: '',
    meaning: '',
    planned,
    typeOids: [],
    tail: Buffer.alloc(0),
    told: null,
  };
  return prepared;
}

function portalOf(prepared: PreparedStatement, target: Target | null): Portal {
  return {
    name: '',
    statement: prepared,
    parameters: { typeOids: [], formats: [], values: [] },
    resultFormats: [],
    tail: Buffer.alloc(0),
    target,
    boundOn: null,
    serverName: '',
    cursor: null,
    returning: null,
    savepointCount: null,
    isGone: false,
    isDone: false,
  };
}

/** Parse, Bind, Describe and Execute of a statement with this target. */
function usual(target: Target | null, plan?: Plan): BatchStep[] {
  const prepared = statement(target === null ? [] : [a, b], plan);
  const portal = portalOf(prepared, target);
  return [
    { kind: 'parse', statement: prepared },
    { kind: 'bind', portal, replaced: null },
    { kind: 'describe-portal', portal },
    { kind: 'execute', portal, rowsMax: 0 },
  ];
}

const on = (shard: ShardId, write = false): Target => ({ kind: 'shard', shard, write });
const onBoth: Target = {
  kind: 'multi-shard',
  intermediate: [],
  shards: [a, b],
  root: route,
  runsAnywhere: false,
  combines: false,
  locks: false,
  describedOn: a,
  choice: null,
};

/** `a! parse bind` is a writing flight to a. */
function shown(groups: readonly BatchGroup[]): string[] {
  return groups.map((group) => {
    if (group.kind === 'flight') {
      const steps = group.steps.map((step) => step.kind).join(' ');
      return `${group.shard}${group.write ? '!' : ''} ${steps}`;
    }
    if (group.kind === 'replies')
      return `replies ${group.steps.map((step) => step.kind).join(' ')}`;
    if (group.kind === 'multi-shard') return `multi-shard${group.describe ? ' described' : ''}`;
    return group.kind;
  });
}

describe('the steps of a batch', () => {
  it('are one flight when one shard is concerned', () => {
    expect(shown(groupSteps(usual(on(b))))).toEqual(['b parse bind describe-portal execute']);
    expect(shown(groupSteps([...usual(on(b)), ...usual(on(b, true))]))).toEqual([
      'b! parse bind describe-portal execute parse bind describe-portal execute',
    ]);
  });

  it('are a flight per shard, in their order', () => {
    expect(shown(groupSteps([...usual(on(b)), ...usual(on(a)), ...usual(on(b))]))).toEqual([
      'b parse bind describe-portal execute',
      'a parse bind describe-portal execute',
      'b parse bind describe-portal execute',
    ]);
  });

  it('go where the statement is bound afterwards, or to the first candidate', () => {
    const prepared = statement([a, b]);
    const steps: BatchStep[] = [
      { kind: 'parse', statement: prepared },
      { kind: 'describe-statement', statement: prepared },
    ];
    expect(shown(groupSteps(steps))).toEqual(['a parse describe-statement']);
    const portal = portalOf(prepared, on(b));
    expect(shown(groupSteps([...steps, { kind: 'bind', portal, replaced: null }]))).toEqual([
      'b parse describe-statement bind',
    ]);
  });

  it('need no server when pgweave answers itself', () => {
    expect(shown(groupSteps(usual(null, begin)))).toEqual([
      'replies parse bind describe-portal',
      'command',
    ]);
    expect(shown(groupSteps([{ kind: 'close', portal: null }]))).toEqual(['replies close']);
    expect(groupSteps([])).toEqual([]);
  });

  it('keep their order around a command', () => {
    expect(shown(groupSteps([...usual(on(a)), ...usual(null, begin), ...usual(on(b))]))).toEqual([
      'a parse bind describe-portal execute parse bind describe-portal',
      'command',
      'b parse bind describe-portal execute',
    ]);
  });

  it('run over several shards alone, described in passing', () => {
    expect(shown(groupSteps(usual(onBoth)))).toEqual([
      'replies parse bind',
      'multi-shard described',
    ]);
    const [parse, bind, describe, execute] = usual(onBoth) as [
      BatchStep,
      BatchStep,
      BatchStep,
      BatchStep,
    ];
    expect(shown(groupSteps([parse, bind, execute]))).toEqual([
      'replies parse bind',
      'multi-shard',
    ]);
    expect(shown(groupSteps([parse, bind, describe]))).toEqual([
      'replies parse bind',
      'describe-multi-shard',
    ]);
  });

  it('are closed on the server that has the portal', () => {
    const portal = portalOf(statement([a]), on(b));
    expect(shown(groupSteps([{ kind: 'close', portal }]))).toEqual(['b close']);
  });

  it('stop at an error', () => {
    const error = new PgError('26000', 'no such statement');
    const refused = usual({ kind: 'error', error });
    expect(shown(groupSteps([...usual(on(a)), { kind: 'error', error }]))).toEqual([
      'a parse bind describe-portal execute',
      'error',
    ]);
    expect(shown(groupSteps(refused)).at(-1)).toBe('error');
  });

  it('end a flight with COPY, because the server wants data next', () => {
    expect(shown(groupSteps([...usual(on(a, true), copy), ...usual(on(a))]))).toEqual([
      'a! parse bind describe-portal execute',
      'a parse bind describe-portal execute',
    ]);
  });
});
