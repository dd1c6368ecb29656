import { describe, expect, it } from 'vitest';
import { alarms } from '../../../src/cluster/failover/alarms.ts';
import type { ShardRecord } from '../../../src/cluster/failover/shard-record.ts';
import { armed, one, primaryAnswer, Scene, solo, standbyAnswer, two } from './scene.ts';

describe('suspicion', () => {
  it('holds statements after a lost connection and releases them with the next answer', () => {
    const scene = new Scene(armed).settle().at(10).lost(one);
    expect(scene.phase).toBe('suspect');
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: null });
    expect(scene.actions.at(-1)?.kind).toBe('publish');
    scene.answer(one, primaryAnswer);
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: one });
  });

  it('is not raised while a worker hears the node', () => {
    const scene = new Scene(armed).settle();
    for (let now = 50; now <= 2000; now += 50) {
      scene.event({ kind: 'life', at: now, node: one, heardAt: now - 50 }).at(now);
    }
    expect(scene.phase).toBe('open');
  });

  it('does not count the time in which we did not run', () => {
    const scene = new Scene(armed).settle();
    scene.now = 2000;
    scene.event({ kind: 'stalled', at: 2000, byMs: 1980 });
    expect(scene.phase).toBe('open');
  });

  it('takes a full server for alive', () => {
    const scene = new Scene(armed).settle().at(300);
    expect(scene.phase).toBe('suspect');
    expect(scene.connect(one, 'alive').phase).toBe('open');
  });
});

describe('the death of a primary', () => {
  it('is proved by two refused connects 40 ms apart, not by one', () => {
    const scene = new Scene(armed).settle().at(10).lost(one).connect(one, 'refused');
    expect(scene.phase).toBe('suspect');
    scene.at(30).connect(one, 'refused');
    expect(scene.phase).toBe('suspect');
    scene.at(51).connect(one, 'refused');
    expect([scene.phase, scene.work]).toEqual(['claiming', 'save']);
  });

  it('is proved although a worker tells late of what it heard before', () => {
    const scene = new Scene(armed).settle().at(60).lost(one).connect(one, 'refused');
    scene.event({ kind: 'life', at: 80, node: one, heardAt: 30 });
    expect(scene.at(101).connect(one, 'refused').phase).toBe('claiming');
    const other = new Scene(armed).settle().at(60).lost(one).connect(one, 'refused');
    other.event({ kind: 'life', at: 90, node: one, heardAt: 61 });
    expect(other.at(101).connect(one, 'refused').phase).toBe('suspect');
  });

  it('is proved although an answer of before comes late', () => {
    const scene = new Scene(armed).settle().at(60).lost(one).connect(one, 'refused');
    scene.at(61).answer(one, primaryAnswer, 59).at(62).lost(one);
    expect(scene.at(101).connect(one, 'refused').phase).toBe('claiming');
  });

  it('is asked about once more at once when the second connect comes a moment early', () => {
    const scene = new Scene(armed).settle();
    scene.event({ kind: 'lost', at: 10, node: one }).at(10).connect(one, 'refused');
    scene.at(49.2);
    scene.actions = [];
    scene.connect(one, 'refused');
    expect(scene.phase).toBe('suspect');
    expect(scene.actions).toEqual([{ kind: 'probe', node: one, afterMs: 1 }]);
    expect(scene.at(50.2).connect(one, 'refused').phase).toBe('claiming');
  });

  it('is not believed when the standby still hears it', () => {
    const scene = new Scene(armed).settle().at(10).lost(one).connect(one, 'refused').at(200);
    scene.answer(two, standbyAnswer).connect(one, 'refused');
    expect(scene.phase).toBe('suspect');
    expect(scene.at(3100).answer(two, standbyAnswer).phase).toBe('claiming');
  });

  it('is believed of a silent one only after the hang time, with a standby as witness', () => {
    const silent = { ...standbyAnswer, receiverAgeMs: 5000 };
    const scene = new Scene(armed).settle().at(600).answer(two, silent);
    expect(scene.phase).toBe('suspect');
    expect(scene.at(710).phase).toBe('claiming');
  });

  it('is not believed before the standby, which hears a keepalive at times, should have heard', () => {
    const idle = (receiverAgeMs: number) => ({ ...standbyAnswer, receiverAgeMs });
    const scene = new Scene(armed).settle().answer(one, { ...primaryAnswer, keepaliveMs: 2000 });
    for (let now = 100; now <= 2000; now += 100) scene.at(now).answer(two, idle(now));
    expect(scene.phase).toBe('suspect');
    expect(scene.at(2100).answer(two, idle(2100)).phase).toBe('claiming');
  });

  it('waits for a server that restarts', () => {
    const scene = new Scene(armed).settle().at(10).lost(one).connect(one, 'starting');
    scene.at(400).answer(two, standbyAnswer).connect(one, 'starting');
    expect(scene.phase).toBe('suspect');
    expect(scene.at(520).phase).toBe('claiming');
  });

  it('changes nothing when every node is silent: then we are the broken one', () => {
    const scene = new Scene(armed).settle().at(5000).at(60_000);
    expect(scene.phase).toBe('blocked');
    expect(scene.reason).toContain('not usable either');
  });
});

