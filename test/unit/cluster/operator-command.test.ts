import { describe, expect, it } from 'vitest';
import { rehearse } from '../../../src/cluster/failover/dry-run.ts';
import { armed, one, primaryAnswer, Scene, solo, standbyAnswer, two } from './scene.ts';

function answerOf(scene: Scene) {
  return scene.actions.findLast((action) => action.kind === 'answer-operator')?.answer;
}

describe('a pause', () => {
  it('is durable, and nobody is promoted until it ends', () => {
    const scene = new Scene(armed).settle().order({ kind: 'pause' });
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', record: { paused: true } });
    scene.done({ kind: 'saved', revision: 2 });
    expect(answerOf(scene)).toMatchObject({ kind: 'done' });
    scene.at(10).lost(one).connect(one, 'refused').at(60).connect(one, 'refused');
    expect(scene.reason).toContain('automatic failover is paused');
    const resumed = new Scene({ ...armed, paused: true }).settle().order({ kind: 'resume' });
    expect(resumed.state.task?.work).toMatchObject({ kind: 'save', record: { paused: false } });
  });

  it('does not hinder an operator', () => {
    const scene = new Scene({ ...armed, paused: true }).settle().at(10).lost(one);
    scene.connect(one, 'refused').at(60).connect(one, 'refused');
    expect(scene.phase).toBe('blocked');
    scene.order({ kind: 'failover', to: null, allowDataLoss: false });
    expect(scene.phase).toBe('claiming');
  });
});

describe('a switchover', () => {
  it.each([
    ['the shard is not armed', solo, standbyAnswer],
    ['the replay of h:2 is paused', armed, { ...standbyAnswer, replayPaused: true }],
    ['h:2 does not stream', armed, { ...standbyAnswer, receiverAgeMs: null }],
    ['h:2 takes writes', armed, { ...standbyAnswer, inRecovery: false }],
  ])('is refused: %s', (reason, record, answer) => {
    const scene = new Scene(record).settle();
    if (record === armed) scene.at(10).answer(two, answer);
    else scene.state = { ...scene.state, task: null, durabilityRetryAt: 1000 };
    scene.order({ kind: 'switchover', to: null });
    expect(scene.phase).toBe('open');
    expect(answerOf(scene)).toMatchObject({ kind: 'refused' });
    const { reason: said } = answerOf(scene) as { readonly reason: string };
    if (reason !== 'h:2 takes writes') expect(said).toContain(reason);
  });

  it('is refused when the primary is lost', () => {
    const scene = new Scene({ ...armed, paused: true }).settle().at(10).lost(one);
    scene.connect(one, 'refused').at(60).connect(one, 'refused');
    scene.order({ kind: 'switchover', to: two });
    expect(answerOf(scene)).toMatchObject({
      reason: 'h:1 is lost, a switchover needs a healthy primary',
    });
  });

  it('drains the primary before anything is promoted', () => {
    const scene = new Scene(armed).settle().order({ kind: 'switchover', to: two });
    scene.done({ kind: 'prepared' });
    scene.done({ kind: 'saved', revision: 2 });
    expect(scene.state.task?.work).toEqual({
      kind: 'drain',
      primary: one,
      candidate: two,
      others: [],
    });
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: null });
    scene.done({ kind: 'drained' });
    expect(scene.state.task?.work).toMatchObject({
      kind: 'save',
      record: { phase: { kind: 'promoting', intent: { candidate: two, epoch: 2 } } },
    });
  });
});

describe('the preparation of a switchover', () => {
  it('lets statements flow while workers log in to the candidate already', () => {
    const scene = new Scene(armed).settle().order({ kind: 'switchover', to: null });
    expect(scene.state.task?.work).toEqual({ kind: 'prepare', primary: one, candidate: two });
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: one, heir: two });
    scene.done({ kind: 'prepared' });
    expect(scene.phase).toBe('claiming');
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: null, heir: two });
  });

  it('is in the way of no failover, and for nothing when the candidate is lost', () => {
    const dead = new Scene(armed).settle().order({ kind: 'switchover', to: null });
    dead.at(10).lost(one).connect(one, 'refused').at(60).connect(one, 'refused');
    expect(dead.state.task?.work).toMatchObject({
      kind: 'save',
      record: { phase: { kind: 'promoting', intent: { candidate: two } } },
    });
    expect(dead.state.published).toMatchObject({ primary: null, heir: two });
    const alone = new Scene(armed).settle().order({ kind: 'switchover', to: null });
    alone.at(10).lost(two).done({ kind: 'prepared' });
    expect(alone.phase).toBe('open');
    expect(answerOf(alone)).toMatchObject({ kind: 'refused' });
    expect(alone.state.published).toMatchObject({ primary: one, heir: null });
  });
});

