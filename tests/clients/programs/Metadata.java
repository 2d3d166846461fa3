import java.lang.reflect.*;
import java.sql.*;
import java.util.*;

/** Every method of DatabaseMetaData that gives rows or a value, and what ResultSetMetaData says of a query. */
public class Metadata {
    static final Map<String, String> env = System.getenv();

    static String show(ResultSet r) throws SQLException {
        ResultSetMetaData m = r.getMetaData();
        List<String> rows = new ArrayList<>();
        StringBuilder head = new StringBuilder();
        for (int i = 1; i <= m.getColumnCount(); i++)
            head.append(m.getColumnLabel(i)).append(' ');
        while (r.next()) {
            StringBuilder row = new StringBuilder();
            for (int i = 1; i <= m.getColumnCount(); i++)
                row.append(r.getObject(i)).append('|');
            rows.add(row.toString());
        }
        r.close();
        Collections.sort(rows);
        return head + "\n    " + String.join("\n    ", rows);
    }

    static void say(String name, Object target, Method m, Object... args) {
        try {
            Object value = m.invoke(target, args);
            System.out.println(name + " = " + (value instanceof ResultSet ? show((ResultSet) value) : value));
        } catch (InvocationTargetException e) {
            System.out.println(name + " = ERROR " + e.getCause().toString().split("\n")[0]);
        } catch (Exception e) {
            System.out.println(name + " = ERROR " + e);
        }
    }

    public static void main(String[] argv) throws Exception {
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", env.get("PGSSLMODE"));
        p.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        for (String word : argv)
            p.setProperty(word.split("=")[0], word.split("=")[1]);
        String database = env.get("PGDATABASE");
        Connection c = DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + database, p);
        DatabaseMetaData d = c.getMetaData();
        Set<String> own = Set.of("getURL", "getConnection", "hashCode", "getClass", "toString", "notify", "notifyAll", "wait");
        Method[] all = DatabaseMetaData.class.getMethods();
        Arrays.sort(all, Comparator.comparing(m -> m.getName() + m.getParameterCount()));
        for (Method m : all) {
            Class<?>[] types = m.getParameterTypes();
            if (own.contains(m.getName()) || m.getName().equals("isWrapperFor") || m.getName().equals("unwrap"))
                continue;
            if (types.length == 0) {
                say(m.getName(), d, m);
                continue;
            }
            if (!m.getReturnType().equals(ResultSet.class))
                continue;
            // catalog, schema, name patterns in this order; what follows takes its widest value
            for (String schema : new String[] { "shop", "public", "vault", "%", null }) {
                for (String name : new String[] { "%", "orders", "zzsalaries" }) {
                    if (m.getName().contains("Function") || m.getName().contains("Procedure"))
                        if (!"shop".equals(schema) && !"vault".equals(schema))
                            continue;
                    if ((schema == null || schema.equals("%")) && !m.getName().equals("getTables") && !m.getName().equals("getSchemas"))
                        continue;
                    Object[] args = new Object[types.length];
                    int strings = 0;
                    for (int i = 0; i < types.length; i++) {
                        if (types[i] == String.class) {
                            args[i] = strings == 0 ? database : strings == 1 ? schema : strings == 2 ? name : "%";
                            strings++;
                        } else if (types[i] == boolean.class)
                            args[i] = m.getName().equals("getBestRowIdentifier");
                        else if (types[i] == int.class)
                            args[i] = DatabaseMetaData.bestRowSession;
                        else
                            args[i] = null;
                    }
                    if (m.getName().equals("getCrossReference"))
                        args = new Object[] { database, schema, "customers", database, schema, "orders" };
                    say(m.getName() + " " + schema + " " + name, d, m, args);
                }
            }
        }
        try (PreparedStatement s = c.prepareStatement("SELECT o.id, o.total, c.name AS n, c.email, o.status, c.home, c.tags, 1 + 1 AS x FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id WHERE o.id > ? AND o.status = ?::shop.status ORDER BY 1 LIMIT 5")) {
            ParameterMetaData pm = s.getParameterMetaData();
            for (int i = 1; i <= pm.getParameterCount(); i++)
                System.out.println("parameter " + pm.getParameterTypeName(i) + " " + pm.getParameterClassName(i));
            s.setInt(1, 3);
            s.setString(2, "paid");
            for (int run = 0; run < 7; run++) {
                ResultSet r = s.executeQuery();
                ResultSetMetaData m = r.getMetaData();
                for (int i = 1; run == 0 && i <= m.getColumnCount(); i++) {
                    System.out.println("column " + m.getColumnName(i) + " " + m.getColumnTypeName(i) + " " + m.getTableName(i) + " " + m.getSchemaName(i) + " "
                            + ((org.postgresql.PGResultSetMetaData) m).getBaseColumnName(i) + " " + m.isNullable(i) + " " + m.isAutoIncrement(i) + " " + m.getPrecision(i)
                            + " " + m.getScale(i) + " " + m.getColumnClassName(i));
                }
                System.out.println("rows = " + show(r));
            }
        }
        // An updatable result looks for the primary key.
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE); ResultSet r = s.executeQuery("SELECT id, body FROM notes WHERE id = 1")) {
            r.next();
            r.updateString(2, "x");
            r.cancelRowUpdates();
            System.out.println("updatable " + r.getString(2));
        } catch (SQLException e) {
            System.out.println("updatable ERROR " + e);
        }
        c.close();
        System.out.println("done");
    }
}