describe('a promotion', () => {
  function claimed(): Scene {
    return new Scene(armed)
      .settle()
      .at(10)
      .lost(one)
      .connect(one, 'refused')
      .at(60)
      .connect(one, 'refused');
  }

  it('goes from the durable claim to the open record, cutting the old primary in between', () => {
    const scene = claimed();
    expect(scene.state.published?.epoch).toBe(1);
    scene.done({ kind: 'saved', revision: 2 });
    expect(scene.work).toBe('install');
    expect(scene.state.record).toMatchObject({
      phase: { kind: 'promoting', intent: { candidate: two, epoch: 2, uuid: 'fresh' } },
    });
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: null });
    const answer = { ...primaryAnswer, timeline: 2, epoch: { epoch: 2, uuid: 'fresh' } };
    scene.done({
      kind: 'installed',
      answer,
      askedAt: scene.now,
      switchLsn: '0/5000000',
      xids: null,
    });
    expect([scene.phase, scene.work]).toEqual(['opening', 'save']);
    scene.done({ kind: 'saved', revision: 3 });
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: two });
    expect(scene.kinds()).toContain('journal');
    // Looked at once more: its own write was acknowledged, but nobody follows it yet.
    const lsn = answer.lsn;
    const beat = { kind: 'heartbeat', node: two, acknowledgedLsn: lsn, isRivalled: false } as const;
    scene.event({ ...beat, at: 1060 });
    expect(scene.at(5000).answer(two, answer).kinds()).not.toContain('checked');
    scene.at(5060).answer(two, answer);
    expect(scene.actions.find(({ kind }) => kind === 'checked')).toEqual({
      kind: 'checked',
      shard: 'a',
      epoch: 2,
      check: {
        firstCommitMs: 1050,
        streaming: [],
        durability: 'solo',
        holds: [],
        errors: {},
        left: [`${one} takes writes as well and is to rejoin`],
      },
    });
    // An answer from before the promotion comes late.
    expect(scene.answer(two, standbyAnswer, 5).phase).toBe('open');
    // The old primary wakes up.
    scene.answer(one, primaryAnswer);
    expect(scene.actions).toContainEqual({ kind: 'fence', node: one });
    expect(scene.state.published?.primary).toBe(two);
  });

  it('goes on, and is told of, when the configuration changes meanwhile', () => {
    const scene = new Scene(armed).settle();
    const { published } = scene.state;
    // Nothing happens to the clients of a shard that is well.
    scene.reload({ degradeAfterMs: 5 }).at(20);
    expect([scene.phase, scene.state.published]).toEqual(['open', published]);
    expect(scene.kinds()).not.toContain('publish');
    // Of two refused connects the first was before it.
    scene.at(30).event({ kind: 'lost', at: 30, node: one }).connect(one, 'refused');
    scene.reload({ degradeAfterMs: 6 }).at(71).connect(one, 'refused');
    expect(scene.phase).toBe('claiming');
  });

  it('is not repeated within the cool-down', () => {
    const scene = new Scene(armed);
    scene.state = { ...scene.state, lastFailoverAt: 0 };
    scene.settle().at(10).lost(one).connect(one, 'refused').at(60).connect(one, 'refused');
    expect(scene.phase).toBe('blocked');
    expect(scene.reason).toContain('not yet 30000 ms ago');
    expect(scene.at(30_100).answer(two, standbyAnswer).phase).toBe('claiming');
  });

  it('waits while the claim cannot be made durable', () => {
    const scene = claimed().done({ kind: 'failed', reason: 'no space' });
    expect([scene.phase, scene.work]).toEqual(['blocked', undefined]);
    expect(scene.kinds().filter((kind) => kind === 'fence')).toEqual([]);
    const alone = { ...standbyAnswer, receiverAgeMs: null };
    expect(scene.at(600).answer(two, alone).work).toBe('save');
  });

  it('yields to whoever wrote the record first', () => {
    const other: ShardRecord = { ...solo, epoch: 5, uuid: 'theirs', primary: two };
    const scene = claimed().done({ kind: 'outdated', stored: { record: other, revision: 9 } });
    expect(scene.state.record).toEqual(other);
    expect(scene.state.published).toMatchObject({ epoch: 5, primary: null });
  });

  it('is resumed from the record by the next supervisor', () => {
    const intent = { candidate: two, epoch: 2, uuid: 'u2' };
    const scene = new Scene({ ...solo, phase: { kind: 'promoting', intent } }).at(20);
    expect(scene.state.task?.work).toMatchObject({ kind: 'install', intent });
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: null });
  });

  it('is given up for the old primary when the candidate is gone and that one returns', () => {
    const intent = { candidate: two, epoch: 2, uuid: 'u2' };
    const scene = new Scene({ ...solo, phase: { kind: 'promoting', intent } }).at(20);
    scene.now = 5500;
    scene.answer(one, primaryAnswer).done({ kind: 'failed', reason: 'no answer' });
    scene.now = 6001;
    scene.answer(one, primaryAnswer);
    expect(scene.state.phase).toMatchObject({ step: { intent: { candidate: one, epoch: 3 } } });
  });

  it('never happens when the standby is not armed; an operator may allow the loss', () => {
    const scene = new Scene(solo).answer(two, standbyAnswer).at(10);
    scene.connect(one, 'refused').at(300).connect(one, 'refused');
    expect(scene.phase).toBe('blocked');
    scene.order({ kind: 'failover', to: null, allowDataLoss: false });
    expect(scene.actions.at(-1)).toMatchObject({
      kind: 'answer-operator',
      answer: { kind: 'refused' },
    });
    expect(scene.phase).toBe('blocked');
    scene.order({ kind: 'failover', to: null, allowDataLoss: true });
    expect(scene.phase).toBe('claiming');
  });
});

