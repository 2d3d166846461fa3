"""Every method of SQLAlchemy's Inspector, and reflected tables read; argument: the driver's dialect name."""
import os
import sys

import sqlalchemy as sa

driver = sys.argv[1]
env = os.environ
args = {'sslmode': env['PGSSLMODE'], 'sslrootcert': env.get('PGSSLROOTCERT')}
if driver == 'asyncpg':
    import ssl
    args = {'ssl': ssl.create_default_context(cafile=env['PGSSLROOTCERT'])}
elif driver == 'pg8000':
    import ssl
    args = {'ssl_context': ssl.create_default_context(cafile=env['PGSSLROOTCERT'])}
url = sa.engine.URL.create(f'postgresql+{driver}', env['PGUSER'], env['PGPASSWORD'], env['PGHOST'], int(env['PGPORT']), env['PGDATABASE'])


def show(name, value):
    print(name, '=', value)


def say(name, call):
    try:
        value = call()
    except Exception as e:
        show(name, f'ERROR {type(e).__name__} {e}'.splitlines()[0])
        return
    if isinstance(value, dict):
        value = sorted(value.items(), key=repr)
    elif isinstance(value, list):
        value = sorted(value, key=repr)
    show(name, value)


def inspect(connection):
    i = sa.inspect(connection)
    say('schemas', i.get_schema_names)
    show('default schema', i.default_schema_name)
    for schema in ('shop', 'public', 'vault', None):
        for kind in ('table', 'view', 'materialized_view', 'temp_table', 'temp_view', 'sequence', 'foreign_table'):
            method = getattr(i, f'get_{kind}_names', None)
            if method:
                say(f'{schema} {kind}', lambda: method() if kind.startswith('temp') else method(schema=schema))
        say(f'{schema} enums', lambda: i.get_enums(schema=schema))
        if hasattr(i, 'get_domains'):
            say(f'{schema} domains', lambda: i.get_domains(schema=schema))
        if hasattr(i, 'get_multi_columns'):
            for what in ('columns', 'pk_constraint', 'foreign_keys', 'indexes', 'unique_constraints', 'check_constraints', 'table_comment',
                         'table_options'):
                if schema == 'vault' or not hasattr(i, f'get_multi_{what}'):
                    continue
                say(f'{schema} multi {what}', lambda: {k: v for k, v in getattr(i, f'get_multi_{what}')(schema=schema, kind=sa.engine.reflection.ObjectKind.ANY).items()})
    say('sorted', lambda: i.get_sorted_table_and_fkc_names(schema='shop'))
    for table in ('customers', 'products', 'orders', 'items', 'events', 'events_2024', 'order_totals', 'daily', 'zzsalaries', 'nosuch'):
        for what in ('columns', 'pk_constraint', 'foreign_keys', 'indexes', 'unique_constraints', 'check_constraints', 'table_comment', 'table_options'):
            if hasattr(i, f'get_{what}'):
                say(f'{table} {what}', lambda: getattr(i, f'get_{what}')(table, schema='shop'))
        say(f'{table} exists', lambda: i.has_table(table, schema='shop'))
    for view in ('order_totals', 'daily'):
        say(f'{view} definition', lambda: i.get_view_definition(view, schema='shop'))
    if hasattr(i, 'has_sequence'):
        say('sequence', lambda: [i.has_sequence(s, schema='shop') for s in ('tickets', 'zzsequence')])
    if hasattr(i, 'has_schema'):
        say('has schema', lambda: [i.has_schema(s) for s in ('shop', 'vault')])
    if hasattr(i, 'has_index'):
        say('has index', lambda: [i.has_index(*a, schema='shop') for a in (('customers', 'customers_email'), ('customers', 'zzphone_index'))])
    if hasattr(connection.dialect, 'has_type'):
        say('has type', lambda: [connection.dialect.has_type(connection, t, schema='shop') for t in ('status', 'nosuch')])
    say('oid', lambda: i.get_table_oid('customers', schema='shop') > 0)
    for schema in ('shop', None):
        m = sa.MetaData()
        m.reflect(connection, schema=schema, views=True)
        show(f'{schema} reflected', sorted(m.tables))
        for t in m.sorted_tables:
            if 'totals' in t.name:
                continue
            rows = connection.execute(sa.select(t).limit(300)).fetchall()
            show(f'{t.name} rows', sorted(map(repr, (tuple(r) for r in rows)))[:50])
    t = sa.Table('orders', sa.MetaData(), schema='shop', autoload_with=connection)
    show('joined', connection.execute(sa.select(sa.func.count(), sa.func.sum(t.c.total)).where(t.c.status == 'paid', t.c.id > 10)).fetchall())


if driver == 'asyncpg' or driver.endswith('_async'):
    import asyncio

    from sqlalchemy.ext.asyncio import create_async_engine

    async def run():
        engine = create_async_engine(url, connect_args=args)
        async with engine.connect() as c:
            await c.run_sync(inspect)
        await engine.dispose()
    asyncio.run(run())
else:
    engine = sa.create_engine(url, connect_args=args)
    with engine.connect() as c:
        inspect(c)
    engine.dispose()
print('done')
