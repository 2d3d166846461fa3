"""What an administrator asks a running proxy over its control socket, and what it says of itself when its ACL,
its config or its audit log are not as they should be.
"""
import json
import os
import resource
import shutil
import sqlite3
import stat
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


# Runs for hours, and is cancelled in no time.
LONG = ', '.join(f'crm.customers c{i}' for i in range(12))


def setUpModule():
    global proxy, scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


def ask(*argv, check=True, proxy_=None):
    p = proxy_ or proxy
    return p.cli(*argv, '--config', p.config, check=check)


def status(p=None):
    return json.loads(ask('status', '--json', proxy_=p).stdout)


def sessions():
    return [json.loads(line) for line in ask('session', 'list', '--json').stdout.splitlines()]


def session_of(application):
    found = [s for s in sessions() if s['application'] == application]
    return found[0] if found else None


class Status(unittest.TestCase):
    def test_fields(self):
        with proxy.wire('alice') as c:
            c.one('SELECT 1')
            c.query('SELECT * FROM vault.keys')
            s = status()
        self.assertEqual(s['pid'], proxy.pid)
        self.assertEqual(s['workers'], 2)
        self.assertGreaterEqual(s['clients'], 1)
        self.assertGreaterEqual(s['statements'], 1)
        self.assertGreaterEqual(s['refusals'], 1)
        self.assertEqual(s['policy']['state'], 'current')
        self.assertGreater(s['policy']['version'], 0)
        self.assertEqual(s['audit']['state'], 'ok')
        self.assertTrue(s['complete'])
        [wh] = s['warehouses']
        self.assertEqual((wh['name'], wh['mode']), ('wh', 'enforce'))
        self.assertEqual(wh['pool']['size'], 50)
        self.assertGreaterEqual(wh['pool']['used'], 1)
        self.assertEqual(wh['catalog']['state'], 'current')
        text = ask('status').stdout
        self.assertIn(f'pid {proxy.pid}', text)
        self.assertIn('policy:   version', text)
        self.assertNotIn('STALE', text)

    def test_catalog_that_cannot_be_read(self):
        other = gt.Gatehouse(scratch, pg, certs, name='lost', policy='version: 1\n', database='no_such_database')
        with other:
            wh = gt.wait_for(lambda: (w := status(other)['warehouses'][0])['catalog']['state'] == 'failing' and w, 10)
            self.assertIsNone(wh['catalog']['age_s'])
            self.assertIn('no_such_database', wh['catalog']['error'])

    def test_no_proxy(self):
        other = gt.Gatehouse(scratch, pg, certs, name='stopped')
        other.prepare()
        for verb in (('status',), ('reload',), ('session', 'list'), ('session', 'kill', 'x')):
            done = ask(*verb, check=False, proxy_=other)
            self.assertEqual(done.returncode, 1, verb)
            self.assertIn('no proxy is running', done.stderr)
            self.assertEqual(done.stdout, '')
        self.assertEqual(proxy.cli('status', check=False).returncode, 2)

    def test_socket_is_ours_alone_and_gone_at_the_end(self):
        other = gt.Gatehouse(scratch, pg, certs, name='short', policy='version: 1\n')
        with other:
            path = other.dir / 'gatehouse.sock'
            info = path.lstat()
            self.assertTrue(stat.S_ISSOCK(info.st_mode))
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o600)
            status(other)
        self.assertFalse(path.exists())


