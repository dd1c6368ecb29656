import { unreachable } from '../base/assert.ts';
import type { PgError } from '../base/pg-error.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { BatchStep, CursorStep } from './batch-step.ts';
import type { Portal, PreparedStatement } from './prepared-statement.ts';
import { isOutdated } from './told-columns.ts';

export type DescribeStep = Extract<
  BatchStep,
  { readonly kind: 'describe-statement' | 'describe-portal' }
>;

/** Steps that are done together, in the order of the messages. */
export type BatchGroup =
  /** One flight to one shard; local steps in between are answered in their place. */
  | {
      readonly kind: 'flight';
      readonly shard: ShardId;
      readonly write: boolean;
      readonly steps: readonly BatchStep[];
    }
  /** Answered without any server. */
  | { readonly kind: 'replies'; readonly steps: readonly BatchStep[] }
  /** Execute of a SELECT over several shards; `describe`: its Describe came right before. */
  | {
      readonly kind: 'multi-shard';
      readonly step: BatchStep;
      readonly portal: Portal;
      readonly describe: boolean;
      readonly rowsMax: number;
    }
  | {
      readonly kind: 'describe-multi-shard';
      readonly step: BatchStep;
      readonly portal: Portal;
    }
  /** Describe of FETCH and EXECUTE, whose columns are those of what they name: known when reached. */
  | { readonly kind: 'describe-fetch'; readonly step: DescribeStep }
  | { readonly kind: 'cursor'; readonly step: CursorStep }
  /**
   * Execute of BEGIN, SET, EXPLAIN ..., or of a write over several shards, `describe`: whose Describe
   * came right before. It runs alone.
   */
  | {
      readonly kind: 'command';
      readonly step: BatchStep;
      readonly portal: Portal;
      readonly describe: boolean;
      readonly rowsMax: number;
    }
  | { readonly kind: 'error'; readonly step: BatchStep; readonly error: PgError };

/** Where a step must be done. `floating`: on any of these shards, next to its neighbours. */
type Place =
  | { readonly kind: 'shard'; readonly shard: ShardId }
  | { readonly kind: 'floating'; readonly shards: readonly ShardId[] }
  | { readonly kind: 'local' }
  | { readonly kind: 'alone'; readonly group: BatchGroup }
  /** Done together with the step that follows. */
  | { readonly kind: 'merged' };

/**
 * Puts neighbouring steps of one shard into one flight. A Parse or Describe of a statement goes
 * where the next bound step goes, so that the usual batch is a single flight.
 */
export function groupSteps(steps: readonly BatchStep[]): readonly BatchGroup[] {
  const flight = singleFlight(steps);
  if (flight !== null) return [flight];
  const builder = new GroupBuilder();
  for (const [index, step] of steps.entries()) {
    const place = placeOf(step, steps[index - 1], steps[index + 1]);
    switch (place.kind) {
      case 'floating':
        builder.float(step, place.shards);
        break;
      case 'local':
        builder.float(step, null);
        break;
      case 'shard':
        builder.onShard(step, place.shard);
        break;
      case 'alone':
        builder.alone(place.group);
        break;
      case 'merged':
        break;
      default:
        unreachable(place);
    }
  }
  return builder.finish();
}

/** The usual batch, found without building anything: all steps fit on the shard of the first Bind. */
function singleFlight(steps: readonly BatchStep[]): BatchGroup | null {
  let shard: ShardId | null = null;
  let write = false;
  for (const step of steps) {
    if (step.kind !== 'bind' && step.kind !== 'execute' && step.kind !== 'describe-portal')
      continue;
    const { target, statement } = step.portal;
    // COPY must be the last of its flight.
    if (statement.planned.plan.kind === 'utility') return null;
    if (target?.kind !== 'shard' || (shard !== null && target.shard !== shard)) return null;
    shard = target.shard;
    write ||= step.kind === 'execute' && target.write;
  }
  if (shard === null) return null;
  for (const step of steps) {
    if (step.kind === 'error' || step.kind === 'close' || step.kind === 'cursor') return null;
    if (step.kind !== 'parse' && step.kind !== 'describe-statement') continue;
    if (!step.statement.planned.candidates.includes(shard)) return null;
  }
  return { kind: 'flight', shard, write, steps };
}

class GroupBuilder {
  readonly #groups: BatchGroup[] = [];
  #flight: { shard: ShardId; write: boolean; steps: BatchStep[] } | null = null;
  /** Waiting for a neighbour; `shards` null needs no server. */
  #pending: { readonly step: BatchStep; readonly shards: readonly ShardId[] | null }[] = [];

  float(step: BatchStep, shards: readonly ShardId[] | null): void {
    this.#pending.push({ step, shards });
  }

  onShard(step: BatchStep, shard: ShardId): void {
    this.#place(shard);
    const flight = this.#open(shard);
    flight.steps.push(step);
    flight.write ||= step.kind === 'execute' && writes(step.portal);
    // In front of the next message but Sync the server wants the client's data.
    if (step.kind === 'execute' && isCopy(step.portal)) this.#close();
  }

  alone(group: BatchGroup): void {
    // The run over several shards parses the statement itself.
    const parsed =
      group.kind === 'multi-shard' ||
      group.kind === 'describe-multi-shard' ||
      (group.kind === 'command' && isOfShards(group.portal));
    if (
      parsed &&
      this.#pending.every(({ step, shards }) => shards === null || step.kind === 'parse')
    ) {
      this.#close();
      this.#reply();
    }
    this.finish();
    this.#groups.push(group);
  }

  finish(): BatchGroup[] {
    const home = this.#pending.find(({ shards }) => shards !== null)?.shards?.[0];
    const shard = this.#flight?.shard ?? home;
    if (shard === undefined) this.#reply();
    else this.#place(shard);
    this.#close();
    return this.#groups;
  }

