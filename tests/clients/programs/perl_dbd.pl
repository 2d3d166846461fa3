# DBD::Pg: every catalog method of DBI.
use strict;
use warnings;
use DBI;
my $dbh = DBI->connect("dbi:Pg:host=$ENV{PGHOST};port=$ENV{PGPORT};dbname=$ENV{PGDATABASE};sslmode=$ENV{PGSSLMODE};sslrootcert=$ENV{PGSSLROOTCERT}", $ENV{PGUSER}, $ENV{PGPASSWORD},
    { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
sub show { my ($name, $s) = @_; print "$name =\n"; return unless $s; my @rows = map { join('|', map { defined $_ ? (ref $_ ? "[@$_]" : $_) : 'NULL' } @$_) } @{$s->fetchall_arrayref}; print "    $_\n" for sort @rows; }
sub say { my ($name, $call) = @_; my $v = eval { $call->() }; if ($@) { print "$name = ERROR ", (split /\n/, $@)[0], "\n"; } elsif (ref $v and $v->can('fetchall_arrayref')) { show($name, $v); } else { print "$name = ", defined $v ? $v : 'NULL', "\n"; } }
say('ping', sub { $dbh->ping });
for my $schema (qw(shop public vault)) {
    say("tables $schema", sub { $dbh->table_info(undef, $schema, '%', undef) });
    say("views $schema", sub { $dbh->table_info(undef, $schema, '%', 'VIEW,MATERIALIZED VIEW') });
    say("columns $schema", sub { $dbh->column_info(undef, $schema, '%', '%') });
}
say('schemas', sub { $dbh->table_info('', '%', '', '') });
say('catalogs', sub { $dbh->table_info('%', '', '', '') });
say('types', sub { $dbh->table_info('', '', '', '%') });
for my $t (qw(customers products orders items events zzsalaries)) {
    say("key $t", sub { $dbh->primary_key_info(undef, 'shop', $t) });
    say("keys $t", sub { join ',', $dbh->primary_key(undef, 'shop', $t) });
    say("foreign $t", sub { $dbh->foreign_key_info(undef, undef, undef, undef, 'shop', $t) });
    say("referring $t", sub { $dbh->foreign_key_info(undef, 'shop', $t, undef, undef, undef) });
    say("statistics $t", sub { $dbh->statistics_info(undef, 'shop', $t, 0, 1) });
    say("id $t", sub { $dbh->last_insert_id(undef, 'shop', $t, undef) });
}
say('list', sub { join ',', sort $dbh->tables('', 'shop', '%', '') });
say('type info', sub { scalar @{$dbh->type_info_all} });
say('rows', sub { my $s = $dbh->prepare('SELECT id, name, email, tags, home FROM shop.customers WHERE id < ? ORDER BY id'); $s->execute(5); $s });
say('metadata', sub { my $s = $dbh->prepare('SELECT id, name, born, attrs FROM shop.customers LIMIT 1'); $s->execute; join ',', @{$s->{NAME}}, @{$s->{TYPE}}, @{$s->{pg_type}}, @{$s->{NULLABLE}} });
say('copy', sub { $dbh->do("COPY (SELECT id FROM shop.orders ORDER BY 1 LIMIT 3) TO STDOUT"); my ($d, $all) = ('', ''); $all .= $d while $dbh->pg_getcopydata($d) >= 0; $all });
say('hidden', sub { $dbh->do('SELECT * FROM vault.zzkeys') });
say('async', sub { my $s = $dbh->prepare('SELECT count(*) FROM shop.orders', { pg_async => 1 }); $s->execute; $dbh->pg_result; $s });
$dbh->begin_work; say('savepoint', sub { $dbh->pg_savepoint('a'); eval { $dbh->do('SELECT 1/0') }; $dbh->pg_rollback_to('a'); $dbh->selectrow_array('SELECT 7') }); $dbh->rollback;
$dbh->disconnect;
print "done\n";
