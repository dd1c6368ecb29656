/**
 * What the planner knows about PostgreSQL's own functions, by name. A name is listed only when all
 * its variants behave so (pg_proc.provolatile, PostgreSQL 18). A function that is not listed may do
 * anything: it runs on one shard, but never on several.
 */

const scalar = `
  abbrev abs acos acosd acosh area array_append array_cat array_dims array_fill array_length
  array_lower array_ndims array_position array_positions array_prepend array_remove array_replace
  array_reverse array_sort array_to_json array_to_string array_to_tsvector array_upper ascii asin
  asind asinh atan atan2 atan2d atand atanh bit_count bit_length bound_box box bpchar broadcast
  btrim cardinality casefold cash_words cbrt ceil ceiling center char_length character_length chr
  cidr circle concat concat_ws convert convert_from convert_to cos cosd cosh cot cotd crc32 crc32c
  date date_add date_bin date_part date_subtract date_trunc datemultirange daterange decode degrees
  diagonal diameter div encode enum_first enum_last enum_range erf erfc exp extract factorial family
  float4 float8 floor format gamma gcd get_bit get_byte hash_record_extended hashint4
  hashint4extended hashint8 hashint8extended hashtext hashtextextended height host hostmask inet
  inet_merge inet_same_family initcap int2 int4 int4multirange int4range int8 int8multirange
  int8range interval is_normalized isclosed isempty isfinite ishorizontal isopen isparallel isperp
  isvertical json_array_length json_build_array json_build_object json_extract_path
  json_extract_path_text json_object json_populate_record json_strip_nulls json_to_record
  json_to_tsvector json_typeof jsonb_array_length jsonb_build_array jsonb_build_object
  jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_path_exists
  jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query_array
  jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_populate_record
  jsonb_populate_record_valid jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
  jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lcm left length lgamma
  like_escape line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr macaddr8
  macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz masklen md5
  min_scale mod multirange name netmask network normalize npoints num_nonnulls num_nulls numeric
  numeric_div_trunc nummultirange numnode numrange octet_length overlaps overlay parse_ident path
  pclose pg_collation_for phraseto_tsquery pi plainto_tsquery point polygon popen position pow power
  querytree quote_ident quote_literal quote_nullable radians radius range_merge regexp_count
  regexp_instr regexp_like regexp_match regexp_replace regexp_split_to_array regexp_substr repeat
  replace reverse right round row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight
  sha224 sha256 sha384 sha512 sign similar_escape similar_to_escape sin sind sinh slope split_part
  sqrt starts_with string_to_array strip strpos substr substring tan tand tanh text textlen time
  timestamp timestamp_hash_extended timestamptz timetz timezone to_ascii to_bin to_char to_date
  to_hex to_json to_jsonb to_number to_oct to_timestamp to_tsquery to_tsvector translate trim_array
  trim_scale trunc ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsmultirange tsquery_phrase
  tsrange tstzmultirange tstzrange tsvector_to_array unicode_assigned unistr upper upper_inc
  upper_inf uuid_extract_timestamp uuid_extract_version uuid_hash_extended varchar
  websearch_to_tsquery width width_bucket xml xml_is_well_formed xml_is_well_formed_content
  xml_is_well_formed_document xmlcomment xmlexists xmltext xpath xpath_exists
`;

const setReturning = `
  generate_series generate_subscripts json_array_elements json_array_elements_text json_each
  json_each_text json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements
  jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query
  jsonb_path_query_tz jsonb_populate_recordset jsonb_to_recordset regexp_matches
  regexp_split_to_table string_to_table unnest
`;

const aggregates = `
  avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every max min
  regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
  stddev stddev_pop stddev_samp sum var_pop var_samp variance
`;

/** Their result depends on the order of the rows, which is each server's own. */
const orderedAggregates = `
  any_value array_agg json_agg json_agg_strict json_object_agg json_object_agg_strict
  json_object_agg_unique json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg
  jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict string_agg
  percentile_cont percentile_disc mode range_agg range_intersect_agg xmlagg
`;

const windows = `
  cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
`;

const harmless = `
  age clock_timestamp col_description current_database current_schema
  current_schemas current_setting current_user format_type gen_random_uuid
  has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege
  has_schema_privilege has_sequence_privilege has_table_privilege now obj_description
  pg_backend_pid pg_encoding_to_char pg_function_is_visible pg_get_constraintdef pg_get_expr
  pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
  pg_get_functiondef pg_get_indexdef pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence
  pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_is_in_recovery pg_size_pretty
  pg_table_is_visible pg_type_is_visible pg_typeof random random_normal session_user
  shobj_description statement_timestamp timeofday to_regclass to_regproc to_regtype
  transaction_timestamp uuidv4 uuidv7 version
`;

function names(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

/** The same result everywhere for the same arguments and settings, no effect. */
export const deterministicFunctions = names(scalar + setReturning + aggregates + windows);
export const setReturningFunctions = names(setReturning);
export const orderedAggregateFunctions = names(orderedAggregates);
export const scalarFunctions = names(scalar);
/** Those whose result the order of the rows does not change. */
export const aggregateFunctions = names(aggregates);
/** No effect on data, locks or the session, though two servers may answer differently. */
export const harmlessFunctions = names(
  scalar + setReturning + aggregates + orderedAggregates + windows + harmless,
);