class Sessions(unittest.TestCase):
    def test_list(self):
        with proxy.wire('alice', parameters={'application_name': 'listed'}) as c:
            s = gt.wait_for(lambda: session_of('listed'), 5)
            self.assertEqual((s['user'], s['warehouse'], s['state']), ('alice', 'wh', 'idle'))
            self.assertEqual(s['pid'], c.key[0])
            self.assertEqual(s['address'].rsplit(':', 1)[0], '127.0.0.1')
            self.assertIsNone(s['sql'])
            c.query('BEGIN')
            self.assertEqual(gt.wait_for(lambda: session_of('listed'), 5)['state'], 'idle in transaction')
            c.query('SELECT nothing_of_that_name')
            self.assertEqual(session_of('listed')['state'], 'idle in failed transaction')
            record = [r for r in proxy.audit() if r['kind'] == 'login' and r['session'] == s['id']]
            self.assertEqual([r['user'] for r in record], ['alice'])
            text = ask('session', 'list', '--user', 'alice').stdout
            self.assertIn(s['id'], text)
            self.assertNotIn(s['id'], ask('session', 'list', '--user', 'bob').stdout)

    def test_list_has_no_secrets(self):
        with proxy.wire('alice', parameters={'application_name': 'secretive'}) as c:
            c.send(gt.query_message(f"SELECT count(*), 'CANARY-1', $$CANARY-2$$, 4711471 FROM {LONG} -- CANARY-3"))
            s = gt.wait_for(lambda: (x := session_of('secretive')) and x['state'] == 'active' and x, 5)
            self.assertEqual(s['command'], 'select')
            self.assertTrue(s['sql'].startswith('SELECT count(*), ?, ?, ? FROM crm.customers'), s['sql'])
            everything = ask('session', 'list', '--json').stdout + ask('session', 'list').stdout + ask('status').stdout
            for secret in ('CANARY', '4711471', warehouse.USERS['alice'], 'upstream-secret'):
                self.assertNotIn(secret, everything)
            record = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'intent' and r['statement'] == s['statement']], 5)
            self.assertIn('CANARY-1', record[0]['sql'])
            gt.cancel(proxy.port, c.key)
            self.assertEqual(c.results()[-1].sqlstate, '57014')

    def test_kill(self):
        with proxy.wire('alice', parameters={'application_name': 'victim'}) as c, proxy.wire('bob') as bystander:
            c.query('BEGIN')
            c.send(gt.query_message(f'SELECT count(*) FROM {LONG}'))
            s = gt.wait_for(lambda: (x := session_of('victim')) and x['state'] == 'active' and x, 5)
            done = ask('session', 'kill', s['id'], '--by', 'carol')
            self.assertIn(s['id'], done.stdout)
            with self.assertRaises(gt.Closed):
                while True:
                    c.receive()
            errors = [gt.error_fields(body) for kind, body in c.log if kind == 'E']
            self.assertEqual([(e['S'], e['C']) for e in errors], [('FATAL', '57P01')])
            gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%customers%c11%'"
                                       " AND state = 'active' AND pid <> pg_backend_pid()").strip() == '0', 10,
                        'the statement is cancelled upstream')
            self.assertEqual(bystander.one('SELECT 1'), [['1']])
            [admin] = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'admin' and r.get('session') == s['id']], 5)
            self.assertEqual(admin['by'], f'carol (uid {os.geteuid()})')
            self.assertEqual((admin['user'], admin['message']), ('alice', 'session killed'))
            outcome = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'outcome' and r['statement'] == s['statement']], 5)
            self.assertEqual(outcome[0]['sqlstate'], '57P01')
            again = ask('session', 'kill', s['id'], check=False)
            self.assertEqual(again.returncode, 1)
            self.assertIn('no such session', again.stderr)
        gt.check_chain(proxy.audit_dir)
        shown = proxy.cli('audit', 'search', '--config', proxy.config, '--kind', 'admin').stdout
        self.assertIn('by carol', shown)

    def test_kill_idle_and_wrong_ids(self):
        with proxy.wire('alice', parameters={'application_name': 'idler'}) as c:
            s = gt.wait_for(lambda: session_of('idler'), 5)
            for wrong in ('', 'x', s['id'][:-1], s['id'] + '0', str(s['pid']), "' OR 1=1"):
                self.assertEqual(ask('session', 'kill', wrong, check=False).returncode, 1, wrong)
            self.assertEqual(ask('session', 'kill', 'a\tb', check=False).returncode, 2)
            self.assertEqual(c.one('SELECT 1'), [['1']])
            ask('session', 'kill', s['id'])
            with self.assertRaises(gt.Closed):
                while True:
                    c.receive()


