import java.util.concurrent.Callable;

/** A line a step: what it gives, or the error's first line. */
final class Steps {
    static final String LONG = "SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c, shop.orders d";

    private Steps() {}

    static String env(String name) {
        return System.getenv(name);
    }

    static void step(String name, Callable<?> f) {
        try {
            System.out.println(name + " = " + f.call());
        } catch (Throwable e) {
            Throwable cause = e.getCause() != null && !(e instanceof java.sql.SQLException) ? e.getCause() : e;
            System.out.println(name + " = ERROR " + String.valueOf(cause.getMessage()).split("\n")[0]);
        }
    }
}
