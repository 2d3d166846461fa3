"""pandas over SQLAlchemy, polars, ConnectorX, ADBC, pg8000, psycopg 3."""
import io
import ssl

import adbc_driver_postgresql.dbapi
import connectorx
import pandas
import pg8000.dbapi
import polars
import psycopg
import sqlalchemy

from steps import E, URL, step

for driver in ('psycopg', 'psycopg2'):
    engine = sqlalchemy.create_engine(URL.replace('postgresql:', f'postgresql+{driver}:'))
    step(f'{driver} read_sql', lambda: pandas.read_sql('SELECT id, total, placed, status FROM shop.orders ORDER BY id LIMIT 3', engine).to_dict())
    step(f'{driver} parameters', lambda: pandas.read_sql(sqlalchemy.text('SELECT count(*) FROM shop.orders WHERE status = :s'), engine, params={'s': 'paid'}).to_dict())
    step(f'{driver} read_sql_table', lambda: pandas.read_sql_table('orders', engine, schema='shop', columns=['id', 'region']).shape)
    with engine.connect().execution_options(stream_results=True) as c:
        step(f'{driver} chunks', lambda: [len(chunk) for chunk in pandas.read_sql('SELECT * FROM shop.orders', c, chunksize=33)])
    for level in ('AUTOCOMMIT', 'SERIALIZABLE', 'REPEATABLE READ'):
        with engine.connect().execution_options(isolation_level=level) as c:
            step(f'{driver} {level}', lambda: c.execute(sqlalchemy.text('SELECT count(*) FROM shop.items')).scalar())
    step(f'{driver} hidden', lambda: pandas.read_sql('SELECT * FROM shop.nosuch', engine))

step('polars', lambda: polars.read_database_uri('SELECT id, total, placed FROM shop.orders ORDER BY id LIMIT 3', URL).rows())
step('polars adbc', lambda: polars.read_database_uri('SELECT id, total, placed FROM shop.orders ORDER BY id LIMIT 3', URL, engine='adbc').rows())
step('connectorx partitions', lambda: connectorx.read_sql(URL, 'SELECT * FROM shop.orders', partition_on='id', partition_num=3).shape)
for protocol in ('binary', 'cursor', 'csv'):
    step(f'connectorx {protocol}', lambda: connectorx.read_sql(URL, 'SELECT id FROM shop.customers ORDER BY id', protocol=protocol, return_type='arrow').num_rows)

with adbc_driver_postgresql.dbapi.connect(URL, autocommit=True) as c, c.cursor() as cursor:
    step('adbc', lambda: (cursor.execute('SELECT id, name, born FROM shop.customers ORDER BY id LIMIT 3'), cursor.fetch_arrow_table().to_pydict())[1])
    step('adbc parameters', lambda: (cursor.execute('SELECT id FROM shop.orders WHERE id = $1', (4,)), cursor.fetchall())[1])
    step('adbc schema', lambda: c.adbc_get_table_schema('products', db_schema_filter='shop'))
    step('adbc objects', lambda: [(s['db_schema_name'], sorted((t['table_name'], len(t['table_columns'] or ())) for t in s['db_schema_tables'] or ()
                                                               if t['table_name'] in ('products', 'items', 'notes')))
                                  for s in c.adbc_get_objects(depth='all', catalog_filter='wh').read_all().to_pylist()[0]['catalog_db_schemas']
                                  if s['db_schema_name'] in ('shop', 'public')])
    step('adbc hidden', lambda: c.adbc_get_table_schema('nosuch', db_schema_filter='shop'))

context = ssl.create_default_context(cafile=E['PGSSLROOTCERT'])
with pg8000.dbapi.connect(user=E['PGUSER'], password=E['PGPASSWORD'], host=E['PGHOST'], port=int(E['PGPORT']), database=E['PGDATABASE'], ssl_context=context) as c:
    cursor = c.cursor()
    step('pg8000', lambda: (cursor.execute('SELECT id, total, status FROM shop.orders WHERE id < %s ORDER BY id', (8,)), cursor.fetchall())[1])
    out = io.BytesIO()
    step('pg8000 copy', lambda: (cursor.execute('COPY shop.orders (id) TO STDOUT', stream=out), len(out.getvalue()))[1])

with psycopg.connect(URL, autocommit=True) as c:
    step('psycopg server cursor', lambda: len(psycopg.ServerCursor(c, 'k').execute('SELECT * FROM shop.orders').fetchall()))
    step('psycopg enum', lambda: psycopg.types.enum.EnumInfo.fetch(c, 'shop.status').labels)
    step('psycopg composite', lambda: psycopg.types.composite.CompositeInfo.fetch(c, 'shop.address').field_names)
    step('psycopg prepared', lambda: [c.execute(f'SELECT {i}', prepare=True).fetchone()[0] for i in range(300)][-1])
    with c.pipeline() as p:
        first, second = c.execute('SELECT 1'), c.execute('SELECT count(*) FROM shop.orders')
        p.sync()
        step('psycopg pipeline', lambda: (first.fetchone(), second.fetchone()))
print('done')
