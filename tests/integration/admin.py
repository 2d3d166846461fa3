"""The verbs that change and review the ACL: what they write, refuse and show, the way back, and a running proxy."""
import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

POLICY = """\
version: 1
roles:
  analyst: { may: [explain] }
  eu: { member_of: [analyst] }
users:
  alice: { roles: [eu], attributes: { region: EU } }
  bob: {}
tags:
  pii: [crm.customers.email]
masks:
  domain: "'***@' || split_part(value, '@', 2)"
grants:
  - { to: [analyst], tables: [crm.customers], mask: { email: hash }, reason: BASE }
masking:
  - { tag: pii, with: redact, except: [eu] }
"""
CHANGING = [('user', 'add'), ('user', 'drop'), ('role', 'add'), ('role', 'drop'), ('member', 'add'), ('member', 'drop'),
            ('grant',), ('deny',), ('revoke',), ('tag', 'add'), ('tag', 'drop'), ('mask', 'add'), ('mask', 'drop'),
            ('policy', 'rollback')]
SHOWING = [('role', 'show'), ('tag', 'list'), ('mask', 'list'), ('who',), ('policy', 'history')]
# Everything that says who may see what; not when or by whom a row was written, nor the order of a product.
TABLES = {'roles': 'name, description, may, origin', 'users': 'name, kind, disabled, origin',
          'members': 'member, role, origin', 'attributes': 'user, name, position, value, origin', 'tags': 'name, origin',
          'tag_columns': 'tag, pattern, origin', 'masks': 'name, expression, origin',
          'masking': 'id, tag, mask, except_role, origin', 'functions': 'id, principal, pattern, origin',
          'acl': 'grant_id, effect, principal, privilege, object, column_kind, column_pattern, mask, row_filter, '
                 'valid_from, valid_until, through, blind, reason, origin'}


def setUpModule():
    global scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)


class Case(unittest.TestCase):
    counter = 0

    def setUp(self):
        Case.counter += 1
        self.dir = scratch.path(f'admin{Case.counter}')
        self.dir.mkdir()
        self.acl = self.dir / 'acl.db'
        (self.dir / 'policy.yaml').write_text(POLICY)
        self.ok('policy', 'apply', self.dir / 'policy.yaml')

    def cli(self, *argv):
        clean = {k: v for k, v in os.environ.items() if not k.startswith('GATEHOUSE_')}
        return gt.run(gt.BINARY, *argv, check=False, env={**clean, 'GATEHOUSE_ACL': str(self.acl)})

    def ok(self, *argv):
        done = self.cli(*argv)
        self.assertEqual(done.returncode, 0, f'{argv}: {done.stderr}')
        return done.stdout

    def json(self, *argv):
        return [json.loads(line) for line in self.ok(*argv, '--json').splitlines()]

    def fails(self, code, message, *argv):
        """Exit code, this text within stderr, nothing on stdout, and nothing changed."""
        before = self.state()
        done = self.cli(*argv)
        self.assertEqual((done.returncode, done.stdout), (code, ''), done.stderr)
        self.assertIn(message, done.stderr)
        self.assertEqual(self.state(), before)
        return done.stderr

    def sql(self, sql):
        with contextlib.closing(sqlite3.connect(self.acl)) as db, db:
            return db.execute(sql).fetchall()

    def state(self):
        return {table: sorted(self.sql(f'SELECT {columns} FROM {table}'), key=repr) for table, columns in TABLES.items()}

    def version(self):
        return int(self.sql("SELECT value FROM meta WHERE key = 'version'")[0][0])


