"""Back-pressure, cancel, and peers that vanish: bounded memory, the right statement hit, nobody else touched."""
import os
import signal
import socket
import struct
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse
from lying_relay import Relay

BYPASS = warehouse.POLICY.replace('users:\n', '  trusted: { description: unrestricted, may: [bypass] }\nusers:\n'
                                  '  loader: { roles: [trusted] }\n', 1).replace(
    'denies:\n', """  - { to: [analyst], tables: [sales.orders], privileges: [insert], rows: "region = attr('region')" }\ndenies:\n""")


def setUpModule():
    global scratch, certs, pg, proxy, relay
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('GRANT INSERT ON sales.orders TO gatehouse', 'wh')
    relay = Relay(pg.port)
    unittest.addModuleCleanup(relay.close)
    upstreams = {'wh': pg.conninfo('wh', 'gatehouse'), 'lie': pg.conninfo('wh', 'gatehouse', tls=False).replace(f'port={pg.port}', f'port={relay.address}')}
    warehouses = ''.join(f'{name}:\n  conninfo: "{info}"\n  password_file: wh.pass\n  pool: {{ mode: session, size: 50, idle: 5 }}\n' for name, info in upstreams.items())
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=BYPASS, users={**warehouse.USERS, 'loader': 'loader'}, tls='prefer', warehouses=warehouses))


def running(text):
    return int(pg.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse' AND state <> 'idle' "
                      f"AND query LIKE '%{text}%'"))


class Memory(unittest.TestCase):
    def stream(self, tls, total, rate_pause):
        """Reads a result of `total` bytes slowly at first; the proxy's memory while it waits and at its highest."""
        width, rows = 8000, total // 8000
        with proxy.wire('loader', tls=tls) as c:
            c.send(gt.query_message(f"SELECT repeat('x', {width}) FROM generate_series(1, {rows})"))
            time.sleep(rate_pause)
            waiting = gt.rss_kb(proxy.pid)
            got = 0
            while True:
                data = c.socket.recv(1 << 20)
                got += len(data)
                if data[-6:] == b'Z\0\0\0\x05I':
                    break
            self.assertGreater(got, total)
            return waiting

    @unittest.skipIf(gt.IS_SANITIZED, 'memory of a sanitizer build says nothing')
    def test_two_gigabytes_through_a_slow_client(self):
        for tls, size in (('disable', 2 << 30), ('sslrequest', 256 << 20)):
            with self.subTest(tls=tls):
                waiting = self.stream(tls, size, 1.0)
                self.assertLess(waiting, 64 << 10)
        self.assertLess(gt.rss_kb(proxy.pid, peak=True), 64 << 10)

    @unittest.skipIf(gt.IS_SANITIZED, 'memory of a sanitizer build says nothing')
    def test_many_slow_clients(self):
        """Twenty that read nothing hold a buffer each, not a result each; others are served."""
        clients = [proxy.wire('loader', tls='disable') for _ in range(20)]
        for c in clients:
            c.send(gt.query_message("SELECT repeat('x', 100000) FROM generate_series(1, 1000)"))
        time.sleep(1)
        self.assertLess(gt.rss_kb(proxy.pid), 64 << 10)
        with proxy.wire('alice') as other:
            self.assertEqual(other.one('SELECT 1'), [['1']])
        for c in clients:
            c.socket.close()

    def test_one_large_row(self):
        with proxy.wire('loader', tls='disable') as c:
            self.assertEqual(len(c.one("SELECT repeat('x', 50000000)")[0][0]), 50000000)

    def test_a_client_that_writes_without_reading(self):
        """Answers pile up at the client: it is not read further, and both go on when it reads."""
        with proxy.wire('loader', tls='disable') as c:
            n = 20000
            message = gt.query_message("SELECT repeat('x', 1000)")
            writer = threading.Thread(target=lambda: c.socket.sendall(message * n))
            writer.start()
            time.sleep(0.5)
            for _ in range(n):
                self.assertEqual(len(c.results()[0].rows[0][0]), 1000)
            writer.join()