  #place(shard: ShardId): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const { step, shards } of pending) {
      const place = shards === null || shards.includes(shard) ? shard : (shards[0] ?? shard);
      const flight = shards === null ? (this.#flight ?? this.#open(shard)) : this.#open(place);
      flight.steps.push(step);
    }
  }

  #open(shard: ShardId) {
    if (this.#flight !== null && this.#flight.shard !== shard) this.#close();
    this.#flight ??= { shard, write: false, steps: [] };
    return this.#flight;
  }

  #close(): void {
    if (this.#flight !== null) this.#groups.push({ kind: 'flight', ...this.#flight });
    this.#flight = null;
  }

  #reply(): void {
    const steps = this.#pending.map(({ step }) => step);
    this.#pending = [];
    if (steps.length > 0) this.#groups.push({ kind: 'replies', steps });
  }
}

function writes(portal: Portal): boolean {
  return portal.target?.kind === 'shard' && portal.target.write;
}

/** Its run over shards parses and describes it. */
function isOfShards({ target }: Portal): boolean {
  return target?.kind === 'write' || target?.kind === 'utility';
}

function isCopy({ statement }: Portal): boolean {
  const { plan } = statement.planned;
  return plan.kind === 'utility' && plan.tag.startsWith('COPY');
}

function placeOf(
  step: BatchStep,
  previous: BatchStep | undefined,
  next: BatchStep | undefined,
): Place {
  switch (step.kind) {
    case 'parse':
      return floatingPlace(step.statement);
    case 'describe-statement':
      return describeFetch(step, step.statement) ?? floatingPlace(step.statement);
    case 'bind':
      return targetShard(step.portal) ?? { kind: 'local' };
    case 'describe-portal':
      if (step.portal.target?.kind !== 'multi-shard' && !isOfShards(step.portal)) {
        const place = targetShard(step.portal) ?? describeFetch(step, step.portal.statement);
        return place ?? { kind: 'local' };
      }
      if (next?.kind === 'execute' && next.portal === step.portal) return { kind: 'merged' };
      return { kind: 'alone', group: { kind: 'describe-multi-shard', step, portal: step.portal } };
    case 'execute':
      return executePlace(step, previous);
    case 'close':
      return step.portal === null
        ? { kind: 'local' }
        : (targetShard(step.portal) ?? { kind: 'local' });
    case 'cursor':
      return { kind: 'alone', group: { kind: 'cursor', step } };
    case 'error':
      return { kind: 'alone', group: { kind: 'error', step, error: step.error } };
    default:
      return unreachable(step);
  }
}

function describeFetch(step: DescribeStep, { planned }: PreparedStatement): Place | null {
  const { plan } = planned;
  const isFetch = plan.kind === 'cursor' && plan.command.kind === 'fetch';
  const isExecute = plan.kind === 'prepared' && plan.command.kind === 'execute';
  // It is parsed by whoever describes it, and again with its values.
  const isOfServer =
    plan.kind === 'recalled' || (step.kind === 'describe-statement' && hasOwnQuery(planned));
  if (!isFetch && !isExecute && !isOfServer) return null;
  return { kind: 'alone', group: { kind: 'describe-fetch', step } };
}

/** DECLARE and EXPLAIN, when only a server knows the types of its query's parameters. */
function hasOwnQuery({ plan, source }: PreparedStatement['planned']): boolean {
  if (source.lexed.parameterCount === 0) return false;
  return plan.kind === 'explain' || (plan.kind === 'cursor' && plan.command.kind === 'declare');
}

function floatingPlace(statement: PreparedStatement): Place {
  const { candidates } = statement.planned;
  return candidates.length === 0 ? { kind: 'local' } : { kind: 'floating', shards: candidates };
}

function targetShard(portal: Portal): Place | null {
  return portal.target?.kind === 'shard' ? { kind: 'shard', shard: portal.target.shard } : null;
}

function executePlace(
  step: Extract<BatchStep, { readonly kind: 'execute' }>,
  previous: BatchStep | undefined,
): Place {
  const { portal, rowsMax } = step;
  const { target } = portal;
  const describe = previous?.kind === 'describe-portal' && previous.portal === portal;
  if (target === null) {
    return { kind: 'alone', group: { kind: 'command', step, portal, describe: false, rowsMax } };
  }
  switch (target.kind) {
    case 'shard':
      return { kind: 'shard', shard: target.shard };
    case 'multi-shard':
      return { kind: 'alone', group: { kind: 'multi-shard', step, portal, describe, rowsMax } };
    case 'write':
    case 'utility':
      return { kind: 'alone', group: { kind: 'command', step, portal, describe, rowsMax } };
    case 'error':
      return { kind: 'alone', group: { kind: 'error', step, error: target.error } };
    default:
      return unreachable(target);
  }
}

/**
 * The first statement that the group executes whose columns may be others than the client has been
 * told, and a shard that knows.
 */
export function outdatedStatement(
  group: BatchGroup,
): { readonly statement: PreparedStatement; readonly shard: ShardId } | null {
  if (group.kind === 'multi-shard' || group.kind === 'command') {
    const { statement, target, cursor } = group.portal;
    if (!isOutdated(statement.told, statement.planned) || cursor !== null) return null;
    if (target?.kind === 'multi-shard') return { statement, shard: target.describedOn };
    return target?.kind === 'write' ? { statement, shard: target.home } : null;
  }
  if (group.kind !== 'flight') return null;
  for (const step of group.steps) {
    if (step.kind !== 'execute' || step.portal.boundOn !== null) continue;
    const { statement } = step.portal;
    if (isOutdated(statement.told, statement.planned)) return { statement, shard: group.shard };
  }
  return null;
}
