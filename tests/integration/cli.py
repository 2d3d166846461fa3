"""The command line: usage, the config file's faults, policy files into the ACL and out, and what survives what."""
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import ssl
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """\
version: 1
roles:
  analyst: { description: 'Reads "marts"', may: [explain, notify] }
  eu_analyst: { member_of: [analyst] }
  pii_reader: {}
users:
  alice: { roles: [eu_analyst], attributes: { region: EU, teams: [growth, core] } }
  etl_bot: { roles: [analyst], kind: service }
tags:
  pii: [crm.customers.email, "*.*.ssn"]
masks:
  email_domain: "'***@' || split_part(value, '@', 2)"
grants:
  - to: [analyst]
    tables: [sales.orders, "mart.*"]
    privileges: [select, update]
    columns: [id, region, amount, email]
    rows: "region = attr('region')"
    mask: { email: email_domain }
    valid: { from: 2026-01-01, until: 2026-12-31 }
    reason: DATA-123
    blind: true
  - to: [eu_analyst, user:etl_bot]
    tables: ['"Sales Dept"."Order"', wh:crm.customers]
    columns: { except: [ssn] }
    through: true
  - to: [pii_reader]
    tables: [crm.phones]
    mask: { phone: "partial(0,2)" }
denies:
  - to: [eu_analyst]
    tables: ["*.*"]
    tags: [pii]
  - to: [user:etl_bot]
    tables: [hr.employees]
    columns: [salary]
    rows: "level > 5"
masking:
  - { tag: pii, with: hash, except: [pii_reader] }
functions:
  - { to: [analyst], allow: ["app.geo_distance"] }
"""

GOOD_CONFIG = """\
listen: [{ address: '127.0.0.1:6432' }]
tls: { mode: disable }
acl: acl.db
audit: { dir: audit }
warehouses: { wh: { conninfo: host=127.0.0.1 } }
"""


def setUpModule():
    global scratch
    scratch = unittest.enterModuleContext(gt.Scratch())


def cli(*argv, stdin='', env=None, cwd=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith('GATEHOUSE_')}
    return gt.run(gt.BINARY, *argv, check=False, stdin=stdin, env={**clean, **(env or {})}, cwd=cwd)


