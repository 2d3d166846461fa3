"""Bad input, by name: whatever is wrong with a policy file or an ACL, the error says where and what was expected, nothing
is applied (exit 1), and a running proxy goes on with its last good policy."""
import contextlib
import json
import re
import sqlite3
import sys
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

WRONG_MASK = 'mask: { email: email }'
WRONG_ROWS = """rows: "region = attr('region')\""""


def setUpModule():
    global proxy, port
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    port = gt.free_port()
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     extra=f'admin: {{ address: "127.0.0.1:{port}" }}\n'))


def status():
    return json.loads(proxy.cli('status', '--config', proxy.config, '--json').stdout)['policy']


def stale_by_metrics():
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=20) as answer:
        return int(re.search(r'^gatehouse_policy_stale (\d)$', answer.read().decode(), re.M)[1])


class Bad(unittest.TestCase):
    def serves_as_before(self):
        for client in (self.client, proxy.wire('alice')):
            self.assertEqual(client.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])
            self.assertEqual(client.query('SELECT phone FROM crm.customers')[-1].sqlstate, '42703')
            self.assertEqual(client.query('SELECT * FROM vault.keys')[-1].sqlstate, '42P01')

    def setUp(self):
        self.client = proxy.wire('alice')
        self.addCleanup(self.client.close)
        self.version = status()['version']


