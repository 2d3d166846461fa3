"""THREATS: denial of service. Every bound of include/gatehouse/limits.h that who connects can meet: at the bound it works, one past it is
refused by the SQLSTATE and the text that names the bound, the session goes on and nobody else loses anything. What is tested elsewhere is listed."""
import contextlib
import math
import os
import re
import socket
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
LONG_FILTER = BOUNDS['GH_POLICY_EXPR_MAX'] - 100

# Bounds on files, on what administrators do and on work within: the tests that hold them.
ELSEWHERE = {
    'tests/unit/wire': 'GH_WIRE_AUTH_MAX GH_WIRE_BODY_MAX GH_WIRE_NAME_MAX',
    'tests/unit/auth': 'GH_AUTH_SASL_BYTES_MAX GH_AUTH_PASSWORD_MAX GH_AUTH_SALT_MAX GH_AUTH_ITERATIONS_MAX GH_THROTTLE_ENTRIES'
                       ' GH_THROTTLE_FORGET_MS GH_THROTTLE_FIRST_MS GH_THROTTLE_PAIR_FREE GH_THROTTLE_PAIR_MS GH_THROTTLE_WAIT_MS'
                       ' GH_THROTTLE_USER_FREE GH_THROTTLE_ADDRESS_FREE GH_THROTTLE_SHARED_MS',
    'tests/unit/policy': 'GH_POLICY_ROLE_DEPTH_MAX GH_POLICY_EXPR_MAX GH_POLICY_NAME_MAX GH_POLICY_ENTRIES_MAX GH_POLICY_RULES_MAX'
                         ' GH_POLICY_MASK_ARG_MAX GH_POLICY_ROUND_DIGITS_MAX',
    'tests/unit/config': 'GH_SQL_BYTES_MAX GH_SQL_MEMORY_MAX GH_YAML_BYTES_MAX GH_YAML_DEPTH_MAX GH_CLIENTS_MAX GH_LOGINS_MAX'
                         ' GH_LOGIN_TIMEOUT_MS',
    'tests/unit/audit': 'GH_AUDIT_SQL_MAX GH_AUDIT_JSON_DEPTH_MAX',
    'tests/unit/auditlog': 'GH_AUDIT_RECORD_MAX GH_AUDIT_PENDING_MAX',
    'tests/protocol/prepared.py': 'GH_SESSION_UPSTREAM_STATEMENTS_MAX GH_SESSION_LOOKUPS_MAX GH_SESSION_KEPT_MAX',
    'tests/integration/long_statements.py': 'GH_SQL_INLINE_MAX',
}
# How work is shared out, and where more is not looked at, with no answer of its own; and GH_YAML_NODES_MAX, for which a file must fill gigabytes.
NO_ANSWER = {'GH_YAML_NODES_MAX', 'GH_RELAY_BUFFER_BYTES', 'GH_JUDGE_THREADS_MAX', 'GH_SQL_INLINE_ADDED_MAX', 'GH_SQL_INFER_STEPS_MAX', 'GH_POLICY_MASK_TESTS_MAX',
             'GH_CONTROL_IDLE_MS', 'GH_CONTROL_WAIT_MS', 'GH_CONTROL_RELOAD_MS', 'GH_AUDIT_SEGMENT_BYTES', 'GH_AUDIT_OUTCOME_DELAY_MS'}

SCHEMA = """CREATE SCHEMA w; CREATE TABLE w.t (id int, region text); INSERT INTO w.t VALUES (1, 'EU');
CREATE TABLE w.long (id int, region text); INSERT INTO w.long SELECT id, region FROM w.t;
CREATE VIEW w.v1 AS SELECT id FROM w.t; GRANT USAGE ON SCHEMA w TO gatehouse;
DO $$ BEGIN FOR i IN 2..{} LOOP EXECUTE format('CREATE VIEW w.v%s AS SELECT id FROM w.v%s', i, i - 1); END LOOP; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA w TO gatehouse""".format(BOUNDS['GH_SQL_VIEW_DEPTH_MAX'] + 1)
POLICY = """version: 1
roles: { reader: { may: [temp_tables] } }
users: { alice: { roles: [reader] } }
grants:
  - { to: [reader], tables: [w.t], rows: "region = 'EU'" }
  - { to: [reader], tables: [w.v*], through: true }
  - { to: [reader], tables: [w.long], rows: "region <> '%s'" }
""" % ('x' * LONG_FILTER)


