import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../support/random.ts';
import { SimulatedShard } from './simulated-shard.ts';

describe('the failover machine in a simulated world', () => {
  it('never loses an acknowledged write, whatever fails when', () => {
    let steps = 0;
    let failovers = 0;
    for (let seed = 1; steps < 500_000; seed += 1) {
      const shard = new SimulatedShard(seededRandom(seed), 2 + (seed % 2));
      try {
        for (let turn = 0; turn < 40; turn += 1) {
          disturb(shard, shard.random);
          shard.run(shard.random.integer(20, 1500));
        }
      } catch (error) {
        throw new Error(`seed ${seed}, at ${shard.now} ms`, { cause: error });
      }
      steps += shard.steps;
      failovers += shard.actions.filter(({ kind }) => kind === 'journal').length;
    }
    expect(failovers).toBeGreaterThan(100);
  }, 60_000);

  it('opens again when the faults are over', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const shard = new SimulatedShard(seededRandom(seed), 2);
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

function disturb(shard: SimulatedShard, random: Random): void {
  const node = random.pick(shard.nodes);
  switch (random.integer(0, 11)) {
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
      rebuildStrays(shard);
      return;
    case 9:
      shard.restartSupervisor();
      return;
    case 10:
      shard.dispatch({ kind: 'failover-requested', at: shard.now, allowDataLoss: false });
      return;
    default:
      shard.dispatch({ kind: 'stalled', at: shard.now, byMs: random.integer(50, 500) });
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
    if (node.status === 'frozen') node.status = 'running';
    if (node.status === 'stopped') node.start(shard.now);
  }
}
