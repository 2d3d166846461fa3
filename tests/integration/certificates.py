"""Client certificates, and what binds a password's proof to the server's certificate."""
import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
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
    global scratch, certs, clients, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    clients = gt.Certificates(scratch.path('clients'))
    proxy = unittest.enterModuleContext(start('by-cn'))


def start(name, more='', **options):
    # bob and dave have no password: only a certificate can be theirs
    users = {u: warehouse.USERS[u] for u in ('alice', 'carol')}
    return gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=users, name=name,
                        client_tls=f'client_ca: {clients.ca}{more}', **options)


def psql(p, user, sql='SELECT current_user', certificate=None, **more):
    env = p.environment(user, password=more.pop('password', ''))
    env.update(more)
    env['PGSSLCERT'], env['PGSSLKEY'] = map(str, certificate or ('/nonexistent', '/nonexistent'))
    return gt.run(gt.PG_BIN / 'psql', '-XAtqw', '-c', sql, env=env, check=False)


class Certificates(unittest.TestCase):
    def test_logs_in_without_a_password(self):
        for user in ('bob', 'alice'):
            done = psql(proxy, user, certificate=clients.issue(f'own-{user}', user))
            self.assertEqual((done.stdout, done.stderr), (f'{user}\n', ''))
        with proxy.wire('bob', password='', certificate=clients.issue('wire', 'bob')) as c:
            self.assertNotIn(b'SCRAM', b''.join(body for kind, body in c.log if kind == 'R'))

    def test_is_in_the_audit_log(self):
        psql(proxy, 'bob', 'SELECT 42', certificate=clients.issue('audited', 'bob'))
        psql(proxy, 'alice', 'SELECT 43', password=warehouse.USERS['alice'])
        records = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'intent' and r['sql'] in ('SELECT 42', 'SELECT 43')],
                              5, 'records')
        self.assertEqual({(r['sql'], r['tls_identity']) for r in records}, {('SELECT 42', 'bob'), ('SELECT 43', None)})
        self.assertIn('bob', {r['tls_identity'] for r in proxy.audit() if r['kind'] == 'login'})

    def test_of_another_user(self):
        """Not even with the other one's password; and who does not exist gets the same answer as who does."""
        mallory = clients.issue('mallory', 'mallory')
        said = set()
        for user in ('bob', 'alice', 'nobody', 'mallory'):
            with self.assertRaises(gt.ServerError) as caught:
                proxy.wire(user, password=warehouse.USERS.get(user, 'x'), certificate=mallory)
            self.assertEqual(caught.exception.sqlstate, '28000')
            said.add(caught.exception.fields['M'].replace(user, '<user>'))
        self.assertEqual(said, {'certificate authentication failed for user "<user>"'})
        refused = lambda: {r['user'] for r in proxy.audit() if r['kind'] == 'login_failed' and r['tls_identity'] == 'mallory'}
        gt.wait_for(lambda: refused() == {'bob', 'alice', 'nobody', 'mallory'}, 5, 'a record each')

    def test_names_are_exact(self):
        for name in ('Bob', 'bob ', 'bob.example', '*'):
            with self.subTest(name=name):
                self.assertNotEqual(psql(proxy, 'bob', certificate=clients.issue('near', name)).returncode, 0)

    def test_of_two_common_names_neither_counts(self):
        crt, key = clients.dir / 'two.crt', clients.dir / 'two.key'
        gt.run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
               '-subj', '/CN=bob/CN=alice', '-keyout', key, '-out', clients.dir / 'two.csr')
        gt.run('openssl', 'x509', '-req', '-in', clients.dir / 'two.csr', '-CA', clients.ca, '-CAkey', clients.dir / 'ca.key',
               '-CAcreateserial', '-days', '3', '-out', crt)
        for user in ('bob', 'alice'):
            self.assertNotEqual(psql(proxy, user, certificate=(crt, key)).returncode, 0)

    def test_of_a_foreign_ca(self):
        foreign = gt.Certificates(scratch.path('foreign'))
        done = psql(proxy, 'bob', certificate=foreign.issue('bob', 'bob'))
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, '')
        self.assertTrue(proxy.alive())

    def test_of_a_server_is_not_a_clients(self):
        """A certificate that the CA made for other purposes only does not name anyone here."""
        crt, key = clients.issue('bob-server', 'bob', 'DNS:bob\nextendedKeyUsage=serverAuth')
        self.assertNotEqual(psql(proxy, 'bob', certificate=(crt, key)).returncode, 0)

    def test_expired(self):
        _, key = clients.issue('late', 'bob')
        crt = clients.dir / 'late-expired.crt'
        gt.run('openssl', 'x509', '-req', '-in', clients.dir / 'late.csr', '-CA', clients.ca, '-CAkey', clients.dir / 'ca.key',
               '-CAcreateserial', '-days', '-1', '-out', crt)
        self.assertNotEqual(psql(proxy, 'bob', certificate=(crt, key)).returncode, 0)

    def test_none_still_asks_for_the_password(self):
        self.assertEqual(psql(proxy, 'alice', password=warehouse.USERS['alice']).stdout, 'alice\n')
        self.assertIn('no password supplied', psql(proxy, 'alice').stderr)

    def test_disabled_user(self):
        bob = clients.issue('disabled', 'bob')
        with start('disabling') as p:
            self.assertEqual(psql(p, 'bob', certificate=bob).stdout, 'bob\n')
            p.cli('user', 'disable', '--acl', p.acl, 'bob')
            gt.wait_for(lambda: 'certificate authentication failed' in psql(p, 'bob', certificate=bob).stderr, 5, 'refusal')

    def test_without_client_ca_nobody_is_asked(self):
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users={'alice': 'a'}, name='unasked') as p:
            done = psql(p, 'bob', certificate=clients.issue('unasked', 'bob'))
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(psql(p, 'alice', certificate=clients.issue('unasked', 'bob'), password='a').stdout, 'alice\n')

    def test_plaintext_has_no_certificate(self):
        with start('prefer', tls='prefer') as p:
            with self.assertRaises(gt.ServerError) as caught:
                p.wire('bob', password='', tls='disable')
            self.assertEqual(caught.exception.sqlstate, '28P01')


