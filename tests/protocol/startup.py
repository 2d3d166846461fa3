"""The first bytes of a connection: what is answered, what is closed, and that nothing of it hurts others."""
import socket
import ssl
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql("CREATE VIEW crm.tenant AS SELECT coalesce(current_setting('app.tenant', true), 'none') AS tenant; GRANT SELECT ON crm.tenant TO gatehouse", 'wh')
    policy = warehouse.POLICY.replace('grants:\n', 'grants:\n  - { to: ["user:alice"], tables: [crm.tenant] }\n', 1)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=policy, users=warehouse.USERS, tls='prefer'))


def raw(*data, wait=5):
    """Sends bytes on a fresh connection; everything that comes back until it is closed, and whether it was."""
    with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
        s.settimeout(wait)
        got = b''
        try:
            for d in data:
                s.sendall(d)
            while True:
                more = s.recv(65536)
                if not more:
                    return got, True
                got += more
        except TimeoutError:
            return got, False
        except (ConnectionResetError, BrokenPipeError):
            return got, True


def error_of(data):
    assert data[:1] == b'E', data
    return gt.error_fields(data[5:])


class Untouched(unittest.TestCase):
    """Whatever a test does, a bystander's session goes on."""

    def setUp(self):
        self.bystander = proxy.wire('alice')
        self.addCleanup(self.bystander.close)

    def tearDown(self):
        self.assertEqual(self.bystander.one('SELECT 7'), [['7']])
        self.assertTrue(proxy.alive())


