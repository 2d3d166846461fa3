"""The control socket is the proxy's own account's and root's, and nobody can hang, fill or replace it."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

NOBODY = 65534


def setUpModule():
    global proxy, scratch, certs, pg, path
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))
    path = proxy.dir / 'gatehouse.sock'


def connect(where=None):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(str(where or path))
    return s


def talk(data, shut=False):
    with connect() as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            answer = b''
            while chunk := s.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return [json.loads(line) for line in answer.splitlines()]


def serves():
    return json.loads(proxy.cli('status', '--json', '--config', proxy.config).stdout)['policy']['state'] == 'current'


class Control(unittest.TestCase):
    def tearDown(self):
        self.assertTrue(proxy.alive())
        gt.wait_for(serves_quietly, 30, 'the proxy answers')
        self.assertTrue(serves())
        with proxy.wire('alice') as c:
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_mode(self):
        self.assertEqual(path.lstat().st_mode & 0o777, 0o600)

    @unittest.skipUnless(gt.IS_ROOT, 'another account needs root')
    def test_other_account(self):
        """Another account is refused by the file's mode, and where that was loosened, by its credentials."""
        program = f'''
import os, socket, sys
os.setgid({NOBODY}); os.setuid({NOBODY})
s = socket.socket(socket.AF_UNIX)
try:
    s.connect({str(path)!r})
except PermissionError:
    print('denied'); sys.exit()
s.settimeout(10)
try:
    s.sendall(b'sessions\\n')
    print('answer', s.recv(65536))
except ConnectionError:
    print('answer', b'')
'''
        def attempt():
            return subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=60).stdout
        folder_mode = proxy.dir.stat().st_mode
        self.assertEqual(attempt(), 'denied\n')
        try:
            proxy.dir.chmod(0o755)
            self.assertEqual(attempt(), 'denied\n')
            path.chmod(0o777)
            self.assertEqual(attempt(), "answer b''\n")
            self.assertIn(f'event=control.refused uid={NOBODY}', proxy.log())
        finally:
            proxy.dir.chmod(folder_mode)
            path.chmod(0o600)

    def test_requests_that_are_none(self):
        for data in (b'\n', b'status\textra\n', b'STATUS\n', b'status \n', b'kill\n', b'kill\t\t\n', b'\0\n', b'sta\0tus\n',
                     b'status\nstatus\n', b'x' * 1024 + b'\n', b'x' * 1023 + b'\n', b'\xff\xfe\n', b'status\r\n',
                     b'kill\t' + b'9' * 900 + b'\tme\n', b'GET / HTTP/1.1\r\n\r\n', b'{"verb":"status"}\n'):
            answer = talk(data)
            self.assertEqual(len(answer), 1, data)
            self.assertFalse(answer[0]['ok'], data)
        self.assertIn('unknown', talk(b'x' * 1024 + b'\n')[0]['error'])
        self.assertIn('one line', talk(b'x' * 1025 + b'\n')[0]['error'])
        for data in (b'x' * 100000, b'', b'status'):
            answer = talk(data, shut=True)
            self.assertTrue(answer in ([], [{'ok': False, 'error': 'expected one line'}]), data)

    def test_author_cannot_forge_records(self):
        forged = 'eve"},{"kind":"admin","by":"alice"\x1b[2J'
        talk(b'kill\tnobody\t' + forged.encode() + b'\n')
        with proxy.wire('alice', parameters={'application_name': 'forged'}) as c:
            [s] = [s for s in (json.loads(line) for line in proxy.cli(
                'session', 'list', '--json', '--config', proxy.config).stdout.splitlines()) if s['application'] == 'forged']
            self.assertTrue(talk(f"kill\t{s['id']}\t{forged}\n".encode())[0]['ok'])
        # The worker that ends the session commits the record at the end of its turn, the answer is another thread's.
        [record] = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'admin' and r.get('session') == s['id']], 5, 'the record')
        self.assertEqual(record['by'], f'{forged} (uid {os.geteuid()})')
        gt.check_chain(proxy.audit_dir)
        self.assertNotIn('\x1b', proxy.cli('audit', 'search', '--config', proxy.config, '--kind', 'admin').stdout)

    def test_silent_connections_make_room(self):
        """More than there are places: the last ones are hung up on, and the silent ones are, in time."""
        held = [connect() for _ in range(40)]
        try:
            time.sleep(0.3)
            with proxy.wire('alice') as c:
                self.assertEqual(c.one('SELECT 1'), [['1']], 'clients are not concerned')
            done = proxy.cli('status', '--config', proxy.config, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn('at a time', done.stderr)
            gt.wait_for(serves_quietly, 30, 'the silent ones are gone')
        finally:
            for s in held:
                s.close()

    def test_who_does_not_read(self):
        held = []
        for _ in range(8):
            s = connect()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            s.sendall(b'sessions\n')
            held.append(s)
        self.assertTrue(serves())
        for s in held:
            s.close()

    def test_hangs_up_while_it_is_asked(self):
        for _ in range(50):
            with connect() as s, contextlib.suppress(ConnectionError):  # more at once than there are places
                s.sendall(b'sessions\n')


def serves_quietly():
    return proxy.cli('status', '--config', proxy.config, check=False).returncode == 0


class Socket(unittest.TestCase):
    """What lies where the socket shall be."""

    def start(self, name, prepare):
        p = gt.Gatehouse(scratch, pg, certs, name=name, policy='version: 1\n')
        p.prepare()
        prepare(p.dir / 'gatehouse.sock')
        p.start(wait=False)
        return p

    def refuses(self, name, prepare):
        p = self.start(name, prepare)
        self.assertEqual(p.process.wait(30), 1)
        p.process = None
        self.assertIn('gatehouse.sock', p.log())
        return p

    def test_stale_socket_is_replaced(self):
        def stale(where):
            s = socket.socket(socket.AF_UNIX)
            s.bind(str(where))
            s.close()
        p = self.start('stale', stale)
        try:
            gt.wait_for(lambda: p.cli('status', '--config', p.config, check=False).returncode == 0, 10)
        finally:
            p.stop()

    def test_proxy_that_was_killed(self):
        p = self.start('killed', lambda where: None)
        gt.wait_for(lambda: p.cli('status', '--config', p.config, check=False).returncode == 0, 10)
        p.kill()
        done = p.cli('status', '--config', p.config, check=False)
        self.assertEqual((done.returncode, 'nobody answers' in done.stderr), (1, True))
        p.start()
        p.cli('status', '--config', p.config)
        p.stop()

    def test_link_and_file_are_left_alone(self):
        target = scratch.path('precious')
        target.write_text('precious')
        self.refuses('link', lambda where: where.symlink_to(target))
        self.assertEqual(target.read_text(), 'precious')
        other = scratch.path('precious.sock')
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(other))
        s.close()
        self.refuses('link-to-socket', lambda where: where.symlink_to(other))
        self.assertTrue(other.exists())
        p = self.refuses('file', lambda where: where.write_text('precious'))
        self.assertEqual((p.dir / 'gatehouse.sock').read_text(), 'precious')
        self.refuses('folder', lambda where: where.mkdir())

    def test_second_proxy(self):
        """Another config with the same socket: the second one refuses, and the first one keeps its socket."""
        second = gt.Gatehouse(scratch, pg, certs, name='second', policy='version: 1\n')
        second.prepare()
        second.config.write_text(second.config.read_text().replace('control: gatehouse.sock', f'control: {path}'))
        second.start(wait=False)
        self.assertEqual(second.process.wait(30), 1)
        second.process = None
        self.assertIn('another process answers', second.log())
        self.assertEqual(json.loads(proxy.cli('status', '--json', '--config', proxy.config).stdout)['pid'], proxy.pid)

    def test_client_follows_no_link(self):
        link = scratch.path('link.sock')
        link.symlink_to(path)
        done = proxy.cli('status', '--control', link, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('not a socket', done.stderr)

    def test_answers_that_are_none(self):
        """A socket that lies: the client says so and ends."""
        fake = scratch.path('fake.sock')
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(fake))
            server.listen(5)
            for answer in (b'', b'x', b'\n', b'{"ok":true}', b'[]\n', b'{"ok":tru\n', b'{"ok":false}\n', b'\xff' * 1000 + b'\n',
                           b'{"ok":true}\n'):
                process = subprocess.Popen([str(gt.BINARY), 'status', '--control', str(fake)], stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE)
                c, _ = server.accept()
                c.recv(1000)
                c.sendall(answer)
                c.close()
                out, err = process.communicate(timeout=30)
                self.assertEqual((process.returncode, out), (1, b''), answer)
                self.assertTrue(err.startswith(b'gatehouse: '), err)


if __name__ == '__main__':
    gt.main()