class Names(unittest.TestCase):
    def test_alternative_names(self):
        san = 'DNS:bob,email:carol@example.org,URI:spiffe://example.org/alice,DNS:dave'
        crt = clients.issue('san', 'grace', san)
        for kind, user, other in (('dns', 'bob', 'grace'), ('cn', 'grace', 'bob')):
            with self.subTest(kind=kind), start(f'san-{kind}', f', client_name: {kind}') as p:
                self.assertEqual(psql(p, user, certificate=crt).stdout, f'{user}\n')
                self.assertIn('certificate authentication failed', psql(p, other, certificate=crt).stderr)
                if kind == 'dns':
                    # dave is named too; that he has no grant is said after that
                    self.assertIn('does not exist', psql(p, 'dave', certificate=crt).stderr)

    def test_map(self):
        crt = clients.issue('mapped', 'grace', 'email:carol@example.org,URI:spiffe://example.org/alice')
        cases = (('email', 'carol@example.org', 'carol'), ('uri', 'spiffe://example.org/alice', 'alice'),
                 ('dn', 'CN=grace', 'bob'), ('cn', 'grace', 'bob'))
        for kind, name, user in cases:
            more = f', client_name: {kind}, client_map: {{ "{name}": {user}, "CN=x": erin }}'
            with self.subTest(kind=kind), start(f'map-{kind}', more) as p:
                self.assertEqual(psql(p, user, certificate=crt).stdout, f'{user}\n')
                # with a map, what is not in it is nobody
                for other in ('grace', 'erin'):
                    self.assertIn('certificate authentication failed', psql(p, other, certificate=crt).stderr)
                records = [r for r in p.audit() if r['kind'] == 'login']
                self.assertEqual({(r['user'], r['tls_identity']) for r in records}, {(user, name)})

    def test_revocation_list(self):
        ca = clients.dir / 'revoking'
        ca.mkdir()
        (ca / 'index').write_text('')
        (ca / 'ca.cnf').write_text(f'[ca]\ndefault_ca = c\n[c]\ndatabase = {ca}/index\ncrlnumber = {ca}/number\n'
                                   'default_md = sha256\ndefault_crl_days = 5\n')
        (ca / 'number').write_text('01\n')
        common = ('-config', ca / 'ca.cnf', '-cert', clients.ca, '-keyfile', clients.dir / 'ca.key')
        good, revoked = clients.issue('kept', 'bob'), clients.issue('taken', 'bob')
        gt.run('openssl', 'ca', *common, '-revoke', revoked[0])
        gt.run('openssl', 'ca', *common, '-gencrl', '-out', ca / 'list.crl')
        with start('crl', f', client_crl: {ca / "list.crl"}') as p:
            self.assertEqual(psql(p, 'bob', certificate=good).stdout, 'bob\n')
            self.assertNotEqual(psql(p, 'bob', certificate=revoked).returncode, 0)
            self.assertEqual(psql(p, 'alice', password=warehouse.USERS['alice']).stdout, 'alice\n')


