import type { ServerConnection } from '../backend/server-connection.ts';
import { unreachable } from '../base/assert.ts';
import { queryPlanDescription } from '../executor/explain/query-plan-description.ts';
import { type Reply, ReplyScript } from '../executor/reply-script.ts';
import { serverTypeOids } from '../executor/server-type-oids.ts';
import { encodeBindHead } from '../protocol/bind-message.ts';
import { encodeClose } from '../protocol/close-message.ts';
import {
  bindComplete,
  closeComplete,
  noData,
  parseComplete,
  syncMessage,
} from '../protocol/constant-messages.ts';
import { encodeDescribe } from '../protocol/describe-message.ts';
import { encodeExecute } from '../protocol/execute-message.ts';
import { encodeParameterDescription } from '../protocol/parameter-description.ts';
import { encodeParseHead } from '../protocol/parse-message.ts';
import type { BatchStep } from './batch-step.ts';
import { closeOpenName, openName, staysOpen } from './open-name.ts';
import type { Portal, PreparedStatement } from './prepared-statement.ts';
import { tellColumns } from './told-columns.ts';

/**
 * Turns the steps of a flight into messages for one server connection, with the statement names
 * of that connection, and into the script of what the client is owed. Statements and portals that
 * the connection does not have yet are made on the way, unseen by the client.
 */
export class BatchFlight {
  readonly #connection: ServerConnection;
  /** Whether a kept name may stand for the unnamed statement. */
  readonly #keeping: boolean;
  /** Whether portals outlive the flight. */
  readonly #isInBlock: boolean;
  #steps: readonly BatchStep[] = [];
  #keptBinds = 0;
  readonly #messages: Buffer[] = [];
  readonly #replies: Reply[] = [];
  /** Whose text the connection's unnamed statement has now; null: unknown. */
  #unnamed: PreparedStatement | null = null;
  readonly #stepOfReply: number[] = [];
  #script: ReplyScript | null = null;

  constructor(connection: ServerConnection, keeping: boolean, isInBlock: boolean) {
    this.#connection = connection;
    this.#keeping = keeping;
    this.#isInBlock = isInBlock;
  }

  build(steps: readonly BatchStep[]): { messages: Buffer[]; script: ReplyScript } {
    this.#steps = steps;
    for (const [index, step] of steps.entries()) {
      this.#add(step);
      while (this.#stepOfReply.length < this.#replies.length) this.#stepOfReply.push(index);
    }
    this.#messages.push(syncMessage);
    this.#script = new ReplyScript(this.#replies, this.#keptBinds);
    return { messages: this.#messages, script: this.#script };
  }

  /** Index of the step that failed; 0 when it is not known. */
  get failedStep(): number {
    return this.#stepOfReply[this.#script?.failedAt ?? 0] ?? 0;
  }

  #add(step: BatchStep): void {
    switch (step.kind) {
      case 'parse':
        this.#parse(step.statement, true);
        break;
      case 'bind':
        if (step.replaced !== null) this.#closeReplaced(step.replaced);
        this.#bind(step.portal, true);
        break;
      case 'describe-statement':
        if (step.statement.planned.candidates.length === 0) {
          for (const frame of localReplies(step)) this.#replies.push({ kind: 'local', frame });
          break;
        }
        this.#require(step.statement);
        this.#describe(step.statement);
        break;
      case 'describe-portal':
        if (this.#isHere(step, step.portal)) {
          this.#forward(encodeDescribe({ kind: 'portal', name: step.portal.serverName }));
        }
        break;
      case 'execute': {
        this.#describeRows(step.portal);
        const { portal, rowsMax } = step;
        if (this.#isHere(step, portal)) {
          this.#forward(encodeExecute({ portal: portal.serverName, rowsMax }));
        }
        break;
      }
      case 'close':
        if (step.portal?.boundOn === this.#connection) {
          this.#forward(encodeClose({ kind: 'portal', name: step.portal.serverName }));
        } else this.#replies.push({ kind: 'local', frame: closeComplete });
        break;
      case 'cursor':
      case 'error':
        break;
      default:
        unreachable(step);
    }
  }

  /** The connection must know the types of binary rows in order to translate them. */
  #describeRows(portal: Portal): void {
    if (this.#connection.types === null || portal.target?.kind !== 'shard') return;
    if (!portal.resultFormats.includes(1)) return;
    if (portal.boundOn !== this.#connection) this.#bind(portal, false);
    this.#messages.push(encodeDescribe({ kind: 'portal', name: portal.serverName }));
    this.#replies.push({ kind: 'swallow', prepared: null });
  }

  /** What is on another connection its session closes. */
  #closeReplaced(portal: Portal): void {
    const close = portal.boundOn === this.#connection ? closeOpenName(portal) : null;
    if (close === null) return;
    this.#messages.push(close);
    this.#replies.push({ kind: 'swallow', prepared: null });
  }

  /** Its name on this connection; empty: it is parsed each time. */
  #nameOf({ name, serverName }: PreparedStatement): string {
    return name !== '' || this.#keeping ? serverName : '';
  }

