"""How sessions begin: TLS, SCRAM, startup parameters, and who is let in; and how they end for who no longer is."""
import contextlib
import socket
import ssl
import statistics
import struct
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


class Tls(unittest.TestCase):
    def test_libpq_verify_full(self):
        self.assertEqual(proxy.psql('alice', 'SELECT 1', sslmode='verify-full').stdout, '1\n')

    def test_libpq_rejects_another_ca(self):
        other = gt.Certificates(scratch.path('other'))
        env = proxy.environment('alice')
        env['PGSSLROOTCERT'] = str(other.ca)
        done = gt.run(gt.PG_BIN / 'psql', '-XAtc', 'SELECT 1', env=env, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('certificate verify failed', done.stderr)

    def test_plaintext_is_refused_where_tls_is_required(self):
        done = proxy.psql('alice', 'SELECT 1', sslmode='disable', check=False)
        self.assertNotEqual(done.returncode, 0)
        with self.assertRaises(gt.ServerError) as caught:
            proxy.wire('alice', tls='disable')
        self.assertEqual(caught.exception.sqlstate, '28000')
        # and before any password was asked for
        s = socket.create_connection(('127.0.0.1', proxy.port), 10)
        s.sendall(gt.startup_message({'user': 'alice', 'database': 'wh'}))
        self.assertEqual(s.recv(1), b'E')

    def test_direct_tls_with_alpn(self):
        context = ssl.create_default_context(cafile=str(certs.ca))
        context.set_alpn_protocols(['postgresql'])
        with context.wrap_socket(socket.create_connection(('127.0.0.1', proxy.port), 10), server_hostname='localhost') as s:
            self.assertEqual(s.selected_alpn_protocol(), 'postgresql')
        with proxy.wire('alice', tls='direct') as c:
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_direct_tls_without_the_right_alpn(self):
        for protocols in ([], ['h2']):
            context = ssl.create_default_context(cafile=str(certs.ca))
            if protocols:
                context.set_alpn_protocols(protocols)
            with self.subTest(alpn=protocols), self.assertRaises((OSError, ssl.SSLError)):
                with context.wrap_socket(socket.create_connection(('127.0.0.1', proxy.port), 10),
                                         server_hostname='localhost') as s:
                    s.sendall(gt.startup_message({'user': 'alice', 'database': 'wh'}))
                    if s.recv(1) == b'':
                        raise ConnectionResetError('closed')

    def test_old_tls_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers('ALL:@SECLEVEL=0')
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        s = socket.create_connection(('127.0.0.1', proxy.port), 10)
        s.sendall(gt.SSL_REQUEST)
        self.assertEqual(s.recv(1), b'S')
        with self.assertRaises((ssl.SSLError, OSError)):
            context.wrap_socket(s)

    def test_tls_1_2_and_1_3(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(certs.ca))
            context.minimum_version = context.maximum_version = version
            s = socket.create_connection(('127.0.0.1', proxy.port), 10)
            s.sendall(gt.SSL_REQUEST)
            self.assertEqual(s.recv(1), b'S')
            with context.wrap_socket(s, server_hostname='localhost'):
                pass

    def test_bytes_behind_the_ssl_request_are_not_taken(self):
        """What came in plaintext before the handshake must not count as said inside it (CVE-2021-23214)."""
        s = socket.create_connection(('127.0.0.1', proxy.port), 10)
        s.sendall(gt.SSL_REQUEST + gt.startup_message({'user': 'alice', 'database': 'wh'}))
        s.settimeout(2)
        data = b''
        try:
            while chunk := s.recv(100):
                data += chunk
                if len(data) > 1:
                    break
        except OSError:
            pass
        self.assertNotIn(b'SCRAM', data)

    def test_gss_request_is_declined_and_tls_follows(self):
        s = socket.create_connection(('127.0.0.1', proxy.port), 10)
        s.sendall(gt.GSS_REQUEST)
        self.assertEqual(s.recv(1), b'N')
        s.sendall(gt.SSL_REQUEST)
        self.assertEqual(s.recv(1), b'S')

    def test_modes_prefer_and_disable(self):
        for mode, ways in (('prefer', ('disable', 'sslrequest', 'direct')), ('disable', ('disable',))):
            with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, tls=mode, name=mode) as p:
                for way in ways:
                    with self.subTest(mode=mode, way=way), p.wire('alice', tls=way) as c:
                        self.assertEqual(c.one('SELECT 1'), [['1']])
                if mode == 'disable':
                    with self.assertRaises(gt.Closed):
                        p.wire('alice', tls='sslrequest')


