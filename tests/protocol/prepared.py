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


class Lookups(unittest.TestCase):
    """A Query that comes again with another key is sent as a prepared statement: src/session/lookup.c."""

    AGAIN = 6  # more than USES_BEFORE
    KEPT = 64  # GH_SESSION_LOOKUPS_MAX

    def setUp(self):
        self.c = proxy.wire('alice', tls='disable')
        self.addCleanup(self.c.close)

    def upstream(self, c=None):
        return int((c or self.c).one('SELECT app.prepared()')[0][0])

    def answer(self, c, sql):
        """All bytes to the client but what differs by session."""
        c.log.clear()
        c.query(sql)
        return c.received_bytes()

    def repeated(self, c, sql):
        """How many the upstream has once it came often; a catalog that is read again meanwhile begins anew."""
        for i in range(self.AGAIN):
            self.assertIsNone(c.query(sql % (i + 1))[0].error)
        return self.upstream(c)

    def warm(self, sql='SELECT name FROM crm.customers WHERE id = %d', c=None):
        gt.wait_for(lambda: self.repeated(c or self.c, sql), what='a prepared lookup')

    def test_answers_are_those_of_a_query(self):
        """Byte for byte what a session answers in which it comes for the first time: rows, columns, errors and their positions."""
        texts = [
            'SELECT name, email, region FROM crm.customers WHERE id = {0}',
            'SELECT * FROM crm.customers c WHERE c.id = {0} AND vip ORDER BY c.name LIMIT {1}',
            "SELECT id, joined FROM crm.customers WHERE {0} = id AND joined > '2020-0{1}-01' AND email IS NOT NULL;",
            "SELECT id FROM crm.customers WHERE id = {0} AND name <> 'Customer {1}' AND name >= 'é'",
            "SELECT id, created FROM sales.orders WHERE id = {0} AND created > '2024-01-0{1} 05:00'",
            "SELECT id FROM crm.customers WHERE id = '{0}'",
            "SELECT id FROM crm.customers WHERE id = '{0}' AND joined = 'neither{1}'",  # no value of the type
            'SELECT id FROM crm.customers WHERE id = {0}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}',  # bigint, then numeric
            'SELECT id FROM crm.customers WHERE id = {0} LIMIT -{1}',
            'SELECT id FROM crm.customers WHERE id = {0} AND region < {1}',  # no such operator
            'SELECT id FROM crm.customers WHERE id = -{0} AND region <> \'{1}\'',
            'SELECT amount, note FROM sales.orders WHERE id = {0}',  # not granted
        ]
        for text in texts:
            for i in range(1, self.AGAIN + 1):
                sql = text.format(i, i % 3 + 1)
                with self.subTest(sql=sql), proxy.wire('alice', tls='disable') as fresh:
                    self.assertEqual(self.answer(self.c, sql), self.answer(fresh, sql))
                    self.assertEqual(self.c.status, 'I')
        self.assertGreaterEqual(self.upstream(), 5)

    def test_what_finds_no_row_by_its_key_is_planned_each_time(self):
        for sql in ('SELECT id FROM crm.customers WHERE region = \'E%d\'', 'SELECT id FROM crm.customers WHERE id > %d',
                    'SELECT id + %d FROM crm.customers WHERE id = 1', 'SELECT id FROM crm.customers WHERE id = 1 OR id = %d',
                    'SELECT id FROM crm.customers WHERE NOT id = %d', 'SELECT count(*) FROM crm.customers WHERE id = %d',
                    'SELECT id FROM crm.customers WHERE id = %d FOR UPDATE', 'SELECT c.id FROM crm.customers c, sales.orders WHERE c.id = %d',
                    'UPDATE crm.customers SET name = name WHERE id = %d'):
            for i in range(self.AGAIN):
                self.c.query(sql % i)
        self.assertEqual(self.upstream(), 0)

    def test_the_table_changes(self):
        """ALTER TABLE makes a prepared statement's result another, which PostgreSQL refuses; nobody hears of it."""
        pg.sql('CREATE TABLE crm.changing (id int PRIMARY KEY, v int); INSERT INTO crm.changing SELECT i, i FROM generate_series(1, 9) i; '
               'GRANT SELECT ON crm.changing TO gatehouse', 'wh')
        with proxy.wire('erin', tls='disable') as c, proxy.wire('erin', tls='disable') as other:
            gt.wait_for(lambda: not c.query('SELECT v FROM crm.changing WHERE id = 1')[0].error)
            for who in (c, other):
                self.warm('SELECT v FROM crm.changing WHERE id = %d', who)
                self.assertEqual(who.one('SELECT v FROM crm.changing WHERE id = 2'), [['2']])
            other.query('BEGIN')  # where what fails cannot be sent again
            pg.sql('ALTER TABLE crm.changing ALTER v TYPE text USING repeat(v::text, 2)', 'wh')
            self.assertEqual(other.one('SELECT v FROM crm.changing WHERE id = 4'), [['44']])
            other.query('COMMIT')
            for i in range(self.AGAIN):
                result = c.query(f'SELECT v FROM crm.changing WHERE id = {i + 1}')
                self.assertEqual([(r.error, r.rows, r.columns[0][3]) for r in result], [(None, [[str(i + 1) * 2]], 25)])
            pg.sql('DROP TABLE crm.changing', 'wh')
            result = c.query('SELECT v FROM crm.changing WHERE id = 1')
            self.assertEqual([r.sqlstate for r in result], ['42P01'])

    def test_settings_by_which_constants_are_read(self):
        sql = "SELECT id FROM sales.orders WHERE id = 2 AND created = '2024-01-01 %s'"
        for zone, hour in (('UTC', '14:00'), ('Asia/Tokyo', '23:00')) * 2:
            self.c.query(f"SET TimeZone TO '{zone}'")
            for _ in range(self.AGAIN):
                self.assertEqual(self.c.one(sql % hour), [['2']])
        self.c.query('BEGIN')
        self.c.query("SET LOCAL TimeZone TO 'UTC'")
        self.assertEqual(self.c.one(sql % '14:00'), [['2']])
        self.c.query('ROLLBACK')
        self.assertEqual((self.c.one(sql % '14:00'), self.c.one(sql % '23:00')), ([], [['2']]))

    def test_beside_transactions_and_names(self):
        sql = 'SELECT name FROM crm.customers WHERE id = %d'
        visible = [['Customer 3']]
        self.warm()
        for before, after, status in (('BEGIN', 'COMMIT', 'T'), ('BEGIN', 'ROLLBACK', 'T'), ('DEALLOCATE ALL', 'SELECT 1', 'I'),
                                      ('DISCARD ALL', 'SELECT 1', 'I'), ('DISCARD PLANS', 'SELECT 1', 'I'), ('RESET ALL', 'SELECT 1', 'I'),
                                      ('CREATE TEMP TABLE t AS SELECT 1', 'SELECT 1', 'I')):
            with self.subTest(before=before):
                self.c.query(before)
                for _ in range(self.AGAIN):
                    self.assertEqual((self.c.one(sql % 3), self.c.status), (visible, status))
                self.c.query(after)
                gt.wait_for(lambda: self.upstream() or self.repeated(self.c, sql), what='a prepared lookup')
        self.c.query('BEGIN; SELECT 1/0')
        self.assertEqual(self.c.query(sql % 3)[0].sqlstate, '25P02')
        self.c.query('ROLLBACK')
        self.c.send(gt.parse_message('SELECT 7'), gt.SYNC)
        self.c.results()
        self.assertEqual(self.c.one(sql % 3), visible)
        self.c.send(gt.bind_message(), gt.SYNC)  # a Query takes the unnamed statement away
        self.assertEqual([r.sqlstate for r in self.c.results()], ['26000'])
        self.assertEqual(self.c.one('SELECT count(*) FROM pg_prepared_statements'), [['0']])

    def test_pipelined_queries(self):
        self.warm()
        self.c.send(*(gt.query_message(f'SELECT id FROM crm.customers WHERE id = {i}') for i in range(1, 31)))
        rows = [r.rows for i in range(30) for r in self.c.results()]
        self.assertEqual(rows, [[[str(i)]] if i % 3 == 0 else [] for i in range(1, 31)])

    def test_bound(self):
        for i in range(self.KEPT + 30):
            for key in range(self.AGAIN):
                rows = self.c.one(f'SELECT id AS n{i} FROM crm.customers WHERE id = {key}')
                self.assertEqual(rows, [[str(key)]] if key in (3,) else [])
        # Where the catalog is read again meanwhile, those that were about to be prepared are not.
        self.assertIn(self.upstream(), range(self.KEPT // 2, self.KEPT + 1))

    def test_a_policy_that_changes(self):
        """What is prepared was judged by the policy before; what comes next is not sent so."""
        self.warm('SELECT name FROM crm.customers WHERE id = 3 AND name <> \'%d\'')
        ask = lambda i: self.c.one(f"SELECT name FROM crm.customers WHERE id = 3 AND name <> '{i}'")
        try:
            proxy.apply(POLICY.replace("region = attr('region')", "region = 'US'"))
            gt.wait_for(lambda: ask(0) == [])
            self.assertEqual([ask(i) for i in range(self.AGAIN)], [[]] * self.AGAIN)
        finally:
            proxy.apply(POLICY)
        gt.wait_for(lambda: ask(0) != [])
        self.assertEqual([ask(i) for i in range(self.AGAIN)], [[['Customer 3']]] * self.AGAIN)


class UnnamedLookups(unittest.TestCase):
    """A Parse that comes again means a statement that was prepared before: src/session/lookup_parse.c."""

    AGAIN, KEPT = Lookups.AGAIN, 16384  # GH_SESSION_KEPT_MAX
    SQL = 'SELECT name, email FROM crm.customers WHERE id = $1'

    def setUp(self):
        self.c = proxy.wire('alice', tls='disable')
        self.addCleanup(self.c.close)

    upstream = Lookups.upstream

    def run_of(self, key, sql=SQL, types=()):
        return (gt.parse_message(sql, '', types), gt.bind_message([key]), gt.describe_message('P'), gt.execute_message())

    def answer(self, c, *messages):
        """All that comes until ReadyForQuery, but parameters."""
        c.send(*messages)
        out = []
        while not out or out[-1][0] != 'Z':
            out.append(c.receive())
        c.log.clear()
        return [m for m in out if m[0] != 'S']

    def repeated(self, c=None, sql=SQL, types=()):
        for i in range(self.AGAIN):
            self.answer(c or self.c, *self.run_of(i + 1, sql, types), gt.SYNC)
        return self.upstream(c)

    def warm(self, c=None, sql=SQL, types=(), count=1):
        gt.wait_for(lambda: self.repeated(c, sql, types) >= count, what='a prepared lookup')

    def same(self, *batches):
        with proxy.wire('alice', tls='disable') as fresh:
            expected = [self.answer(fresh, *messages, gt.SYNC) for messages in batches]
            self.assertEqual([self.answer(self.c, *messages, gt.SYNC) for messages in batches], expected)
            return ''.join(kind for kind, _ in expected[0])

    def test_answers_are_those_of_a_statement_parsed_now(self):
        self.warm()
        parse, bind, describe, execute = self.run_of(3)
        binary = struct.pack('!i', 3)
        for kinds, messages in (
                ('12TDCZ', self.run_of(3)), ('12TCZ', self.run_of(1)), ('12DCZ', (parse, bind, execute)),
                ('1EZ', self.run_of('x')), ('1EZ', self.run_of(3000000000)), ('1EZ', (parse, gt.bind_message([3, 4]), execute)),
                ('1tTZ', (parse, gt.describe_message('S'))), ('1tT2TDCZ', (parse, gt.describe_message('S'), bind, describe, execute)),
                ('12TDCZ', (parse, gt.bind_message([binary], '', '', (1,), (1, 0)), describe, execute)),
                ('1EZ', (parse, gt.bind_message([b'12345'], '', '', (1,)), execute)), ('1EZ', (parse, gt.bind_message([3], '', '', (), (0, 0, 0)), execute)),
                ('12DCZ', (parse, gt.bind_message([3], 'portal'), gt.execute_message('portal', 5))),
                ('1Z', (parse,)), ('1EZ', (parse, gt.describe_message('P', 'none'))), ('13Z', (parse, gt.close_message('S'))),
                ('13EZ', (parse, gt.close_message('S'), bind)), ('11Z', (parse, parse)), ('1EZ', (parse, gt.parse_message('SELECT nothing FROM crm.customers'))),
                ('1EZ', (parse, gt.bind_message([3], '', 'none'))), ('12DC12DCZ', (parse, bind, execute, parse, bind, execute)),
                ('12DC1EZ', (parse, bind, execute, parse, gt.bind_message(['x']), execute)),
                ('12EZ', (parse, bind, gt.execute_message('none'))), ('12DC2CZ', (parse, bind, execute, gt.bind_message([4]), execute))):
            with self.subTest(kinds=kinds):
                # and it is the statement that a later message means
                self.assertEqual(self.same(messages, (bind, describe, execute)), kinds)
                self.warm()

    def test_flush(self):
        """Who asks for the answers so far has them, though nothing was sent."""
        self.warm()
        parse, bind, describe, execute = self.run_of(3)
        for before, kinds in (((parse,), '1'), ((parse, bind), '12'), ((parse, gt.describe_message('S')), '1tT'), ((parse, bind, describe), '12T')):
            for _ in range(2):
                self.c.send(*before, gt.FLUSH)
                self.assertEqual(''.join(self.c.receive()[0] for _ in kinds), kinds)
                self.assertEqual(''.join(k for k, _ in self.answer(self.c, bind, execute, gt.SYNC)), '2DCZ')
            self.answer(self.c, gt.query_message('DEALLOCATE ALL'))
            self.warm()
        for size in (1, 7):  # messages that come in pieces
            data = b''.join((parse, bind, describe, execute, gt.SYNC))
            for i in range(0, len(data), size):
                self.c.send(data[i:i + size])
            self.assertEqual(''.join(k for k, _ in self.answer(self.c)), '12TDCZ')

    def test_long_messages(self):
        sql = 'SELECT id FROM crm.customers WHERE id = $1 AND name <> $2'
        run = lambda n: (gt.parse_message(sql), gt.bind_message([3, 'x' * n]), gt.execute_message())
        gt.wait_for(lambda: [self.answer(self.c, *run(9), gt.SYNC) for _ in range(self.AGAIN)] and self.upstream(), what='a prepared lookup')
        for n in (self.KEPT - 200, self.KEPT, 70000, 300000, 9):
            self.assertEqual(self.same(run(n), (gt.bind_message([3, 'y' * n]), gt.execute_message())), '12DCZ')

    def test_the_table_changes(self):
        """What makes a prepared statement out of date nobody hears of where a Parse would have done."""
        pg.sql('CREATE TABLE crm.altered (id int PRIMARY KEY, v int); INSERT INTO crm.altered SELECT i, i FROM generate_series(1, 9) i; '
               'GRANT SELECT ON crm.altered TO gatehouse', 'wh')
        sql = 'SELECT v FROM crm.altered WHERE id = $1'
        kinds = lambda answer: ''.join(k for k, _ in answer)
        rows = lambda answer: [body[6:] for k, body in answer if k == 'D']
        with proxy.wire('erin', tls='disable') as c, proxy.wire('erin', tls='disable') as other:
            gt.wait_for(lambda: not c.query('SELECT v FROM crm.altered WHERE id = 1')[0].error)
            for who in (c, other):
                self.warm(who, sql)
            pg.sql('ALTER TABLE crm.altered ALTER v TYPE text USING repeat(v::text, 2)', 'wh')
            answer = self.answer(c, gt.parse_message(sql), gt.describe_message('S'), gt.SYNC)
            self.assertEqual(kinds(answer), '1tTZ')
            answer = self.answer(c, gt.bind_message([4]), gt.execute_message(), gt.SYNC)
            self.assertEqual((kinds(answer), rows(answer)), ('2DCZ', [b'44']))
            for i in range(1, self.AGAIN):
                for who in (c, other):
                    answer = self.answer(who, *self.run_of(i, sql), gt.SYNC)
                    self.assertEqual((kinds(answer), rows(answer)), ('12TDCZ', [str(i).encode() * 2]))
            audit = proxy.audit()
            asked = {r['statement'] for r in audit if r['kind'] == 'intent' and r['sql'] == sql}
            failed = [r['sqlstate'] for r in audit if r['kind'] == 'outcome' and r['statement'] in asked and r['sqlstate']]
            self.assertEqual(failed, ['0A000'])  # of the one whose Execute had gone along
            pg.sql('DROP TABLE crm.altered', 'wh')
            self.assertEqual(kinds(self.answer(c, *self.run_of(1, sql), gt.SYNC)), 'EZ')

    def test_beside_transactions_and_names(self):
        self.warm()
        parse, bind, describe, execute = self.run_of(3)
        kinds = lambda *messages: ''.join(k for k, _ in self.answer(self.c, *messages))
        for before, after in (('BEGIN', 'COMMIT'), ('BEGIN', 'ROLLBACK'), ('DEALLOCATE ALL', 'SELECT 1'), ('DISCARD ALL', 'SELECT 1'),
                              ("SET TimeZone TO 'Asia/Tokyo'", 'RESET ALL'), ('CREATE TEMP TABLE t AS SELECT 1', 'DROP TABLE t')):
            with self.subTest(before=before):
                self.c.query(before)
                for _ in range(2):
                    self.assertEqual(kinds(parse, bind, describe, execute, gt.SYNC), '12TDCZ')
                self.c.query(after)
                self.assertEqual(kinds(bind, execute, gt.SYNC), 'EZ')  # a Query takes it away
                self.warm()
        self.c.query('BEGIN; SELECT 1/0')
        self.assertEqual(kinds(parse, bind, execute, gt.SYNC), 'EZ')
        self.c.query('ROLLBACK')
        self.answer(self.c, parse, gt.SYNC)
        self.assertEqual(kinds(gt.parse_message('BEGIN', 'b'), gt.bind_message((), '', 'b'), execute, bind, execute, gt.SYNC), '12C2DCZ')
        self.assertEqual(kinds(gt.query_message('ROLLBACK')), 'CZ')
        self.assertEqual(self.c.one('SELECT count(*) FROM pg_prepared_statements'), [['1']])

    def test_pipelines(self):
        self.warm()
        self.c.send(*(m for i in range(1, 31) for m in (*self.run_of(i), gt.SYNC)))
        rows = [len(r.rows) for i in range(30) for r in self.c.results()]
        self.assertEqual(rows, [int(i % 3 == 0) for i in range(1, 31)])
        self.c.send(*(m for i in range(1, 31) for m in (*self.run_of('x' if i == 1 else i), gt.SYNC)))
        errors = [r.sqlstate for i in range(30) for r in self.c.results()]
        self.assertEqual(errors, ['22P02'] + [None] * 29)

    def test_what_finds_no_row_by_its_key_is_planned_each_time(self):
        for sql in ('SELECT id FROM crm.customers WHERE id > $1', 'SELECT id + $1 FROM crm.customers WHERE id = 1', 'SELECT id FROM crm.customers WHERE id = 1 OR id = $1',
                    'SELECT id FROM crm.customers WHERE id = $1 FOR UPDATE', 'UPDATE crm.customers SET name = name WHERE id = $1'):
            self.assertEqual(self.repeated(sql=sql), 0)
        self.warm(sql='SELECT id FROM crm.customers WHERE id = $1 LIMIT $1', types=(23,))
        self.warm(sql='SELECT id FROM crm.customers WHERE id = $1 LIMIT $1', types=(20,), count=2)

    def test_a_policy_that_changes(self):
        self.warm()
        found = lambda: [len(self.c.extended(self.SQL, [key]).rows) for key in (3, 2)]
        bound = lambda: [r.rows != [] for r in self.c.results()]
        self.assertEqual(found(), [1, 0])
        self.c.send(gt.parse_message(self.SQL), gt.bind_message([3]), gt.SYNC)
        self.c.results()
        try:
            proxy.apply(POLICY.replace("region = attr('region')", "region = 'US'"))
            # The statement that is there is judged again when it is bound.
            gt.wait_for(lambda: (self.c.send(gt.bind_message([3]), gt.execute_message(), gt.SYNC), bound())[1] == [False])
            self.assertEqual([found()[0] for _ in range(self.AGAIN)], [0] * self.AGAIN)
        finally:
            proxy.apply(POLICY)
        gt.wait_for(lambda: found() == [1, 0])
        self.assertEqual([found() for _ in range(self.AGAIN)], [[1, 0]] * self.AGAIN)


if __name__ == '__main__':
    gt.main()