class Case(unittest.TestCase):
    counter = 0

    def setUp(self):
        Case.counter += 1
        self.dir = scratch.path(f'cli{Case.counter}')
        self.dir.mkdir()
        self.acl = self.dir / 'acl.db'

    def file(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def ok(self, *argv, **more):
        done = cli(*argv, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        return done.stdout

    def fails(self, code, message, *argv, **more):
        """Exit code and exactly this text on stderr; nothing on stdout."""
        done = cli(*argv, **more)
        self.assertEqual((done.returncode, done.stderr.strip()), (code, message))
        self.assertEqual(done.stdout, '')

    def apply(self, text=POLICY, *options):
        return self.ok('policy', 'apply', '--acl', self.acl, self.file('policy.yaml', text), *options)

    def sql(self, sql):
        with contextlib.closing(sqlite3.connect(self.acl)) as db, db:
            return db.execute(sql).fetchall()


class Usage(Case):
    def test_no_command(self):
        done = cli()
        self.assertEqual(done.returncode, 2)
        self.assertIn('Usage: gatehouse COMMAND', done.stderr)

    def test_version(self):
        self.assertRegex(self.ok('--version'), r'^gatehouse \d+\.\d+\.\d+\n$')

    def test_unknown_words(self):
        self.fails(2, 'gatehouse: unknown command "sevre"; did you mean "serve"?', 'sevre')
        self.fails(2, 'gatehouse: unknown command "policy aply"; did you mean "policy apply"?', 'policy', 'aply')
        self.fails(2, 'gatehouse: unknown command "xyzzy"; see `gatehouse --help`', 'xyzzy')
        self.fails(2, 'gatehouse: unknown option "--prun": did you mean "--prune"?\n'
                      '  See `gatehouse policy apply --help`.', 'policy', 'apply', '--prun', 'x')
        self.fails(2, 'gatehouse: unknown option "-x"\n  See `gatehouse check --help`.', 'check', '-x')

    def test_wrong_words(self):
        self.fails(2, 'gatehouse: NAME is missing\n  See `gatehouse user password --help`.', 'user', 'password')
        self.fails(2, 'gatehouse: unexpected argument "two"\n  See `gatehouse user show --help`.', 'user', 'show', 'one', 'two')
        self.fails(2, 'gatehouse: --acl needs a value: FILE\n  See `gatehouse user list --help`.', 'user', 'list', '--acl')
        self.fails(2, 'gatehouse: --json takes no value\n  See `gatehouse user list --help`.', 'user', 'list', '--json=1')
        self.fails(2, 'gatehouse: which config file? --config FILE, or GATEHOUSE_CONFIG\n  See `gatehouse check --help`.',
                   'check')
        self.fails(2, 'gatehouse: which ACL? --acl FILE, GATEHOUSE_ACL, --config FILE or GATEHOUSE_CONFIG\n'
                      '  See `gatehouse user list --help`.', 'user', 'list')

    def test_every_verb_has_help_with_an_example(self):
        verbs = [line.split() for line in self.ok('--help').splitlines() if re.match('  [a-z]', line)]
        self.assertGreater(len(verbs), 10)
        for words in verbs:
            name = []
            for word in words:
                if not word.islower():
                    break
                name.append(word)
            with self.subTest(verb=name):
                text = self.ok(*name, '--help')
                self.assertTrue(text.startswith(f'Usage: gatehouse {" ".join(name)}'), text)
                self.assertIn(f'\nExample:\n  gatehouse {" ".join(name)}', text)

    def test_options_stand_anywhere(self):
        self.apply()
        for argv in (['--acl', self.acl, 'alice'], ['alice', '--acl', self.acl], [f'--acl={self.acl}', '--', 'alice']):
            self.assertEqual(self.ok('user', 'show', *argv).split('\t')[0], 'alice')

    def test_output_that_is_lost_is_a_failure(self):
        self.apply()
        with open('/dev/full', 'w') as full:
            done = subprocess.run([gt.BINARY, 'policy', 'export', '--acl', self.acl], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, 'gatehouse: the output could not be written\n'))

    def test_which_acl(self):
        self.apply()
        other = self.dir / 'other.db'
        self.ok('policy', 'apply', '--acl', other, self.file('other.yaml', 'version: 1\nroles: { other: {} }\n'))
        config = self.file('gatehouse.yaml', GOOD_CONFIG.replace('acl.db', 'other.db'))
        mine, others = ('analyst', 'other')
        first = lambda *argv, **env: self.ok('role', 'list', *argv, env=env).split('\t')[0]
        self.assertEqual(first(GATEHOUSE_ACL=str(self.acl)), mine)
        self.assertEqual(first(GATEHOUSE_CONFIG=str(config)), others)
        self.assertEqual(first('--config', config, GATEHOUSE_ACL=str(self.acl)), others)
        self.assertEqual(first('--acl', self.acl, GATEHOUSE_CONFIG=str(config), GATEHOUSE_ACL=str(other)), mine)


class Config(Case):
    def faults(self, text, *expected):
        path = self.file('gatehouse.yaml', text)
        self.fails(1, '\n'.join(f'{path}:{e}' for e in expected), 'check', '--config', path)
        done = cli('serve', '--config', path)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, len(expected)))

    def test_missing_file(self):
        self.fails(1, 'gatehouse: /nowhere/g.yaml: No such file or directory', 'check', '--config', '/nowhere/g.yaml')

    def test_every_fault_is_named(self):
        self.faults('listne: []\ntls: { mode: on, crt: x }\nacl: acl.db\naudit: { dir: audit, durability: 5 }\n'
                    'warehouses:\n  wh: { pool: { size: many } }\nlimits: { clients: 0 }\n',
                    '1:1: listne: unknown key; did you mean "listen"?',
                    '1:1: listen: missing',
                    '2:18: crt: unknown key; did you mean "cert"?',
                    '2:14: tls.mode: expected one of require, prefer, disable, found "on"',
                    "2:6: tls.cert: missing: the path of the server's certificate (PEM)",
                    "2:6: tls.key: missing: the path of the certificate's private key",
                    '4:34: audit.durability: expected one of fsync, write, found "5"',
                    '6:7: conninfo: missing',
                    '6:23: pool.size: expected a whole number from 1 to 100000, found "many"',
                    '7:20: limits.clients: expected a whole number from 1 to 1000000, found "0"')

    def test_not_yaml(self):
        self.faults('listen: [\n', "2:1: did not find expected node content, while parsing a flow node (which began in line 2)")
        self.faults(GOOD_CONFIG + 'acl: again.db\n', '6:1: acl: given twice, first in line 3')
        self.faults('a: &x [x]\nb: [*x, *x]\n', '1:4: an anchor (&name) is not allowed')

    def test_plaintext_off_loopback(self):
        self.faults(GOOD_CONFIG.replace('127.0.0.1:6432', '0.0.0.0:6432'),
                    '2:14: tls.mode: disable is for loopback addresses, and 0.0.0.0:6432 is none; use require, or say '
                    '`insecure: true` under tls')

    def test_what_this_version_lacks(self):
        self.faults(GOOD_CONFIG.replace('host=127.0.0.1', 'host=127.0.0.1, pool: { mode: transaction }'),
                    '5:61: pool.mode: transaction is not available in this version; expected session')

    def test_the_modes_of_a_warehouse(self):
        self.faults(GOOD_CONFIG.replace('host=127.0.0.1', 'host=127.0.0.1, mode: look'),
                    '5:53: mode: expected one of enforce, observe, found "look"')


