"""Things that break: the upstream is down, dies, refuses; clients vanish; the proxy is told to stop."""
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)


def a_proxy(name, **more):
    more.setdefault('policy', warehouse.POLICY)
    more.setdefault('users', warehouse.USERS)
    return gt.Gatehouse(scratch, pg, certs, name=name, **more)


def running():
    """How many statements of clients run upstream (the proxy reads catalogs with the same account now and then)."""
    return int(pg.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse' AND state = 'active'"
                      " AND query ~ 'crm|sales'"))


# Rows enough to outlast any buffer between here and there.
ENDLESS = 'SELECT a.id, b.name FROM crm.customers a, crm.customers b, sales.orders c, sales.orders d, sales.orders e'


class Upstream(unittest.TestCase):
    def assertNoUpstreamNames(self, fields):
        text = ' '.join(fields.values())
        for name in ('upstream-secret', 'user "gatehouse"', str(pg.port), 'verify-full', str(certs.ca)):
            self.assertNotIn(name, text)

    def test_down_at_login_then_up(self):
        pg.stop()
        try:
            with a_proxy('down') as p:
                with self.assertRaises((gt.ServerError, gt.Closed)) as caught:
                    p.wire('alice')
                self.assertIsInstance(caught.exception, gt.ServerError, 'a proper FATAL')
                self.assertIn(caught.exception.sqlstate[:2], ('08', '57'))
                self.assertEqual(caught.exception.fields['S'], 'FATAL')
                self.assertNoUpstreamNames(caught.exception.fields)
                pg.start()

                def up():
                    try:
                        with p.wire('alice') as c:
                            return c.one('SELECT count(*) > 0 FROM crm.customers') == [['t']]
                    except gt.ServerError:
                        return False
                gt.wait_for(up, 20, 'it serves once the upstream is there', step=0.2)
        finally:
            if not pg.running:
                pg.start()

    def test_wrong_upstream_password(self):
        with a_proxy('badpass', upstream_password='not-it') as p:
            with self.assertRaises(gt.ServerError) as caught:
                p.wire('alice')
            self.assertNoUpstreamNames(caught.exception.fields)
            self.assertNotIn('not-it', p.log())

    def test_certificate_of_the_upstream_is_checked(self):
        other = gt.Certificates(scratch.path('other-ca'))
        conninfo = pg.conninfo('wh', 'gatehouse').replace(str(certs.ca), str(other.ca))
        with a_proxy('badca', warehouses=f'wh:\n  conninfo: "{conninfo}"\n  password_file: wh.pass') as p:
            with self.assertRaises(gt.ServerError) as caught:
                p.wire('alice')
            self.assertNoUpstreamNames(caught.exception.fields)

    def test_killed_in_the_middle_of_a_result(self):
        with a_proxy('midquery') as p, p.wire('alice') as c, p.wire('erin') as other:
            self.assertEqual(other.one('SELECT 1'), [['1']])
            c.send(gt.query_message(ENDLESS))
            while c.receive()[0] != 'D':
                pass
            pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gatehouse' AND query LIKE '%crm%'"
                   " AND state = 'active'")
            with self.assertRaises((gt.Closed, gt.ServerError)):
                while True:
                    kind, body = c.receive()
                    if kind == 'E':
                        fields = gt.error_fields(body)
                        self.assertNoUpstreamNames(fields)
                        raise gt.ServerError(fields)
            self.assertEqual(other.one('SELECT 2'), [['2']], 'other sessions go on')
            with p.wire('alice') as again:
                self.assertTrue(again.one('SELECT id FROM crm.customers LIMIT 1'))

    def test_restarted_while_sessions_idle(self):
        with a_proxy('restart') as p:
            c = p.wire('alice')
            c.one('SELECT 1')
            pg.stop()
            pg.start()
            with self.assertRaises((gt.Closed, gt.ServerError, OSError)):
                for _ in range(3):
                    c.one('SELECT 1')
                    time.sleep(0.1)

            def fresh():
                try:
                    with p.wire('alice') as again:
                        return again.one('SELECT 1') == [['1']]
                except (gt.ServerError, gt.Closed):
                    return False
            gt.wait_for(fresh, 10, 'new sessions work', step=0.1)


