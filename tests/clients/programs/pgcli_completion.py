"""What pgcli's completion learns of the database, by its own executor."""
import os

from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial

e = os.environ
x = PGExecute(e['PGDATABASE'], e['PGUSER'], e['PGPASSWORD'], e['PGHOST'], e['PGPORT'], sslmode=e['PGSSLMODE'], sslrootcert=e['PGSSLROOTCERT'])


def say(name, call):
    try:
        value = call()
        value = value if isinstance(value, (str, bool, int, type(None))) else sorted(map(repr, value))
    except Exception as error:
        value = f'ERROR {type(error).__name__} {str(error).splitlines()[0]}'
    if isinstance(value, list):
        print(name, '=')
        for v in value:
            print('   ', v)
    else:
        print(name, '=', value)


for path in ('public', 'shop, public'):
    x.run(f'SET search_path TO {path}')
    list(x.run(f'SET search_path TO {path}'))
    for what in ('search_path', 'schemata', 'tables', 'views', 'table_columns', 'view_columns', 'databases', 'foreignkeys', 'datatypes', 'casing',
                 'is_superuser', 'valid_transaction', 'failed_transaction'):
        method = getattr(x, what, None) if hasattr(x, what) else None
        if method is not None:
            say(f'{path} {what}', method if callable(method) else lambda: method)
    say(f'{path} functions', lambda: [f for f in map(repr, x.functions()) if "'pg_catalog'" not in f and "'information_schema'" not in f])
    say(f'{path} functions of all', lambda: len(list(x.functions())) > 2000)
for command in ('\\d', '\\dt shop.*', '\\d shop.customers', '\\dn', '\\dv', '\\df shop.*', '\\dT shop.*', '\\l', '\\du', '\\di', '\\ds', '\\dm shop.*',
                '\\dD', '\\dx', '\\sf shop.add_tax', 'SELECT id, name, email FROM shop.customers ORDER BY id LIMIT 2', 'SELECT * FROM vault.zzkeys', 'SELEC 1'):
    def run(command=command):
        out = []
        for title, rows, headers, status, *rest in x.run(command, pgspecial=PGSpecial(), on_error_resume=True):
            out += [repr(headers)] + ([repr(tuple(r)) for r in rows] if rows else [str(status).splitlines()[0] if status else ''])
        return out
    say(command, run)
print('done')