class Verbs(Case):
    def test_help_has_an_example(self):
        for verb in CHANGING + SHOWING:
            done = self.cli(*verb, '--help')
            self.assertEqual(done.returncode, 0, verb)
            self.assertIn(f'Usage: gatehouse {" ".join(verb)}', done.stdout)
            self.assertIn(f'\nExample:\n  gatehouse {" ".join(verb)} ', done.stdout)
            self.assertIn('--json', done.stdout, verb)
            if verb in CHANGING:
                self.assertIn('--by NAME', done.stdout, verb)

    def test_user(self):
        self.assertEqual(self.ok('user', 'add', 'carol', '--kind', 'service', '--role', 'analyst,eu', '--attribute',
                                 'region=US', '--attribute', 'note=a=b', '--list', 'teams=growth, core', '--by', 'ann'),
                         '+ user carol\n+ user:carol in role analyst\n+ user:carol in role eu\n'
                         '+ attribute region of carol\n+ attribute note of carol\n+ attribute teams of carol\n')
        shown = self.json('user', 'show', 'carol')[0]
        self.assertEqual((shown['kind'], shown['roles'], shown['origin']), ('service', ['analyst', 'eu'], 'cli'))
        self.assertEqual(sorted(self.sql("SELECT name, position, value FROM attributes WHERE user = 'carol'")),
                         [('note', -1, 'a=b'), ('region', -1, 'US'), ('teams', 0, 'growth'), ('teams', 1, 'core')])
        self.assertEqual(self.sql("SELECT DISTINCT author, action FROM history WHERE key LIKE '%carol%'"),
                         [('ann', 'user add')])
        self.fails(1, 'user carol exists already\n  --change changes it.', 'user', 'add', 'carol')
        self.assertEqual(self.ok('user', 'add', 'carol', '--change', '--attribute', 'region=EU', '--drop-attribute', 'note'),
                         '~ attribute region of carol\n- attribute note of carol\n')
        self.assertEqual(self.json('user', 'show', 'carol')[0]['kind'], 'service', 'what is not said stays')
        gt.run(gt.BINARY, 'user', 'password', '--acl', self.acl, 'carol', stdin='word\n')
        self.ok('user', 'add', 'carol', '--change', '--kind', 'human')
        self.assertTrue(self.sql("SELECT verifier FROM users WHERE name = 'carol'")[0][0].startswith('SCRAM-SHA-256$'))
        self.ok('grant', 'select', 'on', 'a.b', 'to', 'user:carol', 'analyst')
        self.fails(1, 'user carol is named by grants or denies 3', 'user', 'drop', 'carol')
        self.assertIn('~ grant 3: select on a.b to analyst\n', self.ok('user', 'drop', 'carol', '--cascade'))
        self.assertEqual(self.sql("SELECT count(*) FROM attributes WHERE user = 'carol'"), [(0,)])
        self.fails(1, 'no such user: boob; did you mean "bob"?', 'user', 'drop', 'boob')

    def test_role(self):
        self.assertEqual(self.ok('role', 'add', 'ops', '--description', 'night shift', '--may', 'explain,notify',
                                 '--member-of', 'analyst'), '+ role ops\n+ ops in role analyst\n')
        self.ok('role', 'add', 'ops', '--change', '--may', 'none')
        self.assertEqual(self.sql("SELECT description, may FROM roles WHERE name = 'ops'"), [('night shift', '')])
        self.ok('member', 'add', 'bob', 'ops')
        shown = self.json('role', 'show', 'analyst')[0]
        self.assertEqual((shown['members'], shown['grants'], shown['may']), (['eu', 'ops'], ['1'], ['explain']))
        self.assertEqual(self.json('role', 'show', 'ops')[0]['members'], ['user:bob'])
        self.fails(1, 'no such role: opps; did you mean "ops"?', 'role', 'show', 'opps')
        self.fails(1, 'role analyst is named by grants or denies 1', 'role', 'drop', 'analyst')
        dropped = self.json('role', 'drop', 'ops')
        self.assertEqual([(d['change'], d['kind']) for d in dropped],
                         [('removed', 'member'), ('removed', 'member'), ('removed', 'role')])
        self.fails(1, 'by the masking of tags, as an exception: 2', 'role', 'drop', 'eu')
        self.fails(2, 'unknown --may "explian": expected explain, temp_tables, notify, bypass; did you mean "explain"?',
                   'role', 'add', 'x', '--may', 'explian')

    def test_member(self):
        self.assertEqual(self.ok('member', 'add', 'bob', 'eu'), '+ user:bob in role eu\n')
        self.assertEqual(self.ok('member', 'add', 'bob', 'eu'), '= user:bob in role eu (it was so already)\n')
        self.fails(1, 'role "analyst" is a member of itself: analyst -> eu -> analyst', 'member', 'add', 'analyst', 'eu')
        self.fails(1, 'no such role or user: boob; did you mean "bob"?', 'member', 'add', 'boob', 'eu')
        self.fails(1, 'no such role: uu; did you mean "eu"?', 'member', 'add', 'bob', 'uu')
        self.assertEqual(self.ok('member', 'drop', 'bob', 'eu'), '- user:bob in role eu\n')
        self.fails(1, 'user:bob is not a member of role eu', 'member', 'drop', 'bob', 'eu')
        self.ok('role', 'add', 'bob')
        self.fails(1, 'bob is a role and a user: write role:bob or user:bob', 'member', 'add', 'bob', 'eu')
        self.assertEqual(self.ok('member', 'add', 'role:bob', 'eu'), '+ bob in role eu\n')

    def test_grant_and_revoke(self):
        out = self.ok('grant', 'select,update', 'on', 'sales.orders,mart.*', '"Sales, Dept"."Order"', 'to', 'analyst',
                      'user:bob', '--columns', 'id,region,"a,b"', '--rows', "region = attr('region')", '--mask',
                      'region=partial(1,0)', '--mask', '"a,b"=domain', '--blind', '--reason', 'T-1', '--for', '4h')
        self.assertEqual(out, '+ grant 3: select, update on sales.orders, mart.*, "Sales, Dept"."Order" to analyst, user:bob\n')
        grant = next(g for g in self.json('grants') if g['id'] == 3)
        self.assertEqual((grant['to'], grant['tables'], grant['privileges'], grant['reason'], grant['rows']),
                         (['analyst', 'user:bob'], ['sales.orders', 'mart.*', '"Sales, Dept"."Order"'],
                          ['select', 'update'], 'T-1', "region = attr('region')"))
        until, = self.sql('SELECT DISTINCT valid_until FROM acl WHERE grant_id = 3')[0]
        self.assertAlmostEqual(until / 1e6, time.time() + 4 * 3600, delta=60)
        self.assertEqual(self.sql("SELECT count(*) FROM acl WHERE grant_id = 3 AND blind = 1"), [(36,)])
        self.assertEqual(self.ok('grant', 'all on "b c".d to user:bob'), '+ grant 4: select, insert, update, delete, '
                         'truncate on "b c".d to user:bob\n')
        self.assertEqual(self.ok('GRANT'.lower(), 'select', 'ON', 'b.c', 'TO', 'analyst'), '+ grant 5: select on b.c to analyst\n')
        self.assertEqual(self.ok('grant', 'select', 'on', 'b.c', 'to', 'analyst'),
                         '= grant 5: select on b.c to analyst (it was so already)\n')
        self.assertEqual(self.ok('revoke', 'select', 'on', 'b.c', 'from', 'analyst', '--by', 'eve', '--reason', 'over'),
                         '- grant 5: select on b.c to analyst\n')
        past = self.json('policy', 'history', '1')[0]
        self.assertEqual((past['author'], past['action'], past['reason'], past['after']), ('eve', 'revoke', 'over', None))
        self.assertEqual(past['before']['tables'], ['b.c'])
        self.fails(1, 'no grant says this, nor does any other name analyst on b.c', 'revoke', 'select', 'on', 'b.c', 'from', 'analyst')
        self.fails(1, 'no grant says exactly this; user:bob on "b c".d has: 4', 'revoke', 'select on "b c".d from user:bob')
        self.assertEqual(self.json('revoke', '3', '4')[1]['id'], 4)
        self.fails(1, 'no grant or deny has the id 3', 'revoke', '3')
        done = self.cli('revoke', '1')
        self.assertIn('policy files made this', done.stderr)
        self.assertEqual(self.sql('SELECT count(*) FROM acl'), [(0,)])

    def test_deny(self):
        self.assertEqual(self.ok('deny', 'on', '*.*', 'to', 'eu', '--tags', 'pii'),
                         '+ deny 3: select, insert, update, delete, truncate on *.* from eu\n')
        self.assertEqual(self.ok('deny', 'select', 'on', 'hr.e', 'from', 'eu', '--columns', 'pay', '--rows', 'level > 5'),
                         '+ deny 4: select on hr.e from eu\n')
        self.fails(1, 'tag pii is named by the masking of the policy files', 'tag', 'drop', 'pii')
        self.fails(2, 'unknown option "--mask"', 'deny', 'select', 'on', 'a.b', 'to', 'eu', '--mask', 'a=hash')
        self.fails(1, 'no grant says exactly this', 'revoke', 'select', 'on', 'hr.e', 'from', 'eu', '--columns', 'pay',
                   '--rows', 'level > 5')
        self.assertEqual(self.ok('revoke', '--deny', 'select', 'on', 'hr.e', 'from', 'eu', '--columns', 'pay', '--rows',
                                 'level > 5'), '- deny 4: select on hr.e from eu\n')

    def test_validity(self):
        self.ok('grant', 'select', 'on', 'a.b', 'to', 'eu', '--from', '2020-01-01', '--until', '2099-12-31')
        self.assertEqual(self.sql('SELECT valid_from, valid_until FROM acl WHERE grant_id = 3'),
                         [(1577836800000000, 4102444800000000)], 'the last day is part of it')
        after = json.loads(self.ok('policy', 'history', '1', '--json').splitlines()[-1])['after']
        self.assertEqual((after['valid_from'], after['valid_until']), ('2020-01-01T00:00:00Z', '2100-01-01T00:00:00Z'))
        self.ok('grant', 'select', 'on', 'a.c', 'to', 'eu', '--for', '4h')
        exact = self.sql('SELECT valid_until FROM acl WHERE grant_id = 4')
        self.ok('revoke', '4')
        self.ok('policy', 'rollback', self.json('policy', 'history', '1')[0]['version'] - 1)
        self.assertEqual(self.sql('SELECT valid_until FROM acl WHERE grant_id = 4'), exact, 'to the microsecond')
        self.fails(1, '--until: 2020-01-01 is over already', 'grant', 'select', 'on', 'a.b', 'to', 'eu', '--until', '2020-01-01')
        self.fails(1, 'it would end before it begins', 'grant', 'select', 'on', 'a.b', 'to', 'eu', '--until', '2098-01-01',
                   '--from', '2099-01-01')
        for bad in ('4', 'soon', '-4h', '0h', '9999999999999999d'):
            self.fails(2, '--for: expected a time such as 30m, 4h, 7d', 'grant', 'select', 'on', 'a.b', 'to', 'eu', f'--for={bad}')
        self.fails(2, '--until: expected 2026-12-31', 'grant', 'select', 'on', 'a.b', 'to', 'eu', '--until', '31.12.2099')
        self.fails(2, '--for and --until say the same', 'grant', 'select', 'on', 'a.b', 'to', 'eu', '--for', '4h', '--until', '2099-01-01')

    def test_tag_and_mask(self):
        self.assertEqual(self.ok('tag', 'add', 'secret', '*.*.ssn', 'hr.e.pay'),
                         '+ tag secret\n+ tag secret on *.*.ssn\n+ tag secret on hr.e.pay\n')
        self.assertEqual(self.json('tag', 'list', 'pii')[0]['masking'], 'redact except eu')
        self.assertEqual(self.json('tag', 'list', 'secret')[0]['columns'], ['*.*.ssn', 'hr.e.pay'])
        self.ok('tag', 'drop', 'secret', 'hr.e.pay')
        self.fails(1, 'tag secret is not on hr.e.pay', 'tag', 'drop', 'secret', 'hr.e.pay')
        self.fails(1, 'expected [warehouse:]schema.relation.column', 'tag', 'add', 'secret', 'hr.e')
        self.fails(1, 'no such tag: secre; did you mean "secret"?', 'tag', 'list', 'secre')
        self.ok('tag', 'drop', 'secret')
        self.assertEqual(self.ok('mask', 'add', 'half', 'left(value, 3)'), '+ mask half\n')
        self.ok('grant', 'select', 'on', 'a.b', 'to', 'eu', '--mask', 'c=half')
        self.fails(1, 'mask half is named by grants 3; revoke them first', 'mask', 'drop', 'half')
        self.ok('mask', 'add', 'half', 'left(value, 2)', '--change')
        self.assertIn({'mask': 'half', 'expression': 'left(value, 2)', 'origin': 'cli'}, self.json('mask', 'list'))
        self.fails(1, 'mask "hash": the name is a built-in one', 'mask', 'add', 'hash', 'left(value, 2)')
        self.fails(1, 'no such mask: hafl; did you mean "half"?', 'mask', 'drop', 'hafl')
        self.ok('revoke', '3')
        self.ok('mask', 'drop', 'half')


