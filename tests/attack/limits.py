"""THREATS: denial of service. Every bound of include/gatehouse/limits.h that one statement or message can meet: at the bound it works, one
past it is refused by the SQLSTATE and the text that names the bound, and the session goes on."""
import re
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

HEADER = (gt.ROOT / 'include' / 'gatehouse' / 'limits.h').read_text().replace('\\\n', ' ')
BOUNDS = {name: eval(re.sub(r'(\d)u\b', r'\1', value))  # C's arithmetic is Python's here
          for name, value in re.findall(r'#define (GH_\w+) +(\d+|\(.*\))(?= */\*| *\n)', HEADER)}
STATEMENT_BYTES = 262144  # limits.statement_bytes of this proxy

SCHEMA = """CREATE SCHEMA w; CREATE TABLE w.t (id int, region text); INSERT INTO w.t VALUES (1, 'EU');
CREATE VIEW w.v1 AS SELECT id FROM w.t; GRANT USAGE ON SCHEMA w TO gatehouse;
DO $$ BEGIN FOR i IN 2..{} LOOP EXECUTE format('CREATE VIEW w.v%s AS SELECT id FROM w.v%s', i, i - 1); END LOOP; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA w TO gatehouse""".format(BOUNDS['GH_SQL_VIEW_DEPTH_MAX'] + 1)
POLICY = """version: 1
roles: { reader: { may: [temp_tables] } }
users: { alice: { roles: [reader] } }
grants:
  - { to: [reader], tables: [w.t], rows: "region = 'EU'" }
  - { to: [reader], tables: [w.v*], through: true }
"""

# bound, what of n of them is made, SQLSTATE at the bound, SQLSTATE and text one past it
STATEMENTS = [
    ('GH_SQL_COMMENT_DEPTH_MAX', lambda n: '/*' * n + '*/' * n + 'SELECT 1', None, '54001', 'comments nest deeper than {n}'),
    ('GH_SQL_RELATIONS_MAX', lambda n: ' UNION ALL '.join(['SELECT id FROM w.t WHERE id = 2'] * n), None, '54001', 'more than {n} relations in one statement'),
    ('GH_SQL_STATEMENTS_MAX', lambda n: 'SELECT 1 / 0;' + 'SELECT 1;' * (n - 1), '22012', '54000', 'more than {n} statements in one query'),
    ('GH_SQL_SPECIAL_CALLS_MAX', lambda n: 'SELECT ' + ', '.join(["to_regclass('w.t')"] * n), None, '54000', 'statement asks the catalogs more than {n} questions'),
    ('GH_SQL_VIEW_DEPTH_MAX', lambda n: f'SELECT * FROM w.v{n}', None, '54001', 'views are nested deeper than {n}'),
    ('STATEMENT_BYTES', lambda n: 'SELECT 1 -- '.ljust(n, 'x'), None, '54000', 'the statement is longer than {n} bytes'),
]


def setUpModule():
    global PROXY
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret')
    pg.sql('CREATE DATABASE wh')
    pg.sql(SCHEMA, 'wh')
    PROXY = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'pw'}, limits=f'statement_bytes: {STATEMENT_BYTES}'))


