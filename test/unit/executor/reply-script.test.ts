import { describe, expect, it } from 'vitest';
import { type Reply, ReplyScript } from '../../../src/executor/reply-script.ts';

const forward: Reply = { kind: 'forward' };
const swallow: Reply = { kind: 'swallow', prepared: 's1' };
const local: Reply = { kind: 'local', frame: Buffer.from('local') };
const code = (letter: string) => letter.charCodeAt(0);

describe('a reply script', () => {
  it('passes everything of an answer on and moves on at its last message', () => {
    const script = new ReplyScript([forward, swallow, forward]);
    for (const letter of 'DDC') expect(script.accept(code(letter))).toBe(true);
    expect(script.accept(code('1'))).toBe(false);
    expect(script.accept(code('C'))).toBe(true);
  });

  it('knows which message ends each answer', () => {
    for (const last of '123TnCIs') {
      const script = new ReplyScript([swallow, forward]);
      expect(script.accept(code(last))).toBe(false);
      expect(script.accept(code(last))).toBe(true);
    }
    for (const inner of 'tDdGHcNS') {
      const script = new ReplyScript([forward, swallow]);
      script.accept(code(inner));
      expect(script.accept(code('1'))).toBe(true);
      expect(script.accept(code('2'))).toBe(false);
    }
  });

  it('keeps notices and parameters for the client, also from an answer that is swallowed', () => {
    const script = new ReplyScript([swallow]);
    expect(script.accept(code('N'))).toBe(true);
    expect(script.accept(code('S'))).toBe(true);
    expect(script.accept(code('1'))).toBe(false);
  });

  it('knows until when an error may come of a kept name', () => {
    const script = new ReplyScript([swallow, forward, forward, forward], 2);
    expect(script.isKeptAtStake).toBe(true);
    for (const [letter, expected] of [
      ['1', true],
      ['2', true],
      ['2', false],
      ['C', false],
    ] as const) {
      script.accept(code(letter));
      expect(script.isKeptAtStake).toBe(expected);
    }
  });

  it('hands a local answer out once, in its place', () => {
    const script = new ReplyScript([forward, local, local, forward]);
    expect(script.takeLocal()).toBeNull();
    script.accept(code('1'));
    expect(script.takeLocal()?.toString()).toBe('local');
    expect(script.takeLocal()?.toString()).toBe('local');
    expect(script.takeLocal()).toBeNull();
  });

  it('says after an error which statements were not prepared, and where it failed', () => {
    const parse: Reply = { kind: 'forward-parse', prepared: 's2' };
    const script = new ReplyScript([swallow, forward, parse, { kind: 'swallow-close' }, local]);
    script.accept(code('1'));
    script.accept(code('2'));
    expect(script.failedAt).toBeNull();
    expect(script.unanswered()).toEqual({ prepared: ['s2'], closing: true });
    expect(script.failedAt).toBe(2);
    expect(script.takeLocal()).toBeNull();
    expect(script.unanswered()).toEqual({ prepared: [], closing: false });
    expect(script.failedAt).toBe(2);
  });

  it('passes on what comes after the end of the script', () => {
    const script = new ReplyScript([]);
    expect(script.accept(code('N'))).toBe(true);
  });
});
