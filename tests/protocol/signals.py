"""pg_cancel_backend, pg_terminate_backend and the process ids that they take: one's own sessions, nobody else's."""
import struct
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

BYPASS = warehouse.POLICY.replace('users:\n', '  trusted: { description: unrestricted, may: [bypass] }\nusers:\n'
                                  '  loader: { roles: [trusted] }\n', 1)
LONG = 'SELECT count(*) FROM sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e, sales.orders f'


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=BYPASS, users={**warehouse.USERS, 'loader': 'loader'}, tls='prefer'))


class Signals(unittest.TestCase):
    def wire(self, user='erin'):
        return self.enterContext(proxy.wire(user))

    def start(self, c):
        """Has c run what does not end by itself."""
        c.send(gt.query_message(LONG))
        gt.wait_for(lambda: pg.sql(f"SELECT state FROM pg_stat_activity WHERE pid = {c.key[0]}").strip() == 'active',
                    what='the statement runs')

    def assert_cancelled(self, c):
        error = c.results()[-1].error
        self.assertEqual((error['S'], error['C'], error['M']), ('ERROR', '57014', 'canceling statement due to user request'))
        self.assertEqual(c.one('SELECT 1'), [['1']])

    def assert_ended(self, c):
        kind, body = c.receive()
        while kind == 'T':
            kind, body = c.receive()
        self.assertEqual((kind, gt.error_fields(body)['C']), ('E', '57P01'))
        with self.assertRaises(gt.Closed):
            c.receive()

    def test_one_process_id(self):
        for user in ('erin', 'loader'):
            c = self.wire(user)
            self.assertEqual(c.one('SELECT pg_backend_pid()'), [[str(c.key[0])]])
        c = self.wire()
        self.assertEqual(c.one('SELECT pid FROM pg_stat_activity'), [[str(c.key[0])]])

    def test_cancel_of_an_own_session(self):
        for user in ('erin', 'loader'):
            victim, by = self.wire(user), self.wire(user)
            for ask in (lambda pid: by.one(f'SELECT pg_cancel_backend({pid})'),
                        lambda pid: by.one(f"SELECT pg_catalog.pg_cancel_backend('{pid}') AS done"),
                        lambda pid: by.one(f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = '{pid}'"),
                        lambda pid: by.one(f'SELECT pg_catalog.pg_cancel_backend(a.pid) AS done FROM pg_catalog.pg_stat_activity a WHERE a.pid = {pid}'),
                        lambda pid: by.extended('SELECT pg_cancel_backend($1)', [pid]).rows,
                        lambda pid: by.extended('SELECT pg_cancel_backend(pid) FROM (VALUES ($1::int)) AS v (pid)', [pid]).rows):
                self.start(victim)
                self.assertEqual(ask(victim.key[0]), [['t']])
                self.assert_cancelled(victim)

    def test_answer_is_a_boolean(self):
        c, other = self.wire(), self.wire()
        for formats, true, false in (((), b't', b'f'), ((1,), b'\1', b'\0')):
            for pid, wanted in ((other.key[0], true), (1, false), (None, None), (-1, false), (2**31 - 1, false)):
                with self.subTest(pid=pid, formats=formats):
                    c.log.clear()
                    c.send(gt.parse_message('SELECT pg_cancel_backend($1)'), gt.describe_message('S'),
                           gt.bind_message([pid], result_formats=formats), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
                    c.results()
                    self.assertEqual(''.join(k for k, _ in c.log), '1tT2TDCZ')
                    self.assertEqual(struct.unpack('!HI', next(b for k, b in c.log if k == 't'))[1], 23)
                    for body in (b for k, b in c.log if k == 'T'):
                        name, _, rest = body[2:].partition(b'\0')
                        self.assertEqual((name, struct.unpack('!IHIHiH', rest)[2:5]), (b'pg_cancel_backend', (16, 1, -1)))
                    value = b'\0\1' + (struct.pack('!i', -1) if wanted is None else b'\0\0\0\1' + wanted)
                    self.assertEqual(next(b for k, b in c.log if k == 'D'), value)
        self.assertEqual(c.query("SELECT pg_cancel_backend('x')")[0].error['C'], '22P02')
        self.assertEqual(c.one('PREPARE p AS SELECT pg_cancel_backend($1); EXECUTE p (1)'), [['f']])

    def test_terminate(self):
        for user in ('erin', 'loader'):
            victim, by = self.wire(user), self.wire(user)
            self.assertEqual(by.one(f'SELECT pg_terminate_backend({victim.key[0]})'), [['t']])
            self.assert_ended(victim)
            self.assertEqual(by.one('SELECT 1'), [['1']])
        victim = self.wire()
        self.start(victim)
        self.assertEqual(self.wire().one(f'SELECT pg_terminate_backend({victim.key[0]}, 100)'), [['t']])
        self.assert_ended(victim)

    def test_oneself(self):
        c = self.wire()
        self.assertEqual(c.one('SELECT pg_cancel_backend(pg_backend_pid())'), [['t']])
        self.assertEqual(c.one('SELECT 1'), [['1']])
        c.send(gt.query_message('SELECT pg_terminate_backend(pid) FROM pg_stat_activity'))
        kinds = []
        with self.assertRaises(gt.Closed):
            while True:
                kinds.append(c.receive()[0])
        self.assertIn('E', kinds)

    def test_another_users_session_and_nobodys_are_alike(self):
        other, bypassing, c = self.wire('alice'), self.wire('loader'), self.wire()
        self.start(bypassing)
        answers = set()
        for pid in (other.key[0], bypassing.key[0], 1, 2**31 - 1, int(pg.sql('SELECT pg_backend_pid()'))):
            for function in ('pg_cancel_backend', 'pg_terminate_backend'):
                c.log.clear()
                c.query(f'SELECT {function}({pid}) AS x')
                answers.add(tuple(c.log))
                c.log.clear()
                c.query(f'SELECT {function}(pid) AS x FROM pg_stat_activity WHERE pid = {pid}')
                answers.add(tuple(c.log))
        self.assertEqual(len(answers), 1)
        # What else is asked of the row is asked of the own session's alone.
        for more in ('AND datname IS NOT NULL', 'OR true', 'GROUP BY pid HAVING count(query_start) > 0', 'ORDER BY backend_start'):
            self.assertEqual(c.one(f'SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = {other.key[0]} {more}'), [['t']] if more == 'OR true' else [])
        self.assertEqual(other.one('SELECT 1'), [['1']])
        self.assertEqual(self.wire('loader').one(f'SELECT pg_cancel_backend({bypassing.key[0]})'), [['t']])
        self.assert_cancelled(bypassing)

    def test_only_as_a_result(self):
        c = self.wire()
        for sql in ('SELECT 1, pg_cancel_backend(1)', 'SELECT pg_cancel_backend(1) OR true', 'SELECT 1 WHERE pg_cancel_backend(1)',
                    'SELECT * FROM pg_cancel_backend(1)', 'SELECT (SELECT pg_cancel_backend(1))', 'SELECT DISTINCT pg_cancel_backend(1)',
                    'SELECT pg_cancel_backend(1) UNION ALL SELECT true', 'SELECT 1 ORDER BY pg_cancel_backend(1)',
                    'COPY (SELECT pg_cancel_backend(1)) TO STDOUT', 'DECLARE c CURSOR WITH HOLD FOR SELECT pg_cancel_backend(1)',
                    'WITH w AS (SELECT pg_cancel_backend(1)) SELECT * FROM w', 'VALUES (pg_cancel_backend(1))'):
            with self.subTest(sql=sql):
                self.assertEqual(c.query(sql)[-1].error['C'], '42501')

    def test_pipelined_behind_a_statement(self):
        """The signal goes out when its own turn comes, and to who has the process id then."""
        victim, by = self.wire(), self.wire()
        self.start(victim)
        by.send(gt.query_message(f'SELECT pg_cancel_backend({victim.key[0]})'), gt.query_message('SELECT 2'))
        self.assertEqual([by.results()[-1].rows for _ in range(2)], [[['t']], [['2']]])
        self.assert_cancelled(victim)

    def test_many_at_once(self):
        """Each session cancels its neighbour, from every worker; nobody else is hit."""
        pairs = [(self.wire(), self.wire()) for _ in range(8)]
        for victim, _ in pairs:
            self.start(victim)
        threads = [threading.Thread(target=by.one, args=(f'SELECT pg_cancel_backend({victim.key[0]})',)) for victim, by in pairs[::2]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for victim, _ in pairs[::2]:
            self.assert_cancelled(victim)
        for victim, by in pairs[1::2]:
            self.assertEqual(pg.sql(f"SELECT state FROM pg_stat_activity WHERE pid = {victim.key[0]}").strip(), 'active')
            self.assertEqual(by.one(f'SELECT pg_cancel_backend({victim.key[0]})'), [['t']])
            self.assert_cancelled(victim)


if __name__ == '__main__':
    gt.main()
