"""Real clients in front of the proxy: psql, psycopg2, psycopg 3, asyncpg, pgbench; TLS and SCRAM throughout."""
import asyncio
import datetime
import decimal
import importlib.util
import ssl
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def needs(module):
    return unittest.skipUnless(importlib.util.find_spec(module), f'python3-{module} is not installed')


def setUpModule():
    global pg, proxy, certs
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


VISIBLE_IDS = [i for i in range(1, 31) if i % 3 == 0]  # region EU


class Psql(unittest.TestCase):
    def ask(self, user, sql, *args, **more):
        return proxy.psql(user, sql, *args, **more).stdout

    def test_select(self):
        self.assertEqual(self.ask('alice', 'SELECT id FROM crm.customers ORDER BY id').split(), [str(i) for i in VISIBLE_IDS])

    def test_null_and_mask(self):
        lines = self.ask('alice', 'SELECT id, email FROM crm.customers WHERE id IN (3, 33) ORDER BY 1').splitlines()
        self.assertEqual(lines, ['3|c***@example.org'])

    def test_error_text(self):
        done = proxy.psql('alice', 'SELECT * FROM vault.keys', check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn('relation "vault.keys" does not exist', done.stderr)

    def test_meta_commands(self):
        """\\d and its kin answer, and show what is visible only."""
        for command in ('\\dt crm.*', '\\d crm.customers', '\\dn', '\\dv sales.*', '\\d+ crm.customers', '\\l', '\\conninfo'):
            with self.subTest(command=command):
                done = proxy.psql('alice', command + '\n')
                self.assertNotIn('ERROR', done.stderr)
                for word in ('phone', 'vault', 'employees'):
                    self.assertNotIn(word, done.stdout)
        self.assertIn('customers', self.ask('alice', '\\dt crm.*\n'))
        self.assertIn('email', self.ask('alice', '\\d crm.customers\n'))

    def test_variables_gset_and_watch(self):
        out = self.ask('alice', "SELECT max(id) AS m FROM crm.customers \\gset\nSELECT :m + 1;\n")
        self.assertEqual(out.strip(), '31')

    def test_fetch_count_uses_a_cursor(self):
        out = self.ask('alice', 'SELECT id FROM sales.orders ORDER BY id', '-v', 'FETCH_COUNT=7')
        self.assertEqual(len(out.split()), len(self.ask('alice', 'SELECT id FROM sales.orders').split()))

    def test_single_transaction(self):
        self.assertEqual(self.ask('alice', 'SELECT 1;\nSELECT 2;\n', '-1').split(), ['1', '2'])


@needs('psycopg2')
class Psycopg2(unittest.TestCase):
    def connect(self, user='alice'):
        import psycopg2
        return psycopg2.connect(proxy.dsn(user))

    def test_rows_types_and_parameters(self):
        with self.connect() as c, c.cursor() as cur:
            cur.execute('SELECT id, amount, created FROM sales.orders WHERE id > %s AND region = %s ORDER BY id LIMIT 1', (3, 'EU'))
            i, amount, created = cur.fetchone()
            self.assertIsInstance(amount, decimal.Decimal)
            self.assertIsInstance(created, datetime.datetime)
            self.assertEqual([d[0] for d in cur.description], ['id', 'amount', 'created'])

    def test_transactions_and_errors(self):
        import psycopg2
        c = self.connect()
        cur = c.cursor()
        with self.assertRaises(psycopg2.errors.UndefinedTable):
            cur.execute('SELECT * FROM vault.keys')
        with self.assertRaises(psycopg2.errors.InFailedSqlTransaction):
            cur.execute('SELECT 1')
        c.rollback()
        cur.execute('SELECT 1')
        with self.assertRaises(psycopg2.errors.UndefinedColumn):
            cur.execute('SELECT phone FROM crm.customers')
        c.rollback()
        with self.assertRaises(psycopg2.errors.InsufficientPrivilege):
            cur.execute('CREATE TABLE x (a int)')
        c.close()

    def test_savepoint(self):
        import psycopg2
        c = self.connect()
        cur = c.cursor()
        cur.execute('SELECT 1')
        cur.execute('SAVEPOINT s')
        with self.assertRaises(psycopg2.Error):
            cur.execute('SELECT * FROM vault.keys')
        cur.execute('ROLLBACK TO SAVEPOINT s')
        cur.execute('SELECT 2')
        self.assertEqual(cur.fetchone(), (2,))
        c.close()

    def test_copy_expert(self):
        with self.connect() as c, c.cursor() as cur, tempfile.TemporaryFile('w+') as out:
            cur.copy_expert('COPY (SELECT id FROM crm.customers ORDER BY id) TO STDOUT WITH CSV', out)
            out.seek(0)
            self.assertEqual([int(x) for x in out.read().split()], VISIBLE_IDS)

    def test_named_cursor(self):
        with self.connect() as c, c.cursor('rows') as cur:
            cur.itersize = 10
            cur.execute('SELECT id FROM crm.customers ORDER BY id')
            self.assertEqual([r[0] for r in cur], VISIBLE_IDS)

    def test_cancel(self):
        import psycopg2
        import threading
        c = self.connect('erin')
        timer = threading.Timer(0.5 * gt.SLOW, c.cancel)
        timer.start()
        with self.assertRaises(psycopg2.errors.QueryCanceled):
            c.cursor().execute('SELECT count(*) FROM sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e')
        c.rollback()
        c.cursor().execute('SELECT 1')
        c.close()


@needs('psycopg')
class Psycopg3(unittest.TestCase):
    def connect(self, user='alice', **more):
        import psycopg
        return psycopg.connect(proxy.dsn(user), **more)

    def test_prepared_and_binary(self):
        with self.connect(prepare_threshold=0) as c:
            for i in VISIBLE_IDS[:5]:
                cur = c.execute('SELECT id, email FROM crm.customers WHERE id = %s', (i,), binary=True)
                self.assertEqual(cur.fetchone()[0], i)
            self.assertIsNone(c.execute('SELECT id FROM crm.customers WHERE id = %s', (1,)).fetchone())

    def test_pipeline(self):
        import psycopg
        if not psycopg.capabilities.has_pipeline() if hasattr(psycopg, 'capabilities') else not psycopg.Pipeline.is_supported():
            self.skipTest('this libpq has no pipeline mode')
        with self.connect(autocommit=True) as c, c.pipeline():
            cursors = [c.execute('SELECT %s::int, count(*) FROM crm.customers', (i,)) for i in range(20)]
            self.assertEqual([cur.fetchone() for cur in cursors], [(i, len(VISIBLE_IDS)) for i in range(20)])

    def test_error_in_a_pipeline(self):
        import psycopg
        with self.connect(autocommit=True) as c:
            with self.assertRaises(psycopg.errors.UndefinedTable):
                with c.pipeline():
                    c.execute('SELECT 1')
                    c.execute('SELECT * FROM vault.keys')
            self.assertEqual(c.execute('SELECT 2').fetchone(), (2,))

    def test_copy_and_stream(self):
        with self.connect() as c, c.cursor() as cur:
            with cur.copy('COPY (SELECT id FROM crm.customers ORDER BY id) TO STDOUT') as copy:
                self.assertEqual([int(row[0]) for row in copy.rows()], VISIBLE_IDS)
            self.assertEqual([r[0] for r in cur.stream('SELECT id FROM crm.customers ORDER BY id')], VISIBLE_IDS)

    def test_executemany_and_transactions(self):
        with self.connect() as c:
            with c.transaction():
                c.execute('SELECT 1')
                with self.assertRaises(Exception), c.transaction():
                    c.execute('SELECT * FROM vault.keys')
                self.assertEqual(c.execute('SELECT 3').fetchone(), (3,))


@needs('asyncpg')
class Asyncpg(unittest.IsolatedAsyncioTestCase):
    async def connect(self, user='alice'):
        import asyncpg
        context = ssl.create_default_context(cafile=str(certs.ca))
        return await asyncpg.connect(host='localhost', port=proxy.port, user=user, password=warehouse.USERS[user],
                                     database='wh', ssl=context, timeout=20)

    async def test_fetch_and_prepare(self):
        c = await self.connect()
        rows = await c.fetch('SELECT c.id, email, amount FROM crm.customers c JOIN sales.orders o ON o.customer_id = c.id WHERE c.id > $1'
                             ' ORDER BY c.id, o.id', 3)
        self.assertTrue(rows)
        self.assertIsInstance(rows[0]['amount'], decimal.Decimal)
        statement = await c.prepare('SELECT id FROM crm.customers WHERE id = $1')
        self.assertEqual([await statement.fetchval(i) for i in (3, 4, 6)], [3, None, 6])
        await c.close()

    async def test_errors(self):
        import asyncpg
        c = await self.connect()
        with self.assertRaises(asyncpg.UndefinedTableError):
            await c.fetch('SELECT * FROM vault.keys')
        with self.assertRaises(asyncpg.UndefinedColumnError):
            await c.fetch('SELECT phone FROM crm.customers')
        self.assertEqual(await c.fetchval('SELECT 1'), 1)
        with self.assertRaises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host='localhost', port=proxy.port, user='alice', password='no', database='wh',
                                  ssl=ssl.create_default_context(cafile=str(certs.ca)))
        await c.close()

    async def test_cursor_and_transaction(self):
        c = await self.connect()
        async with c.transaction():
            seen = [r['id'] async for r in c.cursor('SELECT id FROM crm.customers ORDER BY id', prefetch=4)]
        self.assertEqual(seen, VISIBLE_IDS)
        await c.close()

    async def test_cancel_by_timeout(self):
        c = await self.connect('erin')
        with self.assertRaises(asyncio.TimeoutError):
            await c.fetch('SELECT count(*) FROM sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e',
                          timeout=0.5 * gt.SLOW)
        self.assertEqual(await c.fetchval('SELECT 1'), 1)
        await c.close()

    async def test_copy_out(self):
        c = await self.connect()
        with tempfile.TemporaryFile() as out:
            await c.copy_from_query('SELECT id FROM crm.customers ORDER BY id', output=out)
            out.seek(0)
            self.assertEqual([int(x) for x in out.read().split()], VISIBLE_IDS)
        await c.close()


class Pgbench(unittest.TestCase):
    def test_read_only_script(self):
        with tempfile.NamedTemporaryFile('w', suffix='.sql') as script:
            script.write('\\set id random(1, 30)\nSELECT name FROM crm.customers WHERE id = :id;\n')
            script.flush()
            for protocol in ('simple', 'extended', 'prepared'):
                with self.subTest(protocol=protocol):
                    done = gt.run(gt.PG_BIN / 'pgbench', '-n', '-c', '4', '-t', '50', '-M', protocol, '-f', script.name,
                                  env=proxy.environment('alice'))
                    self.assertIn('number of failed transactions: 0', done.stdout)


if __name__ == '__main__':
    gt.main()
