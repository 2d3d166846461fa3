"""What a revoke, a disabled user and the end of a validity do to sessions that are at work: 50 of them at once, each in
its own way. Delays are printed, since machines differ; that what is gone stays gone is asserted.
"""
import re
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

WAYS = ('simple', 'prepared', 'portal', 'cursor', 'running', 'copy')
LONG = ', '.join(f'crm.customers c{i}' for i in range(12))
POLICY = """version: 1
roles: { reader: { description: reads customers } }
users:
  alice: { roles: [reader] }
  bob: { roles: [reader] }
grants:
  - { to: ["user:bob"], tables: [crm.customers, sales.orders] }
  - { to: ["user:alice"], tables: [sales.orders] }
"""


def setUpModule():
    global proxy, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'a', 'bob': 'b'},
                     pool='mode: session, size: 100, idle: 5'))


def cli(*argv):
    return proxy.cli(*argv, '--acl', proxy.acl).stdout


class Session(threading.Thread):
    """Uses crm.customers in one way until it is refused; notes every answer and when it came."""

    def __init__(self, way, user='alice'):
        super().__init__(daemon=True)
        self.way = way
        self.client = proxy.wire(user, timeout=60)
        self.answers = []   # (time, SQLSTATE or None)
        self.stop = False
        self.under_way = threading.Event()

    def note(self, sqlstate):
        self.answers.append((time.monotonic(), sqlstate))
        if sqlstate is None:
            self.under_way.set()
        return sqlstate is None

    def run(self):
        try:
            getattr(self, self.way)()
            # Once refused, refused for good, in every way.
            for _ in range(3):
                self.client.query('ROLLBACK')
                self.note(self.client.query('SELECT 1 FROM crm.customers')[-1].sqlstate)
        except (gt.Closed, OSError):
            fatal = [gt.error_fields(body) for kind, body in self.client.log if kind == 'E']
            self.note(fatal[-1]['C'] if fatal and fatal[-1]['S'] == 'FATAL' else 'closed')
        self.under_way.set()

    def until_refused(self, step):
        while not self.stop and self.note(step()):
            time.sleep(0.005)

    def simple(self):
        self.until_refused(lambda: self.client.query('SELECT count(*) FROM crm.customers')[-1].sqlstate)

    def prepared(self):
        c = self.client
        self.note(c.extended('SELECT name FROM crm.customers WHERE id = $1', ['1'], name='s').sqlstate)

        def step():
            c.send(gt.bind_message(['2'], statement='s'), gt.execute_message(), gt.SYNC)
            return c.results()[-1].sqlstate
        self.until_refused(step)

    def portal(self):
        c = self.client
        c.query('BEGIN')
        c.send(gt.parse_message('SELECT a.id FROM crm.customers a, crm.customers b, crm.customers c', 's'),
               gt.bind_message(portal='p', statement='s'), gt.SYNC)
        c.results()

        def step():
            c.send(gt.execute_message('p', 1), gt.SYNC)
            return c.results()[-1].sqlstate
        self.until_refused(step)

    def cursor(self):
        c = self.client
        c.query('BEGIN; DECLARE cur CURSOR FOR SELECT a.id FROM crm.customers a, crm.customers b, crm.customers c')
        self.until_refused(lambda: c.query('FETCH 1 FROM cur')[-1].sqlstate)

    def running(self):
        self.under_way.set()
        self.note(self.client.query(f'SELECT count(*) FROM {LONG}')[-1].sqlstate)

    def copy(self):
        """A result without an end, which the client reads all the time."""
        c = self.client
        c.send(gt.query_message(f'COPY (SELECT c0.name FROM {LONG}) TO STDOUT'))
        while True:
            kind, body = c.receive()
            c.log.clear()
            if kind == 'd':
                self.note(None) if not self.answers else None
            if kind == 'E':
                self.note(gt.error_fields(body)['C'])
            if kind == 'Z':
                return


def start(ways, user='alice'):
    sessions = [Session(way, user) for way in ways]
    for s in sessions:
        s.start()
    for s in sessions:
        s.under_way.wait(60)
    time.sleep(0.3)
    return sessions


def join(sessions):
    for s in sessions:
        s.join(60)
        if s.is_alive():
            raise AssertionError(f'{s.way}: still at work 60 s after its right was taken')
        s.client.close()


def report(what, sessions, since):
    delays = {}
    for s in sessions:
        first = next(t for t, sqlstate in s.answers if sqlstate is not None)
        delays.setdefault(s.way, []).append((first - since) * 1000)
    for way, ms in delays.items():
        ms.sort()
        print(f'# {what}: {way}: {len(ms)} sessions, refused {ms[len(ms) // 2]:.0f} ms (median), {ms[-1]:.0f} ms (last) '
              'after the change was made')


