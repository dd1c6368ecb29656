/** One client session, as SHOW CLIENTS lists it. Plain JSON: it travels between processes. */
export type ClientSummary = {
  /** As in BackendKeyData and pg_backend_pid() of the client's driver. */
  readonly processId: number;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  /** Peer address without port; empty when the socket has none any more. */
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  readonly state: 'login' | 'idle' | 'active' | 'waiting' | 'in-transaction' | 'failed';
  /** Names of the shards whose connection the session holds now. */
  readonly shards: readonly string[];
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
};
