import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readMockSecret } from '../../../src/cli/mock-secret.ts';

it('the secret of salts is made once, for its owner alone, and half of one is made anew', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'pgweave-secret-')), 'state');
  const first = await readMockSecret(directory);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await readMockSecret(directory)).toBe(first);
  const path = join(directory, 'mock_authentication_nonce');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await writeFile(path, first.slice(1));
  expect(await readMockSecret(directory)).not.toBe(first);
  await rm(join(directory, '..'), { recursive: true });
});
