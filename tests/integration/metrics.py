"""The admin address: figures for Prometheus and health for load balancers, and nothing else."""
import re
import resource
import socket
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global proxy, scratch, certs, pg, port
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    port = gt.free_port()
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     extra=f'admin: {{ address: "127.0.0.1:{port}" }}\n'))


def get(path, method='GET'):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as r:
            return r.status, r.headers, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read().decode()


def raw(data, shut=False):
    with socket.create_connection(('127.0.0.1', port), 20) as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            answer = b''
            while chunk := s.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return answer


def figures():
    code, headers, text = get('/metrics')
    assert code == 200, text
    assert headers['Content-Type'].startswith('text/plain; version=0.0.4')
    found, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split()
            assert name not in kinds, name
            kinds[name] = kind
        elif not line.startswith('# HELP '):
            match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})? (-?[0-9.]+)', line)
            assert match, line
            assert match[1] in kinds, line
            assert (kinds[match[1]] == 'counter') == match[1].endswith('_total'), line
            found[match[1] + (match[2] or '')] = float(match[3])
    return found


class Metrics(unittest.TestCase):
    def test_figures(self):
        before = figures()
        with proxy.wire('alice') as c:
            for _ in range(3):
                c.one('SELECT 1')
            c.query('SELECT * FROM vault.keys')
            during = figures()
        self.assertRaises(gt.ServerError, proxy.wire, 'alice', password='wrong')
        after = gt.wait_for(lambda: (f := figures())['gatehouse_clients'] == before['gatehouse_clients'] and f, 5)

        def grew(name, by):
            self.assertEqual(after[name] - before[name], by, name)
        grew('gatehouse_statements_total', 3)
        grew('gatehouse_refusals_total', 1)
        grew('gatehouse_logins_total', 1)
        grew('gatehouse_login_failures_total', 1)
        self.assertEqual(during['gatehouse_clients'], before['gatehouse_clients'] + 1)
        self.assertGreaterEqual(during['gatehouse_pool_connections{warehouse="wh",state="used"}'], 1)
        self.assertEqual(after['gatehouse_pool_size{warehouse="wh"}'], 50)
        self.assertEqual(after['gatehouse_warehouse_observed{warehouse="wh"}'], 0)
        self.assertEqual(after['gatehouse_policy_stale'], 0)
        self.assertEqual(after['gatehouse_audit_failing'], 0)
        self.assertGreater(after['gatehouse_audit_records_total'], 0)
        self.assertEqual(after['gatehouse_workers'], 2)

    def test_how_long_a_change_took(self):
        proxy.cli('role', 'add', 'late', '--acl', proxy.acl)
        gt.wait_for(lambda: figures()['gatehouse_policy_delay_seconds'] > 0, 10, 'the figure')
        self.assertLess(figures()['gatehouse_policy_delay_seconds'], 60)

    def test_nothing_but_numbers(self):
        with proxy.wire('alice') as c:
            c.query("SELECT 'CANARY' FROM crm.customers")
            text = get('/metrics')[2] + get('/healthz')[2]
        for secret in ('alice', 'CANARY', 'customers', str(pg.port), 'gatehouse.hash', str(proxy.dir), '127.0.0.1', 'upstream'):
            self.assertNotIn(secret, re.sub(r'# HELP.*', '', text))

    def test_health(self):
        self.assertEqual(get('/healthz')[::2], (200, 'ok\n'))
        resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        try:
            with proxy.wire('alice', startup=False) as c:
                self.assertRaises((gt.ServerError, gt.Closed), lambda: (
                    c.send(gt.startup_message({'user': 'alice', 'database': 'wh'})), c.authenticate()))
            self.assertEqual(get('/healthz')[0], 503)
            self.assertEqual(figures()['gatehouse_audit_failing'], 1)
        finally:
            resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        gt.wait_for(lambda: self.can_login() and get('/healthz')[0] == 200, 10, 'healthy again')

    def can_login(self):
        try:
            proxy.wire('alice').close()
            return True
        except gt.ServerError:
            return False

    def test_stale_policy(self):
        data = proxy.acl.read_bytes()
        proxy.acl.rename(proxy.dir / 'away.db')
        try:
            gt.wait_for(lambda: figures()['gatehouse_policy_stale'] == 1, 10)
            self.assertEqual(get('/healthz')[::2], (200, 'ok; the policy is stale\n'))
        finally:
            (proxy.dir / 'away.db').rename(proxy.acl)
        self.assertTrue(data)
        gt.wait_for(lambda: figures()['gatehouse_policy_stale'] == 0, 10)

    def test_http(self):
        code, headers, text = get('/metrics', 'HEAD')
        self.assertEqual((code, text), (200, ''))
        self.assertGreater(int(headers['Content-Length']), 1000)
        self.assertEqual(get('/metrics?name=x')[0], 200)
        self.assertEqual(get('/')[0], 404)
        self.assertEqual(get('/metrics/')[0], 404)
        self.assertEqual(get('/metrics', 'POST')[0], 405)
        for data, code in ((b'GET /metrics HTTP/1.0\r\n\r\n', b'200'), (b'GET /metrics\r\n\r\n', b'400'), (b'\r\n\r\n', b'400'),
                           (b'GET  /metrics HTTP/1.1\r\n\r\n', b'400'), (b'get /metrics HTTP/1.1\r\n\r\n', b'405'),
                           (b'GET /metrics HTTP/2\r\n\r\n', b'400'), (b'\x16\x03\x01\r\n\r\n', b'400'),
                           (b'GET /healthz HTTP/1.1\r\nX: ' + b'y' * 20000 + b'\r\n\r\n', b'400'),
                           (b'GET /healthz HTTP/1.1\r\nX: ' + b'y' * 8000 + b'\r\n\r\n', b'200'),
                           (b'GET /' + b'\0' * 100 + b' HTTP/1.1\r\n\r\n', b'404')):
            answer = raw(data)
            # The rest of a request that is too long may meet a closed connection.
            self.assertTrue(answer.split(b' ')[1] == code if answer else len(data) > 10000, (data[:60], answer[:60]))
        self.assertEqual(raw(b'GET /metrics HT', shut=True), b'')

    def test_crowd(self):
        held = [socket.create_connection(('127.0.0.1', port), 20) for _ in range(60)]
        try:
            with proxy.wire('alice') as c:
                self.assertEqual(c.one('SELECT 1'), [['1']])
        finally:
            for s in held:
                s.close()
        gt.wait_for(lambda: raw(b'GET /healthz HTTP/1.1\r\n\r\n').startswith(b'HTTP/1.1 200'), 20)

    def test_off_loopback(self):
        p = gt.Gatehouse(scratch, pg, certs, name='wide', policy='version: 1\n', extra='admin: { address: "0.0.0.0:1" }\n')
        p.prepare()
        done = p.cli('check', '--config', p.config, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('admin.address', done.stderr)
        p.extra = 'admin: { address: "0.0.0.0:1", insecure: true }\n'
        p.write_config()
        p.cli('check', '--config', p.config)

    def test_address_in_use(self):
        p = gt.Gatehouse(scratch, pg, certs, name='taken', policy='version: 1\n',
                         extra=f'admin: {{ address: "127.0.0.1:{port}" }}\n')
        p.prepare()
        p.start(wait=False)
        self.assertEqual(p.process.wait(30), 1)
        p.process = None
        self.assertIn(f'127.0.0.1:{port}', p.log())


if __name__ == '__main__':
    gt.main()