class BadFile(Bad):
    """A policy file, applied while the proxy runs."""

    def refused(self, text, at, *words):
        """`at`: what stands at the place that the error gives."""
        path = proxy.dir / 'bad.yaml'
        path.write_text(text)
        before = proxy.cli('policy', 'export', '--acl', proxy.acl).stdout
        for verb in (['apply'], ['apply', '--dry-run'], ['plan']):
            done = proxy.cli('policy', *verb, '--config', proxy.config, path, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ''), (verb, done.stderr))
            line = done.stderr.splitlines()[-1]
            place = re.match(rf'{re.escape(str(path))}:(\d+):(\d+): ', line)
            self.assertTrue(place, line)
            found = text.splitlines()[int(place[1]) - 1:][:1] or ['']
            self.assertTrue(found[0][int(place[2]) - 1:].startswith(at), (line, found))
            for word in words:
                self.assertIn(word, line)
        self.assertEqual(proxy.cli('policy', 'export', '--acl', proxy.acl).stdout, before)
        self.assertEqual(status()['version'], self.version)
        self.assertEqual((status()['state'], stale_by_metrics()), ('current', 0))
        self.serves_as_before()

    def changed(self, old, new):
        self.assertIn(old, warehouse.POLICY)
        return warehouse.POLICY.replace(old, new, 1)

    def test_half_written_file(self):
        text = warehouse.POLICY[:warehouse.POLICY.index('attributes: { region: EU } }\n  bob') + 14]
        self.refused(text, '', 'while parsing a flow')
        self.refused(warehouse.POLICY + '  - to: [contrac', '', 'while parsing a flow sequence')
        self.refused(warehouse.POLICY + '  - to: [contractor]\n    tab', '', "could not find expected ':'")
        self.refused(warehouse.POLICY + '  - to: [contractor]\n', 'to: [contractor]', 'tables: missing')

    def test_cycle(self):
        self.refused(self.changed('  support: { description: helps customers }',
                                  '  support: { member_of: [people] }\n  helpers: { member_of: [support] }')
                     .replace('people: { description: looks after employees }', 'people: { member_of: [helpers] }'),
                     'support', 'role "support" is a member of itself: support -> people -> helpers -> support')
        self.refused(self.changed('  support: { description: helps customers }', '  support: { member_of: [support] }'),
                     'support', 'support -> support')

    def test_unknown_role(self):
        self.refused(self.changed('roles: [people]', 'roles: [poeple]'), 'poeple',
                     'user "carol": unknown role "poeple"', 'did you mean "people"?')
        self.refused(self.changed('  - to: [people]', '  - to: [analyst, nobody]'), 'nobody', 'unknown role "nobody"')
        self.refused(self.changed('  - to: [people]', '  - to: ["user:alcie"]'), '"user:alcie', 'unknown user "alcie"',
                     'did you mean "alice"?')

    def test_filter_that_does_not_parse(self):
        for rows, word in (('region = ', 'at end of input'), ('region = = 1', 'at or near "="'),
                           ('true), (true', 'at or near ")"'), ("region = 'EU", 'unterminated quoted string')):
            self.refused(self.changed(WRONG_ROWS, f'rows: "{rows}"'), f'"{rows}"', 'rows: ', word)

    def test_filter_that_does_not_fit(self):
        for rows, word in (("regoin = 'EU'", 'regoin'), ('region', 'boolean'), ('amount = region', 'amount')):
            self.refused(self.changed(WRONG_ROWS, f'rows: "{rows}"'), f'"{rows}"', word)

    def test_mask_of_the_wrong_type(self):
        for mask, word in (('month', 'does not fit a column of type text'), ('"value::date"', 'date'),
                           ('"1"', 'makes a int4')):
            self.refused(self.changed(WRONG_MASK, f'mask: {{ email: {mask} }}'), mask, 'crm.customers.email', word)
        self.refused(warehouse.POLICY + 'masking:\n  - { tag: pii, with: year }\n', 'year', 'crm.customers.email')

    def test_mask_that_is_none(self):
        self.refused(self.changed(WRONG_MASK, 'mask: { email: "foo(" }'), '"foo("', 'mask: syntax error')
        self.refused(self.changed(WRONG_MASK, 'mask: { email: partal }'), 'partal', 'unknown mask "partal"')
        self.refused(self.changed(WRONG_MASK, 'mask: { email: "partial(1)" }'), '"partial(1)"', 'partial(a,b)')

    def test_column_that_does_not_exist(self):
        for old, new, at in (('columns: [id, region, vip]', 'columns: [id, reigon, vip]', 'reigon'),
                             ('columns: { except: [phone] }', 'columns: { except: [phoen] }', 'phoen')):
            self.refused(self.changed(old, new), at, 'did you mean')
        self.refused(self.changed(WRONG_MASK, 'mask: { emial: email }'), 'emial', 'did you mean "email"?')
        self.refused(self.changed('pii: [crm.customers.email', 'pii: [crm.customers.emial'), 'crm.customers.emial',
                     'no column crm.customers.emial')
        self.refused(warehouse.POLICY + '  - { to: [analyst], tables: [hr.employees], columns: [salry] }\n', 'salry',
                     'did you mean "salary"?')

    def test_two_definitions_of_one_thing(self):
        self.refused(self.changed('  people: ', '  support: {}\n  people: '), 'support', 'given twice, first in line 4')
        self.refused(warehouse.POLICY + 'roles: { analyst: {} }\n', 'roles', 'given twice')
        (proxy.dir / 'two').mkdir()
        first = proxy.dir / 'two' / 'a.yaml'
        first.write_text(warehouse.POLICY)
        (proxy.dir / 'two' / 'b.yaml').write_text('version: 1\nroles:\n  people: {}\n')
        done = proxy.cli('policy', 'apply', '--acl', proxy.acl, proxy.dir / 'two', check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertEqual(done.stderr, f'{proxy.dir}/two/b.yaml:3:3: roles: "people" is defined twice; first at {first}:5\n')

    def test_masks_that_have_no_order(self):
        text = self.changed(WRONG_MASK, 'mask: { email: "left(value, 1)" }').replace(
            'denies:', '  - { to: [analyst], tables: ["crm.*"], mask: { email: "right(value, 1)" } }\ndenies:')
        self.refused(text, '"right(value, 1)"', 'cannot be ordered', 'left(value, 1)')

    def test_a_filter_on_an_attribute_that_nobody_has(self):
        """It fits: whoever gets the attribute later is shown rows. Nobody has it yet, so lint warns."""
        path = proxy.dir / 'fine.yaml'
        path.write_text(self.changed(WRONG_ROWS, 'rows: "region = any (attr(\'regions\'))"'))
        done = proxy.cli('policy', 'apply', '--dry-run', '--config', proxy.config, path)
        self.assertEqual(done.stderr, '')

    def test_misspelt_keys(self):
        for old, new, at, meant in (('grants:', 'grnats:', 'grnats', 'grants'), ('tables: [sales.orders]', 'tabels: [sales.orders]',
                                                                                  'tabels', 'tables'),
                                    ('attributes: { region: EU }', 'atributes: { region: EU }', 'atributes', 'attributes'),
                                    ('columns: { except: [phone] }', 'columns: { excpet: [phone] }', 'excpet', 'except')):
            path = proxy.dir / 'bad.yaml'
            text = self.changed(old, new)
            path.write_text(text)
            done = proxy.cli('policy', 'apply', '--acl', proxy.acl, path, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            line = [l for l in done.stderr.splitlines() if f'{at}: unknown key; did you mean "{meant}"?' in l]
            self.assertEqual(len(line), 1, done.stderr)
            number, column = map(int, re.match(r'.*?:(\d+):(\d+): ', line[0]).groups())
            self.assertTrue(text.splitlines()[number - 1][column - 1:].startswith(at))

    def test_a_table_may_come_later(self):
        """A table that is not there is said, with what was probably meant, and applied: it may be made afterwards."""
        path = proxy.dir / 'later.yaml'
        path.write_text(warehouse.POLICY.replace('denies:', '  - { to: [analyst], tables: [crm.custmers] }\ndenies:'))
        done = proxy.cli('policy', 'apply', '--config', proxy.config, path)
        self.assertRegex(done.stderr, r':\d+:31: warning: there is no table crm.custmers; did you mean "crm.customers"\?\n$')
        proxy.apply(warehouse.POLICY)
        gt.wait_for(lambda: status()['version'] > self.version + 1, 10, 'the policy is back')


class BadAcl(Bad):
    """The ACL's file, under a running proxy."""

    def setUp(self):
        super().setUp()
        self.good = proxy.dir / 'good.db'
        self.good.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(proxy.acl)) as a, contextlib.closing(sqlite3.connect(self.good)) as b:
            a.backup(b)
        self.addCleanup(self.restore)

    def restore(self):
        self.put(self.good.read_bytes())
        gt.wait_for(lambda: (s := status())['state'] == 'current' and s['version'] == self.version, 20,
                    'the good ACL is taken again')
        self.assertEqual(stale_by_metrics(), 0)

    def put(self, data):
        """Another file in the ACL's place, at once."""
        new = proxy.dir / 'new.db'
        new.write_bytes(data)
        new.chmod(0o600)
        for suffix in ('-wal', '-shm'):
            Path(str(proxy.acl) + suffix).unlink(missing_ok=True)
        new.rename(proxy.acl)

    def edited(self, *statements):
        with contextlib.closing(sqlite3.connect(proxy.acl, timeout=10)) as db, db:
            for text in statements:
                db.execute(text)

    def kept(self, message, can_repair=False):
        """Every verb that reads or changes the ACL fails with this text; the proxy says it, and serves."""
        now = gt.wait_for(lambda: (s := status())['state'] == 'stale' and s, 20, 'the policy is stale')
        self.assertEqual(now['version'], self.version)
        self.assertIn(message, now['error'])
        self.assertEqual(stale_by_metrics(), 1)
        self.assertIn(f'kept_version={self.version}', proxy.log())
        self.assertIn(message.replace('"', "'").split("'")[0], proxy.log())
        self.serves_as_before()
        before = proxy.acl.read_bytes()
        for argv in (['policy', 'export'], ['grants'], ['policy', 'apply', proxy.dir / 'policy.yaml'],
                     ['user', 'disable', 'alice'])[:3 if can_repair else None]:
            with self.subTest(argv[:2]):
                done = proxy.cli(*argv, '--acl', proxy.acl, check=False)
                if argv[0] == 'grants' or argv[1] == 'export':
                    self.assertIn(done.returncode, (0, 1))  # 0: what can be read is shown, to be repaired
                else:
                    self.assertEqual((done.returncode, done.stdout), (1, ''))
                if done.returncode == 1:
                    self.assertIn(message, done.stderr)
        self.assertEqual(proxy.acl.read_bytes(), before)

    def test_corrupted_acl(self):
        self.put(b'x' * 100 + self.good.read_bytes()[100:])
        self.kept('not an ACL file')

    def test_half_written_acl(self):
        data = self.good.read_bytes()
        self.put(data[:len(data) // 2])
        self.kept(f'{proxy.acl}: ')

    def test_acl_of_a_newer_version(self):
        newer = proxy.dir / 'newer.db'
        newer.write_bytes(self.good.read_bytes())
        with contextlib.closing(sqlite3.connect(newer)) as db:
            db.execute('PRAGMA user_version = 99')
        self.put(newer.read_bytes())
        self.kept('its format is version 99, this gatehouse knows version 1; use the gatehouse that made it')

    def test_cycle_in_the_acl(self):
        self.edited("INSERT INTO members VALUES ('people', 'support', 'cli'), ('support', 'people', 'cli')",
                    "UPDATE meta SET value = value + 1 WHERE key = 'version'")
        self.kept('is a member of itself', can_repair=True)
        proxy.cli('member', 'drop', 'people', 'support', '--acl', proxy.acl)
        gt.wait_for(lambda: status()['state'] == 'current', 20, 'the repaired ACL is taken')

    def test_unknown_role_in_the_acl(self):
        self.edited("INSERT INTO members VALUES ('user:alice', 'nobody', 'cli')",
                    "UPDATE meta SET value = value + 1 WHERE key = 'version'")
        self.kept('unknown role "nobody"', can_repair=True)

    def test_locked_acl(self):
        """Who writes holds it: others wait for 5 s, say so and change nothing; the proxy reads on."""
        with contextlib.closing(sqlite3.connect(proxy.acl)) as db:
            db.execute('BEGIN IMMEDIATE')
            done = proxy.cli('policy', 'apply', '--acl', proxy.acl, proxy.dir / 'policy.yaml', check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (1, '', f'gatehouse: {proxy.acl}: locked by another process for 5 s\n'))
            self.assertIn('alice', proxy.cli('user', 'list', '--acl', proxy.acl).stdout, 'readers do not wait')
            self.serves_as_before()
            self.assertEqual((status()['state'], stale_by_metrics()), ('current', 0))
        self.assertEqual(status()['version'], self.version)
        self.assertIn('nothing to change', proxy.cli('policy', 'apply', '--acl', proxy.acl, proxy.dir / 'policy.yaml').stdout)


if __name__ == '__main__':
    gt.main()