def root(n):
    """Of a square itself, of one more the next one's."""
    return math.isqrt(n - 1) + 1


# bound, what of n of them is made, SQLSTATE at the bound, SQLSTATE and text one past it
STATEMENTS = [
    ('GH_SQL_COMMENT_DEPTH_MAX', lambda n: '/*' * n + '*/' * n + 'SELECT 1', None, '54001', 'comments nest deeper than {n}'),
    ('GH_SQL_RELATIONS_MAX', lambda n: ' UNION ALL '.join(['SELECT id FROM w.t WHERE id = 2'] * n), None, '54001', 'more than {n} relations in one statement'),
    ('GH_SQL_STATEMENTS_MAX', lambda n: 'SELECT 1 / 0;' + 'SELECT 1;' * (n - 1), '22012', '54000', 'more than {n} statements in one query'),
    ('GH_SQL_SPECIAL_CALLS_MAX', lambda n: 'SELECT ' + ', '.join(["to_regclass('w.t')"] * n), None, '54000', 'statement asks the catalogs more than {n} questions'),
    ('GH_SQL_VIEW_DEPTH_MAX', lambda n: f'SELECT * FROM w.v{n}', None, '54001', 'views are nested deeper than {n}'),
    ('GH_SQL_ASSIGNED_MAX', lambda n: 'UPDATE w.t SET (' + ','.join(['id'] * root(n)) + ') = (' + ','.join(['1'] * root(n)) + ')', '42501', '54001', 'rows of too many columns are assigned'),
    ('GH_SQL_SORTED_MAX', lambda n: 'SELECT ' + ','.join(['1'] * 4096) + ' ORDER BY ' + ','.join(['1'] * -(-n // 4096)), '54011', '54001', 'too many columns are sorted by too many'),
    ('STATEMENT_BYTES', lambda n: 'SELECT 1 -- '.ljust(n, 'x'), None, '54000', 'the statement is longer than {n} bytes'),
]


def a_proxy(name, limits=None, **more):
    return gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'pw'}, name=name, limits=limits, **more)


def setUpModule():
    global PROXY, scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret')
    pg.sql('CREATE DATABASE wh')
    pg.sql(SCHEMA, 'wh')
    PROXY = unittest.enterModuleContext(a_proxy('proxy', f'statement_bytes: {STATEMENT_BYTES}'))


def last_that_works(ask, past, works, fails):
    """A great n for which ask(n) is answered, the greatest in a long test; it is PAST from the next on. WORKS and FAILS enclose it, and are asked too."""
    answers = {works: ask(works), fails: ask(fails)}
    assert answers == {works: None, fails: past}, answers
    while os.environ.get('GH_LONG') == '1' and fails - works > 1:
        n = (works + fails) // 2
        got = ask(n)
        assert got in (None, past), (n, got)
        works, fails = (n, fails) if got is None else (works, n)
    return works


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

    def test_search_path(self):
        """However it is set; what is refused changes nothing. A session with the longest is taken over by another mode."""
        n = BOUNDS['GH_SESSION_PATH_MAX']
        past = ('54000', f'the search_path is longer than {n} bytes')
        with a_proxy('paths', pool='mode: session, size: 50 }\n    mode: enforce #') as p, p.wire('alice') as self.c:
            for is_past in (False, True):
                value = 'w,' + 'x' * (n - 2 + is_past)
                for sql, params in ((f"SELECT set_config('search_path', '{value}', false)", None), ("SELECT set_config('search_path', $1, false)", [value]),
                                    ('SET search_path = w, ' + 'xxx, ' * ((n - 10) // 5) + 'x' * (n - 3 - (n - 10) // 5 * 5 + is_past), None)):
                    with self.subTest(sql=sql[:50], is_past=is_past):
                        got = self.c.extended(sql, params) if params else self.c.query(sql)[-1]
                        self.assertEqual((got.sqlstate, (got.error or {}).get('M')), past if is_past else (None, None))
                        self.assertEqual(self.c.one("SELECT length(current_setting('search_path'))"), [[str(n)]])
            self.assertEqual(self.c.one('SELECT count(*) FROM t'), [['1']])
            p.config.write_text(p.config.read_text().replace('mode: enforce', 'mode: observe'))
            p.cli('reload', '--config', p.config)
            gt.wait_for(lambda: 'event=session.renewed' in p.log(), 10, 'the other connection')
            self.assertEqual(self.c.one('SELECT count(*) FROM t'), [['1']])

    def test_savepoints(self):
        """Each keeps a path of its own: 8 times the text, and more."""
        bound, n = BOUNDS['GH_SESSION_SAVEPOINT_BYTES_MAX'], 0
        self.c.query('BEGIN')
        while (got := self.c.query(f"SELECT set_config('search_path', 'w,{'x' * (BOUNDS['GH_SESSION_PATH_MAX'] - 6)}{n:04}', true); SAVEPOINT s")[-1]).error is None:
            n += 1
        self.assertEqual((got.sqlstate, got.error['M']), ('54000', f'too many savepoints in one transaction: they keep more than {bound} bytes'))
        self.assertLess(bound // 12, n * BOUNDS['GH_SESSION_PATH_MAX'])
        self.assertLess(n * BOUNDS['GH_SESSION_PATH_MAX'], bound)
        self.c.query('ROLLBACK TO s; RELEASE s')
        self.assertIsNone(self.c.query('SAVEPOINT again')[-1].error)
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

    def test_what_rewriting_adds(self):
        """A long row filter, many times: what the query adds is all but its own text."""
        bound = BOUNDS['GH_SQL_ADDED_MAX']
        past = ('54000', 'rewritten statement is too long')

        def ask(n):
            got = self.answer(' UNION ALL '.join(['SELECT id FROM w.long'] * n))
            return None if got == (None, None) else got

        expected = bound // LONG_FILTER
        n = last_that_works(ask, past, expected - 1, expected + 1)
        self.assertAlmostEqual(n * LONG_FILTER, bound, delta=2 * LONG_FILTER)

    def test_memory_of_a_statement(self):
        with a_proxy('memory', 'statement_memory: 1MiB', workers=1) as p, p.wire('alice') as c, p.wire('alice') as other:
            c.one('SELECT count(*) FROM w.t')

            def ask(n):
                got = c.query(f'SELECT count(*) FROM w.t WHERE id IN ({",".join(["1"] * n)})')[-1]
                self.assertEqual(other.one('SELECT count(*) FROM w.t'), [['1']])
                self.assertEqual(c.one('SELECT count(*) FROM w.t'), [['1']])
                return (got.sqlstate, got.error['M']) if got.error else None

            n = last_that_works(ask, ('54000', 'statement needs too much memory'), 100, 100000)
            c.query('BEGIN')
            self.assertEqual(c.query(f'SELECT count(*) FROM w.t WHERE id IN ({",".join(["1"] * 100000)})')[-1].sqlstate, '54000')
            self.assertEqual(c.status, 'E')
            c.query('ROLLBACK')
            self.assertEqual(ask(n), None)


class Connections(unittest.TestCase):
    """Each limit at the bound and one past it: who is inside goes on, and a place that becomes free is taken."""

    def told(self, p):
        """What who connects now is told: None is to be let in."""
        try:
            p.wire('alice').close()
            return None
        except gt.ServerError as e:
            return e.fields['S'], e.sqlstate, e.fields['M']

    def test_clients(self):
        n = 5
        with a_proxy('clients', f'clients: {n}', workers=1) as p, contextlib.ExitStack() as held:
            inside = [held.enter_context(p.wire('alice')) for _ in range(n)]
            for c in inside:
                c.query('BEGIN')
            for _ in range(3):
                self.assertEqual(self.told(p), ('FATAL', '53300', 'sorry, too many clients already'))
            for c in inside:
                self.assertEqual((c.one('SELECT count(*) FROM w.t'), c.status), ([['1']], 'T'))
            inside.pop().close()
            gt.wait_for(lambda: self.told(p) is None, 5, 'the place that became free')
            # what was asked with the places taken has taken none
            gt.wait_for(lambda: p.cli('status', '--config', p.config, '--json').stdout.count(f'"clients":{n - 1},') == 1, 5, 'the others are gone')

    def test_logins(self):
        n = 6
        with a_proxy('logins', f'logins: {n}', workers=1) as p, contextlib.ExitStack() as held:
            inside = held.enter_context(p.wire('alice'))

            def half():
                c = held.enter_context(gt.Wire(p.port, 'alice', 'wh', 'pw', tls='sslrequest', startup=False))
                c.send(gt.startup_message({'user': 'alice', 'database': 'wh'}))
                self.assertEqual(c.receive()[0], 'R')  # it has its place
                return c

            waiting = [half() for _ in range(n)]
            self.assertNotIn('event=login.crowded', p.log())
            one_more = half()
            kind, body = waiting[0].receive()
            self.assertEqual((kind, gt.error_fields(body)['C'], gt.error_fields(body)['M']), ('E', '53300', 'too many connections are logging in'))
            self.assertEqual(p.log().count('event=login.crowded'), 1)
            for c in waiting[1:] + [one_more]:  # nobody else was sent away
                c.pending[:0] = gt.message('R', struct.pack('!I', 10))
                c.authenticate()
                self.assertEqual(c.one('SELECT 1'), [['1']])
            self.assertEqual(inside.one('SELECT 1'), [['1']])

    def asked(self, place, request):
        """The first word of the answer of a socket; None: it was closed without one."""
        with contextlib.closing(socket.socket(*place[:1])) as s:
            s.settimeout(20 * gt.SLOW)
            s.connect(place[1])
            with contextlib.suppress(OSError):
                s.sendall(request)
            answer = b''
            with contextlib.suppress(OSError):
                while data := s.recv(65536):
                    answer += data
            return answer.split(maxsplit=2)[:2] if answer else None

    def test_control_and_admin(self):
        port = gt.free_port()
        with a_proxy('asked', workers=1, extra=f'admin: {{ address: 127.0.0.1:{port} }}\n') as p:
            admin, control = (socket.AF_INET, ('127.0.0.1', port)), (socket.AF_UNIX, str(p.dir / 'gatehouse.sock'))
            n = BOUNDS['GH_ADMIN_REQUEST_MAX']
            get = lambda size: b'GET /healthz HTTP/1.1\r\nX: '.ljust(size - 4, b'x') + b'\r\n\r\n'
            self.assertEqual(self.asked(admin, get(n)), [b'HTTP/1.1', b'200'])
            self.assertEqual(self.asked(admin, get(n + 1)), [b'HTTP/1.1', b'400'])
            n = BOUNDS['GH_CONTROL_REQUEST_MAX']
            ask = lambda size: b'status'.ljust(size) + b'\n'
            at, past = self.asked(control, ask(n)), self.asked(control, ask(n + 1))
            self.assertNotEqual(at, past)
            for place, bound, request in ((admin, BOUNDS['GH_ADMIN_CLIENTS_MAX'], get(100)), (control, BOUNDS['GH_CONTROL_CLIENTS_MAX'], b'status\n')):
                with self.subTest(bound=bound), contextlib.ExitStack() as held:
                    def more():
                        s = held.enter_context(socket.socket(place[0]))
                        s.settimeout(20 * gt.SLOW)
                        s.connect(place[1])
                        return s
                    inside = [more() for _ in range(bound)]
                    with contextlib.suppress(OSError):  # a reset: closed with the bytes unread
                        self.assertEqual(more().recv(1), b'')
                    for s in inside:  # none of them was
                        s.sendall(request)
                        self.assertNotEqual(s.recv(1), b'')
                    gt.wait_for(lambda: self.asked(place, request), 5, 'the places are free again')
            with p.wire('alice') as c:
                self.assertEqual(c.one('SELECT 1'), [['1']])


class Complete(unittest.TestCase):
    def test_every_bound_has_a_test(self):
        """As many names as limits.h has; each is in this file, or in the tests that are said to hold it, or has no answer to test."""
        self.assertEqual(len(BOUNDS), len(re.findall(r'^#define GH_\w+ ', HEADER, re.M)))
        self.assertEqual((BOUNDS['GH_SQL_BYTES_MAX'], BOUNDS['GH_WIRE_BODY_MAX'], BOUNDS['GH_SQL_DEPTH_MAX']), (16 << 20, (1 << 30) - 2, 500))
        tested = set(re.findall(r"BOUNDS\['(\w+)'\]|^    \('(GH_\w+)',", Path(__file__).read_text(), re.M))
        held = {name for pair in tested for name in pair if name}
        for place, names in ELSEWHERE.items():
            files = [gt.ROOT / place] if place.endswith('.py') else list((gt.ROOT / place).glob('*.c'))
            text = '\n'.join(f.read_text() for f in files)
            for name in names.split():
                self.assertIn(name, text, f'{place} does not test it')
                held.add(name)
        self.assertEqual(set(BOUNDS) - held, NO_ANSWER)


if __name__ == '__main__':
    gt.main()