class Cancel(unittest.TestCase):
    def test_hits_the_running_statement_only(self):
        with proxy.wire('loader', tls='disable') as c, proxy.wire('loader', tls='disable') as other:
            other.send(gt.query_message('SELECT pg_sleep(1.5), 17'))
            for _ in range(5):
                c.send(gt.query_message('SELECT pg_sleep(20), 18'))
                gt.wait_for(lambda: running('sleep(20)') == 1, 5, 'it runs')
                gt.cancel(proxy.port, c.key)
                self.assertEqual(c.results()[-1].sqlstate, '57014')
                # sent at once behind: must not be hit
                self.assertEqual(c.query('SELECT pg_sleep(0.05), 19')[-1].sqlstate, None)
            self.assertIsNone(other.results()[-1].sqlstate)

    def test_never_the_next(self):
        """Cancels that race with the end of a statement hit it or nothing."""
        with proxy.wire('loader', tls='disable') as c:
            for i in range(40):
                c.send(gt.query_message(f'SELECT pg_sleep({0.001 * (i % 8)})'))
                gt.cancel(proxy.port, c.key)
                self.assertIn(c.results()[-1].sqlstate, (None, '57014'))
                time.sleep(0.01)
                self.assertIsNone(c.query('SELECT pg_sleep(0.002)')[-1].sqlstate)

    def test_wrong_keys_hit_nothing(self):
        with proxy.wire('loader', tls='disable') as c, proxy.wire('loader', tls='disable') as other:
            c.send(gt.query_message('SELECT pg_sleep(0.5)'))
            for key in ((c.key[0], c.key[1] ^ 1), (c.key[0], other.key[1]), (other.key[0], c.key[1]), (0, 0), other.key):
                gt.cancel(proxy.port, key)
            self.assertIsNone(c.results()[-1].sqlstate)

    def test_over_tls(self):
        with proxy.wire('loader') as c:
            c.send(gt.query_message('SELECT pg_sleep(20), 21'))
            gt.wait_for(lambda: running('sleep(20)') == 1, 5, 'it runs')
            gt.cancel(proxy.port, c.key, tls='sslrequest')
            self.assertEqual(c.results()[-1].sqlstate, '57014')

    def test_in_a_transaction(self):
        with proxy.wire('loader', tls='disable') as c:
            c.query('BEGIN')
            c.send(gt.query_message('SELECT pg_sleep(20), 22'))
            gt.wait_for(lambda: running('sleep(20)') == 1, 5, 'it runs')
            gt.cancel(proxy.port, c.key)
            c.results()
            self.assertEqual(c.status, 'E')
            c.query('ROLLBACK')


