import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

export type Compiled = {
  /** The JavaScript of the entry; packages resolve as in the repository. */
  readonly path: string;
  remove(): Promise<void>;
};

/**
 * Compiles a TypeScript file and what it imports, for a process that Node starts by itself: a test
 * can fork today's sources and needs no build before. `others` lie beside it in the same way.
 */
export async function compileForNode(
  entry: string,
  others: readonly string[] = [],
): Promise<Compiled> {
  const directory = await mkdtemp(join(root, 'node_modules/.pgweave-test-'));
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { noEmit: false, noCheck: true, rootDir: '../..', outDir: './out' },
    files: [entry, ...others].map((file) => relative(directory, file)),
    include: [],
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
  await writeFile(join(directory, 'package.json'), JSON.stringify({ type: 'module' }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [compiler, '-p', directory]);
  const script = relative(root, entry).replace(/\.ts$/, '.js');
  return {
    path: join(directory, 'out', script),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
