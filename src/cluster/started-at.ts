/**
 * When the server's processes began: microseconds since 1970, as text. After the crash of a backend
 * the postmaster goes on and starts all others again, the checkpointer among them: its start counts,
 * too. For the control user's sessions.
 */
export const startedAtSql = `(extract(epoch from greatest(pg_postmaster_start_time(), (
    select max(a.backend_start) from pg_stat_activity a where a.backend_type = 'checkpointer'
  ))) * 1000000)::bigint::text`;