class Vanishing(unittest.TestCase):
    def setUp(self):
        self.bystander = proxy.wire('alice')

    def tearDown(self):
        self.assertEqual(self.bystander.one('SELECT 7'), [['7']])
        self.bystander.close()
        gt.wait_for(lambda: running('23') == 0, 10, 'nothing of the vanished still runs')

    def test_client_in_any_state(self):
        def reset(c):
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

        states = {
            'idle': [],
            'query': [gt.query_message('SELECT pg_sleep(30), 23')],
            'transaction': [gt.query_message('BEGIN'), gt.query_message('SELECT 23')],
            'half a message': [gt.query_message('SELECT 23')[:7]],
            'half a large message': [b'Q' + struct.pack('!I', 1 << 20) + b'x' * 5000],
            'extended without sync': [gt.parse_message('SELECT 23'), gt.bind_message(), gt.execute_message()],
            'suspended': [gt.query_message('BEGIN'), gt.parse_message('SELECT 23 FROM generate_series(1, 9)'), gt.bind_message(),
                          gt.execute_message('', 2), gt.FLUSH],
            'copy in': [gt.query_message('CREATE TEMP TABLE t23 (i int)'), gt.query_message('COPY t23 FROM STDIN')],
            'half copy data': [gt.query_message('CREATE TEMP TABLE t23 (i int)'), gt.query_message('COPY t23 FROM STDIN'),
                               b'd' + struct.pack('!I', 1 << 20) + b'1\n'],
            'unread result': [gt.query_message("SELECT repeat('23', 100000) FROM generate_series(1, 500)")],
        }
        for name, messages in states.items():
            for is_reset in (False, True):
                with self.subTest(state=name, reset=is_reset):
                    c = proxy.wire('loader', tls='disable')
                    for m in messages:
                        c.send(m)
                        time.sleep(0.05)
                    if is_reset:
                        reset(c)
                    c.socket.close()
                    gt.wait_for(lambda: running('23') == 0, 10, f'{name}: the upstream stopped')

    def test_client_during_login(self):
        first = gt.startup_message({'user': 'loader', 'database': 'wh'})
        for data in (b'', b'\0', first[:9], first, first + gt.message('p', gt.cstring('SCRAM-SHA-256') + struct.pack('!I', 0))):
            for _ in range(5):
                with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
                    s.sendall(data)

    def test_upstream_in_any_state(self):
        states = {
            'idle': [],
            'query': [gt.query_message('SELECT pg_sleep(30), 24')],
            'transaction': [gt.query_message('BEGIN')],
            'extended without sync': [gt.parse_message('SELECT 24'), gt.bind_message(), gt.FLUSH],
            'copy in': [gt.query_message('CREATE TEMP TABLE t24 (i int)'), gt.query_message('COPY t24 FROM STDIN')],
        }
        for name, messages in states.items():
            with self.subTest(state=name):
                c = proxy.wire('loader', tls='disable')
                pid = c.one('SELECT pg_backend_pid()')[0][0]
                for m in messages:
                    c.send(m)
                    time.sleep(0.05)
                pg.sql(f'SELECT pg_terminate_backend({pid})')
                error = None
                try:
                    while True:
                        kind, body = c.receive()
                        if kind == 'E':
                            error = gt.error_fields(body)
                except gt.Closed:
                    pass
                self.assertIsNotNone(error)
                self.assertEqual(error['S'], 'FATAL')
                self.assertIn(error['C'], ('57P01', '08006'))
                self.assertNotIn('gatehouse', str(error))
                self.assertLessEqual(set(error), set('SVCM'))
                with proxy.wire('loader', tls='disable') as again:
                    self.assertEqual(again.one('SELECT 1'), [['1']])

    def test_nothing_is_left_of_a_session(self):
        """A connection that comes back to the pool is as new."""
        with proxy.wire('loader', tls='disable') as c:
            for sql in ("SET DateStyle = 'German'", 'CREATE TEMP TABLE left_over (i int)', 'PREPARE left_over AS SELECT 1',
                        "SELECT set_config('app.left', 'x', false)", 'LISTEN left_over', 'SELECT pg_advisory_lock(25)'):
                self.assertIsNone(c.query(sql)[-1].sqlstate, sql)
        gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").strip() == '0', 5, 'the lock')
        for _ in range(6):
            with proxy.wire('loader', tls='disable') as c:
                self.assertEqual(c.one('SHOW DateStyle'), [['ISO, MDY']])
                self.assertEqual(c.query('SELECT * FROM left_over')[-1].sqlstate, '42P01')
                self.assertEqual(c.query('EXECUTE left_over')[-1].sqlstate, '26000')

    def test_every_statement_has_its_outcome(self):
        def open_statements():
            records = proxy.audit()
            begun = {r['statement'] for r in records if r['kind'] == 'intent'}
            return begun - {r['statement'] for r in records if r['kind'] == 'outcome'}
        gt.wait_for(lambda: not open_statements(), 5, 'outcomes')
        sessions = [r['session'] for r in proxy.audit() if r['kind'] == 'login']
        ended = [r['session'] for r in proxy.audit() if r['kind'] == 'logout']
        self.assertEqual(len(ended), len(set(ended)), 'one logout a session')
        self.assertLessEqual(set(ended), set(sessions))


