import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';

const root = join(import.meta.dirname, '../..');
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...markdownIn('docs'),
  ...markdownIn('docs/decisions'),
];

it('has a file behind every link between the documents', () => {
  const broken = documents.flatMap((name) =>
    [...read(name).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^\w+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(name), target)))
      .map((target) => `${name}: ${target}`),
  );
  expect(broken).toEqual([]);
});

it('shows a configuration in the README that loads without a mistake', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
  const environment = { APP_PASSWORD: 'secret' };
  expect(loadConfig(text, { path: 'README.md', environment })).toMatchObject({ kind: 'loaded' });
});

it('names only scripts that package.json has', () => {
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
  const named = documents.flatMap((name) =>
    [...read(name).matchAll(/npm run ([\w:]+)/g)].map(([, script = '']) => script),
  );
  expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
});

function markdownIn(directory: string): string[] {
  const path = join(root, directory);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${directory}/${name}`);
}

function read(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}
