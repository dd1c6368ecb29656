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
import { decodeDescribe } from '../../src/protocol/describe-message.ts';
import { decodeExecute } from '../../src/protocol/execute-message.ts';
import { decodeParse } from '../../src/protocol/parse-message.ts';
import { decodeQuery } from '../../src/protocol/query-message.ts';
import { readyForQuery } from '../../src/protocol/ready-for-query.ts';
import { lexStatements } from '../../src/sql/lexer.ts';
import type { FakeSession } from './fake-server.ts';
import type { ScriptedDirectives, Wish } from './scripted-directives.ts';
import {
  copyFormat,
  copyRow,
  declaredCursor,
  endOfTransaction,
  errorFrame,
  madeUpDescription,
  madeUpNotice,
  madeUpParameters,
  madeUpRow,
  rowsComplete,
  settingStatus,
  tags,
} from './scripted-frames.ts';
import { asksCatalogue, clientMessageText, serverMessageText } from './wire-text.ts';

type Portal = { readonly sql: string; sent: number };
type How = { describe: boolean; portal: Portal | null; rowsMax: number };

/** One connection to a ScriptedShard: the protocol as PostgreSQL speaks it, with made-up rows. */
export class ScriptedSession {
  readonly #session: FakeSession;
  readonly #directives: ScriptedDirectives;
  readonly #event: (arrow: '>' | '<', text: string) => void;
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, Portal>();
  #status: 'idle' | 'in-transaction' | 'failed' = 'idle';
  /** After an error in the extended protocol, up to Sync. */
  #skipping = false;
  #out: Buffer[] = [];
  #copying: { readonly extended: boolean; rows: number } | null = null;
  #afterCopy: (ok: boolean) => void = () => {};
  /** Goes on with what hangs; the argument says whether it was cancelled. */
  #held: ((cancelled: boolean) => void) | null = null;
  /** What arrived meanwhile. */
  readonly #waiting: Buffer[] = [];

  constructor(
    session: FakeSession,
    directives: ScriptedDirectives,
    event: (arrow: '>' | '<', text: string) => void,
  ) {
    this.#session = session;
    this.#directives = directives;
    this.#event = event;
  }

  goOn(): void {
    this.#held?.(false);
  }

  cancel(): void {
    this.#held?.(true);
  }