class Reload(unittest.TestCase):
    def hangup(self, p, word='server.reloaded'):
        before = p.log().count(word)
        os.kill(p.pid, signal.SIGHUP)
        gt.wait_for(lambda: p.log().count(word) > before, 5, word)

    def test_client_ca_comes_and_goes(self):
        bob = clients.issue('reloaded', 'bob')
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users={'alice': 'a'}, name='reload') as p:
            with p.wire('alice') as open_one:
                self.assertNotEqual(psql(p, 'bob', certificate=bob).returncode, 0)
                p.client_tls = f'client_ca: {clients.ca}'
                p.write_config()
                self.hangup(p)
                gt.wait_for(lambda: psql(p, 'bob', certificate=bob).stdout == 'bob\n', 5, 'login by certificate')
                p.client_tls = f'client_ca: {clients.ca}, client_map: {{ nobody: bob }}'
                p.write_config()
                self.hangup(p)
                gt.wait_for(lambda: psql(p, 'bob', certificate=bob).returncode != 0, 5, 'refusal')
                self.assertEqual(open_one.one('SELECT current_user'), [['alice']])

    def test_a_faulty_file_changes_nothing(self):
        with start('kept-config') as p:
            bob = clients.issue('kept-config', 'bob')
            text = p.config.read_text()
            for wrong in (text.replace('client_ca', 'client_cas'), text.replace(str(clients.ca), '/nonexistent.crt'), 'a: [', ''):
                p.config.write_text(wrong)
                self.hangup(p, 'reload.failed')
                self.assertEqual(psql(p, 'bob', certificate=bob).stdout, 'bob\n')
            p.config.write_text(text.replace('workers: 2', 'workers: 1'))
            self.hangup(p, 'reload.needs_restart')
            self.assertIn('event=reload.needs_restart key=workers', p.log())

    def test_server_certificate(self):
        folder = scratch.path('renewed')
        folder.mkdir()
        for source in certs.server:
            shutil.copy(source, folder)
        mine = gt.Certificates(scratch.path('renewing'))
        for name in ('server.crt', 'server.key'):
            shutil.copy(mine.dir / name, folder / name)
        with start('renewal') as p:
            text = p.config.read_text()
            p.config.write_text(text.replace(str(certs.server[0]), str(folder / 'server.crt'))
                                .replace(str(certs.server[1]), str(folder / 'server.key')))
            self.hangup(p)
            env = p.environment('alice')
            env['PGSSLROOTCERT'] = str(mine.ca)
            env['PGCHANNELBINDING'] = 'require'  # the new certificate's hash is what is bound to
            log_in = lambda: gt.run(gt.PG_BIN / 'psql', '-XAtqwc', 'SELECT 1', env=env, check=False).stdout == '1\n'
            gt.wait_for(log_in, 5, 'the new certificate')

    def read_by_the_proxy(self, fifo):
        def opened():
            with contextlib.suppress(OSError):
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        return open(gt.wait_for(opened, 10, 'it is read'), 'wb')

    def test_while_it_starts(self):
        """A SIGHUP before the proxy can handle one waits until it can; the threads that it starts never see a signal."""
        with start('early') as p:
            p.stop()
            certificate = p.dir / 'slow.crt'
            os.mkfifo(certificate)
            p.config.write_text(p.config.read_text().replace(str(certs.server[0]), str(certificate)))
            p.start(wait=False)
            with self.read_by_the_proxy(certificate) as slow:
                os.kill(p.pid, signal.SIGHUP)
                time.sleep(0.05)
                slow.write(certs.server[0].read_bytes())
            gt.wait_for(lambda: not p.alive() or p.log().count('event=server.ready') == 2, 10, 'it starts')
            self.assertTrue(p.alive())
            self.assertNotIn('event=server.reloaded', p.log())
            with self.read_by_the_proxy(certificate) as slow:
                slow.write(certs.server[0].read_bytes())
            gt.wait_for(lambda: 'event=server.reloaded' in p.log(), 10, 'what was asked for')
            masks = {int(t.name): int(re.search(r'SigBlk:\t(\w+)', (t / 'status').read_text()).group(1), 16) for t in Path(f'/proc/{p.pid}/task').iterdir()}
            asked = sum(1 << s - 1 for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
            self.assertEqual(masks.pop(p.pid) & asked, 0)
            self.assertGreater(len(masks), 4)
            self.assertEqual({mask & asked for mask in masks.values()}, {asked})

    def test_limits(self):
        with start('limits') as p:
            p.limits = 'statement_bytes: 2KiB, clients: 1'
            p.write_config()
            self.hangup(p)
            with p.wire('alice') as c:
                gt.wait_for(lambda: c.query(f"SELECT '{'x' * 3000}'")[-1].sqlstate == '54000', 5, 'the new limit')
                with self.assertRaises(gt.ServerError) as caught:
                    p.wire('carol')
                self.assertEqual(caught.exception.sqlstate, '53300')


class Check(unittest.TestCase):
    def test_faults_are_named(self):
        with start('check') as p:
            text = p.config.read_text()
            for old, new, key in ((str(clients.ca), '/nonexistent.crt', 'tls.client_ca'), (str(clients.ca), str(certs.server[1]), 'tls.client_ca'),
                                  ('client_ca:', 'client_name: cnn, client_ca:', 'tls.client_name'),
                                  (f'client_ca: {clients.ca}', 'client_name: dns', 'client_name')):
                path = p.dir / 'other.yaml'
                path.write_text(text.replace(old, new, 1))
                done = p.cli('check', '--config', path, check=False)
                with self.subTest(key=key, new=new):
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(key, done.stdout + done.stderr)
            self.assertIn('tls.client_ca: ', p.cli('check', '--config', p.config).stdout)


class Middleman:
    """Ends the client's TLS with a certificate of its own and carries the bytes on; may take -PLUS out of the offer."""

    def __init__(self, certificate, port, strips):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        self.upstream, self.strips = port, strips
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        try:
            assert client.recv(8) == gt.SSL_REQUEST
            client.sendall(b'S')
            client = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(('127.0.0.1', self.upstream), 10)
            server.sendall(gt.SSL_REQUEST)
            assert server.recv(1) == b'S'
            server = gt.unverified_context().wrap_socket(server)
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            self.pump(server, client, self.strips)
        except (OSError, AssertionError):
            client.close()

    @staticmethod
    def pump(source, to, strips):
        try:
            while data := source.recv(65536):
                if strips:
                    offer = struct.pack('!I', 10) + b'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0'
                    less = struct.pack('!I', 10) + b'SCRAM-SHA-256\0\0'
                    data = data.replace(gt.message('R', offer), gt.message('R', less))
                to.sendall(data)
        except OSError:
            pass
        to.close()


class ChannelBinding(unittest.TestCase):
    def test_libpq_requires_it(self):
        done = psql(proxy, 'alice', password=warehouse.USERS['alice'], PGCHANNELBINDING='require')
        self.assertEqual((done.stdout, done.stderr), ('alice\n', ''))
        wrong = psql(proxy, 'alice', password='wrong', PGCHANNELBINDING='require')
        self.assertIn('password authentication failed', wrong.stderr)
        self.assertEqual(psql(proxy, 'alice', password=warehouse.USERS['alice'], PGCHANNELBINDING='disable').stdout, 'alice\n')

    def test_not_offered_in_plaintext(self):
        with start('plain', tls='prefer') as p:
            with p.wire('alice', tls='disable') as c:
                self.assertNotIn(b'PLUS', c.log[0][1])
            self.assertIn('channel binding', psql(p, 'alice', password='x', PGCHANNELBINDING='require', PGSSLMODE='disable').stderr)

    def test_a_middleman_gets_nowhere(self):
        """With a certificate that the client trusts: only the binding tells him from us."""
        for strips, said in ((False, 'channel binding check failed'), (True, 'channel binding negotiation error')):
            him = Middleman(certs.issue('middleman', 'localhost', 'DNS:localhost'), proxy.port, strips)
            with self.subTest(strips=strips):
                done = psql(proxy, 'alice', password=warehouse.USERS['alice'], PGPORT=str(him.port))
                self.assertIn(said, done.stderr)
                done = psql(proxy, 'alice', password=warehouse.USERS['alice'], PGPORT=str(him.port), PGCHANNELBINDING='require')
                self.assertNotEqual(done.returncode, 0)
                # a client that cannot bind has no such protection: it is what `channel_binding=require` is for
                done = psql(proxy, 'alice', password=warehouse.USERS['alice'], PGPORT=str(him.port), PGCHANNELBINDING='disable')
                self.assertEqual(done.stdout, 'alice\n')
            him.listener.close()

    def first(self, mechanism, first):
        c = gt.Wire(proxy.port, 'alice', 'wh', tls='sslrequest', startup=False)
        c.send(gt.startup_message({'user': 'alice', 'database': 'wh'}))
        self.assertIn(b'SCRAM-SHA-256-PLUS\0', c.receive()[1])
        c.send(gt.message('p', gt.cstring(mechanism) + struct.pack('!I', len(first)) + first))
        return c, c.receive()

    def test_messages_that_do_not_fit(self):
        bare = b'n=,r=' + base64.b64encode(os.urandom(18))
        for mechanism, first, code in (('SCRAM-SHA-256', b'y,,' + bare, '28000'), ('SCRAM-SHA-256-PLUS', b'n,,' + bare, '08P01'),
                                       ('SCRAM-SHA-256-PLUS', b'y,,' + bare, '08P01'),
                                       ('SCRAM-SHA-256', b'p=tls-server-end-point,,' + bare, '08P01'),
                                       ('SCRAM-SHA-256-PLUS', b'p=tls-unique,,' + bare, '08P01'),
                                       ('SCRAM-SHA-1', b'n,,' + bare, '08P01')):
            with self.subTest(mechanism=mechanism, first=first):
                c, (kind, body) = self.first(mechanism, first)
                self.assertEqual((kind, gt.error_fields(body).get('C')), ('E', code))
                c.close()

    def test_binding_to_other_bytes(self):
        der = ssl.PEM_cert_to_DER_cert(certs.server[0].read_text())
        nonce = base64.b64encode(os.urandom(18))
        for data, code in ((hashlib.sha256(der).digest(), '28P01'), (hashlib.sha256(der + b'x').digest(), '28000'), (b'', '28000')):
            c, (kind, body) = self.first('SCRAM-SHA-256-PLUS', b'p=tls-server-end-point,,n=,r=' + nonce)
            self.assertEqual(kind, 'R')
            words = dict(w.split('=', 1) for w in body[4:].decode().split(','))
            bound = base64.b64encode(b'p=tls-server-end-point,,' + data).decode()
            proof = base64.b64encode(bytes(32)).decode()
            c.send(gt.message('p', f'c={bound},r={words["r"]},p={proof}'.encode()))
            kind, body = c.receive()
            with self.subTest(data=data):
                self.assertEqual((kind, gt.error_fields(body)['C']), ('E', code))
            c.close()


if __name__ == '__main__':
    gt.main()