class Limits(unittest.TestCase):
    def setUp(self):
        self.c = PROXY.wire('alice', timeout=60)
        self.addCleanup(self.c.close)

    def goes_on(self):
        self.assertTrue(PROXY.alive())
        self.assertEqual(self.c.one('SELECT count(*) FROM w.t'), [['1']])

    def answer(self, sql, is_extended=False):
        got = self.c.extended(sql) if is_extended else self.c.query(sql)[-1]
        self.goes_on()
        return got.sqlstate, (got.error or {}).get('M')

    def test_statements(self):
        for name, make, at, code, text in STATEMENTS:
            n = BOUNDS.get(name, STATEMENT_BYTES)
            for is_extended in (False, True)[:1 + (name != 'GH_SQL_STATEMENTS_MAX')]:
                with self.subTest(name=name, is_extended=is_extended):
                    self.assertEqual(self.answer(make(n), is_extended)[0], at)
                    self.assertEqual(self.answer(make(n + 1), is_extended), (code, text.format(n=n)))

    def test_nesting(self):
        """How deep the tree is that a text becomes is the parser's word: the bound lies close to it, and one more is past it."""
        bound = BOUNDS['GH_SQL_DEPTH_MAX']
        past = ('54001', f'statement is nested deeper than {bound}')
        for opening, middle, closing, each in (('NOT ', 'true', '', 2), ('(SELECT ', '1', ')', 4)):
            with self.subTest(opening=opening):
                works, fails = 1, bound + 1
                self.assertEqual(self.answer(f'SELECT {opening * fails}{middle}{closing * fails}'), past)
                while fails - works > 1:
                    n = (works + fails) // 2
                    got = self.answer(f'SELECT {opening * n}{middle}{closing * n}')
                    self.assertIn(got, (past, (None, None)))
                    works, fails = (works, n) if got == past else (n, fails)
                self.assertGreater(works * each, bound * 0.9)

    def test_parameters(self):
        n = BOUNDS['GH_WIRE_PARAMS_MAX']
        sql = f'SELECT ${n}::text'
        self.assertEqual(self.c.extended(sql, [None] * (n - 1) + ['last'], [25] * n).rows, [['last']])
        self.goes_on()
        self.c.send(gt.parse_message(f'SELECT ${n + 1}::text'), gt.SYNC)
        self.assertIsNotNone(self.c.results()[-1].sqlstate)
        self.goes_on()

    def test_startup_packet(self):
        bound = BOUNDS['GH_WIRE_STARTUP_MAX']
        for size, is_taken in ((bound + 4, True), (bound + 5, False)):  # behind the length itself
            with self.subTest(size=size):
                c = PROXY.wire('alice', startup=False)
                self.addCleanup(c.close)
                head = struct.pack('!I', 196608) + b'user\0alice\0database\0wh\0application_name\0'
                c.send(struct.pack('!I', size) + head + b'x' * (size - 4 - len(head) - 2) + b'\0\0')
                if is_taken:
                    c.password = 'pw'
                    c.authenticate()
                    self.assertEqual(c.one('SELECT 1'), [['1']])
                else:
                    with self.assertRaises((gt.Closed, gt.ServerError)):
                        c.authenticate()
        self.goes_on()

    def test_temporary_relations(self):
        n = BOUNDS['GH_SESSION_TEMPORARY_MAX']
        self.c.query('BEGIN')
        made = self.c.query(';'.join(f'CREATE TEMP TABLE t{i} (i int)' for i in range(n)))
        self.assertEqual((len(made), made[-1].sqlstate), (n, None))
        self.assertEqual(self.c.query('CREATE TEMP TABLE more (i int)')[-1].sqlstate, '54000')
        self.c.query('ROLLBACK')
        self.goes_on()

    def test_session_statements(self):
        n = BOUNDS['GH_SESSION_STATEMENTS_MAX']
        for i in range(n):
            self.c.send(gt.parse_message('', f's{i}'))
        self.c.send(gt.SYNC)
        self.assertEqual([r.sqlstate for r in self.c.results() if r.sqlstate], [])
        self.c.send(gt.parse_message('', 'more'), gt.SYNC)
        got = self.c.results()[-1]
        self.assertEqual((got.sqlstate, got.error['M']), ('54000', 'too many prepared statements in one session'))
        self.c.send(gt.close_message('S', 's0'), gt.parse_message('', 'more'), gt.SYNC)
        self.assertEqual([r.sqlstate for r in self.c.results() if r.sqlstate], [])
        self.goes_on()

    def test_lexer_work(self):
        """A row of n operator characters is read n + (n - 1) + ... times; as signs before a number so many are nested too deep anyway."""
        work = lambda n: n * (n + 1) // 2 - 4 * len(f'SELECT 1 {"+" * n} 1')
        n = next(n for n in range(1, 5000) if work(n + 1) > BOUNDS['GH_SQL_LEXER_WORK_MAX'])
        at, past = (self.answer(f'SELECT 1 {"+" * k} 1') for k in (n, n + 1))
        self.assertEqual(at, ('54001', f'statement is nested deeper than {BOUNDS["GH_SQL_DEPTH_MAX"]}'))
        self.assertEqual(past, ('54001', 'too many operators or comments without a gap'))

    def test_every_bound_is_read(self):
        self.assertEqual((BOUNDS['GH_SQL_BYTES_MAX'], BOUNDS['GH_WIRE_BODY_MAX'], BOUNDS['GH_SQL_DEPTH_MAX']), (16 << 20, (1 << 30) - 2, 500))


if __name__ == '__main__':
    gt.main()
