"""The catalog functions of ODBC, by psqlODBC's Unicode driver."""
import os

import pyodbc

env = os.environ
DRIVER = next(d for d in pyodbc.drivers() if 'Unicode' in d)
base = (f"Driver={{{DRIVER}}};Server={env['PGHOST']};Port={env['PGPORT']};Database={env['PGDATABASE']};UID={env['PGUSER']};PWD={env['PGPASSWORD']};"
        f"SSLmode={env['PGSSLMODE']};PGROOTCERT={env.get('PGSSLROOTCERT', '')};")


def say(name, call):
    try:
        cursor = call()
        head = [d[0] for d in cursor.description]
        rows = sorted(map(repr, (tuple(r) for r in cursor.fetchall())))
    except pyodbc.Error as e:
        print(name, '= ERROR', str(e).splitlines()[0])
        return
    print(name, '=', head)
    for row in rows:
        print('   ', row)


for options in ('', 'UseDeclareFetch=1;Fetch=7;UseServerSidePrepare=0;ShowSystemTables=1;Protocol=7.4-2;BoolsAsChar=0;'):
    with pyodbc.connect(base + options) as c:
        c.autocommit = True
        print('connected', options, c.getinfo(pyodbc.SQL_DBMS_NAME), c.getinfo(pyodbc.SQL_DATABASE_NAME), c.getinfo(pyodbc.SQL_USER_NAME))
        x = c.cursor()
        say('all catalogs', lambda: x.tables(catalog='%', schema='', table=''))
        say('all schemas', lambda: x.tables(catalog='', schema='%', table=''))
        say('all types', lambda: x.tables(catalog='', schema='', table='', tableType='%'))
        for schema in ('shop', 'public', 'vault'):
            say(f'tables {schema}', lambda: x.tables(schema=schema))
            say(f'columns {schema}', lambda: x.columns(schema=schema))
            say(f'procedures {schema}', lambda: x.procedures(schema=schema))
            say(f'procedure columns {schema}', lambda: x.procedureColumns(schema=schema))
        say('tables', lambda: x.tables(schema='shop', tableType='TABLE,VIEW,MATVIEW,FOREIGN TABLE'))
        for t in ('customers', 'products', 'orders', 'items', 'events', 'order_totals', 'zzsalaries'):
            say(f'{t} primary keys', lambda: x.primaryKeys(t, schema='shop'))
            say(f'{t} foreign keys', lambda: x.foreignKeys(foreignTable=t, foreignSchema='shop'))
            say(f'{t} referring keys', lambda: x.foreignKeys(table=t, schema='shop'))
            say(f'{t} statistics', lambda: x.statistics(t, schema='shop', quick=True))
            say(f'{t} unique', lambda: x.statistics(t, schema='shop', unique=True))
            say(f'{t} row id', lambda: x.rowIdColumns(t, schema='shop'))
            say(f'{t} row version', lambda: x.rowVerColumns(t, schema='shop'))
            say(f'{t} columns', lambda: x.columns(t, schema='shop'))
        say('types', lambda: x.getTypeInfo())
        say('rows', lambda: x.execute('SELECT id, name, email, country, born, active FROM shop.customers WHERE id < ? ORDER BY 1', 9))
        say('count', lambda: x.execute('SELECT count(*), sum(total) FROM shop.orders'))
        say('hidden', lambda: x.execute('SELECT * FROM vault.zzkeys'))
        say('still there', lambda: x.execute('SELECT 1'))
print('done')