class BadInput(Case):
    def test_grants_that_are_refused(self):
        grant = ('grant', 'select', 'on', 'crm.customers', 'to')
        for code, message, argv in (
                (1, 'no such role: anlyst; did you mean "analyst"?', (*grant, 'anlyst')),
                (1, 'no such user: alcie; did you mean "alice"?', (*grant, 'user:alcie')),
                (1, 'no such role: alice; did you mean "user:alice"?', (*grant, 'alice')),
                (2, 'unknown privilege "slect": expected select', ('grant', 'slect', 'on', 'a.b', 'to', 'eu')),
                (2, 'expected PRIVS on OBJECTS to WHOM', ('grant', 'select', 'crm.customers', 'eu')),
                (2, 'on what?', ('grant', 'select', 'on', 'to', 'eu')),
                (2, 'to whom?', ('grant', 'select', 'on', 'a.b', 'to')),
                (2, 'which privileges?', ('grant', 'on', 'a.b', 'to', 'eu')),
                (2, 'unknown option "--colums": did you mean "--columns"?', (*grant, 'eu', '--colums', 'a')),
                (2, '--columns and --except exclude each other', (*grant, 'eu', '--columns', 'a', '--except', 'b')),
                (2, '--columns: the list is empty', (*grant, 'eu', '--columns', ' , ')),
                (1, 'it has too few parts', ('grant', 'select', 'on', 'customers', 'to', 'eu')),
                (1, 'a double quote is not closed', ('grant', 'select', 'on', '"a.b', 'to', 'eu')),
                (1, 'columns are names, not patterns', (*grant, 'eu', '--columns', 'a*')),
                (1, 'unknown mask "haash" (did you mean "hash"?)', (*grant, 'eu', '--mask', 'c=haash')),
                (1, 'unknown mask "domian" (did you mean "domain"?)', (*grant, 'eu', '--mask', 'c=domian')),
                (2, '--mask wants COLUMN=MASK, not "c"', (*grant, 'eu', '--mask', 'c')),
                (1, 'it masks column c, which it does not grant', (*grant, 'eu', '--columns', 'd', '--mask', 'c=hash')),
                (1, '--mask of column c: syntax error at end of input, at character 9 of: value ||',
                 (*grant, 'eu', '--mask', 'c=value ||')),
                (2, '--rows: the filter is empty', (*grant, 'eu', '--rows', '')),
                (1, '--rows: expected one SQL expression and nothing else', (*grant, 'eu', '--rows', '  ')),
                (1, 'user "alice" would get two masks of column email that cannot be ordered',
                 (*grant, 'user:alice', '--mask', 'email=domain')),
                (1, 'user "alice" would get two masks', ('grant', 'select', 'on', 'crm.*', 'to', 'eu', '--mask', '"email"=domain'))):
            with self.subTest(argv[5:]):
                self.fails(code, message, *argv)

    def test_filters_that_do_not_parse(self):
        for text in ('a = = b', 'true) OR (true', 'a, b', 'true; DROP TABLE x', 'a FROM b', 'true WHERE true', 'a AS b', 'ALL true',
                     'true LIMIT 1', 'true UNION SELECT true', '/* open', "'open", '*', 'NOT ' * 3000 + 'a'):
            with self.subTest(text[:40]):
                self.fails(1, '--rows: ', 'grant', 'select', 'on', 'a.b', 'to', 'eu', '--rows', text)
        for text in ("region = ANY (attr('regions'))", 'EXISTS (SELECT 1 FROM a.b WHERE a.b.id = x)', 'a /* fine */', "U&'\\0041' = a"):
            self.ok('grant', 'select', 'on', 'a.b', 'to', 'eu', '--rows', text)

    def test_masks_meet_by_membership(self):
        self.ok('role', 'add', 'other')
        self.ok('grant', 'select', 'on', 'crm.customers', 'to', 'other', '--mask', 'email=domain')
        self.ok('member', 'add', 'bob', 'other')
        self.fails(1, 'user "alice" would get two masks', 'member', 'add', 'alice', 'other')
        self.fails(1, 'user "alice" would get two masks', 'member', 'add', 'eu', 'other')
        self.fails(1, 'user "bob" would get two masks', 'user', 'add', 'bob', '--change', '--role', 'analyst')
        self.ok('mask', 'add', 'domain', 'redact', '--change')
        self.ok('member', 'add', 'alice', 'other')
        self.fails(1, 'user "alice" would get two masks', 'mask', 'add', 'domain', "value || 'x'", '--change')

    def test_no_utf8(self):
        done = subprocess.run([str(gt.BINARY).encode(), b'role', b'add', b'\xff', b'--acl', str(self.acl).encode()],
                              capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (2, b''))
        self.assertIn(b'argument 1 is no UTF-8', done.stderr)

    def test_locked(self):
        with contextlib.closing(sqlite3.connect(self.acl, isolation_level=None)) as db:
            db.execute('BEGIN IMMEDIATE')
            done = self.cli('role', 'add', 'x')
            db.execute('ROLLBACK')
        self.assertEqual(done.returncode, 1)
        self.assertIn('locked by another process', done.stderr)

    def test_no_acl(self):
        done = self.cli('grant', 'select', 'on', 'a.b', 'to', 'eu', '--acl', str(self.dir / 'none.db'))
        self.assertEqual(done.returncode, 1)
        self.assertIn('no such ACL file', done.stderr)
        self.assertFalse((self.dir / 'none.db').exists())