class Passwords(unittest.TestCase):
    def failure(self, user, password):
        with self.assertRaises(gt.ServerError) as caught:
            proxy.wire(user, password=password)
        return {k: v.replace(user, '<user>') for k, v in caught.exception.fields.items()}

    def test_wrong_password_and_unknown_user_answer_alike(self):
        self.assertEqual(self.failure('alice', 'wrong'), self.failure('zelda', 'wrong'))
        self.assertEqual(self.failure('alice', 'wrong')['C'], '28P01')
        self.assertEqual(self.failure('alice', ''), self.failure('zelda', ''))

    def first_challenge(self, user):
        c = gt.Wire(proxy.port, user, 'wh', tls='sslrequest', startup=False)
        c.send(gt.startup_message({'user': user, 'database': 'wh'}))
        asked = c.receive()
        first = b'n,,n=,r=abcdefghijklmnop'
        c.send(gt.message('p', gt.cstring('SCRAM-SHA-256') + struct.pack('!I', len(first)) + first))
        kind, body = c.receive()
        c.close()
        words = dict(w.split('=', 1) for w in body[4:].decode().split(','))
        return asked, kind, (words['s'], words['i'], len(words['r']))

    def test_the_challenge_of_an_unknown_user_is_stable(self):
        """A salt that changes with every try, or another iteration count, would tell who exists."""
        known, unknown, other = (self.first_challenge(u) for u in ('alice', 'zelda', 'zorro'))
        self.assertEqual(known[:2], unknown[:2])
        self.assertEqual(known[2][1:], unknown[2][1:])
        self.assertEqual(len(known[2][0]), len(unknown[2][0]))
        self.assertEqual(unknown, self.first_challenge('zelda'))
        self.assertNotEqual(unknown[2][0], other[2][0])

    def test_time_is_alike(self):
        def seconds(user):
            begin = time.perf_counter()
            with self.assertRaises(gt.ServerError):
                proxy.wire(user, password='wrong')
            return time.perf_counter() - begin
        times = {u: [] for u in ('alice', 'zelda')}
        for _ in range(8):
            for u in times:
                times[u].append(seconds(u))
        a, b = (statistics.median(times[u]) for u in ('alice', 'zelda'))
        self.assertLess(abs(a - b), max(0.03, 0.5 * max(a, b)))

    def test_no_password_set(self):
        """A user without a verifier cannot log in by any password."""
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users={'alice': 'a'}, name='nopw') as p:
            for password in ('', 'x'):
                with self.assertRaises(gt.ServerError) as caught:
                    p.wire('bob', password=password)
                self.assertEqual(caught.exception.sqlstate, '28P01')

    def test_no_grant_is_no_database(self):
        for user, database in (('dave', 'wh'), ('alice', 'nowhere')):
            with self.assertRaises(gt.ServerError) as caught:
                proxy.wire(user, database=database)
            self.assertEqual(caught.exception.sqlstate, '3D000')
        # a stranger does not learn which databases exist
        with self.assertRaises(gt.ServerError) as caught:
            proxy.wire('alice', password='wrong', database='nowhere')
        self.assertEqual(caught.exception.sqlstate, '28P01')


