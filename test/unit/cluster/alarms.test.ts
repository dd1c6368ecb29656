import { describe, expect, it } from 'vitest';
import { readNodes } from '../../../src/cluster/cluster-reading.ts';
import { alarms } from '../../../src/cluster/failover/alarms.ts';
import type { ProbeAnswer } from '../../../src/cluster/failover/probe-answer.ts';
import { waitWeakness } from '../../../src/cluster/failover/synchronous-wait.ts';
import { armed, one, primaryAnswer, Scene, solo, standbyAnswer, two } from './scene.ts';

describe('a primary of which only the postmaster hangs', () => {
  function silentConnects(scene: Scene, now: number): Scene {
    return scene
      .at(now)
      .answer(one, primaryAnswer)
      .answer(two, standbyAnswer)
      .connect(one, 'silent');
  }

  it('is asked for a new connection now and then', () => {
    const scene = new Scene(armed).settle();
    scene.actions = [];
    scene.answer(one, primaryAnswer).at(4000).answer(one, primaryAnswer);
    const before = scene.actions.filter(({ kind }) => kind === 'probe').length;
    scene.at(9100).answer(one, primaryAnswer);
    expect(scene.actions.filter(({ kind }) => kind === 'probe').length).toBeGreaterThan(before);
  });

  it('is no reason for a promotion, but for an alarm, which ends with it', () => {
    const scene = silentConnects(new Scene(armed).settle(), 100);
    expect(alarms(scene.state, scene.now)).toEqual([]);
    silentConnects(scene, 200);
    expect(scene.phase).toBe('open');
    expect(alarms(scene.state, scene.now)).toEqual([
      `${one} serves its sessions, but accepts no new one`,
    ]);
    scene.at(300).answer(one, primaryAnswer);
    const told = scene.actions.filter(
      (action) => action.kind === 'log' && action.message.includes('something is wrong'),
    );
    expect(told).toHaveLength(1);
    scene.connect(one, 'alive');
    expect(alarms(scene.state, scene.now)).toEqual([]);
  });
});

describe('a standby that does not come back', () => {
  it('is an alarm after ten minutes, and none when it streams again', () => {
    const gone: ProbeAnswer = { ...primaryAnswer, standbys: [] };
    const scene = new Scene(armed).settle().answer(one, gone);
    const since = scene.now;
    scene.at(since + 599_000).answer(one, gone);
    expect(readNodes(scene.state, scene.now).map(({ missingMs }) => missingMs)).toEqual([
      null,
      599_000,
    ]);
    expect(alarms(scene.state, scene.now)).toEqual([]);
    scene.at(since + 601_000).answer(one, gone);
    expect(alarms(scene.state, scene.now)).toEqual([`${two} has not rejoined for 10 minutes`]);
    scene.answer(two, standbyAnswer).answer(one, primaryAnswer);
    expect(alarms(scene.state, scene.now)).toEqual([]);
  });
});

describe('a server that would not survive a crash of its machine', () => {
  const unflushed: ProbeAnswer = { ...primaryAnswer, off: ['fsync'] };
  const torn: ProbeAnswer = { ...standbyAnswer, off: ['full_page_writes'] };
  const told = [
    `${one}: fsync is off, a crash of its machine loses commits`,
    `${two}: full_page_writes is off, a crash of its machine may leave halves of pages`,
  ];

  function logged(scene: Scene): readonly unknown[] {
    return scene.actions.flatMap((action) => (action.kind === 'log' ? [action.fields] : []));
  }

  it('is told of once, whatever role it has, and promoted all the same', () => {
    const scene = new Scene(armed).settle();
    scene.actions = [];
    for (let turn = 0; turn < 3; turn += 1) scene.answer(two, torn).answer(one, unflushed);
    expect(alarms(scene.state, scene.now)).toEqual(told);
    expect(logged(scene)).toEqual(told.toReversed().map((finding) => ({ shard: 'a', finding })));
    expect(readNodes(scene.state, scene.now).map(({ crashSafe }) => crashSafe)).toEqual([
      false,
      false,
    ]);
    scene.answer(one, primaryAnswer).answer(two, standbyAnswer);
    expect(alarms(scene.state, scene.now)).toEqual([]);
    expect(scene.state.record?.durability.kind).toBe('armed');
  });

  it('is told of in a shard that somebody else fails over', () => {
    const scene = new Scene(null, 'follow');
    scene.answer(one, unflushed);
    expect(alarms(scene.state, scene.now)).toEqual(told.slice(0, 1));
    expect(JSON.stringify(logged(scene))).toContain('fsync is off');
  });

  it('is as it should be where that is accepted', () => {
    const scene = new Scene(armed, 'failover', { acceptsOff: ['fsync'] }).settle();
    scene.answer(two, torn).answer(one, unflushed);
    expect(alarms(scene.state, scene.now)).toEqual(told.slice(1));
    expect(readNodes(scene.state, scene.now)[0]?.crashSafe).toBe(true);
  });
});

describe('a server of which a commit may skip the wait for its standby', () => {
  const old: ProbeAnswer = { ...primaryAnswer, serverVersion: 160_008 };

  it('is known by its minor version', () => {
    const at = (serverVersion: number) => waitWeakness({ ...primaryAnswer, serverVersion });
    expect([130_021, 140_018, 150_013, 160_009, 170_005, 180_000].map(at)).toEqual(
      new Array(6).fill(null),
    );
    expect(at(160_008)).toBe(
      'commits of PostgreSQL 16.8 may skip the wait for a standby, 16.9 is needed',
    );
    expect(at(120_022)).toContain('13.21 is needed');
  });

  it('is known by its setting: what a standby has not flushed yet it may lose', () => {
    const answer = (synchronousCommit: string) => ({ ...primaryAnswer, synchronousCommit });
    expect(waitWeakness(answer('remote_write'))).toBe('synchronous_commit is remote_write');
    expect(waitWeakness(answer('remote_apply'))).toBe(null);
  });

  it('is never armed, and says why', () => {
    const scene = new Scene(solo).answer(two, standbyAnswer).answer(one, old);
    expect(scene.phase).toBe('open');
    expect(scene.work).toBe(undefined);
    expect(alarms(scene.state, scene.now)).toEqual([`${one}: ${waitWeakness(old)}`]);
  });

  it('is not armed any more', () => {
    const scene = new Scene(armed).settle().answer(one, old);
    const { task } = scene.state;
    expect(task?.work).toMatchObject({ kind: 'save', record: { durability: { kind: 'solo' } } });
  });
});
