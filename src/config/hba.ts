import type { IpNetwork } from '../base/ip-network.ts';

/** How a client proves who it is; words of pg_hba.conf. */
export type HbaMethod = 'scram-sha-256' | 'md5' | 'cert' | 'trust' | 'reject';

/** One line of client authentication; the first that fits decides. PostgreSQL manual, 20.1. */
export type HbaRule = {
  /** `host` fits with and without TLS. */
  readonly type: 'host' | 'hostssl' | 'hostnossl';
  readonly databases: 'all' | readonly string[];
  readonly users: 'all' | readonly string[];
  readonly addresses: 'all' | readonly IpNetwork[];
  readonly method: HbaMethod;
  /** `verify-full`: its name must also be, or map to, the user's. */
  readonly clientCertificate: 'none' | 'verify-ca' | 'verify-full';
  /** Which name of the certificate is compared: the common name, or the whole subject (RFC 2253). */
  readonly certificateName: 'CN' | 'DN';
  /** Null: the name must be the user's own. */
  readonly identMap: readonly IdentMapping[] | null;
};

/** A line of a user name map; PostgreSQL manual, 20.2. */
export type IdentMapping = {
  /** A name, or what an expression found in one. */
  readonly systemUser: string | RegExp;
  /** May hold `\1`, what the first group of the expression matched. */
  readonly user: string;
};
