import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// Written by a PostgreSQL 18 server; test/integration/exact-arithmetic.test.ts draws new ones.
export function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8'));
}