class WayBack(Case):
    def random_change(self, rng):
        who = rng.choice(['analyst', 'eu', 'user:alice', 'user:bob', 'r0', 'r1', 'r2'])
        return rng.choice([
            lambda: ('grant', rng.choice(['select', 'select,insert', 'all']), 'on', rng.choice(['a.b,a.c', 'crm.*', 'w:x."y.z"']),
                     'to', who, '--reason', rng.choice(['', 'r"x\\'])) + rng.choice(
                         [(), ('--columns', 'a,b'), ('--except', 'c'), ('--rows', "a = 'x\"y'"), ('--mask', 'm=redact'),
                          ('--until', '2099-01-01', '--through'), ('--from', '2020-01-01', '--blind')]),
            lambda: ('deny', 'on', 'a.*', 'to', who) + rng.choice([(), ('--tags', 'pii'), ('--columns', 'x'), ('--rows', 'x > 1')]),
            lambda: ('revoke', str(rng.randrange(1, 12))),
            lambda: ('role', 'add', rng.choice(['r0', 'r1', 'r2']), '--change', '--description', rng.choice('abc')),
            lambda: ('role', 'drop', rng.choice(['r0', 'r1', 'eu']), '--cascade'),
            lambda: ('user', 'add', rng.choice(['u0', 'bob']), '--change', '--kind', rng.choice(['human', 'service']),
                     '--list', f'l={rng.choice(["", "a", "a,b"])}', '--attribute', f'x={rng.choice("ab")}'),
            lambda: ('user', 'drop', rng.choice(['u0', 'bob', 'alice']), '--cascade'),
            lambda: ('user', rng.choice(['disable', 'enable']), rng.choice(['bob', 'alice'])),
            lambda: ('member', rng.choice(['add', 'add', 'drop']), who, rng.choice(['analyst', 'r0', 'r1'])),
            lambda: ('tag', rng.choice(['add', 'add', 'drop']), rng.choice(['pii', 't']), rng.choice(['a.b.c', '*.*.d'])),
            lambda: ('mask', 'add', 'half', rng.choice(['left(value, 1)', 'redact']), '--change'),
        ])()

    def test_rollback_restores_every_state(self):
        """Random changes; every version's state is noted and comes back, in random order."""
        rng = random.Random(7)
        states = {0: None, self.version(): self.state()}
        refused = 0
        while len(states) < 50:
            refused += self.cli(*self.random_change(rng)).returncode != 0
            states[self.version()] = self.state()
        self.assertLess(refused, 120)
        for version in rng.sample(sorted(states)[1:], 25):
            self.ok('policy', 'rollback', str(version), '--by', 'ann')
            self.assertEqual(self.state(), states[version], f'after change {version}')
            states[self.version()] = self.state()
        self.assertEqual({row[0] for row in self.sql('SELECT DISTINCT author FROM history')} & {'ann'}, {'ann'})
        self.ok('policy', 'rollback', '0')
        self.assertEqual(set(map(len, self.state().values())), {0})

    def test_rollback_says_what_it_does(self):
        self.ok('grant', 'select', 'on', 'a.b', 'to', 'eu')
        self.ok('revoke', '3')
        self.assertEqual(self.ok('policy', 'rollback', '2', '--reason', 'oops'),
                         '+ grant 3: select on a.b to eu\nthe ACL is what it was after change 2; this is change 4\n')
        self.assertEqual(self.ok('policy', 'rollback', '2'), 'nothing to change; the ACL is what it was after change 2\n')
        self.assertEqual(self.json('policy', 'history', '1')[0]['reason'], 'oops')
        self.fails(1, 'there is no change 9 yet; the last one is 4', 'policy', 'rollback', '9')
        self.fails(2, 'expected the number of a change', 'policy', 'rollback', 'last')

    def test_rollback_of_an_apply(self):
        before = self.state()
        (self.dir / 'other.yaml').write_text(POLICY.replace('crm.customers]', 'crm.orders]').replace('bob: {}', 'zoe: {}'))
        self.ok('policy', 'apply', self.dir / 'other.yaml')
        self.ok('policy', 'rollback', '1')
        self.assertEqual(self.state(), before)
        self.assertIn('nothing to change', self.ok('policy', 'apply', self.dir / 'policy.yaml'))

    def test_history(self):
        self.ok('grant', 'select', 'on', 'a.b', 'to', 'eu', '--reason', 'WHY-1', '--by', 'ann')
        rows = self.json('policy', 'history')
        self.assertEqual([r['version'] for r in rows], sorted(r['version'] for r in rows))
        self.assertEqual((rows[-1]['version'], rows[-1]['author'], rows[-1]['reason'], rows[-1]['kind'], rows[-1]['key']),
                         (2, 'ann', 'WHY-1', 'grant', '3'))
        self.assertEqual(len(self.json('policy', 'history', '--change', '1')), len(rows) - 1)
        self.assertEqual(len(self.json('policy', 'history', '1')), 1)
        self.fails(1, 'there is no change 5 yet', 'policy', 'history', '--change', '5')
        self.fails(2, 'how many changes?', 'policy', 'history', 'all')

    def test_killed_at_any_moment(self):
        """kill -9 leaves the ACL as before or as after the change, with its history."""
        rng = random.Random(3)
        env = {**os.environ, 'GATEHOUSE_ACL': str(self.acl)}
        seen = set()
        for i in range(40):
            process = subprocess.Popen([str(gt.BINARY), 'grant', 'select', 'on', f'k.t{i}', 'to', 'eu'], env=env,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.03)
            process.send_signal(signal.SIGKILL)
            process.wait()
            there, = self.sql(f"SELECT count(*) FROM acl WHERE object = 'k.t{i}'")[0]
            noted, = self.sql(f"SELECT count(*) FROM history WHERE after LIKE '%\"k.t{i}\"%'")[0]
            self.assertEqual(there, noted)
            seen.add(there)
        self.ok('policy', 'export')
        self.assertEqual(self.sql('PRAGMA integrity_check'), [('ok',)])


