"""Airflow's PostgreSQL hook."""
import logging
import os
import tempfile

from steps import URL, step

scratch = tempfile.TemporaryDirectory()
os.environ['AIRFLOW_HOME'] = scratch.name
os.environ['AIRFLOW_CONN_WH'] = URL.replace('postgresql:', 'postgres:').replace('sslrootcert=/', 'sslrootcert=%2F')
from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: E402: it reads the environment

logging.disable(logging.CRITICAL)
hook = PostgresHook(postgres_conn_id='wh', options='-c statement_timeout=30000')
out = os.path.join(scratch.name, 'out')
step('first', lambda: hook.get_first('SELECT count(*) FROM shop.orders'))
step('records', lambda: hook.get_records('SELECT id, total FROM shop.orders WHERE id < %s ORDER BY id', parameters=(8,)))
step('frame', lambda: hook.get_df('SELECT id, status FROM shop.orders ORDER BY id LIMIT 2').to_dict())
step('chunks', lambda: [len(x) for x in hook.get_df_by_chunks('SELECT id FROM shop.orders', chunksize=40)])
step('copy_expert', lambda: (hook.copy_expert('COPY (SELECT id FROM shop.orders) TO STDOUT WITH CSV HEADER', out), len(open(out).read().split()))[1])
step('bulk_dump', lambda: (hook.bulk_dump('shop.items', out), len(open(out).read().splitlines()))[1])
step('primary key', lambda: hook.get_table_primary_key('orders', 'shop'))
step('run', lambda: hook.run(['SELECT 1', 'SELECT count(*) FROM shop.customers'], handler=lambda c: c.fetchall()))
step('autocommit', lambda: hook.run('SELECT 1', autocommit=True, handler=lambda c: c.fetchone()))
step('inspector', lambda: [x for x in sorted(hook.inspector.get_table_names('shop')) if not x.startswith('zz')])
step('test', lambda: hook.test_connection())
print('done')