class Throttle(unittest.TestCase):
    """Limits as in limits.h: ten failures are free, then the delay doubles from 250 ms to 5 s."""
    FREE = 10

    def setUp(self):
        self.proxy = self.enterContext(gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name=self.id()))

    def seconds(self, user, password=None, code='28P01', source=None):
        begin = time.monotonic()
        try:
            self.proxy.wire(user, password=password, source=source).close()
            self.assertIsNone(code)
        except gt.ServerError as e:
            self.assertEqual(e.sqlstate, code)
        return time.monotonic() - begin

    def test_delays_grow_and_end(self):
        for _ in range(self.FREE + 1):
            self.assertLess(self.seconds('alice', 'wrong'), 0.2 * gt.SLOW)
        waited = [self.seconds('alice', 'wrong') for _ in range(3)]
        for i, least in enumerate((0.25, 0.5, 1)):
            self.assertGreaterEqual(waited[i], least * 0.95)
        # the right password waits too: what comes at once would tell which it is
        self.assertGreaterEqual(self.seconds('alice', code=None), 1.9)
        self.assertLess(self.seconds('alice', code=None), 0.2 * gt.SLOW)

    def test_others_do_not_wait(self):
        for _ in range(self.FREE + 3):
            self.seconds('alice', 'wrong')
        self.assertLess(self.seconds('bob', code=None), 0.2 * gt.SLOW)
        self.assertLess(self.seconds('alice', code=None, source='127.0.0.2'), 0.2 * gt.SLOW)

    def test_an_unknown_user_waits_as_a_known_one(self):
        for user in ('alice', 'zelda'):
            waited = [self.seconds(user, 'wrong') for _ in range(self.FREE + 4)]
            self.assertLess(statistics.median(waited[:self.FREE]), 0.2 * gt.SLOW)
            for i, least in enumerate((0.25, 0.5, 1)):
                self.assertGreaterEqual(waited[self.FREE + 1 + i], least * 0.95)
                self.assertLess(waited[self.FREE + 1 + i], least + 0.5 * gt.SLOW)

    def test_guesses_at_once(self):
        """Sent side by side over both workers, they stand in line all the same; the rest is refused at once."""
        outcomes = []

        def guess():
            try:
                self.proxy.wire('carol', password='wrong', timeout=30)
            except gt.ServerError as e:
                outcomes.append((e.sqlstate, e.fields['M']))
        threads = [threading.Thread(target=guess) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        looked_at = [m for code, m in outcomes if code == '28P01']
        refused = [m for code, m in outcomes if code == '28000']
        self.assertEqual(len(outcomes), 60)
        self.assertGreaterEqual(len(looked_at), self.FREE)
        self.assertLess(len(looked_at), self.FREE + 10)
        for m in refused:
            self.assertRegex(m, r'^too many failed logins of this user from this address: try again in \d+ s$')
        records = lambda: [r for r in self.proxy.audit() if r['kind'] == 'login_failed' and r['user'] == 'carol']
        gt.wait_for(lambda: len(records()) == 60, 5, 'a record each')
        self.assertEqual({r['sqlstate'] for r in records()}, {'28P01', '28000'})
        self.assertEqual(sum('try again' in r['message'] for r in records()), len(refused))

    def test_waiting_holds_nobody_up(self):
        """A client that waits, or leaves while it does, is no burden to those beside it."""
        for _ in range(self.FREE + 5):
            self.seconds('alice', 'wrong')
        c = gt.Wire(self.proxy.port, 'alice', 'wh', 'wrong', tls='sslrequest', startup=False)
        c.send(gt.startup_message({'user': 'alice', 'database': 'wh'}))
        thread = threading.Thread(target=self.leave, args=(c,))
        thread.start()
        time.sleep(0.2)
        self.assertLess(min(self.seconds('bob', code=None) for _ in range(3)), 0.2 * gt.SLOW)
        c.socket.shutdown(socket.SHUT_RDWR)
        thread.join()
        self.assertLess(min(self.seconds('bob', code=None) for _ in range(3)), 0.2 * gt.SLOW)

    @staticmethod
    def leave(c):
        with contextlib.suppress(OSError, gt.Closed):
            c.authenticate()
        c.socket.close()


class Crowds(unittest.TestCase):
    def test_half_open_connections_keep_nobody_out(self):
        """Silent, in the middle of TLS, in the middle of SCRAM: the oldest make room for who logs in."""
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name='crowd', workers=1,
                          limits='logins: 20, clients: 5') as p:
            held = [socket.create_connection(('127.0.0.1', p.port), 10) for _ in range(40)]
            for s in held[20:30]:
                s.sendall(gt.SSL_REQUEST)
            asked = [gt.Wire(p.port, 'alice', 'wh', tls='sslrequest', startup=False) for _ in range(40)]
            for c in asked:
                with contextlib.suppress(OSError):  # some made room already
                    c.send(gt.startup_message({'user': 'alice', 'database': 'wh'}))
            for _ in range(10):
                with p.wire('alice') as c:
                    self.assertEqual(c.one('SELECT 1'), [['1']])
            told = 0
            for c in asked[:20]:
                with contextlib.suppress(gt.Closed, OSError):
                    while True:
                        kind, body = c.receive()
                        if kind == 'E':
                            self.assertEqual(gt.error_fields(body)['C'], '53300')
                            told += 1
            self.assertGreater(told, 0)
            self.assertIn('event=login.crowded', p.log())
            # only who has logged in counts as a client
            inside = [p.wire('alice') for _ in range(5)]
            self.assertFalse(self.is_let_in(p))
            inside.pop().close()
            gt.wait_for(lambda: self.is_let_in(p), 5, 'the place is free again')
            for s in held + [c.socket for c in asked + inside]:
                s.close()

    def is_let_in(self, p):
        try:
            p.wire('bob').close()
            return True
        except gt.ServerError as e:
            self.assertEqual(e.sqlstate, '53300')
            return False

    def test_time_to_log_in(self):
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name='late',
                          limits=f'login_timeout: {500 * gt.SLOW}ms') as p:
            silent = socket.create_connection(('127.0.0.1', p.port), 10)
            shaking = socket.create_connection(('127.0.0.1', p.port), 10)
            shaking.sendall(gt.SSL_REQUEST)
            asked = gt.Wire(p.port, 'alice', 'wh', tls='sslrequest', startup=False)
            asked.send(gt.startup_message({'user': 'alice', 'database': 'wh'}))
            begin = time.monotonic()
            self.assertEqual(asked.receive()[0], 'R')
            kind, body = asked.receive()
            self.assertEqual((kind, gt.error_fields(body)['C']), ('E', '57014'))
            self.assertEqual(gt.error_fields(body)['M'], 'canceling authentication due to timeout')
            self.assertEqual(silent.recv(1), b'')
            self.assertEqual(shaking.recv(1), b'S')
            self.assertEqual(shaking.recv(1), b'')
            self.assertLess(time.monotonic() - begin, 2 * gt.SLOW)
            with p.wire('alice') as c:
                time.sleep(1 * gt.SLOW)
                self.assertEqual(c.one('SELECT 1'), [['1']], 'who is in stays')