class Check(Case):
    """`check` beyond the config file: a line per fault, and the warehouse is down in all of them."""

    def setUp(self):
        super().setUp()
        self.ok('init', self.dir / 'g')
        self.config = self.dir / 'g' / 'gatehouse.yaml'
        text = self.config.read_text().replace('port=5432', f'port={gt.free_port()} connect_timeout=2')
        self.config.write_text(text)

    def lines(self):
        done = cli('check', '--config', self.config)
        self.assertEqual(done.returncode, 1)
        faults = [l for l in done.stderr.splitlines() if not l.startswith('warehouses.warehouse: ')]
        self.assertEqual(len(done.stderr.splitlines()) - len(faults), 1, done.stderr)
        return faults

    def test_warehouse_down_is_the_only_fault(self):
        self.assertEqual(self.lines(), [])

    def test_acl(self):
        self.config.with_name('acl.db').unlink()
        self.assertEqual(self.lines(), [f'acl: {self.dir}/g/acl.db: no such ACL file; `gatehouse policy apply` makes one'])

    def test_key_of_another_certificate(self):
        self.ok('init', self.dir / 'other')
        (self.dir / 'other' / 'server.key').rename(self.dir / 'g' / 'server.key')
        self.assertEqual(self.lines(), ['tls.key: the key does not belong to the certificate'])

    def test_expired_certificate(self):
        key, request = self.dir / 'g' / 'server.key', self.dir / 'request'
        gt.run('openssl', 'req', '-new', '-key', key, '-subj', '/CN=x', '-out', request)
        self.file('ca.cnf', f'[ca]\ndefault_ca = d\n[d]\ndatabase = {self.dir}/index\nnew_certs_dir = {self.dir}\n'
                            f'serial = {self.dir}/serial\npolicy = p\n[p]\ncommonName = supplied\n')
        self.file('index', '')
        self.file('serial', '01\n')
        gt.run('openssl', 'ca', '-batch', '-selfsign', '-notext', '-md', 'sha256', '-config', self.dir / 'ca.cnf', '-keyfile', key,
               '-in', request, '-out', self.dir / 'g' / 'server.crt', '-startdate', '20200101000000Z', '-enddate', '20200201000000Z')
        self.assertEqual(self.lines(), ['tls.cert: expired at 2020-02-01T00:00:00Z'])

    def test_unusable_files(self):
        (self.dir / 'g' / 'server.crt').write_text('no certificate\n')
        (self.dir / 'g' / 'server.key').chmod(0o644)
        (self.dir / 'g' / 'audit').write_text('a file\n')
        faults = self.lines()
        self.assertEqual(faults[0], f'tls.key: {self.dir}/g/server.key: others may read the private key (mode 0644); chmod 600 it')
        self.assertTrue(faults[1].startswith('tls.key: the certificate is no PEM certificate'), faults)
        self.assertEqual(faults[2], f'audit.dir: {self.dir}/g/audit: not a folder')

    def test_missing_password_file(self):
        self.config.with_name('warehouse.pass').unlink()
        done = cli('check', '--config', self.config)
        self.assertIn(f'warehouses.warehouse: {self.dir}/g/warehouse.pass: No such file or directory', done.stderr)

    def test_password_file(self):
        """One that others may read is refused, by `check` and by `serve` alike."""
        self.config.with_name('warehouse.pass').chmod(0o644)
        fault = f'{self.dir}/g/warehouse.pass: others may read it (mode 0644), and it holds a password; chmod 600 it'
        for verb in ('check', 'serve'):
            done = cli(verb, '--config', self.config)
            self.assertEqual(done.returncode, 1)
            self.assertIn(fault, done.stderr)


