import type { ConnectionHolder } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import type { ShardServers } from '../../cluster/shard-servers.ts';
import { Reservations } from './reservations.ts';
import { SequenceValues } from './sequence-values.ts';
import type { TemporaryRelations } from './temporary-relations.ts';

/** What a session hears of the connections that it keeps. */
export type KeptStateEvents = {
  /** A NotificationResponse, valid in the call. */
  notified(frame: Buffer): void;
  /** What was kept on a server is gone with the connection: the session cannot go on. */
  stateLost(error: PgError): void;
};

/** What a session has on servers beyond its settings and its transaction. */
export class KeptState {
  readonly reservations: Reservations;
  readonly sequences = new SequenceValues();
  /** null: the session has no temporary relations. */
  temporary: TemporaryRelations | null = null;
  readonly holder: ConnectionHolder;

  constructor(servers: Pick<ShardServers, 'lease'>, events: KeptStateEvents) {
    this.reservations = new Reservations(servers);
    this.holder = {
      isBrief: false,
      notified: (frame) => events.notified(frame),
      lost: (error) => events.stateLost(error),
    };
  }

  /** The session is over, or begins anew. */
  drop(): void {
    this.temporary = null;
    this.sequences.clear();
    this.reservations.giveAllBack();
  }
}
