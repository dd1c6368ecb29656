import type { FailoverTask } from '../../../src/cluster/failover/failover-action.ts';
import type { TaskResult } from '../../../src/cluster/failover/failover-event.ts';
import { fencedNames } from '../../../src/cluster/failover/fence.ts';
import type { StoredRecord } from '../../../src/cluster/failover/record-store.ts';
import { namesFor } from '../../../src/cluster/failover/synchronous-names.ts';
import type { Random } from '../../support/random.ts';
import type { SimulatedNode } from './simulated-node.ts';

export type SimulatedWorld = {
  readonly now: number;
  readonly nodes: readonly SimulatedNode[];
  readonly random: Random;
  stored: StoredRecord | null;
  node(id: string): SimulatedNode;
};

type Work<Kind extends FailoverTask['kind']> = FailoverTask & { readonly kind: Kind };

/** What a task does to the servers and the store of the simulation. */
export function doWork(world: SimulatedWorld, work: FailoverTask): TaskResult {
  switch (work.kind) {
    case 'save':
      return save(world, work);
    case 'revoke':
      return revoke(world, work);
    case 'install':
      return install(world, work);
    case 'arm':
      return endArming(world, work);
    case 'disarm':
      return disarm(world, work);
    case 'prepare':
      return { kind: 'prepared' };
    case 'drain':
      return drain(world, work);
  }
}

function save(world: SimulatedWorld, { record, expected }: Work<'save'>): TaskResult {
  const { stored } = world;
  if ((stored?.revision ?? 0) !== expected) return { kind: 'outdated', stored };
  world.stored = { record, revision: expected + 1 };
  return { kind: 'saved', revision: expected + 1 };
}

function revoke(world: SimulatedWorld, { nodes }: Work<'revoke'>): TaskResult {
  const reached = nodes
    .map((id) => world.node(id))
    .filter((node) => node.running && node.reachable && node.inRecovery);
  for (const node of reached) {
    node.upstream = null;
    node.revoked = true;
  }
  const frozen = reached.map((node) => ({
    node: node.id,
    answer: node.answer(world.now, world.nodes),
    askedAt: world.now,
  }));
  return { kind: 'revoked', frozen };
}

function install(world: SimulatedWorld, { intent, names }: Work<'install'>): TaskResult {
  const node = world.node(intent.candidate);
  if (!node.running || !node.reachable) return failed('no answer');
  if (names !== null) node.names = names;
  if (node.inRecovery) {
    node.inRecovery = false;
    node.upstream = null;
    node.revoked = false;
    node.timeline += 1;
  }
  if (world.random.fraction() < 0.1) return failed('no epoch row');
  if (node.epoch?.uuid !== intent.uuid) node.append([`epoch ${intent.epoch} ${intent.uuid}`]);
  const answer = node.answer(world.now, world.nodes);
  return { kind: 'installed', answer, askedAt: world.now, switchLsn: null, xids: null };
}

/** The setting counts some time before anybody has verified it. */
export function beginArming(world: SimulatedWorld, work: Work<'arm'>): void {
  const primary = world.node(work.primary);
  if (isAnswering(primary)) primary.names = namesFor(work.set);
}

function endArming(world: SimulatedWorld, work: Work<'arm'>): TaskResult {
  const primary = world.node(work.primary);
  if (!isAnswering(primary)) return failed('no answer');
  if (primary.names !== namesFor(work.set)) return failed('somebody changed the setting');
  return work.set.names.every((id) => isCaughtUp(world.node(id), primary))
    ? { kind: 'armed', startedAt: String(primary.starts) }
    : failed('the standby lags');
}

function disarm(world: SimulatedWorld, work: Work<'disarm'>): TaskResult {
  const primary = world.node(work.primary);
  if (!isAnswering(primary)) return failed('no answer');
  primary.names = work.names;
  return { kind: 'disarmed' };
}

function drain(world: SimulatedWorld, work: Work<'drain'>): TaskResult {
  const primary = world.node(work.primary);
  if (!isAnswering(primary)) return failed('no answer');
  for (const id of work.others) {
    const other = world.node(id);
    if (!isAnswering(other) || !other.inRecovery) continue;
    other.upstream = null;
    other.revoked = true;
  }
  primary.names = fencedNames;
  primary.waiting = [];
  return isCaughtUp(world.node(work.candidate), primary)
    ? { kind: 'drained' }
    : failed('the standby lags');
}

function isAnswering(node: SimulatedNode): boolean {
  return node.running && node.reachable;
}

function isCaughtUp(standby: SimulatedNode, primary: SimulatedNode): boolean {
  return (
    standby.upstream === primary && standby.streams && standby.log.length >= primary.log.length
  );
}

function failed(reason: string): TaskResult {
  return { kind: 'failed', reason };
}
