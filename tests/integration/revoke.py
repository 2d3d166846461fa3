"""What a revoke, a disabled user and the end of a validity do to sessions that are at work: 50 of them at once, each in
its own way. Delays are printed, since machines differ; that what is gone stays gone is asserted.
"""
import re
import socket
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
    own = re.findall(r'event=policy.obeyed .*delay_ms=(\d+)', proxy.log())
    if what != 'valid':
        print(f'# {what}: the proxy had told every session {own[-1]} ms after the change began to be written')


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


SELECT = ('SELECT a.name AS {mark}, b.name, c.name, b.email, c.email FROM crm.customers a, crm.customers b, '
          'crm.customers c')


def simple(c, mark):
    c.send(gt.query_message(SELECT.format(mark=mark)))


def extended(c, mark, *end):
    c.send(gt.parse_message(SELECT.format(mark=mark)), gt.bind_message(), gt.describe_message('P'),
           gt.execute_message(), *(end or (gt.SYNC,)))


def flushed(c, mark):
    extended(c, mark, gt.FLUSH)


def suspended(c, mark):
    c.send(gt.parse_message(SELECT.format(mark=mark)), gt.bind_message(), gt.execute_message('', 26000), gt.SYNC)


def executed(c, mark):
    c.query(f'PREPARE {mark} AS ' + SELECT.format(mark=mark))
    c.send(gt.query_message(f'EXECUTE {mark}'))


def fetched(c, mark):
    c.query(f'DECLARE {mark} CURSOR WITH HOLD FOR ' + SELECT.format(mark=mark))
    c.send(gt.query_message(f'FETCH ALL FROM {mark}'))


def copied(c, mark):
    c.send(gt.query_message(f'COPY ({SELECT.format(mark=mark)}) TO STDOUT'))


def pipelined(c, mark):
    """The next batch is under way too."""
    extended(c, mark, gt.SYNC, gt.parse_message(f'SELECT count(*) AS {mark} FROM sales.orders'), gt.bind_message(),
             gt.execute_message(), gt.SYNC)


def behind_it(c, mark):
    """More of the same batch."""
    extended(c, mark, gt.parse_message(f'SELECT count(*) AS {mark} FROM sales.orders'), gt.bind_message(),
             gt.execute_message(), gt.SYNC)


def obeyed():
    """How many changes of the policy every worker has obeyed."""
    return proxy.log().count('event=policy.obeyed')


class Complete(unittest.TestCase):
    """The upstream is done, its rows wait for a client that does not read them: what was not taken is taken back, and
    the session goes on as after any error."""

    count = 0

    def setUp(self):
        self.grant = Revoke.grant(self)
        self.mark = f'mark_{type(self).count}'
        type(self).count += 1

    def state(self):
        return pg.sql("SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'client backend' "
                      f"AND query LIKE '%{self.mark}%' AND pid <> pg_backend_pid()").strip()

    def unread(self, way, begin, *end):
        """The messages that a client finds which looks at its socket after the revoke."""
        c = proxy.wire('alice')
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.addCleanup(c.close)
        if begin:
            c.query(begin)
        way(c, self.mark)
        gt.wait_for(lambda: self.state() == 'ClientRead', 20, 'the upstream to be done')
        before = obeyed()
        cli('revoke', self.grant)
        gt.wait_for(lambda: obeyed() > before, 20, 'the revoke')
        c.log.clear()
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        c.send(*end)
        return c, c.results()

    def goes_on(self, c, status):
        self.assertEqual(c.status, status)
        if status == 'E':
            self.assertEqual(c.query('SELECT 1')[-1].sqlstate, '25P02')
            c.query('ROLLBACK')
        self.assertEqual(c.one('SELECT count(*) FROM sales.orders'), [['200']])
        self.assertIn(c.query('SELECT 1 FROM crm.customers')[-1].sqlstate, ('42P01', '42501'))
        self.assertEqual(c.extended('SELECT count(*) FROM sales.orders').rows, [['200']])

    def is_cut(self, c, whole=27000):
        kinds = [kind for kind, _ in c.log if kind in 'DdECsZ']
        self.assertLess(len([k for k in kinds if k in 'Dd']), whole)
        self.assertEqual(kinds[-2:], ['E', 'Z'])
        self.assertEqual([gt.error_fields(b)['C'] for k, b in c.log if k == 'E'], ['42501'])
        self.assertFalse({'C', 's'} & set(kinds))

    def test_single_statements(self):
        for way in (simple, extended, suspended, executed, fetched, copied):
            for begin, status in ((None, 'I'), ('BEGIN', 'E')):
                with self.subTest(way=way.__name__, begin=begin):
                    self.setUp()
                    c, _ = self.unread(way, begin)
                    self.is_cut(c)
                    self.goes_on(c, status)

    def test_sync_that_comes_later(self):
        for begin, status in ((None, 'I'), ('BEGIN', 'E')):
            with self.subTest(begin=begin):
                self.setUp()
                c, _ = self.unread(flushed, begin, gt.SYNC)
                self.is_cut(c)
                self.goes_on(c, status)

    def test_next_batch_is_answered_in_its_place(self):
        c, _ = self.unread(pipelined, None)
        self.is_cut(c)
        self.assertEqual(c.results()[-1].rows, [['200']])
        self.goes_on(c, 'I')

    def test_more_of_the_batch(self):
        """Its answers come as they are, or the batch fails; never an answer of what was told to have failed."""
        c, results = self.unread(behind_it, None)
        self.assertIn([r.sqlstate for r in results], [[None, None], ['42501']])
        self.goes_on(c, 'I')

    def test_what_was_written_before_it(self):
        """Either all of the batch, or nothing."""
        cli('grant', 'select,insert', 'on', 'sales.orders', 'to', 'reader')
        insert = 'INSERT INTO sales.orders (id, customer_id) VALUES (100000 + {}, 1)'
        for sync in (True, False):
            with self.subTest(sync=sync):
                self.setUp()
                number = int(self.mark.split('_')[1])

                def way(c, mark):
                    c.send(gt.parse_message(insert.format(number)), gt.bind_message(), gt.execute_message())
                    (extended if sync else flushed)(c, mark)
                c, results = self.unread(way, None, *(() if sync else (gt.SYNC,)))
                failed = any(r.sqlstate for r in results)
                self.assertEqual(pg.sql(f'SELECT count(*) FROM sales.orders WHERE id = 100000 + {number}', 'wh').strip(),
                                 '0' if failed else '1')
                pg.sql('DELETE FROM sales.orders WHERE id >= 100000', 'wh')
                self.goes_on(c, 'I')


if __name__ == '__main__':
    gt.main()
