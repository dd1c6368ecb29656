import { describe, expect, it } from 'vitest';
import { FailedLogins } from '../../../src/frontend/failed-logins.ts';

function failedLogins() {
  let now = 0;
  const told: string[] = [];
  const clock = { now: () => now, wallTime: () => 0, after: () => () => {}, every: () => () => {} };
  const logins = new FailedLogins(clock, (address) => told.push(address));
  const fail = (address: string, count = 1) => {
    for (let left = count; left > 0; left--) logins.note(address);
  };
  return { logins, fail, told, pass: (ms: number) => (now += ms) };
}

describe('failed logins', () => {
  it('slow down their address after ten, more and more, up to a second', () => {
    const { logins, fail } = failedLogins();
    fail('10.0.0.1', 9);
    expect(logins.takeTurn('10.0.0.1')).toBe(0);
    fail('10.0.0.1');
    expect(logins.takeTurn('10.0.0.1')).toBe(100);
    fail('10.0.0.1', 20);
    expect(logins.takeTurn('10.0.0.1')).toBe(1_100);
    expect(logins.takeTurn('10.0.0.2')).toBe(0);
  });

  it('make those who try at once wait for each other', () => {
    const { logins, fail } = failedLogins();
    fail('10.0.0.1', 10);
    expect([1, 2, 3].map(() => logins.takeTurn('10.0.0.1'))).toEqual([100, 200, 300]);
  });

  it('are forgotten after a minute', () => {
    const { logins, fail, pass } = failedLogins();
    fail('10.0.0.1', 30);
    pass(60_001);
    expect(logins.takeTurn('10.0.0.1')).toBe(0);
  });

  it('count for the network that an IPv6 client owns, and for IPv4 in either spelling', () => {
    const { logins, fail } = failedLogins();
    fail('2001:db8::1', 5);
    fail('2001:db8::ffff:2', 5);
    expect(logins.takeTurn('2001:db8:0:0:1::')).toBe(100);
    expect(logins.takeTurn('2001:db8:0:1::')).toBe(0);
    fail('::ffff:10.0.0.1', 10);
    expect(logins.takeTurn('10.0.0.1')).toBe(100);
  });

  it('do not keep out who has logged in from there before', () => {
    const { logins, fail, pass } = failedLogins();
    expect(logins.succeeded('10.0.0.1', 'app')).toBe(0);
    fail('10.0.0.1', 10);
    expect(logins.succeeded('10.0.0.1', 'app')).toBe(0);
    expect(logins.succeeded('10.0.0.1', 'other')).toBe(100);
    pass(600_001);
    fail('10.0.0.1', 10);
    expect(logins.succeeded('10.0.0.1', 'app')).toBeGreaterThan(0);
  });

  it('are told to the other workers, and bounded', () => {
    const { logins, fail, told } = failedLogins();
    fail('10.0.0.1', 10);
    logins.noteElsewhere('10.0.0.9');
    expect(told).toHaveLength(10);
    for (let count = 0; count < 10_000; count++)
      logins.noteElsewhere(`10.1.${count >> 8}.${count & 255}`);
    expect(logins.takeTurn('10.0.0.1')).toBe(0);
  });
});