class Warehouse(Case):
    """`check` and `explain` against a real PostgreSQL with TLS."""

    @classmethod
    def setUpClass(cls):
        cls.certs = gt.Certificates(scratch.path('tls'))
        cls.pg = cls.enterClassContext(gt.Postgres(scratch, cls.certs))
        cls.pg.role('svc', 'svc-secret')
        cls.pg.sql('CREATE DATABASE wh')

    def setUp(self):
        super().setUp()
        self.ok('init', self.dir / 'g')
        self.config = self.dir / 'g' / 'gatehouse.yaml'
        (self.dir / 'g' / 'ca.crt').write_bytes(self.certs.ca.read_bytes())
        (self.dir / 'g' / 'warehouse.pass').write_text('svc-secret\n')
        self.conninfo('sslmode=verify-full sslrootcert=ca.crt')

    def conninfo(self, tls):
        lines = self.config.read_text().splitlines()
        lines = [l if 'conninfo:' not in l else
                 f'    conninfo: "host=127.0.0.1 port={self.pg.port} dbname=wh user=svc {tls}"' for l in lines]
        self.config.write_text('\n'.join(lines) + '\n')

    def test_all_is_well(self):
        """From another folder: file names in conninfo are relative to the config file too."""
        for cwd, config in (('/', self.config), (self.dir, 'g/gatehouse.yaml'), (self.dir / 'g', 'gatehouse.yaml')):
            out = self.ok('check', '--config', config, cwd=cwd)
            self.assertRegex(out, r'(?m)^warehouses.warehouse: PostgreSQL 15\.\d+.* at 127.0.0.1.*, database wh, account svc, TLSv1.3$')
            self.assertIn('\nacl: version 0, 0 users, 0 roles, 0 grants and denies\n', out)

    def test_faults(self):
        for tls, words in (('sslmode=verify-full sslrootcert=none.crt', 'does not exist'),
                           ('sslmode=verify-full sslrootcert=server.crt', 'certificate verify failed'),
                           ('user=nobody', 'password authentication failed'), ('nonsense=1', 'nonsense')):
            with self.subTest(tls=tls):
                self.conninfo(tls)
                done = cli('check', '--config', self.config)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertTrue(done.stderr.startswith('warehouses.warehouse: '), done.stderr)
                self.assertIn(words, done.stderr)
                self.assertNotIn('svc-secret', done.stderr)


class Init(Case):
    def test_makes_a_usable_folder(self):
        folder = self.dir / 'new'
        self.assertIn('gatehouse serve --config', self.ok('init', folder))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
        self.assertEqual(modes, {'gatehouse.yaml': 0o600, 'acl.db': 0o600, 'server.crt': 0o644, 'server.key': 0o600,
                                 'warehouse.pass': 0o600})
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        context = ssl.create_default_context(cafile=str(folder / 'server.crt'))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(folder / 'server.crt', folder / 'server.key')
        # a client that trusts the file accepts it for localhost and 127.0.0.1
        for name in ('localhost', '127.0.0.1'):
            self.handshake(context, server, name)

    def handshake(self, client, server, name):
        a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
        left, right = client.wrap_bio(a, b, server_hostname=name), server.wrap_bio(c, d, server_side=True)
        for _ in range(4):
            for side, out, to in ((left, b, c), (right, d, a)):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                to.write(out.read())
        self.assertTrue(left.getpeercert()['notAfter'])

    def test_touches_nothing_that_exists(self):
        folder = self.dir / 'new'
        folder.mkdir()
        (folder / 'server.key').write_text('mine')
        self.fails(1, f'gatehouse: {folder}/server.key: exists already; nothing was changed', 'init', folder)
        self.assertEqual([p.name for p in folder.iterdir()], ['server.key'])
        self.fails(1, f'gatehouse: {folder}/server.key/x: Not a directory', 'init', folder / 'server.key' / 'x')