class BrokenUpstream(unittest.TestCase):
    """A server that breaks the protocol: the session ends at once and says so, whatever it waited for, and nobody else is touched."""

    ROWS, WRITE = 'SELECT id FROM sales.orders', "INSERT INTO sales.orders (id, region) VALUES (-1, 'EU')"  # a row that is relayed, one that is swallowed

    def told(self, sql, lie, user='alice'):
        with proxy.wire(user, tls='disable', database='lie') as c:
            c.query('BEGIN')
            relay.lie = lie
            try:
                c.send(gt.query_message(sql))
                while True:
                    kind, body = c.receive()
                    if kind == 'E':
                        return gt.error_fields(body)
                    self.assertNotEqual(kind, 'Z', 'the answer is whole')
            finally:
                relay.lie = None

    @staticmethod
    def changed(kind, change):
        """The first message of the kind with another body; those behind it as they were."""
        def lie(data):
            at = 0
            while at < len(data) and data[at:at + 1] != kind:
                at += 1 + struct.unpack('!I', data[at + 1:at + 5])[0]
            if at >= len(data):
                return data
            end = at + 1 + struct.unpack('!I', data[at + 1:at + 5])[0]
            body = change(data[at + 5:end])
            return data[:at] + kind + struct.pack('!I', 4 + len(body)) + body + data[end:]
        return lie

    @staticmethod
    def pieces(lie, size):
        return lambda data: [lie(data)[i:i + size] for i in range(0, len(lie(data)), size)]

    def broken(self, sql, lie):
        error = self.told(sql, lie)
        self.assertEqual((error['S'], error['C'], error['M']), ('FATAL', '08P01', 'the warehouse broke the protocol: the connection to it was given up'))
        with proxy.wire('alice', tls='disable') as c:
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_rows_without_a_count(self):
        for sql in (self.ROWS, self.WRITE):
            for size in (0, 1):
                short = self.changed(b'D', lambda body: body[:size])
                for lie in (short, self.pieces(short, 3)):
                    with self.subTest(sql=sql, size=size):
                        self.broken(sql, lie)

    def test_a_check_that_is_none(self):
        """A row without the column that stays behind, and one without the room for it."""
        sql = self.WRITE + ' RETURNING id'
        for row in (b'\0\0', b'\0\1', b'\0\2\0\0\0', b'\0\0\xff\xff\xff\xff'):
            for lie in (self.changed(b'D', lambda body: row), self.pieces(self.changed(b'D', lambda body: row), 5)):
                with self.subTest(row=row):
                    self.broken(sql, lie)

    def test_other_messages(self):
        for sql, kind, body in ((self.WRITE, b'T', b''), (self.WRITE, b'T', b'\0\2x\0'), (self.ROWS, b'T', b'\0\1x'), (self.ROWS, b'C', b''),
                                (self.ROWS, b'C', b'SELECT 1'), (self.ROWS, b'Z', b''), (self.ROWS, b'Z', b'X'), (self.ROWS, b'Z', b'TT'),
                                (self.WRITE, b'D', b'')):
            with self.subTest(sql=sql, kind=kind, body=body):
                self.broken(sql, self.changed(kind, lambda _: body))
        for message in (b'S\0\0\0\4', b'Sx\0\0\0', b'S\0\0\0\5x', gt.message('S', b'name\0' + b'x' * 30000 + b'\0'), gt.message('E', b''), gt.message('E', b'Sx'),
                        gt.message('N', b'SNOTICE'), b'W\0\0\0\4', b'K\0\0\0\4', b'D\x7f\xff\xff\xff', b'?\0\0\0\4', b'C\0\0\0\3'):
            with self.subTest(message=message[:20]):
                self.broken(self.ROWS, lambda data: message + data)

    def test_a_long_parameter(self):
        """PostgreSQL 18 reports the search_path, of which the proxy's own bound is no bypassing client's."""
        for size in (9000, 29000):
            with proxy.wire('loader', tls='disable', database='lie') as c:
                relay.lie = lambda data: gt.message('S', b'search_path\0' + b'x' * size + b'\0') + data
                try:
                    self.assertEqual(c.one('SELECT 1'), [['1']])
                finally:
                    relay.lie = None
                self.assertEqual(c.parameters['search_path'], 'x' * size)


class Reset(unittest.TestCase):
    def test_discard_all_keeps_what_gatehouse_needs(self):
        with proxy.wire('alice', parameters={'DateStyle': 'German'}) as c:
            for sql in ('DISCARD ALL', 'RESET ALL'):
                before = c.one("SELECT id, email FROM crm.customers ORDER BY id")
                self.assertIsNone(c.query(sql)[-1].sqlstate, sql)
                self.assertEqual(c.one("SELECT id, email FROM crm.customers ORDER BY id"), before)
                self.assertEqual(c.one('SHOW DateStyle'), [['German, DMY']])
                c.send(gt.parse_message('SELECT 1', 'after'), gt.SYNC)
                self.assertEqual([c.receive()[0] for _ in range(2)], ['1', 'Z'])
                c.send(gt.close_message('S', 'after'), gt.SYNC)
                c.results()


