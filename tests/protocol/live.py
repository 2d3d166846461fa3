"""A policy that changes between Parse, Bind and Execute, and under running statements and open portals."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

WITHOUT_ORDERS = warehouse.POLICY.replace('''  - to: [analyst]
    tables: [sales.orders]
    columns: { except: [note] }
    rows: "region = attr('region')"
    mask: { card: "partial(0,4)" }
''', '')
ALL_ORDERS = warehouse.POLICY.replace('''    columns: { except: [note] }
    rows: "region = attr('region')"
''', '''    columns: { except: [note] }
''')


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, tls='prefer'))


class Live(unittest.TestCase):
    def setUp(self):
        self.assertNotEqual(WITHOUT_ORDERS, warehouse.POLICY)
        self.assertNotEqual(ALL_ORDERS, warehouse.POLICY)
        proxy.obey(warehouse.POLICY)
        self.c = proxy.wire('alice', tls='disable')
        self.addCleanup(self.c.close)

    def kinds(self):
        got = ''
        while not got.endswith('Z'):
            kind, body = self.c.receive()
            if kind == 'E':
                self.error = gt.error_fields(body)
            if kind not in 'NS':
                got += kind
        return got

    def test_policy_between_parse_and_bind(self):
        self.c.send(gt.parse_message('SELECT count(*) FROM sales.orders', 's'), gt.SYNC)
        self.assertEqual(self.kinds(), '1Z')
        use = gt.bind_message(statement='s') + gt.execute_message() + gt.SYNC
        self.c.send(use)
        few = int(self.c.results()[-1].rows[0][0])
        self.assertLess(few, 200)
        proxy.obey(ALL_ORDERS)
        self.c.send(use)
        self.assertEqual(self.c.results()[-1].rows, [['200']])
        proxy.obey(WITHOUT_ORDERS)
        self.c.send(use)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.error['C'], '42P01')
        proxy.obey(warehouse.POLICY)
        self.c.send(use)
        self.assertEqual(self.c.results()[-1].rows, [[str(few)]])

    def test_policy_between_bind_and_execute(self):
        self.c.send(gt.parse_message('SELECT id FROM sales.orders'), gt.bind_message(), gt.FLUSH)
        self.assertEqual([self.c.receive()[0] for _ in range(2)], ['1', '2'])
        proxy.obey(WITHOUT_ORDERS)
        self.c.send(gt.execute_message(), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.error['C'], '42P01')

    def test_open_portal(self):
        self.c.query('BEGIN')
        self.c.send(gt.parse_message('SELECT id FROM sales.orders'), gt.bind_message(portal='p'), gt.execute_message('p', 1), gt.SYNC)
        self.assertEqual(self.kinds(), '12DsZ')
        proxy.obey(WITHOUT_ORDERS)
        self.c.send(gt.execute_message('p', 1), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.c.status, 'E')

    def test_describe_after_a_change(self):
        self.c.send(gt.parse_message('SELECT * FROM sales.orders', 's'), gt.describe_message('S', 's'), gt.SYNC)
        self.assertEqual(self.kinds(), '1tTZ')
        proxy.obey(WITHOUT_ORDERS)
        self.c.send(gt.describe_message('S', 's'), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')

    def test_running_statement_is_cancelled(self):
        self.c.send(gt.query_message('SELECT count(*) FROM sales.orders a, sales.orders b, sales.orders c, sales.orders d, '
                                     'sales.orders e, sales.orders f'))
        gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse' AND state = 'active' AND query LIKE '%count%orders%'").strip() == '1', what='it runs')
        proxy.obey(WITHOUT_ORDERS)
        self.assertEqual(self.kinds().strip('T'), 'EZ')
        self.assertEqual(self.error['C'], '42501')
        self.assertEqual(self.c.one('SELECT 1'), [['1']])

    def test_disabled_user(self):
        proxy.cli('user', 'disable', '--acl', proxy.acl, 'alice')
        try:
            kind, body = self.c.receive()
            self.assertEqual((kind, gt.error_fields(body)['C']), ('E', '57P01'))
            with self.assertRaises(gt.Closed):
                self.c.receive()
        finally:
            proxy.cli('user', 'enable', '--acl', proxy.acl, 'alice')

    def test_new_table_is_seen_at_once(self):
        with proxy.wire('erin', tls='disable') as c:
            for i in range(3):
                pg.sql(f'CREATE TABLE sales.fresh{i} AS SELECT {i} AS id; GRANT ALL ON sales.fresh{i} TO gatehouse', 'wh')
                self.assertEqual(c.one(f'SELECT id FROM sales.fresh{i}'), [[str(i)]])
                pg.sql(f'CREATE TABLE sales.ext{i} AS SELECT {i} AS id; GRANT ALL ON sales.ext{i} TO gatehouse', 'wh')
                self.assertEqual(c.extended(f'SELECT id FROM sales.ext{i}').rows, [[str(i)]])


if __name__ == '__main__':
    gt.main()
