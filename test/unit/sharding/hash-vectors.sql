-- The server's own hashes of chosen keys, for hash-vectors.json:
--   psql -At -f test/unit/sharding/hash-vectors.sql > test/unit/sharding/hash-vectors.json (PostgreSQL 18, UTF8)
set timezone to 'UTC'; set datestyle to 'ISO';
select json_build_object(
 'text', (select json_agg(json_build_array(v, hashtextextended(v collate "C", 0)::text)) from (
    select repeat('abcdefghijklmnopqrstuvwxyz', 3)::text as a) s, lateral (select left(a, n) v from generate_series(0, 40) n
    union all select unnest(array['Kim','kim','KIM','김민준','Ünal','émile','😀','a_d/0',' ','00000000-0000-0000-0000-000000000000'])) t),
 'integer', (select json_agg(json_build_array(v::text, hashint8extended(v, 0)::text)) from unnest(array[0,1,-1,42,-42,32767,-32768,2147483647,-2147483648,2147483648,-2147483649,4294967295,4294967296,-4294967296,-4294967297,9007199254740991,-9007199254740991,9007199254740992,-9007199254740993,1234567890123456789,-1234567890123456789,9223372036854775807,-9223372036854775808]::int8[]) v),
 'uuid', (select json_agg(json_build_array(v::text, uuid_hash_extended(v, 0)::text)) from unnest(array['00000000-0000-0000-0000-000000000000','ffffffff-ffff-ffff-ffff-ffffffffffff','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','01890a5d-ac96-774b-bcce-b302099a8057']::uuid[]) v),
 'bytea', (select json_agg(json_build_array(encode(v,'hex'), hashbyteaextended(v, 0)::text)) from unnest(array['','\x00','\xff','\x80818283848586878889','\x000102030405060708090a0b','\x000102030405060708090a0b0c','\xfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9']::bytea[]) v),
 'bpchar', (select json_agg(json_build_array(v::text, hashbpcharextended(v, 0)::text)) from unnest(array['','a','abc','Kim Kim Kim Kim']::char(20)[]) v),
 'date', (select json_agg(json_build_array(v::text, hashint4extended(case when isfinite(v) then v - date '2000-01-01' when v > '2000-01-01' then 2147483647 else -2147483648 end, 0)::text)) from unnest(array['2000-01-01','1999-12-31','2024-02-29','0044-03-15 BC','4714-11-24 BC','5874897-12-31','infinity','-infinity']::date[]) v),
 'timestamp', (select json_agg(json_build_array(v::text, timestamp_hash_extended(v, 0)::text)) from unnest(array['2000-01-01','1999-12-31 23:59:59.999999','2024-02-29 12:34:56.789','4714-11-24 00:00:00 BC','294276-12-31 23:59:59.999999','infinity','-infinity']::timestamp[]) v),
 'timestamptz', (select json_agg(json_build_array(v::text, timestamptz_hash_extended(v, 0)::text)) from unnest(array['2000-01-01 00:00:00+00','2024-02-29 12:34:56.789+05:30','infinity']::timestamptz[]) v)
)
