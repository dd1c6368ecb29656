# Prints a line of JSON for each thing that Ruby's pg saw.
require 'json'
require 'pg'

$stdout.sync = true
CLIENT = ENV.fetch('CLIENT')
CUSTOMERS = %w[Adam Kim Pia Zoe].map { |name| "#{name}-of-#{CLIENT}" }
ADAM, KIM, PIA = CUSTOMERS
SAMPLE_ID = "00000000-0000-4000-a001-#{CLIENT.unpack1('H12').ljust(12, '0')[0, 12]}"
LONG_REPORT = 'select sum(length(cust_id) + g) from reservation, generate_series(1, 100000000) g'

# libpq reads everything from the environment.
DB = PG.connect
DB.type_map_for_results = PG::BasicTypeMapForResults.new(DB) { |*| nil }
ENCODED = PG::BasicTypeMapForQueries.new(DB)
puts({ version: PG::VERSION }.to_json)

def tell(name)
  seen = begin
    yield
  rescue PG::Error => error
    { error: error.result&.error_field(PG::PG_DIAG_SQLSTATE) || error.class, message: error.message }
  end
  puts({ name: name, seen: seen }.to_json)
end

def rows(text, values = [])
  result = DB.exec_params(text, values)
  result.nfields.positive? ? result.values : result.cmd_tuples
end

def failure_of
  yield
  'no error'
rescue PG::Error => error
  [PG::PG_DIAG_SQLSTATE, PG::PG_DIAG_CONSTRAINT_NAME, PG::PG_DIAG_STATEMENT_POSITION].map { |field| error.result&.error_field(field) } + [error.message]
end

tell('connect') { [DB.ssl_in_use?, DB.internal_encoding.to_s, rows('select current_user')] }
tell('login') do
  certified = { user: 'holder', sslcert: ENV.fetch('HOLDER_CERTIFICATE'), sslkey: ENV.fetch('HOLDER_KEY') }
  [{ channel_binding: 'require' }, certified].map do |way|
    session = PG.connect(way)
    session.exec('select current_user').values.tap { session.close }
  end
end
tell('introspection') do
  result = DB.exec('select * from reservation where false')
  [result.fields, result.fields.each_index.map { |index| [result.ftype(index), result.fmod(index), result.ftablecol(index)] }]
end
tell('migration') do
  DB.exec('create table ruby_note (id serial primary key, body text); create index on ruby_note (body)')
  found = rows("insert into ruby_note (body) values ('x') returning *")
  DB.exec('drop table ruby_note')
  found
end
tell('crud') do
  counts = CUSTOMERS.map { |id| rows('insert into customer values ($1, $2, $3, $4) returning *', [id, 'x', CLIENT, '2024-01-02']) }
  [counts, rows('update customer set name = $1 where cust_id = $2', ['New', KIM]),
   rows('select * from customer where country = $1 order by cust_id', [CLIENT]), rows('delete from customer where cust_id = $1', ["Gone-#{CLIENT}"])]
end
tell('types') do
  values = [SAMPLE_ID, CLIENT, 42, '12345678901234567890.0123456789', true, "Zoë \\ 'there'\n", { value: "\0\1\x7f\x80\xff".b, format: 1 },
            '2024-02-29', '2024-02-29 12:34:56.789+00', '{"a": [1, null]}', 'happy', '{1,2,NULL}']
  rows('insert into sample (id, client, whole, exact, flag, words, bytes, day, instant, tree, mood, numbers) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)', values)
  text = 'select whole, flag, words, day, numbers, instant, tree from sample where id = $1'
  found = [0, 1].map { |format| DB.exec_params(text, [SAMPLE_ID], format).values.map { |row| row.map { |each| each.is_a?(String) ? each.b.unpack1('H*') : each } } }
  [found, rows('select * from sample where id = $1 and numbers = $2', [SAMPLE_ID, '{1,2,NULL}']).map { |row| row.map(&:inspect) }]
end
tell('ids') do
  id = rows("insert into remark (cust_id, body) values ($1, 'first') returning id", [KIM])[0][0]
  rows('select body from remark where cust_id = $1 and id = $2', [KIM, id])
end
tell('own key') { rows("update customer set cust_id = $1, name = 'Saved' where cust_id = $1", [PIA]) }
tell('any array') { rows('select cust_id, name from customer where cust_id = any($1) order by 1', ["{#{CUSTOMERS.join(',')}}"]) }
tell('in list') { rows('select cust_id from customer where cust_id in ($1, $2) order by 1', [ADAM, PIA]) }
tell('page') do
  [rows("select count(*) from customer where country = 'Seed'"), rows("select * from customer where country = 'Seed' order by created limit $1 offset $2", [5, 10])]
end
tell('report') { rows("select item_id, sum(payment), count(*) from reservation where date < $1 group by 1 order by 1", ['2025-01-01']).map { |row| row.map(&:to_s) } }
tell('savepoint') do
  error = nil
  DB.transaction do
    rows("update customer set name = 'before' where cust_id = $1", [ADAM])
    DB.exec('savepoint one')
    error = failure_of { rows('insert into customer values ($1)', [KIM]) }
    DB.exec('rollback to savepoint one')
    rows("update customer set name = 'after' where cust_id = $1", [KIM])
  end
  [error, rows('select name from customer where cust_id in ($1, $2) order by 1', [ADAM, KIM])]
end
tell('batch') do
  ids = []
  DB.enter_pipeline_mode
  50.times { |index| DB.send_query_params("insert into reservation values ($1, $2, $3, 2, '2025-02-02') returning reserve_id", [100 + index, CUSTOMERS[index % 4], index]) }
  DB.send_query_params('selec', [])
  DB.send_query_params('select 1', [])
  DB.pipeline_sync
  while (result = DB.get_result) || (result = DB.get_result)
    break if result.result_status == PG::PGRES_PIPELINE_SYNC
    ids << [result.res_status(result.result_status), result.values.flatten]
  end
  DB.exit_pipeline_mode
  [ids, rows('select count(*) from reservation where cust_id = $1', [KIM])]
end
tell('stream') do
  DB.send_query("select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id")
  DB.set_single_row_mode
  count = 0
  DB.get_result.stream_each { count += 1 }
  count
end
tell('prepared') do
  DB.prepare('by_id', 'select cust_id, country from customer where cust_id = $1')
  described = DB.describe_prepared('by_id')
  seen = 8.times.map { |round| DB.exec_prepared('by_id', [CUSTOMERS[round % 4]]).values }
  [seen, described.nparams, described.paramtype(0), described.fields]
end
tell('errors') do
  ["insert into customer values ('#{KIM}', 'again', 'x', now())", 'select * from nowhere', 'selec', 'select 1 / 0', "select * from sample where id = 'no uuid'"].map { |text| failure_of { DB.exec(text) } }
end
tell('cancel') do
  ['select pg_sleep(30)', LONG_REPORT].map do |text|
    canceller = Thread.new { sleep(0.3); DB.cancel }
    error = failure_of { DB.exec(text) }
    canceller.join
    [error, rows('select 1')]
  end
end
tell('copy') do
  DB.copy_data('copy note (body) from stdin') { %w[one two].each { |each| DB.put_copy_data("#{CLIENT} #{each}\n") } }
  lines = []
  DB.copy_data("copy (select body from note where body like '#{CLIENT}%' order by 1) to stdout") { while (line = DB.get_copy_data) do lines << line end }
  failed = failure_of { DB.copy_data('copy note (body) from stdin') { raise PG::Error, 'changed my mind' } }
  [lines, failed.last, rows('select count(*) from note where body like $1', ["#{CLIENT}%"])]
end
DB.close