describe('a dry run', () => {
  it('says what would be done, who may become primary and why not, and changes nothing', () => {
    const scene = new Scene(armed).settle();
    const before = scene.state;
    expect(rehearse(scene.state, { kind: 'switchover', to: null }, scene.now)).toEqual({
      willDo: true,
      message: 'statements would wait while h:1 hands over to h:2; nothing is lost',
      nodes: [
        { node: one, isPrimary: true, lagBytes: 0, obstacle: 'is the primary' },
        { node: two, isPrimary: false, lagBytes: 0, obstacle: null },
      ],
    });
    expect(scene.state).toBe(before);
    const toItself = rehearse(scene.state, { kind: 'switchover', to: one }, scene.now);
    expect(toItself).toMatchObject({ willDo: false });
    expect(toItself.message).toContain('h:1 is the primary already');
  });
});

describe('a rejoin', () => {
  const answer = { ...primaryAnswer, epoch: { epoch: 0, uuid: 'u0' } };
  const fenced = { ...answer, synchronousStandbyNames: '__fenced__' };

  it('is run once for an old primary that is fenced', () => {
    const scene = new Scene(solo, 'failover', { rejoin: true }).answer(one, primaryAnswer);
    scene.answer(two, answer);
    const calls = () => scene.actions.filter((action) => action.kind === 'hook');
    expect(scene.kinds()).toContain('fence');
    expect(calls()).toEqual([]);
    scene.at(100).answer(one, primaryAnswer).answer(two, fenced);
    scene.at(200).answer(one, primaryAnswer).answer(two, fenced);
    expect(calls()).toMatchObject([
      { call: { hook: 'rejoin', node: two, primary: one, epoch: 1 } },
    ]);
    const failed = { kind: 'failed', reason: 'no' } as const;
    scene.event({ kind: 'rejoined', at: 300, node: two, outcome: failed });
    for (let now = 400; now < 40_000; now += 100) {
      scene.at(now).answer(one, primaryAnswer).answer(two, fenced);
    }
    expect(calls()).toHaveLength(1);
    scene.order({ kind: 'rejoin', node: two });
    expect(calls()).toHaveLength(2);
    expect(answerOf(scene)).toMatchObject({ kind: 'done' });
  });

  it('is run for a standby that cannot follow the primary that it was pointed to', () => {
    const older = { epoch: 0, uuid: 'u0' };
    const parted = { ...standbyAnswer, receiverAgeMs: null, upstream: 'h:9', epoch: older };
    const scene = new Scene(solo, 'failover', { rejoin: true });
    for (let now = 0; now <= 9900; now += 100) {
      scene.at(now).answer(two, parted).answer(one, primaryAnswer);
    }
    expect(scene.kinds()).toContain('repoint');
    expect(scene.kinds()).not.toContain('hook');
    for (let now = 10_000; now <= 10_200; now += 100) {
      scene.at(now).answer(two, parted).answer(one, primaryAnswer);
    }
    expect(scene.actions.filter(({ kind }) => kind === 'hook')).toMatchObject([
      { call: { hook: 'rejoin', node: two } },
    ]);
  });

  it('is refused for the primary, and without a hook', () => {
    const scene = new Scene(armed, 'failover', { rejoin: true }).settle();
    expect(answerOf(scene.order({ kind: 'rejoin', node: one }))).toMatchObject({
      reason: 'h:1 is the primary',
    });
    const without = new Scene(armed).settle().order({ kind: 'rejoin', node: two });
    expect(answerOf(without)).toMatchObject({ reason: 'failover.hooks.rejoin is not configured' });
  });
});

describe('a standby that receives nothing', () => {
  it.each([
    ['is pointed to the primary when it was revoked', { revoked: true }, true],
    ['is pointed there when it is of an older epoch', { epoch: { epoch: 0, uuid: 'u0' } }, true],
    [
      'is pointed there when it goes on receiving from another server',
      { receiverAgeMs: 0, epoch: { epoch: 0, uuid: 'u0' } },
      true,
    ],
    ['is left alone when it may know another way to the primary', {}, false],
  ])('%s', (_, fields, expected) => {
    const lonely = { ...standbyAnswer, receiverAgeMs: null, upstream: 'elsewhere:1', ...fields };
    const unlisted = { ...primaryAnswer, standbys: [] };
    const scene = new Scene(solo).answer(two, lonely).answer(one, unlisted);
    scene.at(50).answer(two, lonely).at(100).answer(two, lonely);
    const repoints = scene.actions.filter(({ kind }) => kind === 'repoint');
    expect(repoints).toEqual(expected ? [{ kind: 'repoint', node: two, primary: one }] : []);
  });
});

describe('writes that are stuck', () => {
  it('are an alarm, not a death', () => {
    const scene = new Scene(armed).settle().at(100);
    scene.event({ kind: 'heartbeat-late', at: 100, node: one, sentAt: -2900 });
    expect(scene.state.heartbeat.lateSince).toBe(-2900);
    expect(scene.phase).toBe('open');
    scene.event({ kind: 'heartbeat', at: 200, node: one, acknowledgedLsn: 90n, isRivalled: false });
    expect(scene.state.heartbeat).toEqual({ acknowledgedLsn: 90n, lateSince: null });
  });
});
