import { PgError } from '../../src/base/pg-error.ts';
import { decodeBind } from '../../src/protocol/bind-message.ts';
import { decodeClose } from '../../src/protocol/close-message.ts';
import { encodeCommandComplete } from '../../src/protocol/command-complete.ts';
import {
  bindComplete,
  closeComplete,
  copyDone,
  noData,
  parseComplete,
  portalSuspended,
} from '../../src/protocol/constant-messages.ts';
import { encodeDataRow } from '../../src/protocol/data-row.ts';
import { decodeDescribe } from '../../src/protocol/describe-message.ts';
import { encodeErrorResponse, encodeNoticeResponse } from '../../src/protocol/error-response.ts';
import { decodeExecute } from '../../src/protocol/execute-message.ts';
import { MessageWriter } from '../../src/protocol/message-writer.ts';
import { encodeParameterDescription } from '../../src/protocol/parameter-description.ts';
import { encodeParameterStatus } from '../../src/protocol/parameter-status.ts';
import { decodeParse } from '../../src/protocol/parse-message.ts';
import { decodeQuery, encodeQuery } from '../../src/protocol/query-message.ts';
import { readyForQuery } from '../../src/protocol/ready-for-query.ts';
import { encodeRowDescription } from '../../src/protocol/row-description.ts';
import { lexStatements } from '../../src/sql/lexer.ts';
import { FakeServer, type FakeSession } from './fake-server.ts';
import { clientMessageText, serverMessageText } from './wire-text.ts';

/** `arrow` as seen from the server: `>` came in, `<` went out. */
export type ShardEvent = (session: number, arrow: '>' | '<', text: string) => void;

type Portal = { readonly sql: string; sent: number };

type State = {
  status: 'idle' | 'in-transaction' | 'failed';
  /** Statements of an extended batch so far: an implicit transaction up to Sync. */
  skipping: boolean;
  readonly statements: Map<string, string>;
  readonly portals: Map<string, Portal>;
  out: Buffer[];
  copying: { readonly extended: boolean; rows: number } | null;
  /** Goes on with what hangs; the argument says whether it was cancelled. */
  held: ((cancelled: boolean) => void) | null;
  /** What arrived meanwhile. */
  readonly waiting: Buffer[];
};

/**
 * A server that answers as PostgreSQL does, with made-up rows. Comments in a statement say what it
 * shall do besides; with `shard:` in front only that shard does it.
 *
 *     error CODE   fails            hang    waits for a cancel or for `goOn`
 *     rows N       N rows, not 1    die     ends the connection instead of an answer
 *     half         dies after the first row
 *     fatal CODE   says so, and dies
 *     notice       a notice first   once    only the first time
 */
export class ScriptedShard {
  readonly name: string;
  readonly server: FakeServer;
  /** What the next COMMIT does. */
  atCommit: 'commit' | 'fail' | 'die' = 'commit';
  readonly #states = new Map<FakeSession, State>();
  readonly #event: ShardEvent;
  readonly #done = new Set<string>();

  private constructor(name: string, server: FakeServer, event: ShardEvent) {
    this.name = name;
    this.server = server;
    this.#event = event;
    server.script = {
      onQuery: (session, sql) => this.#arrive(session, encodeQuery(sql)),
      onMessage: (session, frame) => this.#arrive(session, frame),
      onCancel: (key, close) => {
        const session = server.sessions.find(({ number }) => number === key.backendId);
        this.#event(key.backendId, '>', 'CancelRequest');
        close();
        if (session !== undefined) this.#state(session).held?.(true);
      },
    };
  }

  static async start(name: string, event: ShardEvent): Promise<ScriptedShard> {
    return new ScriptedShard(name, await FakeServer.start(), event);
  }

  goOn(): void {
    for (const state of this.#states.values()) state.held?.(false);
  }

  /** Ends all its connections. */
  dropAll(): void {
    for (const { socket } of this.server.open) socket.destroy();
  }

  #state(session: FakeSession): State {
    let state = this.#states.get(session);
    if (state === undefined) {
      state = {
        status: 'idle',
        skipping: false,
        statements: new Map(),
        portals: new Map(),
        out: [],
        copying: null,
        held: null,
        waiting: [],
      };
      this.#states.set(session, state);
    }
    return state;
  }

