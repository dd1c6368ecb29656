<?php
// Prints a line of JSON for each thing that PDO and the pgsql extension saw.
declare(strict_types=1);

$client = getenv('CLIENT');
$customers = array_map(fn ($name) => "$name-of-$client", ['Adam', 'Kim', 'Pia', 'Zoe']);
[$adam, $kim, $pia] = $customers;
$sampleId = '00000000-0000-4000-a001-' . substr(md5($client), 0, 12);

// libpq reads the rest from the environment.
$db = new PDO('pgsql:', getenv('PGUSER'), getenv('PGPASSWORD'), [PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC]);
echo json_encode(['version' => PHP_VERSION]), "\n";

function tell(string $name, callable $look): void {
  try {
    $seen = $look();
  } catch (PDOException $error) {
    $seen = ['error' => (string) $error->getCode(), 'message' => $error->getMessage()];
  }
  echo json_encode(['name' => $name, 'seen' => $seen], JSON_THROW_ON_ERROR), "\n";
}

function run(string $text, array $values = []): array|int {
  global $db;
  $statement = $db->prepare($text);
  $statement->execute($values);
  return $statement->columnCount() > 0 ? $statement->fetchAll() : $statement->rowCount();
}

function failureOf(callable $act): array|string {
  try {
    $act();
    return 'no error';
  } catch (PDOException $error) {
    return [$error->getCode(), $error->getMessage()];
  }
}

