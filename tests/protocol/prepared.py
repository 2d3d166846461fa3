"""Thousands of prepared statements: the upstream keeps the latest used, the client notices nothing."""
import random
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

KEPT = 500  # GH_SESSION_UPSTREAM_STATEMENTS_MAX
POLICY = warehouse.POLICY.replace('sees all }', 'sees all, may: [explain] }').replace('denies:', '''  - to: [analyst]
    tables: [sales.inbox]
    privileges: [select, insert]
    rows: "id < 1000"
denies:''') + '''
functions:
  - { to: [everything, analyst], allow: [app.prepared] }
'''


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('CREATE FUNCTION app.prepared() RETURNS bigint VOLATILE LANGUAGE sql AS '
           "'SELECT count(*) FROM pg_prepared_statements'; "
           'CREATE TABLE sales.inbox (id integer, note text); GRANT ALL ON sales.inbox TO gatehouse', 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users=warehouse.USERS, tls='prefer'))


def text(i):
    return f'SELECT {i} + $1::int AS n{i}'


class Prepared(unittest.TestCase):
    def setUp(self):
        self.c = proxy.wire('erin', tls='disable')
        self.addCleanup(self.c.close)

    def prepare(self, numbers):
        self.c.send(*(gt.parse_message(text(i), f's{i}') for i in numbers), gt.SYNC)
        self.c.results()

    def run_one(self, i, *more):
        return (gt.bind_message(['1000'], '', f's{i}'), *more, gt.execute_message())

    def upstream(self):
        return int(self.c.one('SELECT app.prepared()')[0][0])

    def kinds(self):
        got = ''
        while not got.endswith('Z'):
            kind, body = self.c.receive()
            if kind == 'E':
                self.error = gt.error_fields(body)['C']
            if kind not in 'NS':
                got += kind
        return got

    def test_bound_upstream_and_every_statement_usable(self):
        self.prepare(range(KEPT))
        self.assertEqual(self.upstream(), KEPT)
        self.prepare(range(KEPT, 3000))
        self.assertEqual(self.upstream(), KEPT)
        order = list(range(3000))
        random.Random(4).shuffle(order)
        for start in range(0, 3000, 100):
            self.c.send(*(m for i in order[start:start + 100] for m in self.run_one(i)), gt.SYNC)
            rows = [r.rows for r in self.c.results()]
            self.assertEqual(rows, [[[str(i + 1000)]] for i in order[start:start + 100]])
        self.assertEqual(self.upstream(), KEPT)

    def test_least_recently_used_goes(self):
        self.prepare(range(KEPT))
        self.c.send(*self.run_one(0), gt.SYNC)
        self.c.results()
        self.prepare([KEPT])  # takes the place of s1
        for i, messages in ((0, '2DCZ'), (1, '2DCZ')):
            self.c.send(*self.run_one(i), gt.SYNC)
            self.assertEqual(self.kinds(), messages)

    def test_describe_and_close_of_an_evicted_one(self):
        self.prepare(range(KEPT + 3))
        self.c.send(gt.describe_message('S', 's0'), gt.SYNC)
        self.assertEqual(self.kinds(), 'tTZ')
        self.c.send(gt.close_message('S', 's1'), gt.bind_message(['1'], '', 's1'), gt.SYNC)
        self.assertEqual(self.kinds(), '3EZ')
        self.assertEqual(self.error, '26000')
        self.c.send(gt.parse_message(text(7), 's2'), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.error, '42P05')

    def test_in_transactions(self):
        self.c.query('BEGIN')
        self.prepare(range(KEPT + 50))
        self.c.send(*self.run_one(3), gt.SYNC)
        self.assertEqual(self.kinds(), '2DCZ')
        self.c.query('SELECT 1/0')
        self.c.send(*self.run_one(4), gt.SYNC)
        self.assertEqual((self.kinds(), self.error), ('EZ', '25P02'))
        self.c.query('ROLLBACK')
        for i in (3, 4, 20, KEPT + 49):
            self.c.send(*self.run_one(i), gt.SYNC)
            self.assertEqual(self.kinds(), '2DCZ')

    def test_a_failed_pipeline_leaves_the_tables_right(self):
        """What the upstream skipped, evictions among it, is not taken for done."""
        self.prepare(range(KEPT))
        for turn in range(3):
            first = 1000 * (turn + 1)
            self.c.send(gt.parse_message('SELECT 1/0', 'bad'), gt.bind_message((), '', 'bad'), gt.execute_message(),
                        *(gt.parse_message(text(i), f's{i}') for i in range(first, first + 300)), gt.SYNC)
            self.assertEqual(self.kinds(), '1EZ')
            self.c.send(gt.close_message('S', 'bad'), gt.bind_message((), '', f's{first}'), gt.SYNC)
            self.assertEqual((self.kinds(), self.error), ('3EZ', '26000'))
            self.assertLessEqual(self.upstream(), KEPT + 1)
        for i in random.Random(1).sample(range(KEPT), 100):
            self.c.send(*self.run_one(i), gt.SYNC)
            self.assertEqual(self.c.results()[-1].rows, [[str(i + 1000)]])
        self.assertLessEqual(self.upstream(), KEPT + 1)

    def test_suspended_portal_of_an_evicted_statement(self):
        self.c.query('BEGIN')
        self.c.send(gt.parse_message('SELECT generate_series(1, 6)', 'rows'), gt.bind_message((), 'p', 'rows'), gt.execute_message('p', 2), gt.SYNC)
        self.assertEqual(self.c.results()[-1].rows, [['1'], ['2']])
        self.prepare(range(KEPT + 10))
        self.c.send(gt.execute_message('p', 2), gt.SYNC)
        self.assertEqual([r for r in self.c.results() if r.rows][-1].rows, [['3'], ['4']])
        self.c.send(gt.bind_message((), 'q', 'rows'), gt.execute_message('q', 1), gt.execute_message('p', 0), gt.SYNC)
        self.assertEqual([r.rows for r in self.c.results()], [[['1']], [['5'], ['6']]])

    def test_sql_forms_of_an_evicted_one(self):
        self.prepare(range(KEPT + 10))
        self.assertEqual(self.c.one('EXECUTE s0(5)'), [['5']])
        self.assertIsNone(self.c.query('DEALLOCATE s1')[0].error)
        self.assertEqual(self.c.query('EXECUTE s1(5)')[0].sqlstate, '26000')
        self.assertEqual(self.c.query('PREPARE s2 AS SELECT 1')[0].sqlstate, '42P05')
        self.assertEqual(self.c.extended('EXECUTE s3(7)').rows, [['10']])
        self.c.query('BEGIN')
        self.assertEqual(self.c.one('EXECUTE s4(5)'), [['9']])
        self.assertEqual(self.c.status, 'T')
        self.c.query('COMMIT')
        self.c.query('DEALLOCATE ALL')
        self.assertEqual(self.upstream(), 0)
        self.prepare(range(KEPT + 10))
        self.assertEqual(self.c.one('EXECUTE s0(6)'), [['6']])

    def test_explain_of_a_prepared_one(self):
        self.assertEqual(self.c.query('EXPLAIN EXECUTE nosuch')[0].sqlstate, '26000')
        self.c.send(gt.parse_message('SELECT id, amount FROM sales.orders WHERE id = $1', 'sqlx_s_1'), gt.SYNC)
        self.c.results()
        for i in range(KEPT + 5):  # and it is away
            self.c.send(gt.parse_message(text(i), f's{i}'), gt.SYNC)
            self.c.results()
        self.assertIn('"Output"', self.c.one('EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE sqlx_s_1(NULL)')[0][0])
        self.assertIn('orders', self.c.extended('EXPLAIN EXECUTE sqlx_s_1(3)').rows[0][0])
        self.assertEqual(self.c.one('EXECUTE sqlx_s_1(3)')[0][0], '3')
        self.assertEqual(self.c.query('EXPLAIN ANALYZE EXECUTE sqlx_s_1(3)')[0].sqlstate, '42501')
        self.assertEqual(self.c.query('EXPLAIN (ANALYZE false) EXECUTE sqlx_s_1(3)')[0].sqlstate, '42501')
        with proxy.wire('alice') as c:  # a write that is checked: neither run nor its answer trimmed
            c.query("PREPARE w AS INSERT INTO sales.inbox VALUES (5, 'explained') RETURNING id")
            self.assertEqual(c.query('EXPLAIN EXECUTE w')[0].sqlstate, '42501')
        self.assertEqual(pg.sql("SELECT count(*) FROM sales.inbox WHERE note = 'explained'", 'wh').strip(), '0')

    def test_catalogs_show_the_client_its_own_words(self):
        """As PostgreSQL shows them to who is not filtered; nothing of what was sent instead."""
        statements = 'SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY name'
        cursors = 'SELECT name, statement, is_holdable, is_binary, is_scrollable FROM pg_cursors ORDER BY name'
        steps = [
            lambda c: c.send(gt.parse_message('SELECT id  FROM sales.orders WHERE region = $1 /* ä */', 'by region'), gt.SYNC),
            lambda c: c.send(gt.query_message('PREPARE q (int) AS SELECT * FROM sales.orders WHERE id < $1')),
            lambda c: c.send(gt.query_message('BEGIN')), lambda c: c.send(gt.query_message('DECLARE k NO SCROLL CURSOR FOR TABLE sales.orders')),
            lambda c: c.send(gt.parse_message('SELECT 1'), gt.bind_message(), gt.execute_message(), gt.parse_message('VALUES (2)', 'v'),
                             gt.bind_message(portal='p', statement='v'), gt.SYNC),
            lambda c: c.send(gt.parse_message(statements, 's'), gt.parse_message(cursors, 'c'), gt.SYNC),
            lambda c: c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.bind_message(statement='c'), gt.execute_message(), gt.SYNC),
            lambda c: c.send(gt.query_message(statements)), lambda c: c.send(gt.query_message(cursors)),
            lambda c: c.send(gt.close_message('P', 'p'), gt.close_message('S', 'by region'), gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC),
            lambda c: c.send(gt.query_message('CLOSE k; DEALLOCATE q; ' + statements)),
            lambda c: c.send(gt.query_message('SELECT count(*) FROM pg_cursors')),
            lambda c: c.send(gt.query_message('COMMIT; DEALLOCATE ALL; SELECT count(*) FROM pg_prepared_statements')),
        ]
        with proxy.wire('alice') as c, gt.Wire(pg.port, 'gatehouse', 'wh', 'upstream-secret', tls='sslrequest') as direct:
            for i, step in enumerate(steps):
                with self.subTest(step=i):
                    step(c)
                    step(direct)
                    seen, wanted = ([(r.rows, r.error) for r in who.results()] for who in (c, direct))
                    # The portal that runs in the extended protocol shows itself there.
                    wanted = [([row for row in rows if row[0] != ''], error) for rows, error in wanted]
                    self.assertEqual(seen, wanted)
            self.assertNotIn(b'EU', c.received_bytes(), "the row filter's value")

    def test_bound_of_a_session(self):
        for start in range(0, 10000, 500):
            self.prepare(range(start, start + 500))
        self.c.send(gt.parse_message('SELECT 1', 'one more'), gt.SYNC)
        self.assertEqual((self.kinds(), self.error), ('EZ', '54000'))
        self.c.send(*self.run_one(0), gt.SYNC)
        self.assertEqual(self.kinds(), '2DCZ')


