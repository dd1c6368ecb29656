import { describe, expect, it } from 'vitest';
import { emptySettings, internedSettingsCount } from '../../../src/backend/session-settings.ts';

describe('session settings', () => {
  it('are one object for equal contents, whatever the way there', () => {
    const one = emptySettings.with('timezone', "'UTC'").with('search_path', 'a, b');
    const other = emptySettings
      .with('search_path', 'x')
      .with('search_path', 'a, b')
      .with('timezone', "'UTC'");
    expect(one).toBe(other);
    expect(one.without('timezone').without('search_path')).toBe(emptySettings);
    expect(one.without('nothing')).toBe(one);
    expect(one.with('timezone', "'UTC'")).toBe(one);
    expect(emptySettings.values.size).toBe(0);
  });

  it('replay what differs and nothing else', () => {
    const from = emptySettings.with('timezone', "'UTC'").with('work_mem', "'4MB'").with('x', '1');
    const to = emptySettings
      .with('timezone', "'Asia/Seoul'")
      .with('app.tenant', "'7'")
      .with('x', '1');
    expect(to.replay(from)).toBe(
      `RESET "work_mem"; SET "app"."tenant" TO '7'; SET "timezone" TO 'Asia/Seoul'`,
    );
    expect(from.replay(from)).toBeNull();
  });

  it('quote names', () => {
    expect(emptySettings.with('a"; drop table x; --', '1').replay(emptySettings)).toBe(
      'SET "a""; drop table x; --" TO 1',
    );
  });

  it('change the identity last, and give up the old one first', () => {
    const from = emptySettings.with('role', "'old'").with('work_mem', '1');
    const to = emptySettings
      .with('role', "'new'")
      .with('session_authorization', "'kim'")
      .with('work_mem', '2');
    expect(to.replay(from)).toBe(
      `RESET "role"; SET "work_mem" TO 2; SET "session_authorization" TO 'kim'; SET "role" TO 'new'`,
    );
    // A new session_authorization takes the role away, even when the role itself stays the same.
    const other = to.with('session_authorization', "'lee'");
    expect(other.replay(to)).toBe(
      `RESET "session_authorization"; RESET "role"; SET "session_authorization" TO 'lee'; SET "role" TO 'new'`,
    );
  });

  it('leave the memory with the last session that held them', async () => {
    const before = internedSettingsCount();
    for (let index = 0; index < 20_000; index++) emptySettings.with('app.user', `'${index}'`);
    // Filling the heap makes the collector run without any flag.
    for (let round = 0; round < 200 && internedSettingsCount() > before + 10_000; round++) {
      Array.from({ length: 200_000 }, (_, index) => ({ index }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(internedSettingsCount()).toBeLessThan(before + 10_000);
  });
});