  #describe(statement: PreparedStatement): void {
    this.#messages.push(encodeDescribe({ kind: 'statement', name: this.#nameOf(statement) }));
    const { told, planned } = statement;
    this.#replies.push(
      told === null
        ? { kind: 'forward' }
        : { kind: 'forward-description', note: (frame) => tellColumns(told, planned, frame) },
    );
  }

  #forward(message: Buffer): void {
    this.#messages.push(message);
    this.#replies.push({ kind: 'forward' });
  }

  #parse(statement: PreparedStatement, answer: boolean): void {
    const serverName = this.#nameOf(statement);
    if (answer && statement.planned.candidates.length === 0) {
      this.#replies.push({ kind: 'local', frame: parseComplete });
      return;
    }
    if (serverName === '') {
      this.#unnamed = statement;
      this.#pushParse('', statement);
      this.#replies.push(answer ? { kind: 'forward' } : { kind: 'swallow', prepared: null });
      return;
    }
    if (this.#connection.hasPrepared(serverName)) {
      if (answer) this.#replies.push({ kind: 'local', frame: parseComplete });
      return;
    }
    const evicted = this.#connection.notePrepared(serverName);
    if (evicted !== null) {
      this.#messages.push(encodeClose({ kind: 'statement', name: evicted }));
      this.#replies.push({ kind: 'swallow-close' });
    }
    this.#pushParse(serverName, statement);
    this.#replies.push(
      answer
        ? { kind: 'forward-parse', prepared: serverName }
        : { kind: 'swallow', prepared: serverName },
    );
  }

  #pushParse(name: string, { tail, typeOids }: PreparedStatement): void {
    const { types } = this.#connection;
    const own = types === null ? tail : withTypeOids(tail, serverTypeOids({ types }, typeOids));
    this.#messages.push(encodeParseHead(name, own), own);
  }

  #require(statement: PreparedStatement): void {
    if (this.#unnamed === statement) return;
    this.#parse(statement, false);
  }

  #bind(portal: Portal, answer: boolean): void {
    if (portal.target?.kind !== 'shard') {
      this.#replies.push({ kind: 'local', frame: bindComplete });
      return;
    }
    this.#require(portal.statement);
    const statement = this.#nameOf(portal.statement);
    if (portal.statement.name === '' && statement !== '') this.#keptBinds += 1;
    if (this.#isInBlock && staysOpen(portal, this.#steps)) portal.serverName = openName;
    const names = { portal: portal.serverName, statement };
    this.#messages.push(encodeBindHead(names, portal.tail), portal.tail);
    this.#replies.push(answer ? { kind: 'forward' } : { kind: 'swallow', prepared: null });
    portal.boundOn = this.#connection;
  }

  /** Makes sure of it. False: no server has it, and the step has its answer. */
  #isHere(step: BatchStep, portal: Portal): boolean {
    if (portal.target?.kind !== 'shard') {
      for (const frame of localReplies(step)) this.#replies.push({ kind: 'local', frame });
      return false;
    }
    if (portal.boundOn !== this.#connection) this.#bind(portal, false);
    return true;
  }
}

/** The tail of a Parse ends with its types. */
function withTypeOids(tail: Buffer, typeOids: readonly number[]): Buffer {
  const copy = Buffer.from(tail);
  let at = copy.length - 4 * typeOids.length;
  for (const oid of typeOids) at = copy.writeUInt32BE(oid, at);
  return copy;
}

/** The answer to a step that needs no server. */
export function localReplies(step: BatchStep): readonly Buffer[] {
  switch (step.kind) {
    case 'parse':
      return [parseComplete];
    case 'bind':
      return [bindComplete];
    case 'describe-statement':
      return [encodeParameterDescription([]), describeLocally(step.statement)];
    case 'describe-portal':
      return [describeLocally(step.portal.statement)];
    case 'close':
      return [closeComplete];
    case 'execute':
    case 'cursor':
    case 'error':
      return [];
    default:
      return unreachable(step);
  }
}

function describeLocally(statement: PreparedStatement): Buffer {
  return statement.planned.plan.kind === 'explain' ? queryPlanDescription : noData;
}
