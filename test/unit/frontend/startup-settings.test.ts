import { describe, expect, it } from 'vitest';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { startupSettings } from '../../../src/frontend/startup-settings.ts';

function settingsOf(parameters: { readonly [name: string]: string }): { [name: string]: string } {
  const all = new Map(Object.entries({ user: 'kim', database: 'shop', ...parameters }));
  return Object.fromEntries(startupSettings(all, emptySettings).values);
}

function stateOf(parameters: { readonly [name: string]: string }): string {
  try {
    settingsOf(parameters);
  } catch (error) {
    if (error instanceof PgError) return `${error.severity} ${error.sqlState}`;
    throw error;
  }
  return 'accepted';
}

describe('the settings of a startup packet', () => {
  it('are its parameters but user, database, options and replication', () => {
    expect(settingsOf({ application_name: "Kim's", DateStyle: 'ISO', replication: 'off' })).toEqual(
      {
        application_name: "'Kim''s'",
        datestyle: "'ISO'",
      },
    );
  });

  it('are read from options as PostgreSQL splits them', () => {
    const options =
      '-c work_mem=1MB  -cstatement_timeout=5 --lock-timeout=7 -c app.note=a\\ b\\\\c';
    expect(settingsOf({ options })).toEqual({
      work_mem: "'1MB'",
      statement_timeout: "'5'",
      lock_timeout: "'7'",
      'app.note': " E'a b\\\\c'",
    });
  });

  it('lets a parameter win over the options', () => {
    expect(settingsOf({ options: '-c work_mem=1MB', work_mem: '2MB' })).toEqual({
      work_mem: "'2MB'",
    });
  });

  it('keeps a list of schemas a list', () => {
    expect(settingsOf({ search_path: '"$user", Shop' })).toEqual({
      search_path: "'$user', 'shop'",
    });
    expect(settingsOf({ search_path: '' })).toEqual({ search_path: "''" });
  });

  it('accepts UTF-8 in all its spellings and keeps it out of the settings', () => {
    for (const client_encoding of ['UTF8', 'utf-8', "'UTF8'", 'Unicode', 'SQL_ASCII']) {
      expect(settingsOf({ client_encoding })).toEqual({});
    }
  });

  it.each([
    [{ client_encoding: 'LATIN1' }, 'FATAL 0A000'],
    [{ replication: 'database' }, 'FATAL 0A000'],
    [{ options: '-c synchronous_commit=off' }, 'FATAL 0A000'],
    [{ options: '-c synchronous_commit=remote_write' }, 'FATAL 0A000'],
    [{ options: '-c synchronous_commit=remote_apply' }, 'accepted'],
    [{ standard_conforming_strings: 'off' }, 'FATAL 0A000'],
    [{ array_nulls: 'off' }, 'FATAL 0A000'],
    [{ replication: 'true' }, 'FATAL 0A000'],
    [{ 'x"; drop table customer; --': '1' }, 'FATAL 22023'],
    [{ 'a.b.c': '1' }, 'FATAL 22023'],
    [{ search_path: 'public, PG_TEMP' }, 'accepted'],
    [{ options: '-d 5' }, 'FATAL 22023'],
    [{ options: '-c' }, 'FATAL 22023'],
    [{ options: '-c work_mem' }, 'FATAL 22023'],
    [{ options: 'work_mem=1MB' }, 'FATAL 22023'],
    [{ options: '' }, 'accepted'],
  ])('%j: %s', (parameters, state) => {
    expect(stateOf(parameters)).toBe(state);
  });
});