class Revoke(unittest.TestCase):
    def grant(self, *more):
        out = cli('grant', 'select', 'on', 'crm.customers', 'to', 'reader', *more)
        with proxy.wire('alice') as c:
            gt.wait_for(lambda: c.query('SELECT 1 FROM crm.customers LIMIT 1')[-1].error is None, 10, 'the grant')
        return re.search(r'grant (\d+)', out).group(1)

    def codes(self, s):
        return [sqlstate for _, sqlstate in s.answers]

    def is_in_order(self, s, first=('42P01', '42501')):
        """Answers, then refusals, and never an answer again."""
        codes = self.codes(s)
        refused = [code is not None for code in codes]
        self.assertEqual(refused, sorted(refused), f'{s.way}: {codes[-8:]}')
        self.assertIn(codes[refused.index(True)], first, s.way)

    def test_revoke_under_fifty_sessions(self):
        grant = self.grant()
        sessions = start([WAYS[i % 4] for i in range(44)] + ['running'] * 3 + ['copy'] * 3)
        cli('revoke', grant)
        since = time.monotonic()
        join(sessions)
        report('revoke', sessions, since)
        for s in sessions:
            self.is_in_order(s, ('42501',) if s.way in ('running', 'copy') else ('42P01', '42501'))
        self.assertEqual(pg.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%c11%' "
                                'AND pid <> pg_backend_pid()').strip(), '0', 'nothing runs on upstream')

    def test_who_keeps_the_right_notices_nothing(self):
        grant = self.grant()
        kept = start([WAYS[i % 4] for i in range(8)], 'bob')
        lost = start(['simple', 'cursor'])
        cli('revoke', grant)
        join(lost)
        time.sleep(0.3)
        for s in kept:
            self.assertEqual([c for c in self.codes(s) if c], [], s.way)
            s.stop = True
        join(kept)
        for s in kept:
            self.assertEqual([c for c in self.codes(s) if c], [], s.way)

    def test_valid(self):
        """The grant's own end, while all of them are at work: nobody says a word to the proxy."""
        until = time.time() + 5
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(until)) + 'Z'
        self.grant('--until', stamp)
        end = time.monotonic() + int(until) - time.time()
        sessions = start(WAYS * 2)
        join(sessions)
        report('valid', sessions, end)
        for s in sessions:
            self.is_in_order(s, ('42501',) if s.way in ('running', 'copy') else ('42P01', '42501', '25P02'))
            first = next(t for t, sqlstate in s.answers if sqlstate is not None)
            self.assertGreaterEqual(first - end, -1.1, f'{s.way}: refused before its time')

    def test_cursor_opened_in_time_is_no_longer_read(self):
        until = time.time() + 3
        self.grant('--until', time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(until)) + 'Z')
        with proxy.wire('alice') as c:
            c.query('BEGIN; DECLARE cur CURSOR FOR SELECT id FROM crm.customers')
            c.query('DECLARE hold CURSOR WITH HOLD FOR SELECT id FROM crm.customers; COMMIT')
            c.send(gt.parse_message('SELECT id FROM crm.customers', 's'), gt.SYNC)
            c.results()
            self.assertEqual(c.query('FETCH 1 FROM hold')[-1].rows, [['1']])
            time.sleep(max(0, until - time.time()) + 0.2)
            for sql in ('FETCH 1 FROM hold', 'MOVE 1 FROM hold', 'SELECT id FROM crm.customers'):
                self.assertIn(c.query(sql)[-1].sqlstate, ('42P01', '42501'), sql)
            c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '42P01')
            self.assertEqual(c.one('SELECT count(*) FROM sales.orders'), [['200']], 'another grant is another grant')

    def test_disabled_and_dropped(self):
        for verb in (('disable',), ('drop', '--cascade')):
            with self.subTest(verb=verb[0]):
                name = f'eve_{verb[0]}'
                cli('user', 'add', name, '--role', 'reader')
                proxy.cli('user', 'password', '--acl', proxy.acl, name, stdin='e\n')
                proxy.users[name] = 'e'
                grant = self.grant()
                gt.wait_for(lambda: self.can_login(name), 10, 'may log in')
                sessions = start(WAYS * 2, name)
                idle = proxy.wire(name)
                cli('user', verb[0], name, *verb[1:])
                since = time.monotonic()
                join(sessions)
                report(f'user {verb[0]}', sessions, since)
                for s in sessions:
                    # In the middle of a row there is no place for the error.
                    self.is_in_order(s, ('57P01', 'closed') if s.way == 'copy' else ('57P01',))
                with self.assertRaises(gt.Closed):
                    while True:
                        idle.receive()
                self.assertEqual([gt.error_fields(b)['C'] for k, b in idle.log if k == 'E'], ['57P01'])
                self.assertFalse(self.can_login(name))
                cli('revoke', grant)

    def can_login(self, name):
        try:
            proxy.wire(name).close()
            return True
        except gt.ServerError:
            return False


if __name__ == '__main__':
    gt.main()