class Who(Case):
    def test_by_the_acl_alone(self):
        rows = {r['user']: r for r in self.json('who', 'crm.customers')}
        self.assertEqual(set(rows), {'alice'})
        self.assertEqual((rows['alice']['clear'], rows['alice']['masked'], rows['alice']['grants']),
                         (['*'], ['email masked by hash'], ['1 via analyst']))
        self.ok('grant', 'select', 'on', 'crm.customers', 'to', 'user:bob', '--columns', 'id,email', '--rows', 'id > 5', '--until', '2099-12-31')
        bob = {r['user']: r for r in self.json('who', 'crm.customers.email', '--rows')}['bob']
        self.assertEqual((bob['shows'], bob['rows'], bob['grants'], bob['limits']),
                         ('masked by redact', '(id > 5)', ['3 via user:bob until 2100-01-01T00:00:00Z'], ['tag pii with redact']))
        self.assertEqual([r['user'] for r in self.json('who', 'crm.customers.id')], ['alice', 'bob'])
        self.ok('deny', 'select', 'on', 'crm.*', 'to', 'eu', '--columns', 'phone', '--rows', 'vip')
        alice = self.json('who', 'crm.customers.phone', '--rows')[0]
        self.assertEqual((alice['shows'], alice['limits']), ('by row: NULL where (vip), clear', ['4 via eu']))
        self.ok('deny', 'select', 'on', 'crm.customers', 'to', 'eu')
        self.assertEqual([r['user'] for r in self.json('who', 'crm.customers.id')], ['bob'])
        self.ok('role', 'add', 'root', '--may', 'bypass')
        self.ok('member', 'add', 'bob', 'root')
        bob = self.json('who', 'crm.customers.email')[0]
        self.assertEqual((bob['user'], bob['shows'], bob['grants']), ('bob', 'clear', ['may bypass']))
        self.ok('user', 'disable', 'bob')
        self.assertEqual(self.json('who', 'crm.customers.email'), [])

    def test_a_warehouse_of_its_own(self):
        self.ok('grant', 'select', 'on', 'wh:b.c', 'to', 'user:bob')
        self.assertEqual([(r['user'], r['warehouse']) for r in self.json('who', 'b.c')], [('bob', 'wh')])
        self.assertEqual([(r['user'], r['warehouse']) for r in self.json('who', 'wh:b.c')], [('bob', 'wh')])
        self.assertEqual(self.json('who', 'other:b.c'), [])

    def test_wrong_usage(self):
        for word in ('crm', 'crm.*', 'a.b.c.d', '', 'a..b'):
            if word == 'a.b.c.d':
                continue
            self.fails(2, 'expected [warehouse:]schema.relation[.column]', 'who', word)


