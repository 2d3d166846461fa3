"""gatehouse.my_access: what a person may see, asked without an admin; it names nothing else."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

WORLD = """
CREATE SCHEMA shop; CREATE SCHEMA hid_vault;
CREATE TABLE shop.orders (id int, region text, email text, total int, hid_margin int, "odd ""\\name" text);
CREATE TABLE shop.regions (region text, title text);
CREATE TABLE shop.inbox (note text, hid_seen bool);
CREATE TABLE shop.hid_table (id int);
CREATE TABLE hid_vault.hid_keys (id int, k text);
"""

POLICY = """
version: 1
roles: { clerk: {}, boss: {}, hid_role: {} }
users:
  mallory: { roles: [clerk, boss], attributes: { region: EU } }
  trudy: { roles: [hid_role] }
masks:
  scrambled: "md5(value || 'HIDDEN')"
grants:
  - to: [clerk]
    tables: [shop.orders]
    columns: [id, region, email, total, '"odd ""\\name"']
    rows: "region = attr('region') AND 'HIDDEN' <> ''"
    mask: { email: scrambled, total: "value - 777" }
  - { to: [boss], tables: [shop.orders], columns: [id, total], rows: "id > 100", valid: { until: 2090-01-01 } }
  - { to: ["user:mallory"], tables: [shop.regions] }
  - { to: [clerk], tables: [shop.inbox], columns: [note], privileges: [insert] }
  - { to: [hid_role], tables: ["*.*"] }
denies:
  - { to: [clerk], tables: [shop.hid_table] }
"""

# Each column of each relation that mallory may use, and nothing more.
EXPECTED = [
    ['shop', 'inbox', 'note', 'unreadable', None, 'none', 'clerk', None],
    ['shop', 'orders', 'email', 'by row', 'scrambled', 'filtered', 'clerk', '2090-01-02 00:00:00+00'],
    ['shop', 'orders', 'id', 'clear', None, 'filtered', 'clerk, boss', '2090-01-02 00:00:00+00'],
    ['shop', 'orders', 'odd "\\name', 'by row', None, 'filtered', 'clerk', '2090-01-02 00:00:00+00'],
    ['shop', 'orders', 'region', 'by row', None, 'filtered', 'clerk', '2090-01-02 00:00:00+00'],
    ['shop', 'orders', 'total', 'by row', 'expression', 'filtered', 'clerk, boss', '2090-01-02 00:00:00+00'],
    ['shop', 'regions', 'region', 'clear', None, 'all', 'user:mallory', None],
    ['shop', 'regions', 'title', 'clear', None, 'all', 'user:mallory', None],
]


def setUpModule():
    global proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('upstream_account', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql(WORLD, 'wh')
    proxy = unittest.enterModuleContext(gt.Gatehouse(
        scratch, pg, certs, policy=POLICY, users={'mallory': 'pw', 'trudy': 'pw'}, upstream_user='upstream_account'))


class MyAccess(unittest.TestCase):
    def test_it_lists_what_one_may_use(self):
        with proxy.wire('mallory') as c:
            c.one("SET timezone = 'UTC'")
            self.assertEqual(c.one('SELECT * FROM gatehouse.my_access ORDER BY table_name, column_name COLLATE "C"'), EXPECTED)

    def test_it_names_nothing_hidden(self):
        with proxy.wire('mallory') as c:
            shown = str(c.one('SELECT * FROM gatehouse.my_access'))
            self.assertNotIn('hid_', shown)
            self.assertNotIn('HIDDEN', shown)
            self.assertNotIn('777', shown)
        with proxy.wire('trudy') as c:
            self.assertIn('hid_keys', str(c.one('SELECT * FROM gatehouse.my_access')))

    def test_it_is_a_relation_in_queries(self):
        with proxy.wire('mallory') as c:
            for sql, expected in (
                    ("SELECT count(*) FROM gatehouse.my_access a JOIN gatehouse.my_access b USING (table_name, column_name)", '8'),
                    ("SELECT a.mask FROM gatehouse.my_access a WHERE a.column_name = 'email' AND a.valid_until > now()", 'scrambled'),
                    ("WITH m AS (TABLE gatehouse.my_access) SELECT count(*) FROM m WHERE shows = 'clear'", '3'),
                    ("SELECT gatehouse.my_access.roles FROM gatehouse.my_access WHERE table_name = 'inbox'", 'clerk')):
                with self.subTest(sql):
                    self.assertEqual(c.one(sql), [[expected]])
            c.one('SET search_path = gatehouse')
            self.assertEqual(c.one('SELECT count(*) FROM my_access'), [['8']])

    def test_it_is_nothing_but_read(self):
        with proxy.wire('mallory') as c:
            for sql in ('DELETE FROM gatehouse.my_access', "UPDATE gatehouse.my_access SET mask = ''",
                        "INSERT INTO gatehouse.my_access (mask) VALUES ('')", 'COPY gatehouse.my_access TO STDOUT',
                        'SELECT * FROM gatehouse.my_access TABLESAMPLE system (1)', 'TRUNCATE gatehouse.my_access'):
                with self.subTest(sql):
                    self.assertEqual(c.query(sql)[-1].sqlstate, '42501')
            self.assertEqual(c.query("SELECT 'gatehouse.my_access'::regclass")[-1].sqlstate, '42P01')
            self.assertEqual(c.query('SELECT * FROM gatehouse.my_acces')[-1].sqlstate, '42P01')


if __name__ == '__main__':
    gt.main()