describe('durability', () => {
  it('is weakened in the record before commits stop waiting', () => {
    const scene = new Scene(armed).settle();
    const alone = { ...primaryAnswer, standbys: [] };
    for (let now = 100; now <= 1200; now += 100) scene.at(now).answer(one, alone);
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', record: solo });
    scene.done({ kind: 'saved', revision: 2 });
    expect(scene.state.task?.work).toEqual({ kind: 'disarm', primary: one, names: '' });
  });

  it('is not weakened while it is unknown what the record says', () => {
    const scene = new Scene(solo).settle();
    expect(scene.work).toBe('save');
    scene.done({ kind: 'failed', reason: 'input/output error' });
    const alone = { ...primaryAnswer, standbys: [] };
    for (let now = 100; now <= 1600; now += 100) scene.at(now).answer(one, alone);
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', record: solo });
  });

  it('is given up for a standby that streams but confirms nothing', () => {
    const scene = new Scene(armed).settle();
    const stuck = { ...primaryAnswer, lsn: 200n };
    for (let now = 100; now <= 2200; now += 100) scene.at(now).answer(one, stuck);
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', record: solo });
  });

  it('is not believed any more when somebody changed the setting', () => {
    const scene = new Scene(armed).settle().answer(one, {
      ...primaryAnswer,
      synchronousStandbyNames: '*',
    });
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', record: solo });
  });

  it('is verified again after a restart of the primary, and until then nobody is promoted', () => {
    const scene = new Scene(armed)
      .settle()
      .at(10)
      .answer(one, { ...primaryAnswer, startedAt: '2' });
    expect(scene.work).toBe('arm');
    scene.at(11).lost(one).connect(one, 'refused').at(60).connect(one, 'refused');
    expect(scene.reason).toContain('restarted');
  });
});

