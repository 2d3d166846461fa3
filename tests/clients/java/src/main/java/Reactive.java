import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.postgresql.api.PostgresqlConnection;
import io.r2dbc.postgresql.client.SSLMode;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.pgclient.SslMode;
import io.vertx.sqlclient.Cursor;
import io.vertx.sqlclient.PreparedStatement;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The drivers that do not block: Vert.x (pipelined) and R2DBC. */
public final class Reactive {
    private static <T> T get(Future<T> f) throws Exception {
        return f.toCompletionStage().toCompletableFuture().get(30, TimeUnit.SECONDS);
    }

    private static String rows(RowSet<Row> rows) {
        StringBuilder out = new StringBuilder();
        for (Row r : rows) out.append(r.deepToString()).append(';');
        return out.toString();
    }

    private static void vertx() throws Exception {
        Vertx vertx = Vertx.vertx();
        PgConnectOptions options = new PgConnectOptions().setHost(Steps.env("PGHOST")).setPort(Integer.parseInt(Steps.env("PGPORT")))
            .setDatabase(Steps.env("PGDATABASE")).setUser(Steps.env("PGUSER")).setPassword(Steps.env("PGPASSWORD")).setPipeliningLimit(64)
            .setSslMode(SslMode.VERIFY_FULL).setHostnameVerificationAlgorithm("HTTPS")
            .setPemTrustOptions(new PemTrustOptions().addCertPath(Steps.env("PGSSLROOTCERT")));
        PgConnection c = get(PgConnection.connect(vertx, options));
        Steps.step("vertx query", () -> rows(get(c.query("SELECT id, status FROM shop.orders ORDER BY id LIMIT 2").execute())));
        Steps.step("vertx prepared", () -> rows(get(c.preparedQuery("SELECT id, total, region FROM shop.orders WHERE id < $1 ORDER BY id").execute(Tuple.of(7L)))));
        Steps.step("vertx pipelined", () -> {
            List<Future<RowSet<Row>>> all = new ArrayList<>();
            for (int i = 0; i < 40; i++) all.add(c.preparedQuery("SELECT $1::int + count(*) FROM shop.items").execute(Tuple.of(i)));
            StringBuilder out = new StringBuilder();
            for (Future<RowSet<Row>> f : all) out.append(rows(get(f)));
            return out;
        });
        Steps.step("vertx batch", () -> get(c.preparedQuery("SELECT name FROM shop.customers WHERE id = $1").executeBatch(List.of(Tuple.of(1), Tuple.of(2)))).next() != null);
        Steps.step("vertx cursor", () -> {
            var t = get(c.begin());
            PreparedStatement p = get(c.prepare("SELECT id FROM shop.orders ORDER BY id"));
            Cursor cursor = p.cursor();
            String out = "";
            do out += get(cursor.read(37)).size() + " "; while (cursor.hasMore());
            get(cursor.close());
            get(t.commit());
            return out;
        });
        Steps.step("vertx hidden", () -> rows(get(c.query("SELECT * FROM vault.zzkeys").execute())));
        Steps.step("vertx cancel", () -> {
            Future<RowSet<Row>> running = c.query(Steps.LONG).execute();
            Thread.sleep(300);
            get(c.cancelRequest());
            return rows(get(running));
        });
        Steps.step("vertx after", () -> rows(get(c.query("SELECT count(*) FROM shop.orders").execute())));
        get(c.close());
        get(vertx.close());
    }

    private static List<String> ask(PostgresqlConnection c, String sql, Object... values) {
        var s = c.createStatement(sql);
        for (int i = 0; i < values.length; i++) s.bind(i, values[i]);
        return Flux.from(s.execute()).concatMap(r -> r.map((row, meta) -> {
            StringBuilder out = new StringBuilder();
            for (var m : meta.getColumnMetadatas()) out.append(row.get(m.getName(), String.class)).append(',');
            return out.toString();
        })).collectList().block(Duration.ofSeconds(30));
    }

    private static void r2dbc() {
        PostgresqlConnection c = new PostgresqlConnectionFactory(PostgresqlConnectionConfiguration.builder().host(Steps.env("PGHOST"))
            .port(Integer.parseInt(Steps.env("PGPORT"))).database(Steps.env("PGDATABASE")).username(Steps.env("PGUSER")).password(Steps.env("PGPASSWORD"))
            .sslMode(SSLMode.VERIFY_FULL).sslRootCert(Steps.env("PGSSLROOTCERT")).build()).create().block(Duration.ofSeconds(30));
        Steps.step("r2dbc rows", () -> ask(c, "SELECT id::text, status::text, region FROM shop.orders WHERE id < $1 ORDER BY id", 9L));
        Steps.step("r2dbc many", () -> Flux.from(c.createStatement("SELECT id FROM shop.orders").fetchSize(11).execute()).concatMap(r -> r.map((row, meta) -> 1))
            .count().block(Duration.ofSeconds(30)));
        Steps.step("r2dbc hidden", () -> ask(c, "SELECT * FROM vault.zzkeys"));
        Steps.step("r2dbc transaction", () -> c.beginTransaction().then(c.createSavepoint("s"))
            .then(Mono.fromCallable(() -> "begun")).block(Duration.ofSeconds(30)));
        Steps.step("r2dbc in savepoint", () -> ask(c, "SELECT * FROM nosuch"));
        Steps.step("r2dbc after", () -> {
            c.rollbackTransactionToSavepoint("s").block(Duration.ofSeconds(30));
            return ask(c, "SELECT count(*)::text FROM shop.orders");
        });
        Steps.step("r2dbc commit", () -> c.commitTransaction().then(Mono.just("committed")).block(Duration.ofSeconds(30)));
        c.close().block(Duration.ofSeconds(30));
    }

    public static void main(String[] args) throws Exception {
        vertx();
        r2dbc();
        System.out.println("done");
        System.exit(0);
    }
}