class Packets(Untouched):
    def test_every_truncation_of_a_startup_packet(self):
        packet = gt.startup_message({'user': 'alice', 'database': 'wh'})
        for size in range(len(packet)):
            with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
                s.sendall(packet[:size])
        # cut inside, with a length that says so
        for size in range(8, len(packet) - 1):
            body = packet[4:size]
            got, closed = raw(struct.pack('!I', len(body) + 4) + body)
            self.assertTrue(closed, size)
            self.assertEqual(error_of(got)['C'], '08P01', size)

    def test_lengths(self):
        for length in (0, 3, 4, 7, 10005, 2**31 - 1, 2**32 - 1):
            got, closed = raw(struct.pack('!I', length) + b'\0\3\0\0user\0alice\0\0')
            self.assertTrue(closed, length)
            self.assertIn(got[:1], (b'', b'E'))
            self.assertNotIn(b'R', got[:1])

    def test_versions(self):
        for version, state in ((0x00020000, '0A000'), (0x00040000, '0A000'), (0xffffffff, '0A000'), (0, '0A000')):
            got, closed = raw(gt.startup_message({'user': 'alice', 'database': 'wh'}, version))
            self.assertTrue(closed)
            self.assertEqual(error_of(got)['C'], state)
            self.assertIn('unsupported frontend protocol', error_of(got)['M'])

    def test_newer_minor_and_unknown_options_are_negotiated(self):
        c = gt.Wire(proxy.port, 'alice', 'wh', warehouse.USERS['alice'], startup=False)
        c.send(gt.startup_message({'user': 'alice', 'database': 'wh', '_pq_.shiny': '1'}, 0x00030009))
        kind, body = c.receive()
        self.assertEqual(kind, 'v')
        self.assertEqual(struct.unpack('!II', body[:8])[1], 1)
        self.assertIn(b'_pq_.shiny\0', body)
        c.authenticate()
        self.assertEqual(c.one('SELECT 1'), [['1']])
        c.close()

    def test_protocol_3_2_has_a_long_cancel_key(self):
        with proxy.wire('alice', version=0x00030002) as c:
            body = next(b for k, b in c.log if k == 'K')
            self.assertEqual(len(body), 4 + 32)
        with proxy.wire('alice') as c:
            self.assertEqual(len(next(b for k, b in c.log if k == 'K')), 8)

    def test_replication(self):
        for value in ('true', 'database', '1', 'yes'):
            got, closed = raw(gt.startup_message({'user': 'alice', 'database': 'wh', 'replication': value}))
            self.assertTrue(closed)
            self.assertEqual(got[:1], b'E')

    def test_gssenc_then_ssl(self):
        with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
            s.sendall(gt.GSS_REQUEST)
            self.assertEqual(s.recv(1), b'N')
            s.sendall(gt.SSL_REQUEST)
            self.assertEqual(s.recv(1), b'S')

    def test_injected_before_tls(self):
        """CVE-2021-23214: plaintext behind the SSLRequest must not end up in the encrypted session."""
        got, closed = raw(gt.SSL_REQUEST + gt.startup_message({'user': 'alice', 'database': 'wh'}))
        self.assertTrue(closed)
        self.assertNotIn(b'SCRAM', got)
        got, closed = raw(gt.GSS_REQUEST + b'x')
        self.assertTrue(closed)
        self.assertNotIn(b'SCRAM', got)

    def test_second_ssl_request(self):
        c = gt.Wire(proxy.port, 'alice', 'wh', startup=False, tls='sslrequest')
        c.send(gt.SSL_REQUEST)
        kind, body = c.receive()
        self.assertEqual(kind, 'E')

    def test_garbage(self):
        for data in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\0' * 64, b'\xff' * 64, b'\x16\x03\x01\0\x05hello'):
            got, closed = raw(data)
            self.assertTrue(closed, data)

    def test_truncated_tls(self):
        for size in (1, 5, 20):
            with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
                s.sendall(gt.SSL_REQUEST)
                self.assertEqual(s.recv(1), b'S')
                s.sendall(b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03' + b'x' * size)

    def test_cancel_with_a_wrong_key(self):
        """Answered as a right one: with nothing. What the session runs goes on."""
        pid, key = self.bystander.key
        self.bystander.send(gt.query_message('SELECT count(*) FROM generate_series(1, 1500000)'))
        for wrong in ((pid ^ 1, key), (pid, key ^ 1), (pid, key ^ 0x80000000), (pid, 0)):
            got, closed = raw(struct.pack('!IIII', 16, 80877102, *wrong))
            self.assertEqual((got, closed), (b'', True))
        self.assertEqual(self.bystander.results()[-1].rows, [['1500000']])


class Passwords(Untouched):
    def begin(self, user='alice'):
        c = gt.Wire(proxy.port, user, 'wh', 'wrong', startup=False, tls='sslrequest')
        c.send(gt.startup_message({'user': user, 'database': 'wh'}))
        kind, body = c.receive()
        self.assertEqual(kind, 'R')
        return c

    def test_other_messages_are_refused(self):
        for data in (gt.query_message('SELECT 1'), gt.SYNC, gt.parse_message('SELECT 1'), gt.message('F', b'1234'),
                     b'\0\0\0\0\0', gt.message('p', b'')):
            c = self.begin()
            c.send(data)
            kind, body = c.receive()
            self.assertEqual(kind, 'E')
            self.assertEqual(gt.error_fields(body)['S'], 'FATAL')
            with self.assertRaises(gt.Closed):
                c.receive()
        c = self.begin()
        with self.assertRaises((gt.Closed, OSError)):  # closed while it still sends
            c.send(gt.message('p', b'x' * 70000))
            while c.receive()[0] == 'E':
                pass

    def test_every_truncation_of_the_first_message(self):
        first = b'n,,n=,r=abcdefghijklmnop'
        body = gt.cstring('SCRAM-SHA-256') + struct.pack('!I', len(first)) + first
        for size in range(len(body)):
            c = self.begin()
            c.send(gt.message('p', body[:size]))
            kind, answer = c.receive()
            if kind == 'E':
                self.assertIn(gt.error_fields(answer)['C'], ('08P01', '28000', '28P01', '0A000'))
            c.socket.close()

    def test_unknown_and_wrong_are_answered_alike(self):
        answers = []
        for user in ('alice', 'nobody-of-that-name'):
            with self.assertRaises(gt.ServerError) as caught:
                gt.Wire(proxy.port, user, 'wh', 'wrong', tls='sslrequest')
            fields = dict(caught.exception.fields)
            fields['M'] = fields['M'].replace(user, 'USER')
            answers.append(fields)
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0]['C'], '28P01')

    def test_hidden_warehouse_and_absent_warehouse_are_answered_alike(self):
        answers = []
        for user, database in (('dave', 'wh'), ('alice', 'xx')):
            with self.assertRaises(gt.ServerError) as caught:
                gt.Wire(proxy.port, user, database, warehouse.USERS[user], tls='sslrequest')
            answers.append({k: v.replace(f'"{database}"', 'DB') for k, v in caught.exception.fields.items()})
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0]['C'], '3D000')


