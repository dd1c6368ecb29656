import { describe, expect, it } from 'vitest';
import type { FailoverSettings } from '../../../src/cluster/failover/failover-state.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { settingsFixture } from './settings-fixture.ts';
import { SimulatedShard } from './simulated-shard.ts';

// SIMULATION_SEED=77 runs that world alone; SIMULATION_STEPS takes more or fewer of them.
const onlySeed = Number(process.env['SIMULATION_SEED'] ?? 0);
const stepsMin = Number(process.env['SIMULATION_STEPS'] ?? 1_000_000);
const firstSeed = onlySeed === 0 ? 1 : onlySeed;

describe('the failover machine in a simulated world', () => {
  it('never loses an acknowledged write, whatever fails when', () => {
    let steps = 0;
    let failovers = 0;
    let revocations = 0;
    let seed = firstSeed;
    for (; steps < stepsMin && (onlySeed === 0 || seed === onlySeed); seed += 1) {
      const shard = simulated(seed);
      try {
        for (let turn = 0; turn < 40; turn += 1) {
          disturb(shard, shard.random);
          shard.run(shard.random.integer(20, 1500));
        }
      } catch (error) {
        throw new Error(`SIMULATION_SEED=${seed}, at ${shard.now} ms: ${error}`, { cause: error });
      }
      steps += shard.steps;
      failovers += shard.actions.filter(({ kind }) => kind === 'journal').length;
      revocations += shard.actions.filter(
        (action) => action.kind === 'start' && action.work.kind === 'revoke',
      ).length;
    }
    process.stdout.write(
      `simulated ${steps} steps, seeds ${firstSeed} to ${seed - 1}: ${failovers} changes of a primary, ${revocations} revocations\n`,
    );
    if (onlySeed !== 0) return;
    expect(failovers).toBeGreaterThan(200);
    expect(revocations).toBeGreaterThan(50);
  }, 120_000);

  it('opens again when the faults are over', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const shard = simulated(seed);
      for (let turn = 0; turn < 20; turn += 1) {
        disturb(shard, shard.random);
        shard.run(shard.random.integer(20, 1500));
      }
      heal(shard);
      shard.run(20_000);
      const { phase } = shard.state;
      expect(phase, `seed ${seed}`).toEqual({ kind: 'open' });
    }
  }, 60_000);
});

/** Every seed has its own size, mode and quorum. */
function simulated(seed: number): SimulatedShard {
  const nodeCount = 2 + (seed % 3);
  const modes = ['sync', 'sync', 'sync', 'strict', 'async'] as const;
  const settings: FailoverSettings = {
    ...settingsFixture,
    cooldownMs: 1000,
    durability: modes[seed % modes.length] ?? 'sync',
    synchronousStandbys: nodeCount > 2 && seed % 2 === 0 ? 2 : 1,
    rejoin: seed % 4 < 2,
  };
  return new SimulatedShard(seededRandom(seed), nodeCount, settings);
}

function disturb(shard: SimulatedShard, random: Random): void {
  const node = random.pick(shard.nodes);
  switch (random.integer(0, 17)) {
    case 0:
    case 1:
      if (node.status !== 'stopped') shard.kill(node);
      return;
    case 2:
    case 3:
      if (node.status === 'stopped') node.start(shard.now);
      return;
    case 4:
      if (node.running) node.status = 'frozen';
      return;
    case 5:
      if (node.status === 'frozen') node.status = 'running';
      return;
    case 6:
      node.reachable = !node.reachable;
      return;
    case 7:
      node.upstreamReachable = !node.upstreamReachable;
      return;
    case 8:
    case 9:
      rebuildStrays(shard);
      return;
    case 10:
      shard.restartSupervisor();
      return;
    case 11:
      shard.pauseSupervisor(random.integer(100, 5000));
      return;
    case 12:
      command(shard, random);
      return;
    case 13: {
      const { primary } = shard.published ?? {};
      if (primary != null && shard.node(primary).running) shard.kill(shard.node(primary));
      return;
    }
    case 14:
      for (const each of shard.nodes) if (each.status === 'stopped') each.start(shard.now);
      return;
    case 15:
    case 16:
      node.slow = !node.slow;
      return;
    case 17:
      shard.reload();
      return;
    default:
      shard.dispatch({ kind: 'stalled', at: shard.now, byMs: random.integer(50, 500) });
  }
}

function command(shard: SimulatedShard, random: Random): void {
  const to = random.fraction() < 0.5 ? null : random.pick(shard.nodes).id;
  switch (random.integer(0, 7)) {
    case 0:
    case 1:
      shard.order({ kind: 'failover', to, allowDataLoss: false });
      return;
    case 2:
      shard.order({ kind: 'failover', to, allowDataLoss: true });
      return;
    case 3:
    case 4:
      shard.order({ kind: 'switchover', to });
      return;
    case 5:
      shard.order({ kind: 'pause' });
      return;
    default:
      shard.order({ kind: 'resume' });
  }
}

function rebuildStrays(shard: SimulatedShard): void {
  const primary = shard.published?.primary;
  if (primary === null || primary === undefined) return;
  for (const node of shard.nodes) {
    if (node.id === primary || (node.inRecovery && node.upstream?.id === primary)) continue;
    node.becomeStandbyOf(shard.node(primary), shard.now);
  }
}

function heal(shard: SimulatedShard): void {
  for (const node of shard.nodes) {
    node.reachable = true;
    node.upstreamReachable = true;
    node.slow = false;
    if (node.status === 'frozen') node.status = 'running';
    if (node.status === 'stopped') node.start(shard.now);
  }
  shard.order({ kind: 'resume' });
}
