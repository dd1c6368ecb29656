/** Functions that no statement may call through the proxy, with what to do instead. */

const reserved: readonly (readonly [names: string, hint: string])[] = [
  [
    'pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared ' +
      'pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all',
    'Session locks stay with a server connection; use pg_advisory_xact_lock in a transaction.',
  ],
  ['set_config', 'Use SET or SET LOCAL.'],
  ['currval lastval', 'Sequence state stays with a server connection; use RETURNING.'],
  ['setseed', 'The seed stays with a server connection; pass random values as parameters.'],
  [
    'lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek lo_lseek64 ' +
      'lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64 lo_unlink loread lowrite',
    'Large objects are not sharded; use a bytea column.',
  ],
  [
    'query_to_xml query_to_xml_and_xmlschema query_to_xmlschema table_to_xml ' +
      'table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml ' +
      'database_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema ts_stat ts_rewrite ' +
      'dblink dblink_exec dblink_connect dblink_open dblink_send_query',
    'It runs a query that the proxy cannot see; write the query itself.',
  ],
  ['pg_export_snapshot', 'A snapshot belongs to one server.'],
  ['pg_stat_clear_snapshot pg_create_restore_point', 'Connect to the server itself.'],
];

const hints: ReadonlyMap<string, string> = new Map(
  reserved.flatMap(([names, hint]) => names.split(' ').map((name) => [name, hint] as const)),
);

/** null: the function may be called. */
export function sessionFunctionHint(name: string): string | null {
  return hints.get(name) ?? null;
}