class Parameters(Untouched):
    def test_parameter_status(self):
        with proxy.wire('alice') as c:
            expected = {'application_name', 'client_encoding', 'DateStyle', 'default_transaction_read_only',
                        'in_hot_standby', 'integer_datetimes', 'IntervalStyle', 'is_superuser', 'server_encoding',
                        'server_version', 'session_authorization', 'standard_conforming_strings', 'TimeZone'}
            self.assertEqual(set(c.parameters), expected)
            self.assertEqual(c.parameters['session_authorization'], 'alice')
            self.assertEqual(c.parameters['is_superuser'], 'off')
            self.assertNotIn(b'gatehouse', c.received_bytes())

    def test_startup_settings_are_applied(self):
        with proxy.wire('alice', parameters={'DateStyle': 'German', 'options': '-c intervalstyle=iso_8601 --timezone=Asia/Tokyo',
                                             'application_name': "it's"}) as c:
            self.assertEqual(c.parameters['DateStyle'], 'German, DMY')
            self.assertEqual(c.parameters['IntervalStyle'], 'iso_8601')
            self.assertEqual(c.parameters['TimeZone'], 'Asia/Tokyo')
            self.assertEqual(c.parameters['application_name'], "it's")
            for text, name, value in (("SET TimeZone = 'Europe/Zurich'", 'TimeZone', 'Europe/Zurich'), ('SET DateStyle TO ISO', 'DateStyle', 'ISO, DMY'),
                                      ("SET SESSION TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE", 'TimeZone', '<+00>-00'),
                                      ('RESET IntervalStyle', 'IntervalStyle', 'iso_8601')):
                c.query(text)
                self.assertEqual(c.parameters[name], value)
        with proxy.wire('alice') as c:  # nothing of it is left for who comes next
            self.assertEqual(c.parameters['IntervalStyle'], 'postgres')

    def test_what_drivers_send_beside_the_names(self):
        sent = {'client_encoding': "'utf-8'", 'extra_float_digits': '3', 'jit': 'off', 'search_path': 'sales, public', 'statement_timeout': '61000',
                'lock_timeout': '4s', 'idle_in_transaction_session_timeout': '62000', 'standard_conforming_strings': 'on'}
        with proxy.wire('alice', parameters=sent) as c:
            self.assertEqual(c.parameters['client_encoding'], 'UTF8')
            self.assertEqual([c.one(f'SHOW {name}')[0][0] for name in list(sent)[1:]], ['3', 'off', 'sales, public', '61s', '4s', '62s', 'on'])

    def test_settings_that_are_refused(self):
        for parameters in ({'session_preload_libraries': 'x'}, {'options': '-c session_authorization=postgres'},
                           {'role': 'postgres'}, {'client_encoding': 'SJIS'}, {'options': '-c log_statement=all'}):
            with self.subTest(parameters=parameters), self.assertRaises(gt.ServerError) as caught:
                proxy.wire('alice', parameters=parameters)
            self.assertEqual(caught.exception.fields['S'], 'FATAL')

    def test_variables_of_the_clients_own(self):
        """They are the session's: neither the warehouse nor the next session on the connection finds them."""
        with proxy.wire('alice', parameters={'options': '-c app.tenant=5 -c App.Where=x'}) as c:
            self.assertEqual(c.one("SELECT current_setting('app.tenant'), current_setting('APP.where')"), [['5', 'x']])
            self.assertEqual(c.one('SELECT tenant FROM crm.tenant'), [['none']])
            c.query("SET app.tenant = '6'; SET app.other = 'y'")
            self.assertEqual(c.one('SHOW app.tenant'), [['6']])
            c.query('RESET app.tenant')
            self.assertEqual(c.one('SHOW app.tenant'), [['5']])
            c.query('DISCARD ALL')
            self.assertEqual(c.one('SHOW app.tenant'), [['5']])
            error = c.query("SELECT current_setting('app.nothing')")[-1].error
            self.assertEqual((error['C'], error['M']), ('42704', 'unrecognized configuration parameter "app.nothing"'))
        for _ in range(3):
            with proxy.wire('alice') as c:
                self.assertEqual(c.one("SELECT current_setting('app.tenant', true), current_setting('app.other', true)"), [[None, None]])
        for name in ('app.' + 'x' * 60, 'gatehouse.x', 'app..x', 'app.x-y'):
            with self.subTest(name=name), self.assertRaises(gt.ServerError) as caught:
                proxy.wire('alice', parameters={name: '1'})
            self.assertEqual(caught.exception.sqlstate, '42501')
        with proxy.wire('alice', parameters={'app.' + 'x' * 59: '1'}) as c:
            self.assertEqual(c.one('SHOW app.' + 'x' * 59), [['1']])

    def test_a_bad_value_is_the_servers_error(self):
        with self.assertRaises(gt.ServerError) as caught:
            proxy.wire('alice', parameters={'TimeZone': 'Nowhere/Land'})
        self.assertEqual(caught.exception.sqlstate, '22023')


if __name__ == '__main__':
    gt.main()