class Leaving(unittest.TestCase):
    """Who is disabled or dropped is out at once, whatever the session does."""

    def test_sessions_end_within_100_ms(self):
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name='leaving') as p:
            def delay():  # of one session; the least of three, on a machine that has other things to do
                with p.wire('alice') as c:
                    p.cli('user', 'disable', '--acl', p.acl, 'alice')
                    begin = time.monotonic()
                    self.assertEqual(gt.error_fields(c.receive()[1])['C'], '57P01')
                    taken = time.monotonic() - begin
                p.cli('user', 'enable', '--acl', p.acl, 'alice')
                p.settle()
                return taken
            self.assertLess(min(delay() for _ in range(3)), 0.1 * gt.SLOW)
            idle, in_transaction, running, other = (p.wire(u) for u in ('alice', 'alice', 'alice', 'bob'))
            in_transaction.one('BEGIN')
            running.send(gt.query_message('SELECT pg_sleep(30)'))
            p.cli('user', 'disable', '--acl', p.acl, 'alice')
            changed = time.monotonic()
            for c in (idle, in_transaction):
                kind, body = c.receive()
                self.assertEqual((kind, gt.error_fields(body)['C']), ('E', '57P01'))
                self.assertRaises(gt.Closed, c.receive)
            with self.assertRaises(gt.Closed):
                while True:
                    running.receive()
            self.assertLess(time.monotonic() - changed, 1 * gt.SLOW)
            self.assertEqual(other.one('SELECT current_user'), [['bob']])
            with self.assertRaises(gt.ServerError) as caught:
                p.wire('alice')
            self.assertEqual(caught.exception.sqlstate, '28P01')
            gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active'"
                                       " AND pid <> pg_backend_pid()") == '0\n', 5, 'the statement is cancelled upstream')
            begin = time.monotonic()
            p.apply(warehouse.POLICY.replace('  bob: { roles: [support], attributes: { region: US } }\n', ''))
            self.assertEqual(gt.error_fields(other.receive()[1])['C'], '57P01')
            self.assertLess(time.monotonic() - begin, 2 * gt.SLOW)
            logouts = lambda: [r['user'] for r in p.audit() if r['kind'] == 'logout']
            gt.wait_for(lambda: sorted(logouts()) == ['alice'] * 6 + ['bob'], 5, 'logouts')

    def test_between_proof_and_welcome(self):
        """Disabled while the login is under way: the session must not come into being."""
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name='between') as p:
            for _ in range(13):  # so that the next proof waits
                with self.assertRaises(gt.ServerError):
                    p.wire('alice', password='wrong')
            outcome = []

            def log_in():
                try:
                    outcome.append(p.wire('alice'))
                except gt.ServerError as e:
                    outcome.append(e.sqlstate)
            thread = threading.Thread(target=log_in)
            thread.start()
            time.sleep(0.3)
            p.cli('user', 'disable', '--acl', p.acl, 'alice')
            thread.join()
            self.assertIn(outcome, [['28P01'], ['3D000'], ['57P01']])


