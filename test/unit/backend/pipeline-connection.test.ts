import { describe, expect, it, vi } from 'vitest';
import { PgError } from '../../../src/base/pg-error.ts';
import { encodeDataRow } from '../../../src/protocol/data-row.ts';
import { encodeErrorResponse, encodeNoticeResponse } from '../../../src/protocol/error-response.ts';
import { encodeParameterStatus } from '../../../src/protocol/parameter-status.ts';
import { encodeQuery } from '../../../src/protocol/query-message.ts';
import { connected, done, send, until } from '../../support/pipeline-fixture.ts';
import { seededRandom } from '../../support/random.ts';
import { recordedExchange } from '../../support/recorded-exchange.ts';

describe('a pipeline connection', () => {
  it('gives each exchange its own answer, in order', async () => {
    const { connection, notes } = await connected();
    const exchanges = ['one', 'two', 'three'].map((sql) => send(connection, sql));
    expect(connection.depth).toBe(3);
    await Promise.all(exchanges.map((exchange) => exchange.ended));
    expect(exchanges.map(({ events }) => events)).toEqual([
      ['row one', 'C', '.', 'ready idle 0'],
      ['row two', 'C', '.', 'ready idle 0'],
      ['row three', 'C', '.', 'ready idle 0'],
    ]);
    expect(notes).toEqual(['advanced 2', 'advanced 1', 'advanced 0']);
  });

  it('sends the statements of one turn in one write', async () => {
    const { connection, server } = await connected();
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => send(connection, `q${index}`).ended),
    );
    expect(server.sessions[0]?.reads.map((read) => read.length)).toEqual([50]);
  });

  it('counts as many ReadyForQuery as an exchange awaits', async () => {
    const { connection } = await connected();
    const exchange = recordedExchange(2);
    connection.send(exchange, [encodeQuery('begin')]);
    connection.append([encodeQuery('commit')]);
    const after = send(connection, 'after');
    await after.ended;
    expect(exchange.events.filter((event) => event.startsWith('ready'))).toEqual([
      'ready in-transaction 1',
      'ready idle 0',
    ]);
    expect(after.events).toEqual(['row after', 'C', '.', 'ready idle 0']);
  });

  it('reads answers that come byte by byte', async () => {
    const { connection } = await connected({
      onQuery: ({ socket }) => {
        const answer = [...Buffer.concat([encodeDataRow(['slow']), done()])];
        const next = (): void => {
          const byte = answer.shift();
          if (byte !== undefined) socket.write(Buffer.from([byte]), () => setImmediate(next));
        };
        next();
      },
    });
    const exchange = send(connection, 'x');
    await exchange.ended;
    expect(exchange.events).toEqual(['row slow', '.', 'C', '.', 'ready idle 0']);
  });

  it('tells an exchange of its end once when whoever takes the rows ends the connection', async () => {
    const { connection, notes } = await connected();
    const exchange = recordedExchange();
    const { onChunkEnd } = exchange;
    exchange.onChunkEnd = () => {
      onChunkEnd();
      connection.destroy('the client is gone');
    };
    connection.send(exchange, [encodeQuery('one')]);
    const next = send(connection, 'two');
    await next.ended;
    expect(exchange.events).toEqual(['row one', 'C', '.', 'lost 08006']);
    expect(next.events).toEqual(['lost 08006']);
    expect(notes).toEqual(['closed 08006']);
  });

  it('keeps every answer with its exchange for any cut of the stream', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { integer } = seededRandom(seed);
      const { connection } = await connected({
        onQuery: ({ socket }, sql) => {
          const rowsOfAnswer = Array.from({ length: integer(0, 5) }, () => encodeDataRow([sql]));
          const bytes = Buffer.concat([...rowsOfAnswer, done()]);
          const cut = integer(0, bytes.length);
          socket.write(bytes.subarray(0, cut));
          socket.write(bytes.subarray(cut));
        },
      });
      const exchanges = Array.from({ length: 40 }, (_, index) => {
        const exchange = recordedExchange(integer(1, 3));
        const queries = Array.from({ length: exchange.readyCount }, () => encodeQuery(`q${index}`));
        connection.send(exchange, queries);
        return exchange;
      });
      for (const [index, exchange] of exchanges.entries()) {
        await exchange.ended;
        const { events, readyCount } = exchange;
        expect(events.filter((event) => event.startsWith('ready')).length, `seed ${seed}`).toBe(
          readyCount,
        );
        const rows = events.filter((event) => event.startsWith('row'));
        expect(new Set(rows).size <= 1 && rows.every((row) => row === `row q${index}`)).toBe(true);
      }
      connection.destroy('done');
    }
  });

  it('keeps track of parameters and drops notices nobody waits for', async () => {
    const { connection } = await connected({
      onQuery: ({ socket }) => {
        const notice = encodeNoticeResponse({
          severity: 'NOTICE',
          sqlState: '00000',
          message: 'x',
        });
        socket.write(
          Buffer.concat([encodeParameterStatus('TimeZone', 'Asia/Seoul'), done(), notice]),
        );
      },
    });
    const exchange = send(connection, 'set timezone');
    await exchange.ended;
    expect(exchange.events).toEqual(['S', 'C', '.', 'ready idle 0']);
    expect(connection.parameters.get('TimeZone')).toBe('Asia/Seoul');
    expect(connection.parameters.get('server_version')).toBe('18.0');
  });

  it('passes notifications to the owner of the session only', async () => {
    const notification = Buffer.from([0x41, 0, 0, 0, 10, 0, 0, 0, 7, 0x78, 0]);
    const { connection, notes } = await connected({
      onQuery: ({ socket }) => socket.write(Buffer.concat([notification, done()])),
    });
    const seen: Buffer[] = [];
    const notified = (frame: Buffer) => seen.push(Buffer.from(frame));
    connection.reserve({ isBrief: false, notified, lost() {} });
    const exchange = send(connection, 'x');
    await exchange.ended;
    connection.release();
    expect(notes).toEqual(['advanced 0']);
    connection.unreserve();
    expect(notes).toEqual(['advanced 0', 'released']);
    await send(connection, 'x').ended;
    expect(seen).toEqual([notification]);
    expect(exchange.events).toEqual(['C', '.', 'ready idle 0']);
  });

  it('is released when its work is done if its holder leaves before', async () => {
    const { connection, notes } = await connected({
      onQuery: ({ socket }) => socket.write(done()),
    });
    connection.reserve({ isBrief: false, notified() {}, lost() {} });
    const exchange = send(connection, 'x');
    connection.unreserve();
    connection.release();
    expect(notes).toEqual([]);
    await exchange.ended;
    await vi.waitFor(() => expect(notes).toEqual(['released']));
    expect(connection.isTainted).toBe(true);
  });

  it('tells its holder, after the exchanges, that it is gone', async () => {
    const { connection, server } = await connected({ onQuery: ({ socket }) => socket.destroy() });
    const exchange = send(connection, 'x');
    const lost = new Promise<number>((resolve) => {
      connection.reserve({
        isBrief: false,
        notified() {},
        lost: () => resolve(exchange.events.length),
      });
    });
    expect(await lost).toBe(1);
    expect(server).toBeDefined();
  });

  it('tells every exchange when the server goes, after its last words', async () => {
    const fatal = new PgError('57P01', 'terminating connection', { severity: 'FATAL' });
    const { connection, notes } = await connected({
      onQuery: ({ socket }) => socket.end(encodeErrorResponse(fatal)),
    });
    const exchanges = [send(connection, 'one'), send(connection, 'two')];
    await Promise.all(exchanges.map((exchange) => exchange.ended));
    expect(exchanges[0]?.events).toEqual(['error 57P01', '.', 'lost 57P01']);
    expect(exchanges[1]?.events).toEqual(['lost 57P01']);
    expect(notes).toEqual(['lost 57P01']);
    expect(connection.alive).toBe(false);
    const late = send(connection, 'late');
    expect(late.events).toEqual([]);
    await late.ended;
    expect(late.events).toEqual(['lost 57P01']);
  });

  it.each([
    ['an unknown message', Buffer.from([0x21, 0, 0, 0, 4]), '08P01'],
    ['a startup message', Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]), '08P01'],
    ['an impossible length', Buffer.from([0x44, 0, 0, 0, 1]), '54000'],
    ['a status that does not exist', Buffer.from([0x5a, 0, 0, 0, 5, 0x21]), '08P01'],
    ['a row above the limit', encodeDataRow(['x'.repeat(2000)]), '54000'],
    ['an answer too many', Buffer.concat([done(), done()]), '08P01'],
  ])('breaks the connection at %s', async (_name, bytes, sqlState) => {
    const { connection, notes } = await connected({ onQuery: ({ socket }) => socket.write(bytes) });
    const exchange = send(connection, 'x');
    await exchange.ended;
    await until(() => !connection.alive);
    expect(notes.at(-1)).toBe(`failed ${sqlState}`);
  });

  it('relays a row of any length in parts to an exchange that takes them', async () => {
    const row = encodeDataRow(['y'.repeat(5_000_000)]);
    const { connection } = await connected({
      onQuery: ({ socket }) => socket.write(Buffer.concat([row, done()])),
    });
    const recorded = recordedExchange();
    let bytes = 0;
    connection.send(
      {
        ...recorded,
        onFramePart: (_code, _chunk, start, end) => {
          bytes += end - start;
        },
      },
      [encodeQuery('x')],
    );
    await recorded.ended;
    expect(bytes).toBe(row.length);
    expect(recorded.events.filter((event) => event !== '.')).toEqual(['C', 'ready idle 0']);
  });

  it('stops reading while paused, and goes on by itself when the exchange is over', async () => {
    const rows = Buffer.concat(Array.from({ length: 100 }, () => encodeDataRow(['z'.repeat(900)])));
    let taken = 0;
    const { connection } = await connected({
      onQuery: ({ socket }, sql) => {
        if (sql !== 'many') return void socket.write(done());
        const more = (left: number): void => {
          if (left === 0) socket.write(done());
          else
            socket.write(rows, () => {
              taken += 1;
              more(left - 1);
            });
        };
        more(400);
      },
    });
    const many = send(connection, 'many');
    connection.pause();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const stuckAt = taken;
    expect(stuckAt).toBeLessThan(400);
    expect(many.events.length).toBe(0);
    connection.resume();
    await many.ended;
    expect(taken).toBe(400);
    const next = send(connection, 'next');
    connection.pause();
    setTimeout(() => connection.resume(), 20);
    await next.ended;
    expect(next.events.at(-1)).toBe('ready idle 0');
  });

  it('says how much is unsent, and when the kernel takes more', async () => {
    const { connection, server } = await connected({ onMessage: () => {} });
    server.sessions[0]?.socket.pause();
    connection.send(recordedExchange(), [encodeQuery('copy x from stdin')]);
    const block = Buffer.concat([
      Buffer.from([0x64, 0x00, 0x0f, 0x42, 0x44]),
      Buffer.alloc(1_000_000),
    ]);
    for (let index = 0; index < 20; index++) connection.append([block]);
    expect(connection.unsentBytes).toBeGreaterThan(20_000_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connection.unsentBytes).toBeGreaterThan(1_000_000);
    let drained = false;
    connection.onDrain(() => {
      drained = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(drained).toBe(false);
    server.sessions[0]?.socket.resume();
    await until(() => drained);
    expect(connection.unsentBytes).toBe(0);
  });

  it('evicts the prepared statement that was not used for longest', async () => {
    const { connection } = await connected();
    expect(connection.notePrepared('a')).toBeNull();
    expect(connection.notePrepared('b')).toBeNull();
    expect(connection.hasPrepared('a')).toBe(true);
    expect(connection.notePrepared('c')).toBe('b');
    expect(connection.hasPrepared('b')).toBe(false);
    connection.forgetPrepared('a');
    expect(connection.hasPrepared('a')).toBe(false);
    connection.forgetAllPrepared();
    expect(connection.hasPrepared('c')).toBe(false);
  });
});
