import { serialize } from 'pg-protocol';
import { expect, it } from 'vitest';
import { encodeLongBind } from '../../../src/protocol/long-bind.ts';

it('writes in pieces what another encoder writes in one, and copies no long value', () => {
  const parts = [Buffer.from([1, 2, 3]), Buffer.alloc(0), Buffer.from([4])];
  const pieces = encodeLongBind({
    portal: 'p',
    statement: 's',
    formats: [1, 1],
    values: [Buffer.from('x'), null],
    longValues: [
      { parts, byteLength: 4 },
      { parts: [], byteLength: 0 },
    ],
    resultFormats: [1],
  });
  const expected = serialize.bind({
    portal: 'p',
    statement: 's',
    values: [Buffer.from('x'), null, Buffer.from([1, 2, 3, 4]), Buffer.alloc(0)],
    binary: true,
  });
  // That encoder declares NULL as text, which makes no difference to a server.
  const written = Buffer.concat(pieces);
  written.writeInt16BE(0, 5 + 4 + 2 + 2);
  expect(written.toString('hex')).toBe(expected.toString('hex'));
  for (const part of parts) expect(pieces).toContain(part);
});