class Startup(unittest.TestCase):
    STATUS = {'application_name', 'client_encoding', 'DateStyle', 'default_transaction_read_only', 'in_hot_standby',
              'integer_datetimes', 'IntervalStyle', 'is_superuser', 'server_encoding', 'server_version',
              'session_authorization', 'standard_conforming_strings', 'TimeZone'}

    def test_parameter_status(self):
        with proxy.wire('alice') as c:
            self.assertLessEqual(self.STATUS, set(c.parameters))
            self.assertEqual(c.parameters['session_authorization'], 'alice')
            self.assertEqual(c.parameters['is_superuser'], 'off')
            self.assertNotIn('gatehouse', ' '.join(c.parameters.values()))
            self.assertIsNotNone(c.key)
            self.assertEqual(c.status, 'I')

    def test_settings_of_the_startup_packet(self):
        with proxy.wire('alice', parameters={'TimeZone': 'Asia/Tokyo', 'DateStyle': 'German', 'application_name': 'my app',
                                             'extra_float_digits': '2'}) as c:
            self.assertEqual(c.parameters['TimeZone'], 'Asia/Tokyo')
            self.assertTrue(c.parameters['DateStyle'].startswith('German'))
            self.assertEqual(c.one("SELECT date '2024-12-31'"), [['31.12.2024']])
            self.assertEqual(c.one('SHOW application_name'), [['my app']])

    def test_settings_go_back_to_the_startup_packet(self):
        with proxy.wire('alice', parameters={'TimeZone': 'Asia/Tokyo', 'application_name': "it's; mine", 'work_mem': '5MB'}) as c:
            for reset in ('RESET timezone', 'SET TimeZone TO DEFAULT', 'SET TIME ZONE DEFAULT', 'RESET ALL', 'DISCARD ALL'):
                with self.subTest(reset):
                    c.one("SET TimeZone = 'UTC'")
                    self.assertEqual(c.query(reset)[-1].tag, reset.split()[0] + ' ALL' * (reset == 'DISCARD ALL'))
                    self.assertEqual(c.one('SHOW timezone'), [['Asia/Tokyo']])
            self.assertEqual(c.parameters['TimeZone'], 'Asia/Tokyo')
            c.query("BEGIN; SET LOCAL work_mem = '6MB'; SET LOCAL work_mem TO DEFAULT; SET application_name = 'x'; RESET application_name")
            self.assertEqual(c.one("SELECT current_setting('work_mem'), current_setting('application_name')"), [['5MB', "it's; mine"]])
            self.assertEqual(c.one('ROLLBACK'), [])
            c.query("SET statement_timeout = '7s'; RESET statement_timeout; SET search_path = crm; RESET search_path")
            self.assertEqual(c.one('SHOW statement_timeout'), [['0']])
            self.assertEqual(c.one('SHOW search_path'), [['"$user", public']])
        with proxy.wire('alice', parameters={'work_mem': '3MB'}) as c:  # another startup packet, the same texts
            c.query("SET work_mem = '9MB'; RESET work_mem")
            self.assertEqual(c.one('SHOW work_mem'), [['3MB']])

    def test_who_names_no_application_has_none(self):
        with proxy.wire('alice', parameters={'application_name': None}) as c:
            self.assertEqual(c.parameters['application_name'], '')
            self.assertEqual(c.one("SELECT current_setting('application_name'), (SELECT reset_val FROM pg_settings WHERE name = 'application_name')"),
                             [['', '']])
            self.assertEqual(c.one('SELECT application_name FROM pg_stat_activity'), [['']])

    def test_options(self):
        with proxy.wire('alice', parameters={'options': '-c geqo=off -c geqo_threshold=8'}) as c:
            self.assertEqual(c.one('SHOW geqo'), [['off']])
        for options in ('-c TimeZone=UTC -c search_path=sales,crm', '--TimeZone=UTC --search_path=sales,crm'):
            with self.subTest(options=options), proxy.wire('alice', parameters={'options': options}) as c:
                self.assertEqual(c.one('SHOW timezone'), [['UTC']])
                self.assertIsNone(c.query('SELECT count(*) FROM orders')[-1].error)

    def test_settings_that_are_refused(self):
        for name, value in (('session_preload_libraries', 'x'), ('role', 'postgres'), ('log_statement', 'none'),
                            ('session_authorization', 'postgres'), ('standard_conforming_strings', 'off')):
            with self.subTest(name=name):
                try:
                    with proxy.wire('alice', parameters={name: value}) as c:
                        # accepted by being ignored is fine; taking effect is not
                        self.assertNotEqual(c.query(f'SHOW {name}')[-1].rows, [[value]])
                        self.assertEqual(c.one('SELECT current_user'), [['alice']])
                except gt.ServerError as e:
                    self.assertRegex(e.sqlstate, '^(42|22|0A|28)')

    def test_replication_is_refused(self):
        for value in ('true', 'database', '1'):
            with self.subTest(value=value), self.assertRaises(gt.ServerError) as caught:
                proxy.wire('alice', parameters={'replication': value})
            self.assertIn(caught.exception.sqlstate, ('28000', '42501', '0A000', '08P01'))

    def test_protocol_versions(self):
        for major in (1, 2, 4, 0x7fff):
            # PostgreSQL answers the oldest in the error format of their time, which this client cannot read
            with self.subTest(major=major), self.assertRaises((gt.ServerError, gt.Closed)):
                proxy.wire('alice', version=major << 16)
        with proxy.wire('alice', version=(3 << 16) | 7, parameters={'_pq_.unknown': 'x'}) as c:
            negotiated = [body for kind, body in c.log if kind == 'v']
            self.assertEqual(len(negotiated), 1, 'NegotiateProtocolVersion')
            self.assertIn(b'_pq_.unknown', negotiated[0])

    def test_no_user_and_empty_database(self):
        c = gt.Wire(proxy.port, '', '', tls='sslrequest', startup=False)
        c.send(gt.startup_message({'database': 'wh'}))
        self.assertEqual(c.receive()[0], 'E')
        # without a database the user's name is it, as in PostgreSQL
        with self.assertRaises(gt.ServerError) as caught:
            proxy.wire('alice', database=None)
        self.assertEqual(caught.exception.sqlstate, '3D000')


if __name__ == '__main__':
    gt.main()