describe('looking for the primary without a record', () => {
  const fresh = { ...primaryAnswer, epoch: null };

  it('adopts the one writable node and writes the first epoch', () => {
    const scene = new Scene(null).answer(one, fresh).answer(two, { ...standbyAnswer, epoch: null });
    expect(scene.state.task?.work).toMatchObject({ kind: 'save', expected: 1 - 1 });
    scene.done({ kind: 'saved', revision: 1 });
    expect(scene.state.task?.work).toMatchObject({
      kind: 'install',
      intent: { candidate: one, epoch: 1 },
      names: null,
    });
  });

  it('refuses two writable nodes of one epoch', () => {
    const scene = new Scene(null).answer(one, primaryAnswer).answer(two, primaryAnswer);
    expect(scene.reason).toBe(
      'h:1 and h:2 both take writes, and neither is newer: stop the wrong one',
    );
    expect(scene.work).toBeUndefined();
  });

  it('takes the higher epoch of two writable nodes', () => {
    const newer = { ...primaryAnswer, epoch: { epoch: 2, uuid: 'u2' } };
    const scene = new Scene(null).answer(one, primaryAnswer).answer(two, newer);
    scene.done({ kind: 'saved', revision: 1 });
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: two });
  });

  it('refuses nodes of different clusters', () => {
    const scene = new Scene(null)
      .answer(one, fresh)
      .answer(two, { ...standbyAnswer, systemId: '8' });
    expect(scene.reason).toContain('different clusters');
  });

  it('does not guess while a node that may be newer is down', () => {
    const scene = new Scene(null).answer(one, primaryAnswer);
    for (let now = 100; now <= 900; now += 100) scene.at(now).answer(one, primaryAnswer);
    expect(scene.reason).toBe(
      'the cluster record is missing, and h:2, which may be newer, is down',
    );
  });
});

describe('following roles that others decide', () => {
  it('routes to the writable node, holds without one, and changes nothing', () => {
    const scene = new Scene(null, 'follow').answer(two, standbyAnswer).answer(one, primaryAnswer);
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: one, standbys: [two] });
    scene.at(10).lost(one);
    expect(scene.state.published).toMatchObject({ epoch: 1, primary: null });
    scene.answer(two, { ...primaryAnswer, timeline: 2 });
    expect(scene.state.published).toMatchObject({ epoch: 2, primary: two });
    scene.answer(one, { ...primaryAnswer, timeline: 2 });
    expect(scene.reason).toContain('both take writes');
    scene.order({ kind: 'failover', to: null, allowDataLoss: true });
    expect(scene.kinds()).not.toContain('start');
    expect(scene.kinds()).toContain('answer-operator');
  });
});

describe('two supervisors that have met', () => {
  const beat = { kind: 'heartbeat', node: one, acknowledgedLsn: 1n } as const;

  it('promote nobody, and say so, also when the primary that they met on is dead', () => {
    const scene = new Scene(armed).settle();
    scene.event({ ...beat, at: 10, isRivalled: true }).at(20);
    const reason = 'another pgweave watches this shard as well';
    expect(alarms(scene.state, scene.now)).toEqual([reason]);
    scene.event({ kind: 'lost', at: 30, node: one }).connect(one, 'refused');
    scene.at(71).connect(one, 'refused');
    expect([scene.phase, scene.reason]).toEqual(['blocked', expect.stringContaining(reason)]);
    scene.order({ kind: 'failover', to: null, allowDataLoss: false });
    expect(scene.phase).toBe('claiming');
  });

  it('go on when one has not written for a while', () => {
    const scene = new Scene(armed).settle();
    for (const isRivalled of [true, false, false]) scene.event({ ...beat, at: 10, isRivalled });
    expect(scene.state.rivalBeats).toBe(2);
    scene.event({ ...beat, at: 10, isRivalled: false });
    expect([scene.state.rivalBeats, alarms(scene.state, 10)]).toEqual([null, []]);
  });
});

describe('two supervisors that claim at once', () => {
  it('agree on one candidate and one epoch: the second goes on with what the first wrote', () => {
    const dying = () =>
      new Scene(armed)
        .settle()
        .at(10)
        .lost(one)
        .connect(one, 'refused')
        .at(60)
        .connect(one, 'refused');
    const first = dying();
    const second = dying();
    first.done({ kind: 'saved', revision: 2 });
    const { record } = first.state;
    second.done({ kind: 'outdated', stored: record === null ? null : { record, revision: 2 } });
    for (const { state } of [first, second]) {
      expect(state.phase).toMatchObject({
        kind: 'promoting',
        intent: { candidate: two, epoch: 2 },
      });
      expect(state.epochMax).toBe(2);
    }
  });
});
