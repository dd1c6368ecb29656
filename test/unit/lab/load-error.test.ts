import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { loadError } from '../../../src/lab/load-error.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgweave-load-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe('rows that cannot be loaded', () => {
  it('are a full disk where the server says so', async () => {
    const error = new DatabaseError('could not extend file', 100, 'error');
    error.code = '53100';
    expect(await loadError(error, directory)).toMatchObject({
      sqlState: '58030',
      message: `no space left for the servers in ${directory}`,
    });
  });

  it("keep the server's reason or the connection's", async () => {
    const refused = new DatabaseError('permission denied', 100, 'error');
    for (const error of [refused, new Error('Connection terminated unexpectedly')]) {
      expect(await loadError(error, directory)).toMatchObject({
        sqlState: '58030',
        message: `the rows cannot be loaded: ${error.message}`,
        cause: error,
      });
    }
  });

  it('are not blamed on the servers where the mistake is ours', async () => {
    for (const error of [
      new AssertionError('no'),
      new TypeError('no'),
      new PgError('57P01', 'no'),
    ]) {
      expect(await loadError(error, directory)).toBe(error);
    }
  });
});
