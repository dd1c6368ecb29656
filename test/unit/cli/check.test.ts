import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check } from '../../../src/cli/check.ts';

const options = { path: 'pgweave.yaml', environment: {} };

describe('check', () => {
  it('prints each mistake with file, line and column, its remedy below, and ends with 1', () => {
    const text =
      'database: app\nshards:\n  a: { nodes: [db:5432] }\nhome: b\ncontrol: { user: p }\n';
    expect(check(`${text}authentication: trust\nlimits: { client_max: 5 }\n`, options)).toEqual({
      text: [
        'pgweave.yaml:4:7: there is no shard "b"',
        '    use one of: a',
        'pgweave.yaml:7:11: unknown option "client_max"',
        '    did you mean "clients_max"?',
        '2 mistakes',
        '',
      ].join('\n'),
      exitCode: 1,
    });
  });

  it('reads the users file, too, and names its lines', () => {
    const directory = mkdtempSync(join(tmpdir(), 'pgweave-check-'));
    try {
      const file = join(directory, 'users.txt');
      const text = `database: app\nshards: { a: { nodes: [db] } }\nhome: a\ncontrol: { user: p }\nusers_file: ${file}\n`;
      expect(check(text, options)).toMatchObject({
        text: expect.stringContaining(`${file}:1:1: ENOENT`),
        exitCode: 1,
      });
      writeFileSync(file, '; users\n"kim" "secret"\nlee hidden\n');
      expect(check(text, options)).toEqual({
        text: [
          `${file}:3:1: this is no line of a userlist`,
          '    write "name" "password", quotes in them twice',
          '1 mistake',
          '',
        ].join('\n'),
        exitCode: 1,
      });
      writeFileSync(file, '"kim" "secret"\n');
      expect(check(text, options)).toMatchObject({ exitCode: 0 });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('prints the shards and the map of a good file and ends with 0', () => {
    const text = [
      'database: app',
      'shards: { a: { nodes: [db1, db2:5433] }, b: { nodes: [db3] } }',
      'home: a',
      'distributions:',
      '  d: { type: int, ranges: [{ shard: a, to: 0 }, { shard: b, from: 0 }] }',
      '  r: { type: uuid, modulo: [a, b, a] }',
      'tables:',
      '  t: { distribution: d, key: id }',
      '  s.u: { distribution: d, key: id }',
      '  i: { reference: true }',
      'control: { user: p }',
      'authentication: trust',
      '',
    ].join('\n');
    expect(check(text, options)).toEqual({
      text: [
        'pgweave.yaml: no mistakes',
        '',
        'database app, 0 users, 2 shards:',
        '  a: db1:5432, db2:5433',
        '  b: db3:5432',
        '',
        'distribution  method     from   to   share      shard        tables',
        'd             ranges     start  0               a            public.t, s.u',
        'd             ranges     0      end             b            public.t, s.u',
        'r             modulo                 0, 2 of 3  a',
        'r             modulo                 1 of 3     b',
        '              reference                         every shard  public.i',
        '              home                              a            all other tables',
        '',
      ].join('\n'),
      exitCode: 0,
    });
  });
});
