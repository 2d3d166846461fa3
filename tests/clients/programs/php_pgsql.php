<?php
// The pgsql extension and PDO: metadata functions and reading.
$env = getenv();
function say($name, $call) {
    try { $v = @$call(); } catch (Throwable $e) { $v = 'ERROR ' . strtok($e->getMessage(), "\n"); }
    if (is_resource($v) || $v instanceof PgSql\Result) $v = pg_fetch_all($v);
    echo "$name = ", str_replace("\n", ' ', var_export($v, true)), "\n";
}
$c = pg_connect("host={$env['PGHOST']} port={$env['PGPORT']} dbname={$env['PGDATABASE']} user={$env['PGUSER']} password={$env['PGPASSWORD']} sslmode={$env['PGSSLMODE']} sslrootcert={$env['PGSSLROOTCERT']}");
pg_query($c, 'SET search_path TO shop, public');
foreach (['customers', 'products', 'orders', 'items', 'notes', 'zzsalaries'] as $t) {
    say("meta $t", fn() => pg_meta_data($c, $t, true));
    say("select $t", fn() => pg_select($c, $t, ['id' => 3]));
}
$r = pg_query_params($c, 'SELECT o.id, c.name, o.status, c.home, o.total FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = $1', [4]);
for ($i = 0; $i < pg_num_fields($r); $i++)
    say("field $i", fn() => [pg_field_name($r, $i), pg_field_type($r, $i), pg_field_table($r, $i), pg_field_size($r, $i), pg_field_prtlen($r, 0, $i)]);
say('row', fn() => pg_fetch_assoc($r));
say('copy', fn() => pg_copy_to($c, 'shop.products'));
say('convert', fn() => pg_convert($c, 'products', ['id' => 3, 'title' => 'x']));
say('prepare', fn() => pg_execute($c, '', [3]) ?: 'none');
say('ping', fn() => pg_ping($c));
say('parameters', fn() => [pg_parameter_status($c, 'server_encoding'), pg_client_encoding($c), pg_dbname($c)]);
$p = new PDO("pgsql:host={$env['PGHOST']};port={$env['PGPORT']};dbname={$env['PGDATABASE']};sslmode={$env['PGSSLMODE']};sslrootcert={$env['PGSSLROOTCERT']}", $env['PGUSER'], $env['PGPASSWORD'], [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
foreach ([false, true] as $emulate) {
    $p->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
    $s = $p->prepare('SELECT id, name, tags, attrs, home, born FROM shop.customers WHERE id = ? AND name LIKE ?');
    $s->execute([3, 'Cust%']);
    for ($i = 0; $i < $s->columnCount(); $i++) { $m = $s->getColumnMeta($i); unset($m['pgsql:oid']); unset($m['pgsql:table_oid']); say("column $i", fn() => $m); }
    say('rows', fn() => $s->fetchAll(PDO::FETCH_ASSOC));
    say('hidden', fn() => $p->query('SELECT zzphone FROM shop.customers'));
}
$p->beginTransaction();
$s = $p->prepare('SELECT id FROM shop.orders ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]); $s->execute();
say('last', fn() => $s->fetch(PDO::FETCH_ASSOC, PDO::FETCH_ORI_LAST));
$p->rollBack();
say('attributes', fn() => [$p->getAttribute(PDO::ATTR_SERVER_VERSION) != '', $p->getAttribute(PDO::ATTR_DRIVER_NAME)]);
say('copy', fn() => $p->pgsqlCopyToArray('shop.orders'));
echo "done\n";
