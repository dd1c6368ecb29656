import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAdminCommand } from '../../../src/admin/admin-command.ts';
import {
  conninfoAddress,
  pointedTo,
  readConninfo,
  standbyName,
} from '../../../src/cluster/conninfo.ts';
import { namesFor, readNames, waitsFor } from '../../../src/cluster/failover/synchronous-names.ts';
import { parseStoredRecord } from '../../../src/cluster/monitor/parse-stored-record.ts';
import { coordinatorOf, readGlobalId } from '../../../src/cluster/transactions/global-id.ts';
import { splitNames } from '../../../src/executor/session/search-path.ts';
import { settingText } from '../../../src/executor/session/setting-text.ts';
import { arrayElements } from '../../../src/planner/keys/array-elements.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { literalValue } from '../../../src/sql/literal-value.ts';
import { anyName, damaged, outcome } from '../../support/properties.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });

function like(...texts: readonly string[]): fc.Arbitrary<string> {
  const written = fc.constantFrom(...texts);
  return fc.oneof(damaged(written.map((text) => Buffer.from(text))).map(String), written, anyText);
}

describe('what servers say of their replication', () => {
  it('gives back the address that it was pointed to, and keeps the rest', () => {
    const conninfo = like(
      "host=db1 port=5433 user='re''pl' application_name=b",
      "host = '/var/run' password='it\\'s' sslmode=prefer",
    );
    fc.assert(
      fc.property(conninfo, anyName, fc.nat(65_535), (before, host, port) => {
        if (host === '') return;
        const after = pointedTo(before, { host, port });
        expect(conninfoAddress(after)).toBe(`${host}:${port}`);
        expect(readConninfo(after).get('password')).toBe(readConninfo(before).get('password'));
        standbyName(before, 'cluster');
      }),
    );
  });

  it('names the standbys that a commit waits for', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    const names = fc.uniqueArray(name, {
      minLength: 1,
      maxLength: 5,
      selector: (text) => text.toLowerCase(),
    });
    fc.assert(
      fc.property(names, fc.nat(4), (all, extra) => {
        const set = { count: 1 + (extra % all.length), names: all };
        expect(waitsFor(namesFor(set), set)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(like('ANY 1 ("a", b)', 'FIRST 2 (a, "b""c")', '*', 'a,b', ''), (setting) => {
        const set = readNames(setting);
        if (set !== null) expect(set.count).toBeLessThanOrEqual(set.names.length);
      }),
    );
  });

  it('of transactions and records is ours, or not', () => {
    const id = like('pgweave/shard-a/0123456789abcdef/1z');
    fc.assert(
      fc.property(id, (text) => {
        const read = readGlobalId(text);
        if (read === null) return;
        expect(text).not.toMatch(/['\\\s]/);
        expect(coordinatorOf(read)).not.toBe('');
      }),
    );
    const record = like('{"revision":1,"record":{"shard":"a","epoch":1,"uuid":"u","phase":null}}');
    fc.assert(fc.property(record, (text) => void outcome(() => parseStoredRecord(text, 'a'))));
  });
});

describe('what a client says', () => {
  it('on the console is a command or a syntax error', () => {
    const command = like(
      'show clients;',
      'failover shard "a" to \'b:5432\' allow data loss with dry run',
      "resolve 'pgweave/a/0123456789abcdef/1' commit",
      "set application_name to 'x' -- y",
      'select /* */ 1',
    );
    fc.assert(
      fc.property(command, (text) => {
        const answer = outcome(() => parseAdminCommand(text));
        if (typeof answer === 'string') expect(answer).toMatch(/^(42601|0A000) /);
      }),
    );
  });

  it('of a setting is one literal of SQL with that value', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyName, like("it's", '\\', "\\'; drop table t; --", 'a\nb')),
        (value) => {
          const text = settingText('app.name', value);
          const sql = `select ${text}`;
          const [statement, ...others] = lexStatements(sql, { standardConformingStrings: true });
          expect(others).toEqual([]);
          expect(statement?.literals).toHaveLength(1);
          const [literal] = statement?.literals ?? [];
          const token = sql.slice(literal?.start, literal?.end);
          expect(literalValue(token, true)).toBe(value);
        },
      ),
    );
  });

  it('of a list of names is read as it was written', () => {
    const names = fc.array(
      anyName.filter((name) => name !== ''),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(names, (written) => {
        const text = written.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
        expect(splitNames(text)).toEqual(written);
      }),
    );
    fc.assert(fc.property(like('a, "B""c", \'d\'', '"a'), (text) => void splitNames(text)));
  });

  it('of an array is read as it was written, or not at all', () => {
    const elements = fc.array(fc.option(anyName), { maxLength: 6 });
    fc.assert(
      fc.property(elements, (written) => {
        const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
        const list = written.map((text) => (text === null ? ' NULL ' : quoted(text)));
        expect(arrayElements(`{${list.join(',')}}`)).toEqual(written);
      }),
    );
    fc.assert(
      fc.property(
        like('{a,"b c",NULL}', '{ a b , c\\,d }', '{}', '{{1}}', '[0:1]={1,2}'),
        (text) => {
          arrayElements(text);
        },
      ),
    );
  });
});