class Apply(Case):
    def test_round_trip(self):
        out = self.apply()
        self.assertTrue(out.endswith(' 0 changed, 0 removed; the ACL is at version 1\n'), out)
        first = self.ok('policy', 'export', '--acl', self.acl)
        self.assertEqual(self.apply(first), 'nothing to change; the ACL is at version 1\n')
        self.assertEqual(self.apply(), 'nothing to change; the ACL is at version 1\n')
        other = self.dir / 'other.db'
        self.ok('policy', 'apply', '--acl', other, self.file('first.yaml', first))
        self.assertEqual(self.ok('policy', 'export', '--acl', other), first)

    def test_row_per_pattern(self):
        self.apply()
        self.assertEqual(self.sql("SELECT count(*) FROM acl WHERE reason = 'DATA-123'"), [(2 * 2 * 4,)])
        self.assertEqual(
            self.sql("SELECT DISTINCT principal, object, column_pattern, mask, row_filter, origin FROM acl "
                     "WHERE mask IS NOT NULL AND effect = 'grant' AND object = 'sales.orders'"),
            [('analyst', 'sales.orders', 'email', 'email_domain', "region = attr('region')", 'policy')])

    def test_changes_are_told(self):
        self.apply('version: 1\nroles: { a: {} }\ngrants: [{ to: [a], tables: [s.t] }]\n')
        self.assertEqual(self.apply('version: 1\nroles: { a: {}, b: {} }\n'
                                    'grants: [{ to: [a], tables: [s.t], rows: "x = 1" }]\n'),
                         '+ role b\n~ grant 1: select on s.t to a\n    rows: (none) -> x = 1\n1 added, 1 changed, 0 removed; the ACL is at version 2\n')
        self.assertEqual(self.apply('version: 1\nroles: { a: {} }\n', '--dry-run'),
                         '- role b\n- grant 1: select on s.t to a\n'
                         'would be: 0 added, 0 changed, 2 removed; nothing was changed, this would be version 3\n')
        self.assertEqual(len(self.sql('SELECT * FROM acl')), 1)

    def test_names_neither_command_a_terminal_nor_forge_a_line(self):
        hostile = ('version: 1\nroles: { "ro\\u202ele": { description: "d\\u001b]0;x\\u0007\\n- role b" } }\n'
                   'grants: [{ to: ["ro\\u202ele"], tables: ["\\"we\\u001b[31mird\\n- grant 7: x\\".t"], reason: "\\u2066r" }]\n')
        file = self.file('hostile.yaml', hostile)
        shown = cli('policy', 'plan', '--acl', self.acl, file).stdout
        shown += self.apply(hostile)
        for verb in (['grants'], ['role', 'list'], ['policy', 'history'], ['grant', 'insert', 'on', '"a\n+ b\x1b[0m".t', 'to', 'ro\u202ele']):
            shown += self.ok(*verb, '--acl', self.acl)
        self.assertNotRegex(shown, '[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
        self.assertNotRegex(shown, '(?m)^(- |\\+ b)')
        self.assertIn('"we?[31mird?- grant 7: x".t', shown)

    def test_folder_merges(self):
        folder = self.dir / 'policies'
        folder.mkdir()
        (folder / '1.yaml').write_text('version: 1\nroles: { a: {} }\n')
        (folder / '2.yml').write_text('version: 1\ngrants: [{ to: [a], tables: [s.t] }]\n')
        (folder / '.hidden.yaml').write_text('not: policy\n')
        (folder / 'README.md').write_text('not a policy\n')
        self.assertIn('2 added', self.ok('policy', 'apply', '--acl', self.acl, folder))
        (folder / '3.yaml').write_text('version: 1\nroles:\n  a: {}\n')
        done = cli('policy', 'apply', '--acl', self.acl, folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f'{folder}/3.yaml:3:', done.stderr)
        empty = self.dir / 'empty'
        empty.mkdir()
        self.fails(1, f'gatehouse: {empty}: no .yaml file in this folder', 'policy', 'apply', '--acl', self.acl, empty)

    def refused(self, text, *words):
        """Nothing is applied, the message names the file and the words."""
        before = self.ok('policy', 'export', '--acl', self.acl)
        done = cli('policy', 'apply', '--acl', self.acl, self.file('bad.yaml', text))
        self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
        line, = done.stderr.splitlines()
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(self.ok('policy', 'export', '--acl', self.acl), before)
        self.assertEqual(self.sql("SELECT value FROM meta WHERE key = 'version'"), [(1,)])

    def test_refusals(self):
        self.apply()
        here = f'{self.dir}/bad.yaml:'
        self.refused('version: 1\nroles: { a: {} }\nroles: { b: {} }\n', here + '3:1: roles: given twice, first in line 2')
        self.refused('version: 1\nroles:\n  a: {}\n  a: {}\n', here + '4:3: a: given twice, first in line 3')
        self.refused('version: 1\ngrnats: []\n', here + '2:1:', 'grnats', 'did you mean "grants"?')
        self.refused('version: 1\nusers: { u: { roles: [nobody] } }\n', 'nobody')
        self.refused('version: 1\ngrants: [{ to: [nobody], tables: [s.t] }]\n', 'nobody')
        self.refused('version: 1\nroles: { a: { member_of: [b] }, b: { member_of: [a] } }\n', 'role "a" is a member of itself: a -> b -> a')
        self.refused('version: 1\nroles: { a: {} }\ngrants: [{ to: [a], tables: [*.*] }]\n', here + '3:',
                     'quote a text that starts with *')
        self.refused('version: 1\nroles: { a: {} }\ngrants: [{ to: [a], tables: [s.t], valid: { until: soon } }]\n', here + '3:',
                     'soon')
        self.refused('', here)

    def test_every_fault_of_a_file_is_named(self):
        path = self.file('bad.yaml', 'version: 1\nroles: { a: { my: x } }\ngrants: [{ tables: 5 }]\n')
        done = cli('policy', 'apply', '--acl', self.acl, path)
        self.assertEqual(done.returncode, 1)
        lines = done.stderr.splitlines()
        self.assertGreater(len(lines), 2)
        for line in lines:
            self.assertRegex(line, f'^{path}:[23]:[0-9]+: ')

    def test_half_written_file(self):
        """Cut anywhere: it is refused and changes nothing, or it is whole in itself and says so."""
        self.apply()
        before = self.ok('policy', 'export', '--acl', self.acl)
        refused = 0
        for cut in range(0, len(POLICY), 37):
            copy = self.dir / 'copy.db'
            copy.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(self.acl)) as a, contextlib.closing(sqlite3.connect(copy)) as b:
                a.backup(b)
            copy.chmod(0o600)
            done = cli('policy', 'apply', '--acl', copy, self.file('cut.yaml', POLICY[:cut]))
            self.assertIn(done.returncode, (0, 1), done.stderr)
            if done.returncode == 1:
                refused += 1
                self.assertEqual(self.ok('policy', 'export', '--acl', copy), before, f'cut at {cut}')
        self.assertGreater(refused, 5)

    def test_typo_leaves_no_acl_behind(self):
        path = self.file('bad.yaml', 'version: 2\n')
        self.assertEqual(cli('policy', 'apply', '--acl', self.acl, path).returncode, 1)
        self.assertFalse(self.acl.exists())
        self.fails(1, f'gatehouse: {self.dir}/none.yaml: No such file or directory', 'policy', 'apply', '--acl', self.acl,
                   self.dir / 'none.yaml')

    def test_history_says_who_when_why(self):
        begin = time.time() - 1
        self.apply(POLICY, '--by', 'carol', '--reason', 'audit 7')
        rows = self.sql('SELECT DISTINCT author, action, reason, version FROM history')
        self.assertEqual(rows, [('carol', 'policy apply', 'audit 7', 1)])
        for (at,) in self.sql('SELECT DISTINCT at FROM history'):
            self.assertTrue(begin < at / 1e6 < time.time() + 1)
        after = json.loads(self.sql("SELECT after FROM history WHERE kind = 'user' AND key = 'etl_bot'")[0][0])
        self.assertEqual(after, {'kind': 'service'})

    def test_kill_in_the_middle(self):
        """kill -9 at any moment of an apply: the ACL is the old one or the new one."""
        def world(n, rows):
            return ('version: 1\nroles:\n' + ''.join(f'  r{i}: {{}}\n' for i in range(50)) + 'grants:\n' +
                    ''.join(f'  - {{ to: [r{i % 50}], tables: [s.t{i}], columns: [a, b, c, d], rows: "{rows}" }}\n'
                            for i in range(n)))
        self.apply(world(3000, 'x = 1'))
        old = self.ok('policy', 'export', '--acl', self.acl)
        path = self.file('next.yaml', world(3000, 'x = 2'))
        begin = time.monotonic()
        probe = self.dir / 'probe.db'
        with contextlib.closing(sqlite3.connect(self.acl)) as a, contextlib.closing(sqlite3.connect(probe)) as b:
            a.backup(b)
        probe.chmod(0o600)
        self.ok('policy', 'apply', '--acl', probe, path)
        whole = time.monotonic() - begin
        new = self.ok('policy', 'export', '--acl', probe)
        self.assertNotEqual(old, new)
        seen, rng = set(), random.Random(7)
        version = 1
        for i in range(200 if os.environ.get('GH_LONG') == '1' else 25):
            process = subprocess.Popen([gt.BINARY, 'policy', 'apply', '--acl', self.acl, path], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, whole))
            process.send_signal(signal.SIGKILL)
            process.wait()
            now = self.ok('policy', 'export', '--acl', self.acl)
            self.assertIn(now, (old, new))
            seen.add(now == new)
            version += now == new
            self.assertEqual(self.versions(), list(range(1, version + 1)))
            if now == new:
                self.ok('policy', 'apply', '--acl', self.acl, self.file('old.yaml', world(3000, 'x = 1')))
                self.assertEqual(self.ok('policy', 'export', '--acl', self.acl), old)
                version += 1
        self.assertEqual(self.versions(), list(range(1, version + 1)))
        self.ok('policy', 'rollback', '1', '--acl', self.acl)
        self.assertEqual(self.ok('policy', 'export', '--acl', self.acl), old)
        self.assertIn(False, seen)


    def versions(self):
        """The changes that the history tells of, each whole: what was added or changed says what is there now."""
        self.assertEqual(self.sql('PRAGMA integrity_check'), [('ok',)])
        found = [v for v, in self.sql('SELECT DISTINCT version FROM history ORDER BY version')]
        self.assertEqual(self.sql("SELECT value FROM meta WHERE key = 'version'"), [(found[-1],)])
        last = [json.loads(l) for l in self.ok('policy', 'history', '--change', str(found[-1]), '--acl', self.acl, '--json').splitlines()]
        self.assertEqual(len(last), self.sql(f'SELECT count(*) FROM history WHERE version = {found[-1]}')[0][0])
        return found

    def test_two_admins_at_once(self):
        """Each change waits for the one before: none is lost, all are in the history, and each says which version it made."""
        self.apply()
        jobs = []
        for i in range(12):
            jobs.append(['grant', 'select', 'on', f's.t{i}', 'to', 'analyst'] if i % 3 else
                        ['policy', 'apply', self.file(f'{i}.yaml', POLICY.replace('DATA-123', f'DATA-{i}'))])
        running = [subprocess.Popen([gt.BINARY, *map(str, argv), '--acl', str(self.acl), '--by', f'admin{i}'], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True) for i, argv in enumerate(jobs)]
        for process in running:
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, err), (0, ''), out)
        self.assertEqual(self.versions(), list(range(1, 14)))
        self.assertEqual({a for a, in self.sql('SELECT DISTINCT author FROM history WHERE version > 1')}, {f'admin{i}' for i in range(12)})
        objects = [g['tables'] for g in map(json.loads, self.ok('grants', '--acl', self.acl, '--json').splitlines()) if g['origin'] == 'cli']
        self.assertEqual(sorted(objects), sorted([f's.t{i}'] for i in range(12) if i % 3))
        last = self.sql("SELECT author FROM history WHERE action = 'policy apply' ORDER BY version DESC LIMIT 1")[0][0][5:]
        self.assertIn(f'DATA-{last}', self.ok('policy', 'export', '--acl', self.acl))


