/** A table as the admin console answers it; all values as text, null is NULL. */
export type AdminResult = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Command tag: `SHOW`, `RELOAD`, `FAILOVER`. */
  readonly tag: string;
  readonly notice: string | null;
};

/** What a session on the database `pgweave` talks to; `admin` implements it in the supervisor. */
export type AdminConsole = {
  /** Rejects with PgError: 42601 for an unknown command, 42501 without the right, 55000 ... */
  execute(
    sql: string,
    user: { readonly name: string; readonly admin: boolean },
  ): Promise<AdminResult>;
};
