# Prints a line of JSON for each thing that DBD::Pg saw.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types);
use JSON::PP;

$| = 1;
my $client = $ENV{CLIENT};
my ($adam, $kim, $pia, $zoe) = my @customers = map { "$_-of-$client" } qw(Adam Kim Pia Zoe);
my $sample_id = '00000000-0000-4000-a001-' . unpack('H12', $client . "\0" x 6);
my $json = JSON::PP->new->canonical->allow_nonref->allow_blessed->convert_blessed;

my %options = (AutoCommit => 1, RaiseError => 1, PrintError => 0, pg_enable_utf8 => 1);
my $db = DBI->connect('dbi:Pg:', '', '', \%options);
print $json->encode({ version => "$DBD::Pg::VERSION" }), "\n";

sub tell_of {
  my ($name, $look) = @_;
  my $seen = eval { $look->() };
  $seen = { error => $db->state || 'none', message => "$@" } if $@;
  print $json->ascii->encode({ name => $name, seen => $seen }), "\n";
}

sub rows { my ($text, @values) = @_; return $db->selectall_arrayref($text, undef, @values) }
sub failure_of { my ($act) = @_; eval { $act->() }; return $@ ? [$db->state, $db->errstr] : 'no error' }

tell_of('connect', sub { [$db->{pg_user}, rows('select current_user, current_database()')] });
tell_of('login', sub {
  my $certified = "user=holder;sslcert=$ENV{HOLDER_CERTIFICATE};sslkey=$ENV{HOLDER_KEY}";
  return [map { DBI->connect("dbi:Pg:$_", '', '', \%options)->selectall_arrayref('select current_user') } 'channel_binding=require', $certified];
});
tell_of('introspection', sub {
  [$db->column_info(undef, 'public', 'reservation', '%')->fetchall_arrayref([3, 5, 10]),
    [$db->primary_key(undef, 'public', 'reservation')],
    $db->foreign_key_info(undef, undef, undef, undef, 'public', 'reservation')->fetchall_arrayref([3, 7])]
});
tell_of('migration', sub {
  $db->do($_) for 'create table perl_note (id serial primary key, body text)', 'alter table perl_note add extra int default 5';
  my $id = $db->do("insert into perl_note (body) values ('x')") && $db->last_insert_id(undef, undef, 'perl_note', undef);
  my $found = rows('select * from perl_note where id = ?', $id);
  $db->do('drop table perl_note');
  return $found;
});
tell_of('crud', sub {
  my $insert = $db->prepare('insert into customer values (?, ?, ?, ?)');
  my @counts = map { $insert->execute($_, 'x', $client, '2024-01-02') } @customers;
  [\@counts, $db->do('update customer set name = ? where cust_id = ?', undef, 'New', $kim),
    rows('select * from customer where country = ? order by cust_id', $client),
    $db->do('delete from customer where cust_id = ?', undef, "Gone-$client")];
});
tell_of('types', sub {
  my $insert = $db->prepare('insert into sample (id, client, whole, exact, flag, words, bytes, day, instant, tree, mood, numbers, labels)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning *');
  $insert->bind_param(7, undef, { pg_type => PG_BYTEA });
  $insert->execute($sample_id, $client, 42, '12345678901234567890.0123456789', 1, "Zoë \\ 'there'\n", "\0\1\x7f\x80\xff", '2024-02-29',
    '2024-02-29T12:34:56.789Z', '{"a": [1, null]}', 'happy', [1, 2, undef], ['a', 'b,c', 'd"e', '']);
  my $row = $insert->fetchrow_hashref;
  $row->{bytes} = unpack('H*', $row->{bytes});
  return $row;
});
tell_of('ids', sub {
  my $found = rows("insert into remark (cust_id, body) values (?, 'first') returning id", $kim);
  rows('select body from remark where cust_id = ? and id = ?', $kim, $found->[0][0]);
});
tell_of('own key', sub { $db->do("update customer set cust_id = ?, name = 'Saved' where cust_id = ?", undef, $pia, $pia) });
tell_of('any array', sub { rows('select cust_id, name from customer where cust_id = any(?) order by 1', \@customers) });
tell_of('in list', sub { rows('select cust_id from customer where cust_id in (?, ?) order by 1', $adam, $pia) });
tell_of('page', sub {
  [rows("select count(*) from customer where country = 'Seed'"),
    rows("select * from customer where country = 'Seed' order by created limit ? offset ?", 5, 10)]
});
tell_of('report', sub { rows("select item_id, sum(payment), count(*) from reservation where date < '2025-01-01' group by 1 order by 1") });
tell_of('upsert', sub {
  my $text = "insert into customer values (?, ?, 'upsert', now()) on conflict (cust_id) do update set name = excluded.name returning name";
  [map { rows($text, "Up-$client", $_) } qw(one two)];
});
tell_of('savepoint', sub {
  $db->begin_work;
  $db->do("update customer set name = 'before' where cust_id = ?", undef, $adam);
  $db->pg_savepoint('one');
  my $error = failure_of(sub { $db->do('insert into customer values (?)', undef, $kim) });
  $db->pg_rollback_to('one');
  $db->do("update customer set name = 'after' where cust_id = ?", undef, $kim);
  $db->pg_release('one');
  $db->commit;
  [$error, rows('select name from customer where cust_id in (?, ?) order by 1', $adam, $kim)];
});
tell_of('transaction', sub {
  my @seen;
  for my $end (qw(rollback commit)) {
    $db->begin_work;
    $db->do("insert into reservation values (?, ?, 10, 1, '2025-01-01')", undef, $_, $customers[$_]) for 0 .. 3;
    $db->$end;
    push @seen, rows('select count(*), sum(payment) from reservation where cust_id = any(?)', \@customers);
  }
  return \@seen;
});
tell_of('batch', sub {
  my $insert = $db->prepare("insert into reservation values (?, ?, ?, 2, '2025-02-02')");
  my @ids = (100 .. 199);
  my $count = $insert->execute_array({}, \@ids, [map { $customers[$_ % 4] } @ids], \@ids);
  [$count, rows('select count(*) from reservation where cust_id = any(?)', \@customers)];
});
tell_of('stream', sub {
  $db->begin_work;
  $db->do("declare many cursor for select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id");
  my ($count, $last) = (0);
  my $part;
  while (@{ $part = rows('fetch 300 from many') }) { $count += @$part; $last = $part->[-1] }
  $db->commit;
  return [$count, $last];
});
tell_of('prepared', sub {
  my $select = $db->prepare('select cust_id, country from customer where cust_id = ?');
  [map { $select->execute($customers[$_ % 4]); $select->fetchall_arrayref } 0 .. 7];
});
tell_of('errors', sub {
  [map { my $text = $_; failure_of(sub { rows($text) }) } "insert into customer values ('$kim', 'again', 'x', now())",
    'select * from nowhere', 'selec', 'select 1 / 0', "select * from sample where id = 'no uuid'"]
});
tell_of('cancel', sub {
  local $SIG{ALRM} = sub { $db->pg_cancel };
  $db->do('select pg_sleep(30)', { pg_async => PG_ASYNC });
  select undef, undef, undef, 0.3;
  $db->pg_cancel;
  [$db->state, rows('select 1')];
});
tell_of('copy', sub {
  $db->do('copy note (body) from stdin');
  $db->pg_putcopydata("$client $_\n") for qw(one two);
  $db->pg_putcopyend;
  $db->do("copy (select body from note where body like '$client%' order by 1) to stdout");
  my ($line, @lines) = ('');
  push @lines, $line while $db->pg_getcopydata($line) >= 0;
  return \@lines;
});
$db->disconnect;
