"""Writes whose rows are checked where RETURNING cannot simply have a column more: PREPARE and EXECUTE, COPY."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

WORLD = """
CREATE TABLE t (id int PRIMARY KEY, region text);
INSERT INTO t VALUES (1, 'EU'), (2, 'US');
CREATE TABLE d (id int, region text DEFAULT 'US', note text);
CREATE TABLE triggered (id int, region text);
CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.region := 'US'; RETURN NEW; END $$;
CREATE TRIGGER moves BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION moves();
CREATE TABLE made (id int, region text GENERATED ALWAYS AS (CASE WHEN id > 0 THEN 'EU' ELSE 'US' END) STORED);
CREATE TABLE looked_up (id int, region text);
CREATE TABLE parts (id int, region text) PARTITION BY LIST (region);
CREATE TABLE part_eu PARTITION OF parts FOR VALUES IN ('EU');
CREATE TABLE part_us PARTITION OF parts FOR VALUES IN ('US');
GRANT ALL ON ALL TABLES IN SCHEMA public TO gatehouse;
"""
POLICY = """
version: 1
roles: { clerk: {} }
users: { alice: { roles: [clerk], attributes: { region: EU } } }
grants:
  - { to: [clerk], tables: [public.t, public.d, public.triggered, public.made, public.parts], rows: "region = attr('region')", privileges: [select, insert, update, delete] }
  - { to: [clerk], tables: [public.looked_up], rows: "region IN (SELECT t.region FROM public.t)", privileges: [select, insert] }
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

    def rows(self, table):
        return PG.sql(f'SELECT id, region FROM {table} WHERE id > 2 ORDER BY 1', 'wh').split()

    def test_copy(self):
        copy = lambda sql, data: self.c.query(sql, copy_data=data)[-1]
        self.assertEqual(copy('COPY t FROM STDIN', b'60\tEU\n61\tEU\n').tag, 'COPY 2')
        got = copy('COPY t FROM STDIN', b'62\tEU\n63\tUS\n')
        self.assertEqual((got.sqlstate, got.error['M']), ('42501', 'new row violates row-level security policy for table "t"'))
        self.assertNotIn('63', str(got.error))
        self.assertEqual(copy('COPY t (region, id) FROM STDIN (FORMAT csv) WHERE id < 66', b'EU,65\nUS,66\n').tag, 'COPY 1')
        self.assertEqual(copy('COPY t FROM STDIN WHERE id < 66', b'64\tUS\n').sqlstate, '42501')
        self.assertEqual(copy('COPY t FROM STDIN WHERE false OR region IS NULL', b'67\t\\N\n').sqlstate, '42501')
        self.assertEqual(self.rows('t'), ['60|EU', '61|EU', '65|EU'])

    def test_copy_checks_what_is_stored(self):
        for table, data, sqlstate in (('d (id)', b'5\n', '42501'), ('d (id, region)', b'6\tEU\n', None), ('triggered', b'5\tEU\n', '42501'), ('made', b'5\n', '42501'),
                                      ('looked_up', b'5\tEU\n', '42501'), ('parts', b'5\tEU\n', None), ('parts', b'6\tUS\n', '42501')):
            with self.subTest(table=table, data=data):
                self.assertEqual(self.c.query(f'COPY {table} FROM STDIN', copy_data=data)[-1].sqlstate, sqlstate)
        self.assertEqual([self.rows(t) for t in ('d', 'triggered', 'made', 'looked_up', 'parts')], [['6|EU'], [], [], [], ['5|EU']])


if __name__ == '__main__':
    gt.main()
