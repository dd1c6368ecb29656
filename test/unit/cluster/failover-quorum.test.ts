import { describe, expect, it } from 'vitest';
import type { FailoverSettings } from '../../../src/cluster/failover/failover-state.ts';
import type { ProbeAnswer } from '../../../src/cluster/failover/probe-answer.ts';
import type { Durability } from '../../../src/cluster/failover/shard-record.ts';
import type { NodeId } from '../../../src/config/config.ts';
import { armed, one, primaryAnswer, Scene, standbyAnswer, three, two } from './scene.ts';

function armedWith(members: readonly NodeId[], quorum: number): Durability {
  return { kind: 'armed', members, quorum };
}

function primaryOf(standbys: readonly NodeId[], quorum = 1): ProbeAnswer {
  return {
    ...primaryAnswer,
    synchronousStandbyNames: `ANY ${quorum} (${standbys.map((id) => `"${id}"`).join(', ')})`,
    standbys: standbys.map((id) => ({
      applicationName: id,
      state: 'streaming',
      syncState: 'quorum',
      flushLsn: 100n,
    })),
  };
}

function standby(id: NodeId, lsn = 100n): ProbeAnswer {
  return { ...standbyAnswer, applicationName: id, lsn, replayLsn: lsn };
}

/** A primary and two standbys, all well and verified. */
function threesome(quorum = 1, settings: Partial<FailoverSettings> = {}): Scene {
  const scene = new Scene({ ...armed, durability: armedWith([two, three], quorum) }, 'failover', {
    synchronousStandbys: quorum,
    ...settings,
  });
  scene.answer(two, standby(two)).answer(three, standby(three));
  return scene.answer(one, primaryOf([two, three], quorum)).done({ kind: 'armed', startedAt: '1' });
}

/** `mute` do not answer any more. */
function bury(scene: Scene, mute: readonly NodeId[] = []): Scene {
  scene.at(10);
  for (const id of [one, ...mute]) scene.lost(id).connect(id, 'refused');
  return scene.at(60).connect(one, 'refused');
}

describe('a primary with two standbys', () => {
  it('is replaced by the one that has most when both receive nothing any more', () => {
    const scene = bury(threesome()).done({ kind: 'saved', revision: 2 });
    expect(scene.state.record?.phase).toEqual({
      kind: 'revoking',
      intent: { epoch: 2, uuid: 'fresh' },
    });
    expect(scene.state.task?.work).toEqual({ kind: 'revoke', nodes: [two, three] });
    // The old primary is cut before anybody's position counts.
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: null });
    const frozen = [
      { node: two, answer: standby(two, 150n), askedAt: scene.now },
      { node: three, answer: standby(three, 151n), askedAt: scene.now },
    ];
    scene.done({ kind: 'revoked', frozen });
    expect(scene.state.task?.work).toMatchObject({
      kind: 'save',
      record: {
        durability: armedWith([two, three], 1),
        phase: { kind: 'promoting', intent: { candidate: three, epoch: 2 } },
      },
    });
  });

  it('is not replaced while one of the two, which may hold the last commit alone, is mute', () => {
    const scene = bury(threesome(), [three]);
    expect(scene.phase).toBe('blocked');
    expect(scene.reason).toContain('1 of 2 standbys are usable, 2 are needed');
    expect(scene.reason).toContain('(missing: h:3)');
  });

  it('is replaced by either when each commit is on both', () => {
    const scene = bury(threesome(2), [three]);
    expect(scene.state.phase).toMatchObject({
      kind: 'claiming',
      step: { kind: 'promoting', intent: { candidate: two } },
    });
  });

  it('stays when a standby stops answering in the middle of the choice', () => {
    const scene = bury(threesome()).done({ kind: 'saved', revision: 2 });
    const frozen = [{ node: two, answer: standby(two, 150n), askedAt: scene.now }];
    scene.done({ kind: 'revoked', frozen });
    expect(['suspect', 'blocked']).toContain(scene.phase);
    expect(scene.work).toBeUndefined();
    // It returns, and goes on under a newer epoch since its standbys were told that it is dead.
    scene.now = 700;
    scene.answer(one, primaryOf([], 1));
    expect(scene.state.phase).toMatchObject({
      kind: 'claiming',
      cause: 'reopened',
      step: { intent: { candidate: one, epoch: 3 } },
    });
  });

  it.each([
    [
      'takes the next epoch for another one',
      2,
      { step: { intent: { candidate: three, epoch: 3 } } },
    ],
    [
      'waits for it when the other may lack commits',
      1,
      { kind: 'promoting', intent: { epoch: 2 } },
    ],
  ])('whose candidate dies while it is promoted %s', (_, quorum, phase) => {
    const intent = { candidate: two, epoch: 2, uuid: 'u2' };
    const durability = armedWith([two, three], quorum);
    const promoting = { kind: 'promoting', intent } as const;
    const scene = new Scene({ ...armed, durability, phase: promoting }, 'failover', {
      synchronousStandbys: quorum,
    });
    scene.answer(three, standby(three));
    for (const id of [one, two]) scene.lost(id).connect(id, 'refused');
    scene.at(60);
    for (const id of [one, two]) scene.connect(id, 'refused');
    scene.now = 6000;
    scene.answer(three, standby(three));
    for (const id of [one, two]) scene.connect(id, 'refused');
    scene.done({ kind: 'failed', reason: 'no answer' });
    scene.now = 6500;
    scene.answer(three, standby(three));
    for (const id of [one, two]) scene.connect(id, 'refused');
    scene.at(6600);
    expect(scene.state.phase).toMatchObject(phase);
  });

  it('is chosen anew after a restart of the supervisor in the middle of the choice', () => {
    const phase = { kind: 'revoking', intent: { epoch: 2, uuid: 'u2' } } as const;
    const scene = new Scene({ ...armed, durability: armedWith([two, three], 1), phase });
    scene.answer(two, standby(two)).answer(three, standby(three));
    scene.connect(one, 'refused').at(60).connect(one, 'refused');
    expect(scene.state.phase).toMatchObject({
      kind: 'claiming',
      step: { kind: 'revoking', intent: { epoch: 3 } },
    });
  });

  it('takes the node that an operator names only when it lacks nothing', () => {
    const scene = threesome(1, { cooldownMs: 0 });
    scene.state = { ...scene.state, record: { ...armed, ...scene.state.record, paused: true } };
    bury(scene).order({ kind: 'failover', to: two, allowDataLoss: false });
    scene.done({ kind: 'saved', revision: 2 });
    const frozen = [
      { node: two, answer: standby(two, 150n), askedAt: scene.now },
      { node: three, answer: standby(three, 151n), askedAt: scene.now },
    ];
    scene.done({ kind: 'revoked', frozen });
    expect(scene.actions.at(-1)?.kind).not.toBe('start');
    expect(scene.actions).toContainEqual({
      kind: 'answer-operator',
      answer: {
        kind: 'refused',
        reason: 'h:3 has acknowledged commits that h:2 may lack',
        hint: 'say FAILOVER TO h:3',
      },
    });
  });
});