class Live(unittest.TestCase):
    """With a proxy that runs."""

    @classmethod
    def setUpClass(cls):
        cls.proxy = cls.enterClassContext(gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                                                      pool='size: 60'))

    def admin(self, *argv):
        return self.proxy.cli(*argv, '--acl', self.proxy.acl).stdout

    def first(self, c, sql, code):
        gt.wait_for(lambda: c.query(sql)[-1].sqlstate == code, 5, f'{sql} answers {code}', step=0.002)

    def test_each_change_reaches_the_session(self):
        count = 'SELECT count(*) FROM hr.employees'
        with self.proxy.wire('grace') as c:
            self.first(c, count, '42P01')
            grant = self.admin('grant', 'select', 'on', 'hr.employees', 'to', 'user:grace').split()[2].rstrip(':')
            self.first(c, count, None)
            deny = self.admin('deny', 'on', 'hr.*', 'to', 'user:grace').split()[2].rstrip(':')
            self.first(c, count, '42P01')
            self.admin('revoke', deny)
            self.first(c, count, None)
            self.admin('revoke', grant)
            self.first(c, count, '42P01')
            self.admin('member', 'add', 'grace', 'people')
            self.first(c, count, None)
            version = self.admin('policy', 'history', '1', '--json')
            self.admin('tag', 'add', 'pii', 'hr.employees.dept')
            self.admin('member', 'add', 'grace', 'contractor')
            self.first(c, 'SELECT dept FROM hr.employees', '42703')
            self.admin('policy', 'rollback', str(json.loads(version)['version'] - 1))
            self.first(c, count, '42P01')

    def test_within_100_ms(self):
        """A revoke while 50 sessions query in a loop: the last answer of any of them that still shows the column."""
        sql = 'SELECT dept FROM hr.employees WHERE id = 1'
        delays = []
        sessions = [self.proxy.wire('grace') for _ in range(50)]
        try:
            for _ in range(5):
                grant = self.admin('grant', 'select', 'on', 'hr.employees', 'to', 'user:grace').split()[2].rstrip(':')
                for c in sessions:
                    self.first(c, sql, None)
                delays.append(self.revoke_under_load(sessions, sql, grant))
        finally:
            for c in sessions:
                c.close()
        print(f'# a revoke reached 50 sessions in {statistics.median(delays) * 1000:.0f} ms (median of 5; '
              f'{min(delays) * 1000:.0f} to {max(delays) * 1000:.0f})')
        self.assertLess(statistics.median(delays), 0.1 * gt.SLOW)

    def revoke_under_load(self, sessions, sql, grant):
        last = [0.0] * len(sessions)
        done = threading.Event()

        def loop(i):
            while not done.is_set():
                begin = time.monotonic()
                if sessions[i].query(sql)[-1].sqlstate is None:
                    last[i] = begin
                else:
                    return
                time.sleep(0.005)

        threads = [threading.Thread(target=loop, args=(i,)) for i in range(len(sessions))]
        for t in threads:
            t.start()
        time.sleep(0.1)
        self.admin('revoke', grant)
        revoked = time.monotonic()
        for t in threads:
            t.join(5 * gt.SLOW)
        done.set()
        self.assertFalse(any(t.is_alive() for t in threads), 'a session still sees what was revoked')
        return max(0.0, max(last) - revoked)

    def test_who_says_what_users_see(self):
        """The review against the proxy's own answers: every user, every column of every table."""
        seen = 0
        for relation in ('crm.customers', 'sales.orders', 'hr.employees', 'vault.keys'):
            columns = pg.sql(f"SELECT attname FROM pg_attribute WHERE attrelid = '{relation}'::regclass AND attnum > 0",
                             'wh').split()
            for column in columns:
                out = self.proxy.cli('who', '--config', self.proxy.config, f'{relation}.{column}', '--json').stdout
                shows = {r['user']: r['shows'] for r in map(json.loads, out.splitlines())}
                true = set(pg.sql(f"SELECT DISTINCT coalesce({column}::text, '') FROM {relation}", 'wh').splitlines()) - {''}
                for user in warehouse.USERS:
                    seen += self.compare(user, relation, column, shows.get(user), true)
        self.assertGreater(seen, 100)

    def compare(self, user, relation, column, shows, true):
        try:
            with self.proxy.wire(user) as c:
                result = c.query(f'SELECT {column}::text FROM {relation}')[-1]
        except gt.ServerError as e:  # no grant at all in this warehouse
            self.assertEqual((e.sqlstate, shows), ('3D000', None), user)
            return 1
        where = f'{user} {relation}.{column} {shows}'
        if shows is None:
            self.assertIn(result.sqlstate, ('42P01', '42703'), where)
            return 1
        self.assertIsNone(result.error, where)
        values = {r[0] for r in result.rows}
        if shows == 'clear':
            self.assertLessEqual(values - {None}, true, where)
        elif shows.startswith('masked'):
            self.assertFalse(values & true, where)
        else:
            self.assertIn('NULL', shows, where)
            self.assertIn(None, values, where)
        return 1

    def test_grant_held_against_the_warehouse(self):
        grant = ('grant', 'select', 'on', 'crm.customers', 'to', 'people')
        for message, argv in (
                ('no warehouse of the config file has a relation crm.custmers', ('grant', 'select', 'on', 'crm.custmers', 'to', 'people')),
                ('crm.customers has no column emial; did you mean "email"?', (*grant, '--columns', 'id,emial')),
                ('crm.customers has no column emial', (*grant, '--mask', 'emial=hash')),
                ('--rows on wh:crm.customers', (*grant, '--rows', "regoin = 'EU'")),
                ('--rows on wh:crm.customers', (*grant, '--rows', 'id + 1')),
                ('--rows on wh:hr.', ('grant', 'select', 'on', 'hr.*', 'to', 'people', '--rows', "region = 'EU'")),
                ('--mask of wh:crm.customers.id', (*grant, '--mask', 'id=email')),
                ('--mask of wh:crm.customers.joined', (*grant, '--mask', 'joined=value + 1.5'))):
            with self.subTest(argv[5:]):
                done = self.proxy.cli(*argv, '--check', '--config', self.proxy.config, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
                self.assertIn(message, done.stderr)
        done = self.proxy.cli(*grant, '--columns', 'id,region,joined', '--mask', 'joined=year', '--rows',
                              "region = attr('region')", '--check', '--config', self.proxy.config)
        self.admin('revoke', done.stdout.split()[2].rstrip(':'))
        done = self.proxy.cli(*grant, '--check', '--acl', self.proxy.acl, check=False)
        self.assertEqual(done.returncode, 2)

    def test_who_misspelt(self):
        for word, message in (('crm.custmers', 'did you mean "crm.customers"?'), ('crm.customers.emial', 'did you mean "email"?')):
            done = self.proxy.cli('who', '--config', self.proxy.config, word, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)


if __name__ == '__main__':
    gt.main()
