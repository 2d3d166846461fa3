"""What each program here shares: where the warehouse is, and a line a step."""
import os

E = os.environ
URL = (f"postgresql://{E['PGUSER']}:{E['PGPASSWORD']}@{E['PGHOST']}:{E['PGPORT']}/{E['PGDATABASE']}"
       f"?sslmode=verify-full&sslrootcert={E['PGSSLROOTCERT']}")
JDBC = f"jdbc:postgresql://{E['PGHOST']}:{E['PGPORT']}/{E['PGDATABASE']}?sslmode=verify-full&sslrootcert={E['PGSSLROOTCERT']}"


def step(name, f):
    try:
        print(name, '=', ' | '.join(str(f()).splitlines()), flush=True)
    except Exception as e:
        print(name, '= ERROR', type(e).__name__, (str(e).splitlines() or [''])[0][:200], flush=True)