describe('the armed set', () => {
  it('is widened in the record before the setting counts a new standby', () => {
    const waitsForTwo = {
      ...primaryOf([two, three]),
      synchronousStandbyNames: primaryOf([two]).synchronousStandbyNames,
    };
    const scene = threesome();
    const record = { ...armed, durability: armedWith([two], 1) };
    const nodes = scene.state.nodes.map((node) =>
      node.id === one ? { ...node, answer: waitsForTwo } : node,
    );
    scene.state = { ...scene.state, record, nodes };
    scene.at(100);
    expect(scene.state.task?.work).toMatchObject({
      kind: 'save',
      record: { durability: armedWith([two, three], 1) },
    });
    scene.done({ kind: 'saved', revision: 2 });
    expect(scene.state.task?.work).toMatchObject({
      kind: 'arm',
      set: { count: 1, names: [two, three] },
    });
  });

  it('shrinks by the setting first when a standby is gone, and commits never stop waiting', () => {
    const scene = threesome();
    const without = { ...primaryOf([two, three]), standbys: primaryOf([two]).standbys };
    for (let now = 100; now <= 1200; now += 100) {
      scene.at(now).answer(two, standby(two)).answer(one, without);
    }
    expect(scene.state.task?.work).toMatchObject({ kind: 'arm', members: [two] });
    scene.done({ kind: 'armed', startedAt: '1' });
    expect(scene.state.task?.work).toMatchObject({
      kind: 'save',
      record: { durability: armedWith([two], 1) },
    });
  });

  it('is not verified any longer with a standby that has gone meanwhile', () => {
    const scene = threesome();
    scene.state = { ...scene.state, armedStart: null };
    scene.at(100).answer(one, primaryOf([two, three]));
    expect(scene.state.task?.work).toMatchObject({ kind: 'arm', members: [two, three] });
    const without = { ...primaryOf([two, three]), standbys: primaryOf([two]).standbys };
    for (let now = 200; now <= 1400; now += 100) {
      scene.at(now).answer(two, standby(two)).answer(one, without);
    }
    expect(scene.state.task?.work).toMatchObject({ kind: 'arm', members: [two] });
  });

  it('is never given up for want of a standby in strict mode', () => {
    const scene = new Scene(armed, 'failover', { durability: 'strict' }).settle();
    const alone = { ...primaryAnswer, standbys: [] };
    for (let now = 100; now <= 5000; now += 100) scene.at(now).answer(one, alone);
    expect(scene.work).toBeUndefined();
    expect(scene.state.record?.durability.kind).toBe('armed');
  });

  it('does not count in async mode: whoever is near enough is promoted, and CUT is no proof', () => {
    const record = { ...armed, durability: { kind: 'async' } } as const;
    const settings = { durability: 'async', lagBytesMax: 10 } as const;
    const idle = { ...primaryAnswer, synchronousStandbyNames: '' };
    const near = new Scene(record, 'failover', settings);
    near.answer(two, standby(two, 91n)).answer(one, idle);
    expect(bury(near).phase).toBe('claiming');
    const far = new Scene(record, 'failover', settings);
    far.answer(two, standby(two, 89n)).answer(one, idle);
    expect(bury(far).reason).toContain('h:2, is 11 bytes behind');
    const cut = new Scene(record, 'failover', settings);
    cut.answer(two, standby(two)).answer(one, idle).at(10).lost(one);
    for (let now = 100; now <= 10_000; now += 100) cut.at(now).answer(two, standby(two));
    expect(cut.phase).toBe('suspect');
  });
});
