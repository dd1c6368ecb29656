import type { SessionSettings } from '../backend/session-settings.ts';
import type { PgError } from '../base/pg-error.ts';
import type { ShardServers } from '../cluster/shard-servers.ts';
import type { User } from '../config/config.ts';
import { encodeParameterStatus } from '../protocol/parameter-status.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/** Distinct startup settings whose answer is remembered. */
const rememberedMax = 256;

type Answer = (frames: Buffer) => void;

/**
 * The ParameterStatus messages that a login is answered with: what the home shard says of a
 * session with these settings, so that a wrong one fails the login as it does on PostgreSQL.
 * Remembered by user and settings, because a connection storm must not become a query storm;
 * application_name is left out of that, as every value of it is right.
 */
export class LoginParameters {
  readonly #remembered = new Map<string, readonly (readonly [string, string])[]>();

  /** Forgets what was learnt from servers that may have changed. */
  forget(): void {
    this.#remembered.clear();
  }

  /** Returns a function that gives up waiting. */
  ask(
    wanted: {
      readonly servers: ShardServers;
      readonly home: ShardId;
      readonly user: User;
      readonly settings: SessionSettings;
    },
    answered: Answer,
    refused: (error: PgError) => void,
  ): () => void {
    const { servers, home, user, settings } = wanted;
    const common = settings.without('application_name');
    const applicationName = unquote(settings.values.get('application_name') ?? "''");
    const key = JSON.stringify([user.name, ...common.values]);
    const known = this.#remembered.get(key);
    if (known !== undefined) {
      answered(encode(known, applicationName));
      return () => {};
    }
    return servers.lease(home, {
      user,
      settings: common,
      mode: 'exclusive',
      onLease: (connection) => {
        const parameters = [...connection.parameters];
        connection.release();
        if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
        this.#remembered.set(key, parameters);
        answered(encode(parameters, applicationName));
      },
      onRefused: refused,
    });
  }
}

function encode(
  parameters: readonly (readonly [string, string])[],
  applicationName: string,
): Buffer {
  const frames = parameters
    .filter(([name]) => name !== 'application_name')
    .map(([name, value]) => encodeParameterStatus(name, value));
  return Buffer.concat([...frames, encodeParameterStatus('application_name', applicationName)]);
}

/** Of a literal as `startupSettings` writes it. */
function unquote(literal: string): string {
  const text = literal.trim();
  const plain = text.replace(/^E?'|'$/g, '').replaceAll("''", "'");
  return text.startsWith('E') ? plain.replaceAll('\\\\', '\\') : plain;
}