class AclFile(Case):
    def test_acl_permissions(self):
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        self.apply()
        self.assertEqual(stat.S_IMODE(self.acl.stat().st_mode), 0o600)
        self.acl.chmod(0o644)
        self.fails(1, f'gatehouse: {self.acl}: others may read it (mode 0644), and it holds password verifiers; chmod 600 it',
                   'user', 'list', '--acl', self.acl)

    def test_newer_version(self):
        self.apply()
        self.sql('PRAGMA user_version = 99')
        message = (f'gatehouse: {self.acl}: its format is version 99, this gatehouse knows version 1; use the gatehouse that '
                   'made it')
        self.fails(1, message, 'user', 'list', '--acl', self.acl)
        self.fails(1, message, 'policy', 'apply', '--acl', self.acl, self.file('p.yaml', POLICY))

    def test_corrupted(self):
        self.apply()
        good = self.acl.read_bytes()
        self.acl.write_bytes(b'x' * 100 + good[100:])
        self.fails(1, f'gatehouse: {self.acl}: not an ACL file', 'user', 'list', '--acl', self.acl)
        rng = random.Random(11)
        for _ in range(40):
            bad = bytearray(good)
            page = rng.randrange(1, len(good) // 4096) * 4096
            bad[page:page + 4096] = rng.randbytes(4096)
            self.acl.write_bytes(bad)
            done = cli('policy', 'export', '--acl', self.acl)
            self.assertIn(done.returncode, (0, 1), done.stderr)  # never a crash; 0: the page was not needed
            if done.returncode == 1:
                self.assertEqual(done.stdout, '')
                self.assertTrue(done.stderr.startswith(f'gatehouse: {self.acl}: '), done.stderr)
        self.acl.write_bytes(good[:len(good) // 2])
        done = cli('policy', 'export', '--acl', self.acl)
        self.assertEqual((done.returncode, done.stdout), (1, ''))

    def test_grant_that_lost_a_row(self):
        self.apply()
        self.sql("DELETE FROM acl WHERE grant_id = 1 AND row_no = 3")
        self.fails(1, f'gatehouse: {self.acl}: the ACL makes no sense: grant 1 has 15 rows, not 12', 'policy', 'export', '--acl',
                   self.acl)


class Users(Case):
    def setUp(self):
        super().setUp()
        self.apply()

    def verifier(self, name):
        return self.sql(f"SELECT verifier FROM users WHERE name = '{name}'")[0][0]

    def test_password(self):
        out = self.ok('user', 'password', '--acl', self.acl, 'alice', stdin='correct horse\nnot this\n')
        self.assertEqual(out, 'the password of alice is set\n')
        first = self.verifier('alice')
        self.assertRegex(first, r'^SCRAM-SHA-256\$4096:[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$')
        self.assertNotIn(b'correct horse', self.acl.read_bytes())
        self.ok('user', 'password', 'alice', '--acl', self.acl, stdin='correct horse\r\n')
        self.assertNotEqual(self.verifier('alice'), first)  # another salt
        self.assertEqual(self.sql("SELECT after FROM history WHERE action = 'user password'"), [('{"password":"set"}',)] * 2)
        self.apply()
        self.assertTrue(self.verifier('alice'))

    def test_password_refusals(self):
        self.fails(1, 'gatehouse: no such user: alcie; did you mean "alice"?', 'user', 'password', 'alcie', '--acl', self.acl,
                   stdin='x\n')
        self.fails(1, 'gatehouse: expected the password on stdin, found an empty line', 'user', 'password', 'alice', '--acl',
                   self.acl, stdin='\n')
        self.fails(2, 'gatehouse: unexpected argument "secret"\n  See `gatehouse user password --help`.', 'user', 'password',
                   'alice', 'secret', '--acl', self.acl)
        self.ok('user', 'password', 'alice', '--acl', self.acl, stdin='x' * 1024 + '\n')
        kept = self.verifier('alice')
        self.assertEqual(cli('user', 'password', 'alice', '--acl', self.acl, stdin='x' * 1025 + '\n').returncode, 1)
        self.assertEqual(self.verifier('alice'), kept)

    def test_disable(self):
        self.assertEqual(self.ok('user', 'disable', 'alice', '--acl', self.acl, '--by', 'eve'), 'alice is disabled\n')
        self.assertEqual(self.ok('user', 'disable', 'alice', '--acl', self.acl), 'alice was disabled already\n')
        self.apply()
        self.assertEqual(self.ok('user', 'show', 'alice', '--acl', self.acl).split('\t')[2], 'disabled')
        self.assertEqual(self.ok('user', 'enable', 'alice', '--acl', self.acl), 'alice is enabled\n')
        self.assertEqual(self.sql("SELECT author FROM history WHERE after = '{\"disabled\":true}'"), [('eve',)])

    def test_lists(self):
        users = [json.loads(l) for l in self.ok('user', 'list', '--acl', self.acl, '--json').splitlines()]
        self.assertEqual(users[0], {'user': 'alice', 'kind': 'human', 'login': 'no password', 'roles': ['eu_analyst'],
                                    'attributes': {'region': 'EU', 'teams': ['growth', 'core']}, 'origin': 'policy'})
        roles = [json.loads(l) for l in self.ok('role', 'list', '--acl', self.acl, '--json').splitlines()]
        self.assertEqual(roles[0], {'role': 'analyst', 'member_of': [], 'may': ['explain', 'notify'],
                                    'description': 'Reads "marts"', 'origin': 'policy'})

    def grants(self, *argv):
        return [json.loads(l)['id'] for l in self.ok('grants', '--acl', self.acl, '--json', *argv).splitlines()]

    def test_grants(self):
        self.assertEqual(self.grants(), [1, 2, 3, 4, 5])
        self.assertEqual(self.grants('--user', 'alice'), [1, 2, 4])  # through eu_analyst, and its analyst
        self.assertEqual(self.grants('--user', 'etl_bot'), [1, 2, 5])
        self.assertEqual(self.grants('--on', 'mart.daily'), [1, 4])
        self.assertEqual(self.grants('--on', 'martx.daily'), [4])
        self.assertEqual(self.grants('--on', 'crm.customers', '--column', 'ssn'), [4])
        self.assertEqual(self.grants('--user', 'alice', '--on', 'sales.orders', '--column', 'amount'), [1, 4])
        row = json.loads(self.ok('grants', '--acl', self.acl, '--json').splitlines()[0])
        self.assertEqual((row['columns'], row['tags'], row['mask'], row['from'], row['until']),
                         (['id', 'region', 'amount', 'email'], [], {'email': 'email_domain'}, '2026-01-01T00:00:00Z',
                          '2027-01-01T00:00:00Z'))
        self.fails(1, 'gatehouse: no such user: bob', 'grants', '--user', 'bob', '--acl', self.acl)
        self.fails(1, 'gatehouse: no such user: alcie; did you mean "alice"?', 'grants', '--user', 'alcie', '--acl', self.acl)
        self.sql("UPDATE acl SET object = 's.t' WHERE object = '*.*'")
        self.fails(0, 'no grant or deny fits sales.ordres; did you mean "sales.orders"?', 'grants', '--on', 'sales.ordres', '--acl',
                   self.acl)

    def test_names_cannot_move_the_terminal(self):
        self.apply('version: 1\nroles: { a: { description: "x\\e[2Jy" } }\n')
        self.assertIn('x?[2Jy', self.ok('role', 'list', '--acl', self.acl))


class Audit(Case):
    def test_refusals(self):
        done = cli('audit', 'search', '--dir', self.dir / 'none')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn(f'{self.dir}/none', done.stderr)
        for option, value in (('--kind', 'nonsense'), ('--since', 'whenever'), ('--limit', '-1')):
            done = cli('audit', 'tail', '--dir', self.dir, option, value)
            self.assertEqual((done.returncode, done.stdout), (2, ''))
            self.assertIn(value, done.stderr)


if __name__ == '__main__':
    gt.main()
