import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import org.postgresql.PGConnection;

/** pgJDBC, in each way in which it can be told to run queries. */
public final class Jdbc {
    private static final String[] OPTIONS = {
        "", "prepareThreshold=1", "prepareThreshold=-1&binaryTransfer=true", "preferQueryMode=simple", "preferQueryMode=extendedForPrepared",
        "preferQueryMode=extendedCacheEverything", "autosave=always&cleanupSavepoints=true", "autosave=conservative", "stringtype=unspecified",
        "adaptiveFetch=true&defaultRowFetchSize=5&maxResultBuffer=1M", "readOnly=true&readOnlyMode=always", "currentSchema=shop,public",
        "options=-c%20statement_timeout=30000", "ApplicationName=x%20y&assumeMinServerVersion=12", "targetServerType=preferSecondary",
        "prepareThreshold=1&preparedStatementCacheQueries=2", "hideUnprivilegedObjects=true", "channelBinding=require",
    };

    private static String rows(ResultSet r) throws SQLException {
        StringBuilder out = new StringBuilder();
        int columns = r.getMetaData().getColumnCount();
        int n = 0;
        while (r.next()) {
            for (int i = 1; n < 4 && i <= columns; i++) out.append(r.getString(i)).append(i < columns ? "," : ";");
            n++;
        }
        return n + " " + out;
    }

    private static String query(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return rows(s.executeQuery(sql));
        }
    }

    /** More often than the driver waits before it prepares by name. */
    private static String repeated(Connection c) throws SQLException {
        String out = "";
        try (PreparedStatement p = c.prepareStatement(
                "SELECT id, total, status, placed AT TIME ZONE 'UTC' FROM shop.orders WHERE id > ? AND status = ?::shop.status ORDER BY id")) {
            for (int i = 0; i < 7; i++) {
                p.setInt(1, i * 10);
                p.setString(2, "paid");
                out = rows(p.executeQuery());
            }
        }
        return out;
    }

    private static String fetched(Connection c) throws SQLException {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.setFetchSize(9);
            return rows(s.executeQuery("SELECT id FROM shop.orders ORDER BY id"));
        } finally {
            c.commit();
            c.setAutoCommit(true);
        }
    }

    private static String afterAnError(Connection c) throws SQLException {
        c.setAutoCommit(false);
        try {
            query(c, "SELECT 1");
            Steps.step("in transaction", () -> query(c, "SELECT * FROM nosuch"));
            return query(c, "SELECT count(*) FROM shop.orders");
        } finally {
            c.rollback();
            c.setAutoCommit(true);
        }
    }

    private static String metadata(Connection c) throws SQLException {
        StringBuilder out = new StringBuilder();
        try (PreparedStatement p = c.prepareStatement("SELECT o.id, status, email, home FROM shop.orders o JOIN shop.customers c ON c.id = customer_id WHERE placed > ? AND total < ?")) {
            ParameterMetaData parameters = p.getParameterMetaData();
            ResultSetMetaData m = p.getMetaData();
            out.append(parameters.getParameterTypeName(1)).append(' ').append(parameters.getParameterTypeName(2));
            for (int i = 1; i <= m.getColumnCount(); i++)
                out.append(' ').append(m.getTableName(i)).append('.').append(m.getColumnTypeName(i)).append(m.isNullable(i));
        }
        return out.toString();
    }

    private static void all(Connection c) {
        Steps.step("valid", () -> c.isValid(5));
        Steps.step("repeated", () -> repeated(c));
        Steps.step("fetched", () -> fetched(c));
        Steps.step("after an error", () -> afterAnError(c));
        Steps.step("metadata", () -> metadata(c));
        Steps.step("hidden", () -> query(c, "SELECT * FROM vault.zzkeys"));
        Steps.step("types", () -> query(c, "SELECT tags, attrs, home, active, born FROM shop.customers WHERE id = 2"));
        Steps.step("escapes", () -> query(c, "SELECT {fn ucase('a')}, {d '2020-01-01'}, {ts '2020-01-01 10:00:00'}"));
        Steps.step("array", () -> {
            try (PreparedStatement p = c.prepareStatement("SELECT id FROM shop.orders WHERE id = ANY (?) ORDER BY id")) {
                p.setArray(1, c.createArrayOf("bigint", new Object[] { 2L, 4L, 5L }));
                return rows(p.executeQuery());
            }
        });
        Steps.step("scrolled", () -> {
            try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
                ResultSet r = s.executeQuery("SELECT id FROM shop.orders ORDER BY id");
                r.last();
                int last = r.getRow();
                r.absolute(3);
                return last + " " + r.getInt(1);
            }
        });
        Steps.step("several", () -> {
            try (Statement s = c.createStatement()) {
                s.execute("SELECT 1; SELECT 2");
                String first = rows(s.getResultSet());
                s.getMoreResults();
                return first + rows(s.getResultSet());
            }
        });
        Steps.step("copy", () -> {
            StringWriter out = new StringWriter();
            c.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT id FROM shop.orders ORDER BY id) TO STDOUT", out);
            return out.toString().length();
        });
        Steps.step("timeout", () -> {
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                return rows(s.executeQuery(Steps.LONG));
            }
        });
        Steps.step("serializable", () -> {
            c.setAutoCommit(false);
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            try {
                return query(c, "SHOW transaction_isolation");
            } finally {
                c.rollback();
                c.setAutoCommit(true);
            }
        });
        Steps.step("schema", () -> {
            String before = c.getSchema();
            c.setSchema("shop");
            return before + " " + c.getSchema() + " " + query(c, "SELECT count(*) FROM orders");
        });
    }

    public static void main(String[] args) {
        String url = "jdbc:postgresql://" + Steps.env("PGHOST") + ":" + Steps.env("PGPORT") + "/" + Steps.env("PGDATABASE")
            + "?sslmode=verify-full&sslrootcert=" + Steps.env("PGSSLROOTCERT");
        for (String option : OPTIONS) {
            System.out.println("== " + option);
            try (Connection c = DriverManager.getConnection(url + (option.isEmpty() ? "" : "&" + option), Steps.env("PGUSER"), Steps.env("PGPASSWORD"))) {
                all(c);
            } catch (SQLException e) {
                System.out.println("connect = ERROR " + e.getMessage());
            }
        }
        System.out.println("done");
    }
}
