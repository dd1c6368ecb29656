import { encodeQuery } from '../../src/protocol/query-message.ts';
import { FakeServer, type FakeSession } from './fake-server.ts';
import { ScriptedDirectives } from './scripted-directives.ts';
import { ScriptedSession } from './scripted-session.ts';

/** `arrow` as seen from the server: `>` came in, `<` went out. */
export type ShardEvent = (session: number, arrow: '>' | '<', text: string) => void;

/**
 * A server that answers as PostgreSQL does, with made-up rows. Comments in a statement say what it
 * shall do besides; with `shard:` in front only that shard does it.
 *
 *     error CODE   fails            hang    waits for a cancel or for `goOn`
 *     rows N       N rows, not 1    die     ends the connection instead of an answer
 *     half         dies after the first row
 *     fatal CODE   says so, and dies
 *     notice       a notice first   once    only the first time
 *     stale        cannot be bound once it has a name, because its table has changed
 */
export class ScriptedShard {
  readonly directives: ScriptedDirectives;
  readonly server: FakeServer;
  readonly #sessions = new Map<FakeSession, ScriptedSession>();
  readonly #event: ShardEvent;

  private constructor(name: string, server: FakeServer, event: ShardEvent) {
    this.directives = new ScriptedDirectives(name);
    this.server = server;
    this.#event = event;
    server.script = {
      onQuery: (session, sql) => this.#session(session).arrive(encodeQuery(sql)),
      onMessage: (session, frame) => this.#session(session).arrive(frame),
      onCancel: (key, close) => {
        const session = server.sessions.find(({ number }) => number === key.backendId);
        this.#event(key.backendId, '>', 'CancelRequest');
        close();
        if (session !== undefined) this.#session(session).cancel();
      },
    };
  }

  static async start(name: string, event: ShardEvent): Promise<ScriptedShard> {
    return new ScriptedShard(name, await FakeServer.start(), event);
  }

  get name(): string {
    return this.directives.shard;
  }

  goOn(): void {
    for (const session of this.#sessions.values()) session.goOn();
  }

  /** Ends all its connections. */
  dropAll(): void {
    for (const { socket } of this.server.open) socket.destroy();
  }

  #session(session: FakeSession): ScriptedSession {
    let scripted = this.#sessions.get(session);
    if (scripted === undefined) {
      const { number } = session;
      const event = (arrow: '>' | '<', text: string) => this.#event(number, arrow, text);
      scripted = new ScriptedSession(session, this.directives, event);
      this.#sessions.set(session, scripted);
    }
    return scripted;
  }
}
