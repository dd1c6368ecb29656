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
  create view tenants as select take_over('viewed') as tenant`;
