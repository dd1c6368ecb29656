import { describe, expect, it } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { SqlState } from '../../../src/base/sql-state.ts';
import { createLog, type Log } from '../../../src/observability/log.ts';

function collect(options: { readonly readable: boolean }): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLog({ level: 'info', source: 'worker 1', destination, ...options });
  return { log, lines };
}

describe('the log', () => {
  it('is one JSON object a line', () => {
    const { log, lines } = collect({ readable: false });
    log.write('warn', 'the disk is slow', { latencyMs: 812 });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'warn',
      source: 'worker 1',
      pid: process.pid,
      msg: 'the disk is slow',
      latencyMs: 812,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  it('leaves out what is below its level, which may change', () => {
    const { log, lines } = collect({ readable: false });
    log.write('debug', 'first');
    log.setLevel('debug');
    log.write('debug', 'second');
    log.setLevel('error');
    log.write('warn', 'third');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['second']);
  });

  it('hides secrets whoever passes them', () => {
    const { log, lines } = collect({ readable: false });
    const user = { name: 'app', password: 'hunter2', verifier: 'SCRAM-SHA-256$x' };
    log.write('info', 'login', { user, password: 'hunter3', configText: 'password: hunter4' });
    expect(lines[0]).toContain('app');
    expect(lines[0]).not.toMatch(/hunter|SCRAM/);
  });

  it("keeps code and message of a server's error, not the rows that its detail quotes", () => {
    const { log, lines } = collect({ readable: false });
    const detail = 'Key (name)=(Grace Hopper) already exists.';
    const error = new PgError(SqlState.checkViolation, 'duplicate key', { detail });
    log.write('error', 'recovery failed', { error });
    expect(JSON.parse(lines[0] ?? '').error).toEqual({
      sqlState: '23514',
      message: 'duplicate key',
    });
  });

  it('keeps the stack of our own mistakes', () => {
    const { log, lines } = collect({ readable: false });
    log.write('error', 'oops', { error: new TypeError('x is not a function') });
    expect(JSON.parse(lines[0] ?? '').error).toMatchObject({
      name: 'TypeError',
      stack: expect.stringContaining('log.test.ts'),
    });
  });

  it('is text for a person on a terminal', () => {
    const { log, lines } = collect({ readable: true });
    log.write('info', 'accepting clients', { port: 6432 });
    expect(lines.join('')).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: worker 1: accepting clients \{"port":6432\}\n$/,
    );
  });
});
