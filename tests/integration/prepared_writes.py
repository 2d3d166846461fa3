"""Writes whose rows are checked, by PREPARE and EXECUTE: the check is made, and nobody sees its column."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

WORLD = """
CREATE TABLE t (id int PRIMARY KEY, region text);
INSERT INTO t VALUES (1, 'EU'), (2, 'US');
GRANT ALL ON t TO gatehouse;
"""
POLICY = """
version: 1
roles: { clerk: {} }
users: { alice: { roles: [clerk], attributes: { region: EU } } }
grants:
  - { to: [clerk], tables: [public.t], rows: "region = attr('region')", privileges: [select, insert, update, delete] }
"""


def setUpModule():
    global PG, PROXY
    scratch, certs, PG = gt.module_fixture()
    PG.role('gatehouse', 'upstream-secret')
    PG.sql('CREATE DATABASE wh')
    PG.sql(WORLD, 'wh')
    PROXY = unittest.enterModuleContext(gt.Gatehouse(scratch, PG, certs, policy=POLICY, users={'alice': 'pw'}))


class PreparedWrites(unittest.TestCase):
    def setUp(self):
        self.c = PROXY.wire('alice')
        self.addCleanup(self.c.close)
        self.c.query("PREPARE p AS INSERT INTO t VALUES ($1, $2); PREPARE r AS INSERT INTO t VALUES ($1, $2) RETURNING id, region")

    def tearDown(self):
        PG.sql('DELETE FROM t WHERE id > 2', 'wh')

    def check(self, run):
        got = run("EXECUTE p (10, 'EU')")
        self.assertEqual((got.sqlstate, got.tag, got.columns, got.rows), (None, 'INSERT 0 1', None, []))
        got = run("EXECUTE r (11, 'EU')")
        self.assertEqual((got.tag, got.names, got.rows), ('INSERT 0 1', ['id', 'region'], [['11', 'EU']]))
        for name in 'pr':
            got = run(f"EXECUTE {name} (12, 'US')")
            self.assertEqual((got.sqlstate, got.error['M']), ('42501', 'new row violates row-level security policy for table "t"'))
        self.assertEqual(PG.sql('SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM t', 'wh').strip(), '1,2,10,11')

    def test_simple_protocol(self):
        self.check(lambda sql: self.c.query(sql)[-1])

    def test_extended_protocol(self):
        self.check(self.c.extended)

    def test_formats_count_what_is_shown(self):
        self.assertEqual(self.c.extended("EXECUTE r (20, 'EU')", result_formats=(1, 0)).rows, [[b'\x00\x00\x00\x14', 'EU']])

    def test_what_the_protocol_prepared(self):
        self.c.extended('INSERT INTO t VALUES ($1::int, $2::text)', ('30', 'EU'), name='n')
        got = self.c.query("EXECUTE n (31, 'EU')")[-1]
        self.assertEqual((got.tag, got.columns, got.rows), ('INSERT 0 1', None, []))
        self.assertEqual(self.c.query("EXECUTE n (32, 'US')")[-1].sqlstate, '42501')

    def test_in_one_query(self):
        results = self.c.query("PREPARE q AS UPDATE t SET region = $1 WHERE id = 1; EXECUTE q ('EU'); DEALLOCATE q")
        self.assertEqual([(r.tag, r.columns) for r in results], [('PREPARE', None), ('UPDATE 1', None), ('DEALLOCATE', None)])

    def test_the_name_goes_while_it_is_executed(self):
        self.c.send(gt.query_message("EXECUTE p (40, 'EU')"), gt.close_message('S', 'p'), gt.message('S'))
        first, second = self.c.results(), self.c.results()
        self.assertEqual([(r.tag, r.columns, r.rows) for r in first], [('INSERT 0 1', None, [])])
        self.assertFalse(any(r.sqlstate for r in second))
        self.assertEqual(self.c.query("EXECUTE p (41, 'EU')")[-1].sqlstate, '26000')

    def test_a_policy_change_is_obeyed(self):
        PROXY.apply(POLICY.replace("region = attr('region')", "region = 'US'"))
        try:
            gt.wait_for(lambda: self.c.query("EXECUTE p (50, 'EU')")[-1].sqlstate == '42501', what='the refusal')
        finally:
            PROXY.apply(POLICY)


if __name__ == '__main__':
    gt.main()
