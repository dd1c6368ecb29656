import { unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { countStatement } from '../executor/count-statement.ts';
import type { PlannedStatement } from '../executor/planned-statement.ts';
import { rejection } from '../executor/rejection.ts';
import type { BoundParameters } from '../executor/select/multi-shard-select.ts';
import { tooMuch } from '../executor/session/session-bounds.ts';
import type { ClientPortal } from '../executor/session/session-events.ts';
import type { Target } from '../executor/target.ts';
import type { Reject } from '../planner/plan.ts';
import { decodeBind } from '../protocol/bind-message.ts';
import { decodeClose } from '../protocol/close-message.ts';
import { decodeDescribe } from '../protocol/describe-message.ts';
import { decodeExecute } from '../protocol/execute-message.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import { decodeParse, encodeParse } from '../protocol/parse-message.ts';
import { type BatchSession, runBatch } from './batch-runner.ts';
import type { BatchStep } from './batch-step.ts';
import { clientPortal } from './client-portal.ts';
import { releaseOpenName } from './open-name.ts';
import type { ParsedTexts, TextContext } from './parsed-texts.ts';
import {
  noStatement,
  requireParameters,
  serverStatementName,
  takenStatement,
} from './prepared-names.ts';
import {
  closePortal,
  newPortal,
  type Portal,
  type PreparedStatement,
  weightOfPortal,
  weightOfStatement,
} from './prepared-statement.ts';
import { untold } from './told-columns.ts';
import { WeighedMap } from './weighed-map.ts';

/** Messages are collected up to Sync or Flush, but not more bytes than this. */
const batchBytesMax = 1024 * 1024;

/**
 * The extended protocol of one session. Messages up to Sync or Flush form a batch: only then is it
 * known whether they fit into one flight to one shard, which needs no transaction of ours.
 */
export class ExtendedQuery {
  readonly #session: BatchSession;
  readonly #texts: ParsedTexts;
  // Not made before they are needed: most sessions are idle, and many never need them.
  #statements: WeighedMap<PreparedStatement> | null = null;
  #portals: WeighedMap<Portal> | null = null;
  #steps: BatchStep[] = [];
  #undo: (() => void)[] = [];
  #bytes = 0;
  /** After an error everything up to Sync is ignored. */
  #skipping = false;

  constructor(session: BatchSession, texts: ParsedTexts) {
    this.#session = session;
    this.#texts = texts;
  }

  get idle(): boolean {
    return this.#steps.length === 0;
  }

  /** An error has been reported, and the client has not sent its Sync yet. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** Does what has been collected, as a Flush would. */
  runPending(): void {
    this.#run('flush');
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === FrontendCode.sync) {
      this.#run('sync');
      return;
    }
    if (this.#skipping) return;
    if (code === FrontendCode.flush) {
      this.#run('flush');
      return;
    }
    this.#bytes += end - start;
    try {
      this.#steps.push(this.#decode(code, chunk, start, end));
    } catch (error) {
      if (!(error instanceof PgError) || error.severity === 'FATAL') throw error;
      this.#undo.push(() => {});
      this.#steps.push({ kind: 'error', error });
      // The client may wait for the error before it sends its Sync.
      this.#run('flush');
      return;
    }
    if (this.#bytes > batchBytesMax || this.#changesTables()) this.#run('flush');
  }

  /** What follows is planned by the tables as they are then. */
  #changesTables(): boolean {
    const last = this.#steps.at(-1);
    if (last?.kind !== 'execute') return false;
    const { plan } = last.portal.statement.planned;
    return plan.kind === 'utility' && plan.changesSchema && plan.everyShard?.how !== 'apart';
  }

  /** A Query destroys the unnamed statement and portal. PostgreSQL manual, "Extended Query". */
  dropUnnamed(): void {
    this.#statements?.delete('');
    const portal = this.#portals?.get('');
    if (portal === undefined) return;
    closePortal(portal);
    releaseOpenName(portal);
    this.#portals?.delete('');
  }

  /** Portals live as long as their transaction; what is bound later in the batch is not meant. */
  dropPortals(): void {
    this.#session.executor.cursors.closeUnheld();
    this.savepointsRolledBack(0);
  }

  /** See OpenCursors. */
  savepointsReleased(savepointCount: number): void {
    for (const portal of this.#portals?.values() ?? []) {
      if (portal.savepointCount === null) continue;
      portal.savepointCount = Math.min(portal.savepointCount, savepointCount);
    }
  }

  savepointsRolledBack(savepointCount: number): void {
    for (const [name, portal] of this.#portals ?? []) {
      if (portal.savepointCount === null || portal.savepointCount < savepointCount) continue;
      closePortal(portal);
      this.#portals?.delete(name);
    }
  }

  /** For SQL's FETCH and CLOSE. */
  clientPortal(name: string): ClientPortal | null {
    const portal = this.#portals?.get(name);
    if (portal === undefined || portal.savepointCount === null) return null;
    return clientPortal(this.#session.executor, portal, () => {
      closePortal(portal);
      this.#portals?.delete(name);
    });
  }

  /** SQL's PREPARE. */
  prepareText(name: string, sql: string, typeOids: readonly number[]): void {
    const tail = encodeParse({ name: '', sql, typeOids }).subarray(6);
    const { meaning } = this.#session.executor;
    const serverName = this.#serverName(tail);
    const planned = this.#plan(sql);
    const told = untold();
    const statement = { name, serverName, meaning, planned, typeOids, tail, told };
    this.#requireRoom(weightOfStatement(name, statement));
    this.#statementMap().set(name, statement);
  }

  /** For SQL's EXECUTE. */
  prepared(name: string): PreparedStatement | null {
    const known = this.#statements?.get(name);
    return known === undefined ? null : this.#upToDate(known);
  }

  deallocate(name: string): boolean {
    return this.#statements?.delete(name) === true;
  }

  /** DISCARD ALL and DEALLOCATE ALL. */
  dropStatements(): void {
    this.#statements?.clear();
  }

  #run(end: 'sync' | 'flush'): void {
    const steps = this.#steps;
    const undo = this.#undo;
    this.#steps = [];
    this.#undo = [];
    this.#bytes = 0;
    runBatch(this.#session, steps, end, (failedStep) => {
      if (failedStep !== null) {
        this.#skipping = true;
        for (const undoStep of undo.slice(failedStep).reverse()) undoStep();
        // A Parse that fails has taken the place of the unnamed statement all the same.
        const failed = steps[failedStep];
        if (failed?.kind === 'parse' && failed.statement.name === '') this.deallocate('');
      }
      if (end === 'sync' && !this.#session.awaitsSync) this.#skipping = false;
    });
  }

  #decode(code: number, chunk: Buffer, start: number, end: number): BatchStep {
    switch (code) {
      case FrontendCode.parse:
        return this.#parse(chunk, start, end);
      case FrontendCode.bind:
        return this.#bind(chunk, start, end);
      case FrontendCode.describe:
        return this.#describe(chunk, start, end);
      case FrontendCode.execute: {
        const { portal: name, rowsMax } = decodeExecute(chunk, start, end);
        this.#undo.push(() => {});
        const portal = this.#portals?.get(name);
        if (portal !== undefined) return { kind: 'execute', portal, rowsMax };
        return { kind: 'cursor', action: 'execute', name, rowsMax };
      }
      case FrontendCode.close:
        return this.#close(chunk, start, end);
      default:
        return unreachable(code as never);
    }
  }

  #parse(chunk: Buffer, start: number, end: number): BatchStep {
    const statement = this.#known(chunk, start, end) ?? this.#prepare(chunk, start, end);
    this.#requireRoom(weightOfStatement(statement.name, statement));
    this.#set(this.#statementMap(), statement.name, statement);
    return { kind: 'parse', statement };
  }

  /** The same bytes have been parsed before. */
  #known(chunk: Buffer, start: number, end: number): PreparedStatement | null {
    if (chunk[start + 5] !== 0 || this.#session.executor.temporary !== null) return null;
    return this.#texts.find(this.#textContext(), chunk.subarray(start + 6, end));
  }

  #prepare(chunk: Buffer, start: number, end: number): PreparedStatement {
    // Statements and portals outlive the chunk.
    const copy = Buffer.from(chunk.subarray(start, end));
    const message = decodeParse(copy, 0, copy.length);
    if (message.name !== '' && this.#statements?.has(message.name) === true) {
      throw takenStatement(message.name);
    }
    const { meaning } = this.#session.executor;
    const statement: PreparedStatement = {
      name: message.name,
      serverName: message.name === '' ? '' : this.#serverName(message.tail),
      meaning,
      planned: this.#plan(message.sql),
      typeOids: message.typeOids,
      tail: message.tail,
      told: message.name === '' ? null : untold(),
    };
    if (message.name === '' && this.#session.executor.temporary === null)
      this.#texts.add(this.#textContext(), statement);
    return statement;
  }

  /** A server that has parsed the text before the tables changed may not be able to run it any more. */
  #serverName(tail: Buffer): string {
    const { schema } = this.#textContext();
    return serverStatementName(tail, `${this.#session.executor.meaning} ${schema.version}`);
  }

  #textContext(): TextContext {
    const { world, settingsNumber, blockSchema } = this.#session.executor;
    return { settingsNumber, schema: blockSchema ?? world.planner.schema };
  }

  #plan(sql: string): PlannedStatement {
    const { executor } = this.#session;
    const statements = executor.world.planner.planAll(executor, sql);
    if (statements.length > 1) {
      throw new PgError(
        SqlState.syntaxError,
        'cannot insert multiple commands into a prepared statement',
      );
    }
    const planned = statements[0] ?? executor.world.planner.emptyStatement;
    if (planned.plan.kind === 'reject') throw this.#rejected(planned.plan);
    return planned;
  }

  #rejected(plan: Reject): PgError {
    this.#session.executor.world.telemetry.statement('rejected');
    return rejection(plan);
  }

  /** null: no shard answers it. */
  #target(planned: PlannedStatement, parameters: BoundParameters): Target | null {
    const { kind } = planned.plan;
    if (kind !== 'select' && kind !== 'modify' && kind !== 'utility') return null;
    const { executor } = this.#session;
    const target = executor.world.planner.targetOf(executor, planned, parameters);
    // A write over shards runs as a simple query does, and is counted there.
    const isCountedLater = target.kind === 'write' || target.kind === 'utility';
    if (!isCountedLater) countStatement(executor.world.telemetry, planned.plan, target);
    return target;
  }

  #bind(chunk: Buffer, start: number, end: number): BatchStep {
    const copy = Buffer.from(chunk.subarray(start, end));
    const message = decodeBind(copy, 0, copy.length);
    const { executor } = this.#session;
    const statement = this.#statement(message.statement);
    requireParameters(statement, message.values.length);
    const existing = this.#portals?.get(message.portal);
    const isTaken = existing !== undefined || executor.cursors.get(message.portal) !== null;
    if (message.portal !== '' && isTaken) {
      throw new PgError(SqlState.duplicateCursor, `cursor "${message.portal}" already exists`);
    }
    const { formats, values } = message;
    const parameters = { typeOids: statement.typeOids, formats, values };
    const target = this.#target(statement.planned, parameters);
    const portal = newPortal(message, { statement, parameters, target });
    this.#requireRoom(weightOfPortal(message.portal, portal));
    this.#set(this.#portalMap(), message.portal, portal);
    return { kind: 'bind', portal, replaced: existing ?? null };
  }

  #describe(chunk: Buffer, start: number, end: number): BatchStep {
    const { kind, name } = decodeDescribe(chunk, start, end);
    this.#undo.push(() => {});
    if (kind === 'statement') {
      return { kind: 'describe-statement', statement: this.#statement(name) };
    }
    const portal = this.#portals?.get(name);
    if (portal !== undefined) return { kind: 'describe-portal', portal };
    return { kind: 'cursor', action: 'describe', name, rowsMax: 0 };
  }

  #close(chunk: Buffer, start: number, end: number): BatchStep {
    const { kind, name } = decodeClose(chunk, start, end);
    if (kind === 'statement') {
      this.#set(this.#statementMap(), name, null);
      return { kind: 'close', portal: null };
    }
    const portal = this.#portals?.get(name) ?? null;
    if (portal === null && this.#session.executor.cursors.get(name) !== null) {
      this.#undo.push(() => {});
      return { kind: 'cursor', action: 'close', name, rowsMax: 0 };
    }
    this.#set(this.#portalMap(), name, null);
    return { kind: 'close', portal };
  }

  /** Throws PgError 53400 when the session has too much already. */
  #requireRoom(bytes: number): void {
    if (bytes === 0) return;
    const { sessionBytesMax } = this.#session.executor.world.limits;
    const kept = (this.#statements?.bytes ?? 0) + (this.#portals?.bytes ?? 0);
    if (kept + bytes > sessionBytesMax) {
      throw tooMuch('the prepared statements and portals of a session', sessionBytesMax);
    }
  }

  #statementMap(): WeighedMap<PreparedStatement> {
    this.#statements ??= new WeighedMap(weightOfStatement);
    return this.#statements;
  }

  #portalMap(): WeighedMap<Portal> {
    this.#portals ??= new WeighedMap(weightOfPortal);
    return this.#portals;
  }

  #set<Value>(map: Map<string, Value>, name: string, value: Value | null): void {
    const before = map.get(name);
    this.#undo.push(() => {
      if (before === undefined) map.delete(name);
      else map.set(name, before);
    });
    if (value === null) map.delete(name);
    else map.set(name, value);
  }

  #statement(name: string): PreparedStatement {
    const statement = this.#statements?.get(name);
    if (statement !== undefined) return this.#upToDate(statement);
    throw noStatement(name);
  }

  #upToDate(statement: PreparedStatement): PreparedStatement {
    const { executor } = this.#session;
    const planned = executor.world.planner.upToDate(executor, statement.planned);
    const { meaning } = executor;
    if (planned === statement.planned && meaning === statement.meaning) return statement;
    if (planned.plan.kind === 'reject') throw this.#rejected(planned.plan);
    const { name, tail } = statement;
    const sharedName = meaning === statement.meaning ? statement.serverName : null;
    const serverName = name === '' ? '' : (sharedName ?? this.#serverName(tail));
    const renewed = { ...statement, serverName, meaning, planned };
    this.#statements?.set(statement.name, renewed);
    return renewed;
  }
}
