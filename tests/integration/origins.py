"""RowDescription names the table and column of a result column as the filtered catalog does, masked or not."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

WORLD = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (gone int, id int, hid_margin int, email text, region text, total int);
ALTER TABLE shop.orders DROP COLUMN gone;
CREATE TABLE shop.regions (region text, title text);
CREATE TABLE shop.notes (id int, note text);
CREATE VIEW shop.totals AS SELECT region, sum(total) AS total FROM shop.orders GROUP BY region;
"""

POLICY = """
version: 1
roles: { clerk: { may: [explain] } }
users: { mallory: { roles: [clerk], attributes: { region: EU } } }
grants:
  - { to: [clerk], tables: [shop.orders], columns: [id, email, region], mask: { email: email } }
  - { to: [clerk], tables: [shop.orders], columns: [id, total], rows: "region = attr('region')" }
  - { to: [clerk], tables: [shop.notes], privileges: [select, insert] }
  - { to: [clerk], tables: [shop.regions, shop.totals] }
"""

ORDERS = ['orders.id', 'orders.email', 'orders.region', 'orders.total']
REGIONS = ['regions.region', 'regions.title']
CASES = [
    ('SELECT * FROM shop.orders', ORDERS),
    ('TABLE shop.orders', ORDERS),
    ('SELECT total, email AS e, id + 1, 1, upper(email) FROM shop.orders o', ['orders.total', 'orders.email', '', '', '']),
    ('SELECT r.*, o.email, shop.orders.total FROM shop.regions r, shop.orders o, shop.orders',
     REGIONS + ['orders.email', 'orders.total']),
    ('SELECT * FROM shop.regions r LEFT JOIN shop.orders o ON o.region = r.region', REGIONS + ORDERS),
    ('SELECT x.total, y.b FROM shop.totals x, shop.orders y (a, b) ORDER BY 1', ['totals.total', '']),
    ('SELECT email, count(*) FROM shop.orders GROUP BY email', ['orders.email', '']),
    ('SELECT DISTINCT total FROM shop.orders LIMIT 1', ['orders.total']),
    ('SELECT email FROM (SELECT total AS email FROM shop.orders) q', ['']),
    ('WITH orders AS (SELECT id AS total FROM shop.orders) SELECT total FROM orders', ['orders.id']),
    ('SELECT email FROM shop.orders UNION SELECT title FROM shop.regions', ['']),
    ('SELECT (SELECT email FROM shop.orders LIMIT 1) FROM shop.regions', ['']),
    ('EXPLAIN SELECT email FROM shop.orders', ['']),
    ('SELECT o FROM shop.orders o', ['']),
]


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('upstream_account', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql(WORLD, 'wh')
    proxy = unittest.enterModuleContext(gt.Gatehouse(
        scratch, pg, certs, policy=POLICY, users={'mallory': 'pw'}, upstream_user='upstream_account'))


class Origins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lines = pg.sql("SELECT attrelid::oid, attnum, relname || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
                       " WHERE relnamespace = 'shop'::regnamespace AND attnum > 0", 'wh').splitlines()
        cls.names = {tuple(int(v) for v in line.split('|')[:2]): line.split('|')[2] for line in lines if line}
        cls.names[0, 0] = ''

    def origins(self, result):
        self.assertIsNone(result.error)
        return [self.names[column[1], column[2]] for column in result.columns]

    def test_simple_and_extended(self):
        with proxy.wire('mallory') as c:
            for sql, expected in CASES:
                with self.subTest(sql):
                    self.assertEqual(self.origins(c.query(sql)[-1]), expected)
                    self.assertEqual(self.origins(c.extended(sql)), expected)

    def test_merged_columns_are_not_guessed(self):
        """PostgreSQL's own answer stays, which knows nothing of a mask."""
        with proxy.wire('mallory') as c:
            for sql in ('SELECT * FROM shop.orders JOIN shop.regions USING (region)',
                        'SELECT * FROM shop.orders NATURAL JOIN shop.regions'):
                with self.subTest(sql):
                    result = c.query(sql)[-1]
                    for column, origin in zip(result.columns, self.origins(result)):
                        self.assertIn(origin.split('.')[-1], ('', column[0]))

    def test_a_write_answers_for_itself(self):
        with proxy.wire('mallory') as c:
            result = c.query('INSERT INTO shop.notes (note) SELECT email FROM shop.orders RETURNING note')[-1]
            self.assertIn(self.origins(result), (['notes.note'], ['']))


if __name__ == '__main__':
    gt.main()