class Clients(unittest.TestCase):
    def test_vanishing_in_every_state(self):
        with a_proxy('vanish') as p:
            for _ in range(3):
                # after connect; in the middle of the startup packet; before TLS; after TLS; in SCRAM
                s = socket.create_connection(('127.0.0.1', p.port)); s.close()
                s = socket.create_connection(('127.0.0.1', p.port)); s.sendall(b'\0\0'); s.close()
                s = socket.create_connection(('127.0.0.1', p.port)); s.sendall(gt.SSL_REQUEST); s.close()
                c = gt.Wire(p.port, 'alice', 'wh', tls='sslrequest', startup=False); c.socket.close()
                c = gt.Wire(p.port, 'alice', 'wh', tls='sslrequest', startup=False)
                c.send(gt.startup_message({'user': 'alice', 'database': 'wh'})); c.receive(); c.socket.close()
                # idle; in a transaction; in the middle of a message; of a result; between Parse and Sync
                c = p.wire('alice'); self.reset(c)
                c = p.wire('alice'); c.query('BEGIN'); self.reset(c)
                c = p.wire('alice'); c.send(gt.query_message('SELECT 1')[:7]); self.reset(c)
                c = p.wire('alice'); c.send(gt.query_message(ENDLESS)); c.receive(); self.reset(c)
                c = p.wire('alice'); c.send(gt.parse_message('SELECT 1'), gt.FLUSH); c.receive(); self.reset(c)
            self.assertTrue(p.alive())
            with p.wire('alice') as c:
                self.assertEqual(c.one('SELECT 1'), [['1']])
            gt.wait_for(lambda: running() == 0, 10, 'no abandoned query runs on upstream')
            gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse' AND"
                                       " state LIKE 'idle in transaction%'").strip() == '0', 10, 'no transaction is left open')

    def reset(self, c):
        """Closes with a RST, as a crashed host would."""
        raw = c.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        raw.close()

    def test_sessions_do_not_accumulate(self):
        with a_proxy('many') as p:
            fds = lambda: len(list(Path(f'/proc/{p.pid}/fd').iterdir()))
            with p.wire('alice') as c:
                c.one('SELECT 1')
            time.sleep(0.5)
            before = fds()
            for _ in range(60):
                with p.wire('alice') as c:
                    c.one('SELECT 1')
            gt.wait_for(lambda: fds() <= before + 8, 10, 'descriptors are closed again')

    def test_the_pool_is_for_all_workers(self):
        # The kernel deals clients out to the workers by chance: 3 each would be one case in 46.
        with a_proxy('pool', workers=4, pool='mode: session, size: 12, idle: 4') as p:
            held = [p.wire('alice') for _ in range(12)]
            late = threading.Thread(target=lambda: held.append(p.wire('alice')), daemon=True)
            late.start()
            status = lambda: json.loads(p.cli('status', '--json', '--config', p.config).stdout)['warehouses'][0]
            gt.wait_for(lambda: status()['pool']['waiting'] == 1, 5, 'one waits')
            held.pop().close()  # of whatever worker
            late.join(10)
            self.assertEqual(len(held), 12)
            for c in held:
                self.assertEqual(c.one('SELECT 1'), [['1']])
                c.close()

    def test_idle_connections_are_shared_out_to_the_last(self):
        """Of 3 that are kept open, two workers keep 2 and 1; of 1, one worker keeps it."""
        for idle, workers in ((3, 2), (1, 3)):
            with self.subTest(idle=idle), a_proxy(f'idle{idle}', workers=workers, pool=f'mode: session, size: 40, idle: {idle}') as p:
                status = lambda: json.loads(p.cli('status', '--json', '--config', p.config).stdout)['warehouses'][0]['pool']
                for c in [p.wire('alice') for _ in range(24)]:  # so that every worker has some
                    c.close()
                gt.wait_for(lambda: status()['used'] == status()['connecting'] == 0, 10, 'all are back')
                self.assertEqual(status()['idle'], idle)

    def test_too_many_clients(self):
        with a_proxy('limited', limits='clients: 3') as p:
            held = [p.wire('alice') for _ in range(3)]
            with self.assertRaises((gt.ServerError, gt.Closed)) as caught:
                p.wire('alice')
            if isinstance(caught.exception, gt.ServerError):
                self.assertEqual(caught.exception.sqlstate, '53300')
            held.pop().close()

            def free():
                try:
                    held.append(p.wire('alice'))
                    return True
                except (gt.ServerError, gt.Closed):
                    return False
            gt.wait_for(free, 5, 'a place is free again')
            for c in held:
                self.assertEqual(c.one('SELECT 1'), [['1']])
                c.close()