class Large(unittest.TestCase):
    """A Bind whose result formats come behind more bytes than a buffer holds, where Gatehouse adds a column."""

    def test_bind_of_a_checked_insert(self):
        for size in (10, 65000, 65535, 65536, 70000, 300000, 3000000, 15 << 20):
            for formats in ((), (0,), (1,), (0, 0), (1, 0), (1, 1)):
                with self.subTest(size=size, formats=formats), proxy.wire('alice', tls='disable') as c:
                    note = 'x' * size
                    c.query('BEGIN')
                    c.send(gt.parse_message('INSERT INTO sales.inbox (id, note) VALUES ($1, $2) RETURNING id, length(note)', '', (23, 25)),
                           gt.bind_message(['7', note], '', '', (), formats), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
                    result = c.results()[-1]
                    self.assertIsNone(result.error)
                    id_binary = formats[:1] == (1,)
                    length_binary = formats in ((1,), (1, 1))
                    self.assertEqual(result.rows, [[struct.pack('!i', 7) if id_binary else '7',
                                                    struct.pack('!i', size) if length_binary else str(size)]])
                    c.query('ROLLBACK')

    def test_refused_row(self):
        with proxy.wire('alice', tls='disable') as c:
            c.send(gt.parse_message('INSERT INTO sales.inbox (id, note) VALUES ($1, $2) RETURNING id, note', '', (23, 25)),
                   gt.bind_message(['1000', 'x' * 100000], '', '', (), (0, 0)), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '42501')
            self.assertEqual(c.one('SELECT 1'), [['1']])


if __name__ == '__main__':
    gt.main()