tell('connect', fn () => [$db->getAttribute(PDO::ATTR_DRIVER_NAME), run('select current_user, current_database()')]);
tell('login', function () {
  $certified = 'sslcert=' . getenv('HOLDER_CERTIFICATE') . ';sslkey=' . getenv('HOLDER_KEY');
  $ways = [[getenv('PGUSER'), 'channel_binding=require'], ['holder', $certified]];
  return array_map(fn ($way) => (new PDO("pgsql:$way[1]", $way[0], getenv('PGPASSWORD')))->query('select current_user')->fetchAll(PDO::FETCH_NUM), $ways);
});
tell('introspection', fn () => run("select column_name, data_type from information_schema.columns where table_name = 'customer' order by ordinal_position"));
tell('migration', function () use ($db) {
  $db->exec('create table php_note (id serial primary key, body text); alter table php_note add extra int default 5');
  run("insert into php_note (body) values ('x')");
  $seen = [$db->lastInsertId('php_note_id_seq'), run('select * from php_note')];
  $db->exec('drop table php_note');
  return $seen;
});
tell('crud', fn () => [
  array_map(fn ($id) => run('insert into customer values (?, ?, ?, ?) returning *', [$id, 'x', $client, '2024-01-02']), $customers),
  run('update customer set name = :name where cust_id = :id', ['name' => 'New', 'id' => $kim]),
  run('select * from customer where country = ? order by cust_id', [$client]),
  run('delete from customer where cust_id = ?', ["Gone-$client"]),
]);
tell('types', function () use ($db, $client, $sampleId) {
  $insert = $db->prepare('insert into sample (id, client, whole, exact, flag, words, bytes, day, tree, mood, numbers) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning *');
  foreach ([$sampleId, $client, 42, '12345678901234567890.0123456789', true, "Zoë \\ 'there'\n", "\0\1\x7f\x80\xff", '2024-02-29', '{"a": [1, null]}', 'happy', '{1,2,NULL}'] as $index => $value) {
    $insert->bindValue($index + 1, $value, match (true) { $index === 6 => PDO::PARAM_LOB, is_bool($value) => PDO::PARAM_BOOL, is_int($value) => PDO::PARAM_INT, default => PDO::PARAM_STR });
  }
  $insert->execute();
  $row = $insert->fetch();
  $row['bytes'] = bin2hex(stream_get_contents($row['bytes']));
  return $row;
});
tell('ids', function () use ($kim) {
  $rows = run("insert into remark (cust_id, body) values (?, 'first') returning id", [$kim]);
  return run('select body from remark where cust_id = ? and id = ?', [$kim, $rows[0]['id']]);
});
tell('own key', fn () => run("update customer set cust_id = ?, name = 'Saved' where cust_id = ?", [$pia, $pia]));
tell('in list', fn () => run('select cust_id from customer where cust_id in (?, ?) order by 1', [$adam, $pia]));
tell('exists', fn () => run('select exists (select 1 from customer where cust_id = ?)', [$kim]));
tell('page', fn () => [
  run("select count(*) from customer where country = 'Seed'"),
  run("select * from customer where country = 'Seed' order by created limit ? offset ?", [5, 10]),
]);
tell('report', fn () => run("select item_id, sum(payment), count(*) from reservation where date < ? group by 1 order by 1", ['2025-01-01']));
tell('upsert', fn () => array_map(fn ($name) => run(
  "insert into customer values (?, ?, 'upsert', now()) on conflict (cust_id) do update set name = excluded.name returning name", ["Up-$client", $name],
), ['one', 'two']));
tell('savepoint', function () use ($db, $adam, $kim) {
  $db->beginTransaction();
  run("update customer set name = 'before' where cust_id = ?", [$adam]);
  $db->exec('savepoint one');
  $error = failureOf(fn () => run('insert into customer values (?)', [$kim]));
  $db->exec('rollback to savepoint one');
  run("update customer set name = 'after' where cust_id = ?", [$kim]);
  $db->commit();
  return [$error, run('select name from customer where cust_id in (?, ?) order by 1', [$adam, $kim])];
});
tell('transaction', function () use ($db, $customers) {
  $seen = [];
  foreach (['rollBack', 'commit'] as $end) {
    $db->beginTransaction();
    foreach ($customers as $index => $id) run("insert into reservation values (?, ?, 10, 1, '2025-01-01')", [$index, $id]);
    $db->$end();
    $seen[] = run('select count(*), sum(payment) from reservation where cust_id in (?, ?, ?, ?)', $customers);
  }
  return $seen;
});
tell('prepared', function () use ($db, $customers) {
  $seen = [];
  // Server-side, then with values written into the text.
  foreach ([false, true] as $emulate) {
    $select = $db->prepare('select cust_id, country from customer where cust_id = ?', [PDO::ATTR_EMULATE_PREPARES => $emulate]);
    foreach ([0, 1, 2, 3, 0, 1] as $index) {
      $select->execute([$customers[$index]]);
      $seen[] = $select->fetchAll();
    }
  }
  return $seen;
});
tell('stream', function () use ($db) {
  $db->beginTransaction();
  $select = $db->prepare("select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id", [PDO::ATTR_CURSOR => PDO::CURSOR_FWDONLY]);
  $select->execute();
  $count = 0;
  while ($row = $select->fetch()) $count += strlen($row['cust_id']);
  $db->exec("declare many cursor for select reserve_id from reservation where date < '2025-01-01' order by 1");
  $seen = [$count, run('fetch 3 from many'), run('fetch forward 2 from many')];
  $db->commit();
  return $seen;
});
tell('errors', fn () => array_map(fn ($text) => failureOf(fn () => run($text)), [
  "insert into customer values ('$kim', 'again', 'x', now())", 'select * from nowhere', 'selec', 'select 1 / 0', "select * from sample where id = 'no uuid'",
]));
tell('copy', function () use ($db, $client) {
  $db->pgsqlCopyFromArray('note', ["$client one", "$client two"], "\t", 'NULL', 'body');
  return run('select body from note where body like ? order by 1', ["$client%"]);
});
// The older extension: asynchronous queries, metadata, cancel.
tell('cancel', function () {
  $other = pg_connect('');
  pg_send_query($other, 'select pg_sleep(30)');
  usleep(300000);
  pg_cancel_query($other);
  $found = pg_query_params($other, 'select $1::int as one', [1]);
  return [pg_fetch_all($found), array_keys(pg_meta_data($other, 'customer'))];
});
