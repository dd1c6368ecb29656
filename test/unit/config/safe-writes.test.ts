import { expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';

function loaded(options: string) {
  const text = `database: app
shards: { a: { nodes: [h1] } }
home: a
control: { user: c }
${options}`;
  const outcome = loadConfig(text, { path: 'pgweave.yaml', environment: {} });
  if (outcome.kind === 'rejected') throw new Error(JSON.stringify(outcome.mistakes));
  return outcome.config;
}

it('knows for whom writes of whole tables must be confirmed', () => {
  const { safeWrites, users } = loaded(
    'users: { a: { password: p }, b: { password: p, safe_writes: false } }\nsafe_writes: true',
  );
  expect(safeWrites).toBe(true);
  expect(users.get('a')?.safeWrites).toBeNull();
  expect(users.get('b')?.safeWrites).toBe(false);
  expect(loaded('users: { a: { password: p } }').safeWrites).toBe(false);
});