  #send(session: FakeSession): void {
    const state = this.#state(session);
    if (session.socket.destroyed) return;
    for (const frame of state.out) this.#event(session.number, '<', serverMessageText(frame));
    session.socket.write(Buffer.concat(state.out));
    state.out = [];
  }

  #die(session: FakeSession): void {
    this.#event(session.number, '<', 'closed');
    session.socket.end();
    session.socket.destroySoon();
  }

  #directive(sql: string, name: string): string | null {
    for (const [, words = ''] of sql.matchAll(/\/\*(.*?)\*\//g)) {
      const [, shard, wish = ''] = /^\s*(?:(\w+):)?\s*(.*?)\s*$/.exec(words) ?? [];
      if (shard !== undefined && shard !== this.name) continue;
      const [verb, ...rest] = wish.split(' ');
      if (verb !== name) continue;
      if (rest.includes('once')) {
        if (this.#done.has(sql)) continue;
        this.#done.add(sql);
      }
      return rest[0] ?? '';
    }
    return null;
  }

  #arrive(session: FakeSession, frame: Buffer): void {
    if (!session.socket.writable) return;
    this.#event(session.number, '>', clientMessageText(frame));
    const { held, copying, waiting } = this.#state(session);
    if (held !== null && copying === null) waiting.push(frame);
    else this.#take(session, frame);
  }

  #take(session: FakeSession, frame: Buffer): void {
    if (frame[0] === 0x51) this.#query(session, decodeQuery(frame, 0, frame.length));
    else this.#message(session, frame);
  }

  // Simple protocol

  #query(session: FakeSession, sql: string): void {
    const texts = lexStatements(sql, { standardConformingStrings: true }).map(
      ({ start }, index, all) => sql.slice(start, all[index + 1]?.start).replace(/;\s*$/, ''),
    );
    const state = this.#state(session);
    const wasIdle = state.status === 'idle';
    const next = (index: number): void => {
      const text = texts[index];
      if (text === undefined || session.socket.destroyed) {
        this.#ready(session);
        return;
      }
      this.#run(session, text, { describe: true, portal: null, rowsMax: 0 }, (ok) => {
        if (ok) next(index + 1);
        else {
          if (wasIdle && texts.length > 1 && state.status === 'in-transaction') {
            state.status = 'failed';
          }
          this.#ready(session);
        }
      });
    };
    next(0);
  }

  #ready(session: FakeSession): void {
    const state = this.#state(session);
    state.out.push(readyForQuery[state.status]);
    if (state.status === 'idle') state.portals.clear();
    this.#send(session);
  }

  /** One statement; `done(false)` after an error. */
  #run(
    session: FakeSession,
    sql: string,
    how: { describe: boolean; portal: Portal | null; rowsMax: number },
    done: (ok: boolean) => void,
  ): void {
    const state = this.#state(session);
    const fail = (code: string, message: string) => {
      if (state.status === 'in-transaction') state.status = 'failed';
      state.out.push(encodeErrorResponse(new PgError(code, message)));
      done(false);
    };
    const word = /^\s*(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? '';
    const ends = ['commit', 'rollback', 'end', 'abort'].includes(word);
    if (state.status === 'failed' && !ends) {
      fail('25P02', 'current transaction is aborted');
      return;
    }
    if (this.#directive(sql, 'die') !== null) {
      state.out = [];
      this.#die(session);
      return;
    }
    const fatal = this.#directive(sql, 'fatal');
    if (fatal !== null) {
      state.out.push(
        encodeErrorResponse(new PgError(fatal, 'terminating connection', { severity: 'FATAL' })),
      );
      this.#send(session);
      this.#die(session);
      return;
    }
    if (this.#directive(sql, 'hang') !== null) {
      this.#send(session);
      state.held = (cancelled) => {
        state.held = null;
        if (cancelled) fail('57014', 'canceling statement due to user request');
        else this.#answer(session, sql, word, how, done);
        this.#send(session);
        for (const frame of state.waiting.splice(0)) this.#take(session, frame);
      };
      return;
    }
    const code = this.#directive(sql, 'error');
    if (code !== null) fail(code, `made up by ${this.name}`);
    else this.#answer(session, sql, word, how, done);
  }

  #answer(
    session: FakeSession,
    sql: string,
    word: string,
    how: { describe: boolean; portal: Portal | null; rowsMax: number },
    done: (ok: boolean) => void,
  ): void {
    const state = this.#state(session);
    const complete = (tag: string) => {
      state.out.push(encodeCommandComplete(tag));
      done(true);
    };
    if (this.#directive(sql, 'notice') !== null) {
      state.out.push(
        encodeNoticeResponse({ severity: 'NOTICE', sqlState: '00000', message: 'made up' }),
      );
    }
    switch (word) {
      case 'begin':
      case 'start':
        state.status = 'in-transaction';
        complete('BEGIN');
        return;
      case 'commit':
      case 'end':
        this.#commit(session, complete, done);
        return;
      case 'rollback':
        if (!/\bto\b/i.test(sql)) state.status = 'idle';
        else state.status = 'in-transaction';
        complete('ROLLBACK');
        return;
      case 'savepoint':
      case 'release':
        complete(word.toUpperCase());
        return;
      case 'set':
      case 'reset': {
        const [, name = '', value = ''] =
          /^\w+\s+(?:local\s+|session\s+)?"?([\w.]+)"?\s*(?:=|to)?\s*(.*)$/i.exec(sql) ?? [];
        if (/^application_name$/i.test(name)) {
          state.out.push(encodeParameterStatus('application_name', value.replaceAll("'", '')));
        }
        complete(word.toUpperCase());
        return;
      }
      case 'insert':
        complete('INSERT 0 1');
        return;
      case 'update':
      case 'delete':
        complete(`${word.toUpperCase()} 1`);
        return;
      case 'copy':
        this.#copy(session, sql, how.describe, done);
        return;
      case 'create':
        complete('CREATE TABLE');
        return;
      default:
        this.#rows(session, sql, how, done);
    }
  }

  #commit(
    session: FakeSession,
    complete: (tag: string) => void,
    done: (ok: boolean) => void,
  ): void {
    const state = this.#state(session);
    const wish = this.atCommit;
    this.atCommit = 'commit';
    if (wish === 'die') {
      this.#die(session);
      return;
    }
    const failed = state.status === 'failed';
    state.status = 'idle';
    if (wish === 'fail') {
      state.out.push(encodeErrorResponse(new PgError('23503', `made up by ${this.name}`)));
      done(false);
    } else complete(failed ? 'ROLLBACK' : 'COMMIT');
  }

  #rows(
    session: FakeSession,
    sql: string,
    how: { describe: boolean; portal: Portal | null; rowsMax: number },
    done: (ok: boolean) => void,
  ): void {
    const state = this.#state(session);
    const all = Number(this.#directive(sql, 'rows') ?? 1);
    const from = how.portal?.sent ?? 0;
    const count = how.rowsMax === 0 ? all - from : Math.min(how.rowsMax, all - from);
    if (how.describe) state.out.push(description());
    for (let row = from; row < from + count; row++) {
      state.out.push(encodeDataRow([`${this.name}-${row + 1}`]));
      if (this.#directive(sql, 'half') === null) continue;
      this.#send(session);
      setImmediate(() => this.#die(session));
      return;
    }
    if (how.portal !== null) how.portal.sent += count;
    if (how.rowsMax > 0 && count === how.rowsMax) state.out.push(portalSuspended);
    else state.out.push(encodeCommandComplete(`SELECT ${count}`));
    done(true);
  }

  #copy(session: FakeSession, sql: string, simple: boolean, done: (ok: boolean) => void): void {
    const state = this.#state(session);
    const format = (code: number) =>
      new MessageWriter().begin(code).int8(0).int16(1).int16(0).end().take();
    if (/\bto\s+stdout\b/i.test(sql)) {
      const row = new MessageWriter().begin(0x64).text(`${this.name}-1\n`).end().take();
      state.out.push(format(0x48), row, copyDone, encodeCommandComplete('COPY 1'));
      done(true);
      return;
    }
    state.out.push(format(0x47));
    this.#send(session);
    state.copying = { extended: !simple, rows: 0 };
    state.held = (cancelled) => {
      if (cancelled) this.#copyFailed(session, '57014', 'canceling statement');
    };
    this.#afterCopy.set(session, done);
  }

  readonly #afterCopy = new Map<FakeSession, (ok: boolean) => void>();

  #endCopy(session: FakeSession, ok: boolean): void {
    const state = this.#state(session);
    state.copying = null;
    state.held = null;
    this.#afterCopy.get(session)?.(ok);
  }

  #copyFailed(session: FakeSession, code: string, message: string): void {
    const state = this.#state(session);
    if (state.status === 'in-transaction') state.status = 'failed';
    state.out.push(encodeErrorResponse(new PgError(code, message)));
    this.#endCopy(session, false);
    this.#send(session);
  }

  #copyMessage(session: FakeSession, code: string, frame: Buffer): void {
    const state = this.#state(session);
    const { copying } = state;
    if (copying === null) return;
    if (code === 'd') {
      copying.rows += 1;
      if (frame.toString('utf8', 5).includes('bad')) {
        this.#copyFailed(session, '22P02', 'invalid input');
      }
    } else if (code === 'c') {
      state.out.push(encodeCommandComplete(`COPY ${copying.rows}`));
      this.#endCopy(session, true);
      this.#send(session);
    } else if (code === 'f') {
      const reason = frame.toString('utf8', 5, frame.length - 1);
      this.#copyFailed(session, '57014', `COPY from stdin failed: ${reason}`);
    } else if (code !== 'S' && code !== 'H') {
      this.#copyFailed(session, '08P01', 'unexpected message during COPY');
    }
  }

  // Extended protocol

  #message(session: FakeSession, frame: Buffer): void {
    const state = this.#state(session);
    const code = String.fromCharCode(frame[0] ?? 0);
    if (state.copying !== null || 'dcf'.includes(code)) {
      this.#copyMessage(session, code, frame);
      return;
    }
    if (code === 'S') {
      state.skipping = false;
      this.#ready(session);
      return;
    }
    if (state.skipping) return;
    const fail = (sqlState: string, message: string) => {
      if (state.status === 'in-transaction') state.status = 'failed';
      state.out.push(encodeErrorResponse(new PgError(sqlState, message)));
      state.skipping = true;
    };
    this.#extended(session, code, frame, fail);
  }

  #extended(
    session: FakeSession,
    code: string,
    frame: Buffer,
    fail: (sqlState: string, message: string) => void,
  ): void {
    const state = this.#state(session);
    const end = frame.length;
    switch (code) {
      case 'P': {
        const { name, sql } = decodeParse(frame, 0, end);
        if (name !== '' && state.statements.has(name)) fail('42P05', `${name} exists`);
        else if (state.status === 'failed') fail('25P02', 'current transaction is aborted');
        else if (this.#directive(sql, 'parse-error') !== null) fail('42P01', 'no such table');
        else {
          state.statements.set(name, sql);
          state.out.push(parseComplete);
        }
        return;
      }
      case 'B': {
        const { portal, statement } = decodeBind(frame, 0, end);
        const sql = state.statements.get(statement);
        if (sql === undefined) fail('26000', `no statement ${statement}`);
        else if (portal !== '' && state.portals.has(portal)) fail('42P03', `${portal} exists`);
        else {
          state.portals.set(portal, { sql, sent: 0 });
          state.out.push(bindComplete);
        }
        return;
      }
      case 'D': {
        const { kind, name } = decodeDescribe(frame, 0, end);
        const sql = kind === 'portal' ? state.portals.get(name)?.sql : state.statements.get(name);
        if (sql === undefined) {
          fail(kind === 'portal' ? '34000' : '26000', `no ${kind} ${name}`);
          return;
        }
        if (kind === 'statement') {
          const numbers = [...sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
          const count = Math.max(0, ...numbers);
          state.out.push(encodeParameterDescription(new Array<number>(count).fill(25)));
        }
        state.out.push(/^\s*(select|show|with|values)/i.test(sql) ? description() : noData);
        return;
      }
      case 'E': {
        const { portal, rowsMax } = decodeExecute(frame, 0, end);
        const open = state.portals.get(portal);
        if (open === undefined) fail('34000', `no portal ${portal}`);
        else {
          this.#run(session, open.sql, { describe: false, portal: open, rowsMax }, (ok) => {
            if (!ok) state.skipping = true;
          });
        }
        return;
      }
      case 'C': {
        const { kind, name } = decodeClose(frame, 0, end);
        (kind === 'portal' ? state.portals : state.statements).delete(name);
        state.out.push(closeComplete);
        return;
      }
      case 'H':
        this.#send(session);
        return;
    }
  }
}

function description(): Buffer {
  return encodeRowDescription([
    {
      name: 'value',
      tableOid: 0,
      columnNumber: 0,
      typeOid: 25,
      typeSize: -1,
      typeModifier: -1,
      format: 0,
    },
  ]);
}