class Cancel(unittest.TestCase):
    def test_by_key(self):
        with a_proxy('cancel') as p:
            for tls in ('disable', 'sslrequest'):
                with self.subTest(tls=tls), p.wire('erin') as c:
                    c.send(gt.query_message(ENDLESS))
                    while c.receive()[0] != 'D':
                        pass
                    gt.cancel(p.port, c.key, tls)
                    results = c.results()
                    self.assertEqual(results[-1].sqlstate, '57014')
                    self.assertEqual(c.one('SELECT 1'), [['1']], 'the session goes on')

    def test_by_a_wrong_key_or_while_idle(self):
        with a_proxy('cancel2') as p, p.wire('erin') as c, p.wire('alice') as other:
            c.send(gt.query_message('SELECT count(*) FROM crm.customers a, crm.customers b, sales.orders c, sales.orders d'))
            gt.cancel(p.port, (c.key[0], c.key[1] ^ 1))
            gt.cancel(p.port, (other.key[0], c.key[1]))
            self.assertIsNone(c.results()[-1].error)
            gt.cancel(p.port, c.key)
            time.sleep(0.3)
            self.assertEqual(c.one('SELECT 1'), [['1']], 'a late cancel hits nothing')

    def test_psql_interrupted(self):
        """Ctrl-C in psql (SIGINT): libpq sends the cancel."""
        with a_proxy('cancel3') as p:
            psql = subprocess.Popen([str(gt.PG_BIN / 'psql'), '-XAtq', '-c', 'SELECT count(*) FROM sales.orders a, sales.orders b, '
                                     'sales.orders c, sales.orders d, sales.orders e'],
                                    env=p.environment('erin'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            gt.wait_for(lambda: running() == 1, 10, 'the query runs')
            psql.send_signal(signal.SIGINT)
            _, err = psql.communicate(timeout=20 * gt.SLOW)
            self.assertIn('cancel', err.lower())
            gt.wait_for(lambda: running() == 0, 5, 'the upstream stopped')


class Stopping(unittest.TestCase):
    def test_sigterm_lets_running_statements_end(self):
        p = a_proxy('drain')
        p.prepare()
        p.start()
        try:
            busy, idle = p.wire('erin'), p.wire('alice')
            busy.send(gt.query_message('SELECT count(*) FROM sales.orders a, sales.orders b, sales.orders c, crm.customers d'
                                       ' WHERE d.id < 4'))
            gt.wait_for(lambda: running() == 1, 10, 'the query runs')
            p.process.send_signal(signal.SIGTERM)
            with self.assertRaises((gt.Closed, gt.ServerError)) as caught:
                while True:
                    kind, body = idle.receive()
                    if kind == 'E':
                        raise gt.ServerError(gt.error_fields(body))
            if isinstance(caught.exception, gt.ServerError):
                self.assertEqual(caught.exception.sqlstate, '57P01')
            results = []
            while True:
                kind, body = busy.receive()
                if kind == 'D':
                    results.append(gt.data_row(body, None))
                if kind == 'C':
                    break
                self.assertNotEqual(kind, 'E', gt.error_fields(body))
            self.assertEqual(results, [[str(200 ** 3 * 3)]])
            gt.wait_for(lambda: not gt.can_connect(p.port), 10, 'it no longer listens')
            self.assertEqual(p.process.wait(20 * gt.SLOW), 0)
        finally:
            p.kill()
        records = p.audit()
        self.assertEqual(records[-1]['kind'], 'stop')
        gt.check_chain(p.audit_dir)

    def test_sigterm_while_idle_is_prompt(self):
        p = a_proxy('idle')
        p.prepare()
        p.start()
        with p.wire('alice') as c:
            c.one('SELECT 1')
            begin = time.monotonic()
            p.stop()
            self.assertLess(time.monotonic() - begin, 3 * gt.SLOW)

    def test_a_port_in_use_is_said(self):
        with a_proxy('first') as p:
            second = a_proxy('second')
            second.port = p.port
            second.prepare()
            second.start(wait=False)
            try:
                self.assertEqual(second.process.wait(20 * gt.SLOW), 1)
            finally:
                second.kill()
            self.assertIn(str(p.port), second.log())
            with p.wire('alice') as c:
                self.assertEqual(c.one('SELECT 1'), [['1']])


if __name__ == '__main__':
    gt.main()
