import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { where } from '../../../src/cli/where.ts';

const example = readFileSync(join(import.meta.dirname, '../../../config/pgweave.yaml'), 'utf8');
const options = {
  path: 'pgweave.yaml',
  environment: { APP_PASSWORD: 'a', CONTROL_PASSWORD: 'c' },
};
const ask = (table: string, key: string | null, text = example) =>
  where(text, options, { table, key });

describe('where', () => {
  it('names the shard of a key and the range it lies in', () => {
    expect(ask('reservation', 'Kim')).toEqual({
      text: "e_o\n    'Kim' folds to 'KIM' and lies in the range from 'E' up to below 'P' of e_o\n",
      exitCode: 0,
    });
  });

  it('names the arc of a ring and the remainder of a modulo', () => {
    expect(ask('public.chat_session', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11').text).toMatch(
      /^(\w+)\n {4}a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 has the hash -?\d+, on the arc from -?\d+ up to below -?\d+ of \1\n$/,
    );
    expect(ask('audit.event', '42').text).toMatch(
      /^(\w+)\n {4}42 has the hash -?\d+, remainder \d of 4, of \1\n$/,
    );
  });

  it('knows tables that have no key', () => {
    expect(ask('item', '1').text).toBe(
      'a_d, e_o, p_u, v_z\n    public.item is a reference table: a full copy everywhere\n',
    );
    expect(ask('invoice', '1').text).toBe(
      'a_d\n    public.invoice is not listed: its rows live on the home shard\n',
    );
  });

  it('ends with 1 for what is no key, in the words of PostgreSQL', () => {
    expect(ask('chat_session', 'x')).toEqual({
      text: 'invalid input syntax for type uuid: "x"\n',
      exitCode: 1,
    });
  });

  it('ends with 1 for a key that no range covers', () => {
    const text = example.replace('- { shard: a_d, to: E }', '- { shard: a_d, from: A, to: E }');
    expect(ask('customer', '007', text)).toEqual({
      text: "no shard: '007' lies in no range\n",
      exitCode: 1,
    });
  });

  it('without a key prints the expression that finds the owner on a server', () => {
    expect(ask('customer', null).text).toMatch(
      /^case when upper\("cust_id" collate "C"\) < 'E'.* end\n$/,
    );
  });

  it('prints the mistakes of a bad file and ends with 1', () => {
    expect(ask('customer', 'Kim', '')).toMatchObject({ exitCode: 1 });
    expect(ask('customer', 'Kim', 'a: [').text).toMatch(/^pgweave\.yaml:1:\d+: YAML: /);
  });
});