class BoundSettings(unittest.TestCase):
    """set_config() of a parameter: Bind alone says which value, so it is looked at there, and no other way leads by."""

    def bind(self, c, *parameters, sql="SELECT set_config('client_encoding', $1, false)", types=(), formats=()):
        c.send(gt.parse_message(sql, 'set', types), gt.bind_message(parameters, statement='set', formats=formats), gt.execute_message(), gt.SYNC, gt.close_message('S', 'set'), gt.SYNC)
        answer = c.results()[-1].sqlstate
        c.results()
        return answer

    def test_a_value_that_may_not_be_set(self):
        with proxy.wire('alice', tls='disable') as c:
            for value in (b'SJIS', b'big5', None):
                for formats in ((), (1,)):
                    self.assertEqual(self.bind(c, value, formats=formats), '42501', value)
            self.assertIsNone(self.bind(c, b'LATIN1'))
            self.assertEqual(c.one('SHOW client_encoding'), [['LATIN1']])
            for sql in ("SELECT set_config('client_encoding', $1, false), set_config('client_encoding', 'UTF8', false), set_config('work_mem', $1, false)",
                        "SELECT set_config('client_encoding', $1, id > 3) FROM crm.customers", "SELECT set_config('search_path', $1, false), 1"):
                self.assertEqual(self.bind(c, b'none', sql=sql), '42501', sql)
            self.assertEqual(self.bind(c, b'\0\0\0\1', sql="SELECT set_config('search_path', $1, false)", types=(23,), formats=(1,)), '42501')
            self.assertEqual(self.bind(c, b'x' * (1 << 20), sql="SELECT set_config('search_path', $1, false)"), '54000')
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_as_postgrest_asks(self):
        asked = "select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.path', $3, true)"
        with proxy.wire('alice', tls='disable') as c:
            for role in (b'alice', b'none'):
                c.query('BEGIN')
                self.assertIsNone(self.bind(c, b'crm', role, b'/x', sql=asked, types=(705, 705, 705)))
                self.assertEqual(c.one("SELECT current_setting('search_path'), current_setting('request.path'), count(*) > 0 FROM customers"), [['crm', '/x', 't']])
                c.query('COMMIT')
                self.assertEqual(c.one('SHOW search_path'), [['"$user", public']])
            for path, role in ((b'crm', b'postgres'), (b'crm', b'gatehouse'), (b'crm', None), (None, b'alice'), (b'"', b'alice')):
                self.assertIn(self.bind(c, path, role, b'/x', sql=asked), ('42501', '22023'), (path, role))
            self.assertEqual(self.bind(c, b'postgres', sql="SELECT set_config('role', $1, false)"), '42501')
            c.send(gt.parse_message("SELECT set_config('role', $1, false)", 'set'), gt.SYNC)
            c.results()
            self.assertEqual(c.query("EXECUTE set('postgres')")[-1].sqlstate, '42501')
            self.assertEqual(c.one('SELECT current_user'), [['alice']])

    def test_no_way_around_bind(self):
        with proxy.wire('alice', tls='disable') as c:
            c.send(gt.parse_message("SELECT set_config('client_encoding', $1, false)", 'set'), gt.SYNC)
            c.results()
            for sql in ("EXECUTE set('SJIS')", "EXPLAIN EXECUTE set('SJIS')", "PREPARE again AS SELECT set_config('client_encoding', $1, false)",
                        "PREPARE again (text) AS SELECT set_config('client_encoding', $1, false)", "DECLARE again CURSOR FOR SELECT set_config('client_encoding', $1, false)"):
                self.assertEqual(c.query(sql)[-1].sqlstate, '42501', sql)
            self.assertEqual(c.one('SHOW client_encoding'), [['UTF8']])


if __name__ == '__main__':
    gt.main()