class Reload(unittest.TestCase):
    def tearDown(self):
        proxy.limits = None
        proxy.write_config()
        ask('reload')

    def test_good(self):
        done = ask('reload')
        self.assertIn('reloaded; policy version', done.stdout)
        self.assertEqual(done.stderr, '')
        self.assertEqual([r['message'] for r in proxy.audit() if r['kind'] == 'admin'][-1], 'reload')
        proxy.limits = 'clients: 77'
        proxy.write_config()
        ask('reload')
        self.assertEqual(status()['clients_max'], 77)

    def test_fault_says_where_and_changes_nothing(self):
        proxy.limits = 'clients: many'
        proxy.write_config()
        before = status_by_socket()['clients_max']
        done = ask('reload', '--control', proxy.dir / 'gatehouse.sock', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('gatehouse.yaml:', done.stderr)
        self.assertIn('limits.clients', done.stderr)
        self.assertEqual(status_by_socket()['clients_max'], before)
        self.assertIn('event=reload.failed', proxy.log())

    def test_certificate_that_does_not_load(self):
        crt, key = certs.server
        text = proxy.config.read_text()
        proxy.config.write_text(text.replace(str(key), str(crt)))
        done = ask('reload', check=False)
        self.assertEqual(done.returncode, 1)
        with proxy.wire('alice') as c:
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_keys_that_wait_for_a_restart(self):
        text = proxy.config.read_text()
        proxy.config.write_text(text.replace('workers: 2', 'workers: 1').replace('size: 50', 'size: 49'))
        done = ask('reload')
        self.assertIn('workers: changed', done.stdout)
        self.assertIn('warehouses: changed', done.stdout)
        self.assertNotIn('listen', done.stdout)

    def test_json(self):
        proxy.limits = 'clients: many'
        proxy.write_config()
        done = ask('reload', '--json', '--control', proxy.dir / 'gatehouse.sock', check=False)
        self.assertEqual([list(json.loads(line)) for line in done.stdout.splitlines()], [['fault']])


def status_by_socket():
    return json.loads(proxy.cli('status', '--json', '--control', proxy.dir / 'gatehouse.sock').stdout)


class LastGoodPolicy(unittest.TestCase):
    """Whatever is wrong with the ACL file, what was in force stays in force, and the proxy says so."""

    def setUp(self):
        self.good = proxy.dir / 'good.db'
        with sqlite3.connect(proxy.acl) as db, sqlite3.connect(self.good) as copy:
            db.backup(copy)
        db.close()
        copy.close()
        self.good.chmod(0o600)
        self.client = proxy.wire('alice')
        self.version = status()['policy']['version']

    def tearDown(self):
        self.client.close()
        self.put(self.good.read_bytes())
        gt.wait_for(lambda: status()['policy']['state'] == 'current', 20, 'the good ACL is taken again')
        self.good.unlink()

    def put(self, data):
        """Another file in the ACL's place, at once: nothing half-written is ever seen, unless data is."""
        new = proxy.dir / 'new.db'
        new.write_bytes(data)
        new.chmod(0o600)
        for suffix in ('-wal', '-shm'):
            Path(str(proxy.acl) + suffix).unlink(missing_ok=True)
        new.rename(proxy.acl)

    def is_kept(self, *words):
        s = gt.wait_for(lambda: (x := status()['policy'])['state'] == 'stale' and x, 20, 'the policy is stale')
        self.assertEqual(s['version'], self.version)
        self.assertIsNotNone(s['error_since'])
        for word in words:
            self.assertIn(word, s['error'])
        self.assertIn('STALE', ask('status').stdout)
        log = proxy.log()
        self.assertTrue('event=policy.unreadable' in log or 'event=policy.failed' in log)
        self.assertIn(f'kept_version={self.version}', log)
        for c in (self.client, proxy.wire('alice')):
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']], 'the filter holds')
            self.assertEqual(c.query('SELECT phone FROM crm.customers')[-1].sqlstate, '42703')
            self.assertEqual(c.query('SELECT * FROM vault.keys')[-1].sqlstate, '42P01')
        done = ask('reload', check=False)
        self.assertEqual(done.returncode, 1, 'reload says that the ACL cannot be read')
        self.assertIn('last good policy', done.stderr)

    def test_gone(self):
        proxy.acl.rename(proxy.dir / 'away.db')
        self.is_kept('o such ')

    def test_no_database(self):
        self.put(b'this is no database\n' * 1000)
        self.is_kept()

    def test_empty(self):
        self.put(b'')
        self.is_kept()

    def test_half_written(self):
        data = self.good.read_bytes()
        self.put(data[:len(data) // 2])
        self.is_kept()

    def test_damaged_pages(self):
        data = bytearray(self.good.read_bytes())
        for at in range(4096, len(data), 4096):
            data[at:at + 64] = b'\xff' * 64
        self.put(bytes(data))
        self.is_kept()

    def test_newer_version(self):
        newer = proxy.dir / 'newer.db'
        shutil.copy(self.good, newer)
        db = sqlite3.connect(newer)
        db.execute('PRAGMA user_version = 9999')
        db.commit()
        db.close()
        self.put(newer.read_bytes())
        newer.unlink()
        self.is_kept('version 9999')

    def test_rows_that_make_no_sense(self):
        broken = proxy.dir / 'broken.db'
        shutil.copy(self.good, broken)
        db = sqlite3.connect(broken)
        db.execute("INSERT INTO members VALUES ('analyst', 'analyst', 'cli')")
        db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'version'")
        db.commit()
        db.close()
        self.put(broken.read_bytes())
        broken.unlink()
        self.is_kept('analyst')

    def test_locked(self):
        locked = proxy.dir / 'locked.db'
        shutil.copy(self.good, locked)
        db = sqlite3.connect(locked, isolation_level=None)
        db.execute('PRAGMA locking_mode = EXCLUSIVE')
        db.execute('BEGIN EXCLUSIVE')
        for suffix in ('-wal', '-shm'):
            Path(str(proxy.acl) + suffix).unlink(missing_ok=True)
        locked.rename(proxy.acl)
        try:
            self.is_kept()
        finally:
            db.rollback()
            db.close()
        gt.wait_for(lambda: status()['policy']['state'] == 'current', 20, 'unlocked')

    def test_others_may_read_it(self):
        proxy.acl.chmod(0o644)
        try:
            done = ask('check', check=False)
            self.assertEqual(done.returncode, 1)
        finally:
            proxy.acl.chmod(0o600)


class Audit(unittest.TestCase):
    def test_status_says_that_the_audit_fails(self):
        """A file size limit is a full disk."""
        other = gt.Gatehouse(scratch, pg, certs, name='full', policy=warehouse.POLICY, users={'alice': 'x'})
        with other, other.wire('alice') as c:
            resource.prlimit(other.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            self.assertEqual(c.query('SELECT 1')[-1].sqlstate, '58030')
            self.assertEqual(status(other)['audit']['state'], 'failing')
            self.assertIn('FAILING', ask('status', proxy_=other).stdout)
            resource.prlimit(other.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            gt.wait_for(lambda: c.query('SELECT 1')[-1].error is None, 10, 'statements go on')
            self.assertEqual(status(other)['audit']['state'], 'ok')


if __name__ == '__main__':
    gt.main()
