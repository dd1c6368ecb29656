import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { run } from './program.mjs';
import { connection, ssl } from './tell.mjs';

// Below the packages, so that what the tools load finds them. Both sides run at the same time.
const folders = resolve('test/clients/.tools');

/** Runs tools' own commands in a folder of files, which is gone afterwards. */
export async function inFolder(files, work) {
  await mkdir(folders, { recursive: true });
  const folder = await mkdtemp(join(folders, 'migration-'));
  try {
    await writeFiles(folder, files);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export async function writeFiles(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** A command of an npm package; what it printed, when it succeeded. */
export function npmCommand(folder, program, ...words) {
  return command(folder, resolve('test/clients/node_modules/.bin', program), words);
}

export async function command(folder, program, words) {
  const { code, out, err } = await run(program, words, {
    cwd: folder,
    env: { NO_COLOR: '1', FORCE_COLOR: '0', CI: '1' },
  });
  if (code !== 0) throw new Error([words.join(' '), ...out, ...err].join('\n'));
  return out.join('\n');
}

/** Statements past the tool; the rows of the last one. */
export async function ask(...statements) {
  const client = new pg.Client({ ...connection, ssl });
  await client.connect();
  try {
    let rows = [];
    for (const text of statements) rows = (await client.query(text)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** Columns, constraints and indexes of the tables whose names (with their schema) are like that. */
export async function shapeOf(pattern) {
  const own = `n.nspname || '.' || c.relname like '${pattern}'`;
  const of = 'pg_class c join pg_namespace n on n.oid = c.relnamespace';
  return [
    await ask(`select c.relname, a.attname, format_type(atttypid, atttypmod) as type, attnotnull, pg_get_expr(adbin, adrelid) as "default"
      from ${of} join pg_attribute a on attrelid = c.oid left join pg_attrdef on adrelid = c.oid and adnum = attnum
      where relkind = 'r' and attnum > 0 and not attisdropped and ${own} order by relname, attnum`),
    await ask(`select c.relname, conname, pg_get_constraintdef(k.oid) as definition from ${of} join pg_constraint k on conrelid = c.oid
      where ${own} order by relname, conname`),
    await ask(`select c.relname, pg_get_indexdef(indexrelid) as definition from ${of} join pg_index on indrelid = c.oid
      where ${own} order by relname, definition`),
  ];
}

/** For configurations that are JavaScript, and for those that are CommonJS. */
export const connectionText = JSON.stringify({ ...connection, ssl });