  #send(): void {
    if (this.#session.socket.destroyed) return;
    for (const frame of this.#out) this.#event('<', serverMessageText(frame));
    this.#session.socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #die(): void {
    this.#event('<', 'closed');
    this.#session.socket.end();
    this.#session.socket.destroySoon();
  }

  arrive(frame: Buffer): void {
    if (!this.#session.socket.writable) return;
    this.#event('>', clientMessageText(frame));
    if (this.#held !== null && this.#copying === null) this.#waiting.push(frame);
    else this.#take(frame);
  }

  #take(frame: Buffer): void {
    if (frame[0] === 0x51) this.#query(decodeQuery(frame, 0, frame.length));
    else this.#message(frame);
  }

  #query(sql: string): void {
    if (asksCatalogue(sql)) {
      this.#ready([encodeCommandComplete('SELECT 0')]);
      return;
    }
    const texts = lexStatements(sql, { standardConformingStrings: true }).map(
      ({ start }, index, all) => sql.slice(start, all[index + 1]?.start).replace(/;\s*$/, ''),
    );
    const wasIdle = this.#status === 'idle';
    const next = (index: number): void => {
      const text = texts[index];
      if (text === undefined || this.#session.socket.destroyed) {
        this.#ready();
        return;
      }
      this.#run(text, { describe: true, portal: null, rowsMax: 0 }, (ok) => {
        if (ok) next(index + 1);
        else {
          if (wasIdle && texts.length > 1 && this.#status === 'in-transaction') {
            this.#status = 'failed';
          }
          this.#ready();
        }
      });
    };
    next(0);
  }

  #ready(before: readonly Buffer[] = []): void {
    this.#out.push(...before, readyForQuery[this.#status]);
    if (this.#status === 'idle') this.#portals.clear();
    this.#send();
  }

  /** One statement; `done(false)` after an error. */
  #run(sql: string, how: How, done: (ok: boolean) => void): void {
    const fail = (code: string, message: string) => {
      if (this.#status === 'in-transaction') this.#status = 'failed';
      this.#out.push(errorFrame(code, message));
      done(false);
    };
    const word = /^\s*(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? '';
    const ends = ['commit', 'rollback', 'end', 'abort'].includes(word);
    if (this.#status === 'failed' && !ends) {
      fail('25P02', 'current transaction is aborted');
      return;
    }
    if (this.#directives.find(sql, 'die') !== null) {
      this.#out = [];
      this.#die();
      return;
    }
    const fatal = this.#directives.find(sql, 'fatal');
    if (fatal !== null) {
      this.#out.push(errorFrame(fatal, 'terminating connection', 'FATAL'));
      this.#send();
      this.#die();
      return;
    }
    if (this.#directives.find(sql, 'hang') !== null) {
      this.#hold((cancelled) => {
        if (cancelled) fail('57014', 'canceling statement due to user request');
        else this.#answer(sql, word, how, done);
      });
      return;
    }
    const code = this.#directives.find(sql, 'error');
    if (code !== null) fail(code, `made up by ${this.#directives.shard}`);
    else this.#answer(sql, word, how, done);
  }

  #answer(sql: string, word: string, how: How, done: (ok: boolean) => void): void {
    const complete = (tag: string) => {
      this.#out.push(encodeCommandComplete(tag));
      done(true);
    };
    if (this.#directives.find(sql, 'notice') !== null) this.#out.push(madeUpNotice);
    const wish = this.#directives.takeWish(sql);
    if (this.#granted(wish, () => this.#answer(sql, word, how, done), done)) return;
    switch (word) {
      case 'begin':
      case 'start':
        this.#status = 'in-transaction';
        complete('BEGIN');
        return;
      case 'prepare':
      case 'commit':
      case 'end':
      case 'rollback': {
        const { tag, status } = endOfTransaction(sql, this.#status);
        this.#status = status;
        complete(tag);
        return;
      }
      case 'set':
      case 'reset': {
        const status = settingStatus(sql);
        if (status !== null) this.#out.push(status);
        complete(word.toUpperCase());
        return;
      }
      case 'declare': {
        const { name, query } = declaredCursor(sql);
        this.#portals.set(name, { sql: query, sent: 0 });
        complete('DECLARE CURSOR');
        return;
      }
      case 'close':
        this.#portals.delete(/^\w+\s+(\w+)/.exec(sql)?.[1] ?? '');
        complete('CLOSE CURSOR');
        return;
      case 'copy':
        this.#copy(sql, how.describe, done);
        return;
      default: {
        const tag = tags[word];
        if (tag === undefined) this.#rows(sql, how, done);
        else complete(tag);
      }
    }
  }

  /** Everything waits until somebody cancels or lets go. */
  #hold(goOn: (cancelled: boolean) => void): void {
    this.#send();
    this.#held = (cancelled) => {
      this.#held = null;
      goOn(cancelled);
      this.#send();
      for (const frame of this.#waiting.splice(0)) this.#take(frame);
    };
  }

  /** What a test wants of a statement; true: there is no other answer. */
  #granted(wish: Wish | null, answer: () => void, done: (ok: boolean) => void): boolean {
    if (wish === 'dies') this.#die();
    else if (wish === 'hangs') this.#hold(answer);
    else if (wish !== null) this.#status = 'idle';
    if (wish !== null && typeof wish === 'object') {
      this.#out.push(errorFrame(wish.fails, `made up by ${this.#directives.shard}`));
      done(false);
      return true;
    }
    return wish === 'dies' || wish === 'hangs';
  }

  #rows(sql: string, how: How, done: (ok: boolean) => void): void {
    const all = Number(this.#directives.find(sql, 'rows') ?? 1);
    const from = how.portal?.sent ?? 0;
    const count = how.rowsMax === 0 ? all - from : Math.min(how.rowsMax, all - from);
    if (how.describe) this.#out.push(madeUpDescription(sql));
    for (let row = from; row < from + count; row++) {
      this.#out.push(madeUpRow(sql, `${this.#directives.shard}-${row + 1}`));
      if (this.#directives.find(sql, 'half') === null) continue;
      this.#send();
      setImmediate(() => this.#die());
      return;
    }
    if (how.portal !== null) how.portal.sent += count;
    if (how.rowsMax > 0 && count === how.rowsMax) this.#out.push(portalSuspended);
    else this.#out.push(rowsComplete(sql, count));
    done(true);
  }

  #copy(sql: string, simple: boolean, done: (ok: boolean) => void): void {
    if (/\bto\s+stdout\b/i.test(sql)) {
      const row = copyRow(`${this.#directives.shard}-1\n`);
      this.#out.push(copyFormat(0x48), row, copyDone, encodeCommandComplete('COPY 1'));
      done(true);
      return;
    }
    this.#out.push(copyFormat(0x47));
    this.#send();
    this.#copying = { extended: !simple, rows: 0 };
    this.#held = (cancelled) => {
      if (cancelled) this.#copyFailed('57014', 'canceling statement');
    };
    this.#afterCopy = done;
  }

  #endCopy(ok: boolean): void {
    this.#copying = null;
    this.#held = null;
    this.#afterCopy(ok);
  }

  #copyFailed(code: string, message: string): void {
    if (this.#status === 'in-transaction') this.#status = 'failed';
    this.#out.push(errorFrame(code, message));
    this.#endCopy(false);
    this.#send();
  }

  #copyMessage(code: string, frame: Buffer): void {
    const copying = this.#copying;
    if (copying === null) return;
    if (code === 'd') {
      copying.rows += 1;
      if (frame.toString('utf8', 5).includes('bad')) {
        this.#copyFailed('22P02', 'invalid input');
      }
    } else if (code === 'c') {
      this.#out.push(encodeCommandComplete(`COPY ${copying.rows}`));
      this.#endCopy(true);
      this.#send();
    } else if (code === 'f') {
      const reason = frame.toString('utf8', 5, frame.length - 1);
      this.#copyFailed('57014', `COPY from stdin failed: ${reason}`);
    } else if (code !== 'S' && code !== 'H') {
      this.#copyFailed('08P01', 'unexpected message during COPY');
    }
  }

  #message(frame: Buffer): void {
    const code = String.fromCharCode(frame[0] ?? 0);
    if (this.#copying !== null || 'dcf'.includes(code)) {
      this.#copyMessage(code, frame);
      return;
    }
    if (code === 'S') {
      this.#skipping = false;
      this.#ready();
      return;
    }
    if (this.#skipping) return;
    const fail = (sqlState: string, message: string) => {
      if (this.#status === 'in-transaction') this.#status = 'failed';
      this.#out.push(errorFrame(sqlState, message));
      this.#skipping = true;
    };
    this.#extended(code, frame, fail);
  }

  #extended(code: string, frame: Buffer, fail: (sqlState: string, message: string) => void): void {
    const end = frame.length;
    switch (code) {
      case 'P': {
        const { name, sql } = decodeParse(frame, 0, end);
        if (name !== '' && this.#statements.has(name)) fail('42P05', `${name} exists`);
        else if (this.#status === 'failed') fail('25P02', 'current transaction is aborted');
        else if (this.#directives.find(sql, 'parse-error') !== null) fail('42P01', 'no such table');
        else {
          this.#statements.set(name, sql);
          this.#out.push(parseComplete);
        }
        return;
      }
      case 'B': {
        const { portal, statement } = decodeBind(frame, 0, end);
        const sql = this.#statements.get(statement);
        if (sql === undefined) fail('26000', `no statement ${statement}`);
        else if (portal !== '' && this.#portals.has(portal)) fail('42P03', `${portal} exists`);
        else if (statement !== '' && this.#directives.find(sql, 'stale') !== null) {
          fail('0A000', 'cached plan must not change result type');
        } else {
          this.#portals.set(portal, { sql, sent: 0 });
          this.#out.push(bindComplete);
        }
        return;
      }
      case 'D': {
        const { kind, name } = decodeDescribe(frame, 0, end);
        const sql = kind === 'portal' ? this.#portals.get(name)?.sql : this.#statements.get(name);
        if (kind === 'statement' && this.#directives.find(sql ?? '', 'die') !== null) {
          this.#die();
          return;
        }
        if (sql === undefined) {
          fail(kind === 'portal' ? '34000' : '26000', `no ${kind} ${name}`);
          return;
        }
        if (kind === 'statement') this.#out.push(madeUpParameters(sql));
        this.#out.push(
          /^\s*(select|show|with|values|fetch)/i.test(sql) ? madeUpDescription(sql) : noData,
        );
        return;
      }
      case 'E': {
        const { portal, rowsMax } = decodeExecute(frame, 0, end);
        const open = this.#portals.get(portal);
        if (open === undefined) fail('34000', `no portal ${portal}`);
        else {
          this.#run(open.sql, { describe: false, portal: open, rowsMax }, (ok) => {
            if (!ok) this.#skipping = true;
          });
        }
        return;
      }
      case 'C': {
        const { kind, name } = decodeClose(frame, 0, end);
        (kind === 'portal' ? this.#portals : this.#statements).delete(name);
        this.#out.push(closeComplete);
        return;
      }
      case 'H':
        this.#send();
        return;
    }
  }
}
