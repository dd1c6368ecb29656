/** Functions of users that leave something in their session, each in a way of its own. */
export const leavingFunctions = `
  create function set_tenant(tenant text) returns text language plpgsql as $$
    begin perform set_config('app.tenant', tenant, false); return tenant; end $$;
  create function take_over(tenant text) returns text language sql as $$
    select upper(set_tenant(tenant)) $$;
  create function set_any(name text, value text) returns void language plpgsql as $$
    begin perform set_config('app.' || name, value, false); end $$;
  create function set_memory() returns text language plpgsql as $$
    begin set work_mem to '7MB'; return current_setting('work_mem'); end $$;
  create function forget_memory() returns void language plpgsql as $$ begin reset work_mem; end $$;
  create function become_clerk() returns void language plpgsql as $$ begin set role clerk; end $$;
  create function make_table() returns void language plpgsql as $$
    begin create temp table if not exists made as select 1 as id, 'x' as note; end $$;
  create function run_it(command text) returns void language plpgsql as $$
    begin execute command; end $$;
  create function lock_it(number bigint) returns boolean language sql as $$
    select pg_try_advisory_lock(number) $$;
  create function own_tenant() returns text language sql stable as $$
    select coalesce(current_setting('app.tenant', true), '') $$;
  create table watched (id int primary key, note text);
  create function watch() returns trigger language plpgsql as $$
    begin perform take_over(new.note); return new; end $$;
  create trigger watch before insert on watched for each row execute function watch();
  create function is_fine(tenant text) returns boolean language sql as $$
    select set_tenant(tenant) is not null $$;
  create domain tenant_name as text check (is_fine(value));
  create table named (id int primary key, name tenant_name, names tenant_name[]);
  create type tag as (label text);
  create function to_tag(label text) returns tag language sql as $$ select row(set_tenant(label))::tag $$;
  create cast (text as tag) with function to_tag(text) as assignment;
  create table tagged (id int primary key, tag tag);
  create function folded(note text) returns text immutable language plpgsql as $$
    begin return take_over(note); end $$;
  create table folded_notes (id int primary key, note text);
  create index on folded_notes (folded(note));
  create table pairs (one int, two int);
  insert into pairs values (1, 2);
  create function noted(pairs) returns text language sql as $$ select set_tenant('noted') $$;
  create function defaulted(tenant text default set_tenant('default')) returns int language sql as $$
    select 1 $$;
  create function named_length(name tenant_name) returns int language sql as $$ select length(name) $$;
  create view tenants as select take_over('viewed') as tenant`;
