/** Functions that do something to the session or to locks, and what becomes of their calls. */

export type SessionFunction =
  | { readonly kind: 'refused'; readonly hint: string }
  /**
   * It runs on the home shard, where all calls of its kind meet. `keeps` and `ends` as in
   * SessionEffect, `sets`: set_config(), `nothing`: it ends with the transaction.
   */
  | { readonly kind: 'home'; readonly effect: 'keeps' | 'ends' | 'sets' | 'nothing' };

const home: readonly (readonly [effect: 'keeps' | 'ends' | 'sets' | 'nothing', names: string])[] = [
  [
    'keeps',
    'pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared',
  ],
  ['ends', 'pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all'],
  ['sets', 'set_config'],
  [
    'nothing',
    'pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock ' +
      'pg_try_advisory_xact_lock_shared pg_notify pg_listening_channels pg_my_temp_schema ' +
      'lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek lo_lseek64 ' +
      'lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64 lo_unlink loread lowrite',
  ],
];

const refused: readonly (readonly [names: string, hint: string])[] = [
  ['currval lastval', 'Sequence state stays with a server connection; use RETURNING.'],
  ['setseed', 'The seed stays with a server connection; pass random values as parameters.'],
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

const functions = new Map<string, SessionFunction>();
for (const [effect, names] of home) {
  for (const name of names.split(' ')) functions.set(name, { kind: 'home', effect });
}
for (const [names, hint] of refused) {
  for (const name of names.split(' ')) functions.set(name, { kind: 'refused', hint });
}

/** null: it does nothing of the kind. */
export function sessionFunction(name: string): SessionFunction | null {
  return functions.get(name) ?? null;
}
