"""Policy as code: plan, lint, test, import, unused, and what apply refuses, against a real warehouse."""
import json
import re
import sys
import unittest
import xml.dom.minidom
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS)
    proxy.prepare()


def write(text, name='changed.yaml'):
    path = proxy.dir / name
    path.write_text(text)
    return path


def policy(verb, *argv, config=None):
    return proxy.cli('policy', verb, '--config', config or proxy.config, *argv, check=False)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def changed(*pairs):
    text = warehouse.POLICY
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return write(text)


class Plan(unittest.TestCase):
    def effects(self, path, *argv):
        done = policy('plan', '--json', path, *argv)
        self.assertEqual(done.returncode, 0, done.stderr)
        return objects(done.stdout)

    def test_nothing_to_change(self):
        done = policy('plan', '--detailed-exitcode', write(warehouse.POLICY))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('nothing to change', done.stdout)
        self.assertIn('nobody sees a change', done.stdout)

    def test_detailed_exit_code(self):
        path = changed(('dave: { kind: human }', 'dave: { roles: [people] }'))
        self.assertEqual(policy('plan', path).returncode, 0)
        self.assertEqual(policy('plan', '--detailed-exitcode', path).returncode, 2)

    def test_plan_changes_nothing(self):
        before = proxy.cli('policy', 'export', '--acl', proxy.acl).stdout
        policy('plan', changed(('dave: { kind: human }', 'dave: { roles: [people] }')))
        self.assertEqual(proxy.cli('policy', 'export', '--acl', proxy.acl).stdout, before)

    def test_without_a_config_only_the_difference(self):
        path = changed(('dave: { kind: human }', 'dave: { roles: [people] }'))
        done = proxy.cli('policy', 'plan', '--acl', proxy.acl, path)
        self.assertIn('+ user:dave in role people', done.stdout)
        self.assertNotIn('Effect', done.stdout)

    def test_differences_say_what_differs(self):
        before = """version: 1
roles: { a: { description: first }, b: {} }
users: { al: { roles: [a], attributes: { region: EU } } }
masks: { m: "'x'" }
grants:
  - { to: [a], tables: [s.t], columns: [id, c], rows: "x = 1", mask: { c: m } }
  - { to: [b], tables: [s.u], rows: "y = 1" }
"""
        after = before
        for old, new in (('first', 'second'), ('EU', 'US'), ("'x'", "'y'"), ('[id, c]', '{ except: [d] }'), ('x = 1', 'x = 2'),
                         (', mask: { c: m }', ''), ('s.u], rows: "y = 1"', 's.v], valid: { until: 2026-12-31 }, reason: "a\\tb"')):
            self.assertIn(old, after)
            after = after.replace(old, new)
        acl = str(proxy.dir / 'differences.db')
        self.assertEqual(proxy.cli('policy', 'apply', '--acl', acl, write(before)).returncode, 0)
        path = write(after)
        self.assertEqual(proxy.cli('policy', 'plan', '--acl', acl, path).stdout, """~ role a
    description: first -> second
~ mask m
    'x' -> 'y'
~ grant 1: select on s.t to a
    columns: c, id -> (none)
    rows: x = 1 -> x = 2
    mask: c=m -> (none)
    except: (none) -> d
+ grant 3: select on s.v to b
    valid_until: 2027-01-01T00:00:00Z
    reason: a?b
~ attribute region of al
    EU -> US
- grant 2: select on s.u to b
    rows: y = 1
plan: 1 to add, 4 to change, 1 to remove
""")
        told = {d['what']: d for d in objects(proxy.cli('policy', 'plan', '--json', '--acl', acl, path).stdout)}
        self.assertEqual((told['attribute region of al']['before'], told['attribute region of al']['after']), ('EU', 'US'))
        self.assertEqual(told['grant 3: select on s.v to b'],
                         {'change': '+', 'what': 'grant 3: select on s.v to b', 'before': None,
                          'after': {'effect': 'grant', 'to': ['b'], 'tables': ['s.v'], 'privileges': ['select'],
                                    'valid_until': '2027-01-01T00:00:00Z', 'reason': 'a\tb'}})

    def test_who_gains_and_loses_columns(self):
        path = changed(('columns: { except: [phone] }', 'columns: { except: [vip] }'),
                       ('mask: { email: email }', 'mask: { email: hash }'))
        found = {(e['effect'], tuple(e['users']), tuple(e['columns']), e['before'], e['after'])
                 for e in self.effects(path) if 'effect' in e and e['relation'] == 'crm.customers'}
        # frank is a contractor: the tagged e-mail and phone do not exist for him, before and after
        self.assertEqual(found, {
            ('-', ('alice', 'grace'), ('email',), 'masked by email', 'masked by hash'),
            ('+', ('alice', 'grace'), ('phone',), 'hidden', 'in clear'),
            ('-', ('alice', 'grace'), ('vip',), 'in clear', 'hidden'),
            ('-', ('frank',), ('vip',), 'in clear', 'hidden')})

    def test_rows_and_writes(self):
        path = changed(('  - to: [analyst]\n    tables: [sales.order_totals]\n', ''),
                       ('columns: [id, name, dept, manager]', 'columns: [id, name, dept, manager]\n    '
                        'privileges: [select, update]'))
        effects = [e for e in self.effects(path) if 'effect' in e]
        rows = [e for e in effects if e['what'] == 'rows']
        self.assertEqual([(e['effect'], e['relation'], e['users'], e['before'], e['after']) for e in rows],
                         [('-', 'sales.order_totals', ['alice', 'frank', 'grace'], 'all', 'none')])
        writes = [e for e in effects if e['what'] == 'update']
        self.assertEqual([(e['effect'], e['users'], e['before'], e['after']) for e in writes],
                         [('+', ['carol'], 'no', 'id, name, dept, manager of every row')])

    def test_a_changed_attribute_is_an_effect(self):
        path = changed(('bob: { roles: [support], attributes: { region: US } }',
                        'bob: { roles: [support], attributes: { region: EU } }'))
        effects = [e for e in self.effects(path) if 'effect' in e]
        self.assertEqual([(e['effect'], e['users'], e['columns']) for e in effects], [('~', ['bob'], ['name', 'email'])])
        self.assertIn('(region = US)', effects[0]['before'])
        self.assertIn('(region = EU)', effects[0]['after'])

    def test_witness_is_a_row_that_the_user_will_see(self):
        path = changed(('dave: { kind: human }', 'dave: { roles: [people] }'),
                       ('frank: { roles: [analyst, contractor]', 'frank: { roles: [contractor]'))
        found = [e for e in self.effects(path, '--witness') if 'witness' in e]
        dave = [e for e in found if e['user'] == 'dave']
        self.assertEqual([(e['witness'], e['relation'], sorted(e['row'])) for e in dave],
                         [('+', 'hr.employees', ['dept', 'id', 'manager', 'name', 'salary'])])
        self.assertIsNone(dave[0]['row']['salary'])  # without the attribute, no department is his
        self.assertIn(f"Employee {dave[0]['row']['id']}", dave[0]['row']['name'])
        frank = {e['relation']: e for e in found if e['user'] == 'frank'}
        self.assertEqual({e['witness'] for e in frank.values()}, {'-'})
        self.assertEqual(frank['crm.customers']['row']['region'], 'EU')
        self.assertNotIn('email', frank['crm.customers']['row'])

    def test_acl_that_is_not_there_yet(self):
        path = proxy.dir / 'none.db'
        done = proxy.cli('policy', 'plan', '--acl', path, write(warehouse.POLICY))
        self.assertIn('+ role analyst', done.stdout)
        self.assertFalse(path.exists())

    def test_refused_as_apply_refuses(self):
        done = policy('plan', changed(('roles: [people]', 'roles: [nobody]')))
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('nobody', done.stderr)

    def test_warehouse_out_of_reach(self):
        config = write(re.sub(r'port=\d+', 'port=1', proxy.config.read_text()), 'down.yaml')
        done = policy('plan', changed(('dave: { kind: human }', 'dave: { roles: [people] }')), config=config)
        self.assertEqual(done.returncode, 0)
        self.assertIn('+ user:dave in role people', done.stdout)
        self.assertIn('no effect shown for warehouse wh', done.stderr)


class Lint(unittest.TestCase):
    def findings(self, text, *argv, live=True):
        path = write('version: 1\n' + text, 'lint.yaml')
        config = ['--config', proxy.config] if live else []
        done = proxy.cli('policy', 'lint', '--json', *config, path, *argv, check=False)
        found = [(re.sub(r'.*?:(\d+):\d+$', r'\1', o['where']), o['severity'], o['check'], o['text']) for o in objects(done.stdout)]
        return done.returncode, found

    def checks(self, text, **more):
        return [f[:3] for f in self.findings(text, **more)[1]]

    def one(self, text, check, **more):
        """The only finding, its text."""
        code, found = self.findings(text, **more)
        self.assertEqual([f[2] for f in found], [check], found)
        self.assertEqual(code, 1 if found[0][1] == 'error' else 0)
        return found[0]

    A = 'roles: { a: {} }\nusers: { u: { roles: [a], attributes: { region: EU } } }\n'

    def test_clean(self):
        self.assertEqual(self.findings(self.A + 'grants:\n  - { to: [a], tables: [crm.customers] }\n'), (0, []))

    def test_tables(self):
        found = self.one(self.A + 'grants:\n  - { to: [a], tables: [crm.custmers] }\n', 'no-such-table')
        self.assertEqual(found[:2], ('5', 'error'))
        self.assertIn('did you mean "crm.customers"', found[3])
        self.assertEqual(self.one(self.A + 'grants:\n  - { to: [a], tables: ["nope.*"] }\n', 'pattern-of-nothing')[1],
                         'warning')
        self.one(self.A + 'grants:\n  - { to: [a], tables: ["other:crm.customers"] }\n', 'no-such-table')

    def test_columns(self):
        grant = 'grants:\n  - { to: [a], tables: [hr.employees], columns: %s }\n'
        self.assertIn('did you mean "salary"',
                      self.one(self.A + grant % '[id, salry]', 'no-such-column')[3])
        self.one(self.A + grant % '{ except: [salry] }', 'no-such-column')
        self.one(self.A + 'grants:\n  - { to: [a], tables: [hr.employees], mask: { salry: hash } }\n', 'no-such-column')
        tag = ('tags: { t: [%s] }\ngrants:\n  - { to: [a], tables: [crm.customers] }\n'
               'masking:\n  - { tag: t, with: redact }\n')
        self.assertEqual(self.one(self.A + tag % 'crm.customers.emial', 'no-such-column')[0], '4')
        self.assertEqual(self.one(self.A + tag % '"*.*.emial"', 'pattern-of-nothing')[0], '4')

    def test_functions(self):
        text = self.A + ('grants:\n  - { to: [a], tables: [crm.customers] }\n'
                         'functions:\n  - { to: [a], allow: [app.add_tax, app.nope] }\n')
        self.assertIn('app.nope', self.one(text, 'no-such-function')[3])

    def test_filters(self):
        grant = self.A + 'grants:\n  - { to: [a], tables: [sales.orders], rows: "%s" }\n'
        for rows, words in (("regoin = 'EU'", 'regoin'), ('region', 'boolean'), ('nope(region)', 'nope'),
                            ('region in (select x from other)', 'other'), ("region = attr('region', 1)", 'attr'),
                            ('region = ', 'syntax error'), ('true), (true', 'syntax error'),
                            ('amount = region', 'operator does not exist')):
            with self.subTest(rows):
                self.assertIn(words, self.one(grant % rows, 'bad-filter')[3])
        self.assertEqual(self.one(grant % 'region = ', 'bad-filter', live=False)[0], '5')
        self.assertEqual(self.checks(grant % "region = attr('region') and amount > 10"), [])

    def test_masks(self):
        grant = self.A + 'grants:\n  - { to: [a], tables: [hr.employees], columns: [id, salary, name], mask: { %s } }\n'
        for mask, words in (('name: month', 'does not fit'), ("salary: \"'***'\"", 'invalid input syntax'),
                            ("salary: \"'*' || value\"", 'makes a text'), ('salary: "nope(value)"', 'nope'),
                            ("salary: constant('x')", 'invalid input syntax')):
            with self.subTest(mask):
                self.assertIn(words, self.one(grant % mask, 'mask-does-not-fit')[3])
        self.assertEqual(self.checks(grant % 'salary: "value / 1000 * 1000"'), [])
        self.assertEqual(self.checks(grant % 'salary: "round(value, -3)"'), [])
        self.assertEqual(self.checks(grant % "name: \"left(value, 1)\", salary: constant('0')"), [])

    def test_masks_that_have_no_order(self):
        grants = ('grants:\n  - { to: [a], tables: [crm.customers], mask: { email: "left(value, 1)" } }\n'
                  '  - { to: [a], tables: ["crm.*"], mask: { email: "right(value, 1)" } }\n')
        code, found = self.findings(self.A + grants)
        self.assertEqual(code, 1)
        self.assertIn('refused', [f[2] for f in found])
        tags = ('tags: { x: [crm.customers.email], y: ["*.*.email"] }\n'
                'grants:\n  - { to: [a], tables: [crm.customers] }\n'
                'masking:\n  - { tag: x, with: "left(value, 1)" }\n  - { tag: y, with: "right(value, 1)" }\n')
        self.assertIn('crm.customers.email', self.one(self.A + tags, 'masks-without-order')[3])

    def test_people(self):
        grant = 'grants:\n  - { to: [a], tables: [crm.customers] }\n'
        self.assertEqual(self.checks('roles: { a: {} }\n' + grant), [('2', 'warning', 'role-without-members')])
        self.assertEqual(self.checks('roles: { a: {}, b: {} }\nusers: { u: { roles: [a, b] } }\n' + grant),
                         [('2', 'warning', 'role-without-grants')])
        self.assertEqual(self.checks(self.A.replace(' } }\n', ' }, v: {} }\n') + grant),
                         [('3', 'warning', 'user-without-grants')])
        # a member of a role in the role counts
        self.assertEqual(self.checks('roles: { a: {}, b: { member_of: [a] } }\nusers: { u: { roles: [b] } }\n' + grant), [])

    def test_missing_attribute(self):
        text = self.A + 'grants:\n  - { to: [a], tables: [hr.employees], rows: "dept = attr(\'dept\')" }\n'
        found = self.one(text, 'missing-attribute')
        self.assertEqual(found[0], '3')
        self.assertIn('user u has no attribute dept', found[3])

    def test_useless_grants(self):
        roles = 'roles: { a: {}, b: { member_of: [a] } }\nusers: { u: { roles: [b], attributes: { region: EU } } }\n'
        wide = 'grants:\n  - { to: [a], tables: ["crm.*"], mask: { email: email } }\n'
        for narrow, is_useless in (
                ('{ to: [b], tables: [crm.customers], mask: { email: email } }', True),
                ('{ to: [b], tables: [crm.customers], mask: { email: hash } }', True),
                ('{ to: [b], tables: [crm.customers], mask: { email: redact }, rows: "vip" }', True),
                ('{ to: ["user:u"], tables: [crm.customers], columns: [id, name] }', True),
                ('{ to: [b], tables: [crm.customers], mask: { email: "partial(0,0)" } }', False),  # shows the length
                ('{ to: [b], tables: [crm.customers] }', False),                  # the e-mail in clear
                ('{ to: [b], tables: [crm.customers], columns: [email] }', False),
                ('{ to: [b], tables: [hr.employees], columns: [id] }', False),
                ('{ to: [b], tables: [crm.customers], columns: [id], privileges: [update] }', False)):
            with self.subTest(narrow):
                found = self.checks(roles + wide + f'  - {narrow}\n')
                self.assertEqual(('6', 'warning', 'useless-grant') in found, is_useless, found)
        filtered = 'grants:\n  - { to: [%s], tables: [crm.customers], rows: "vip" }\n  - { to: [%s], tables: [crm.customers] }\n'
        self.assertEqual(self.checks(roles + filtered % ('b', 'a')), [('5', 'warning', 'useless-grant')])
        self.assertEqual(self.checks(roles + filtered % ('a', 'b')), [])
        twice = 'grants:\n  - { to: [a], tables: [crm.customers] }\n  - { to: [a], tables: [crm.customers], reason: again }\n'
        self.assertEqual(self.checks(roles + twice), [('6', 'warning', 'useless-grant')])

    def test_denied_grants(self):
        text = self.A + ('grants:\n  - { to: [a], tables: [vault.keys], columns: [secret] }\n'
                         '  - { to: [a], tables: [crm.customers] }\ndenies:\n  - { to: [a], tables: ["%s"]%s }\n')
        self.assertEqual(self.one(text % ('vault.*', ''), 'denied-grant')[0], '5')
        self.assertEqual(self.one(text % ('vault.keys', ', columns: [secret]'), 'denied-grant')[0], '5')
        self.assertEqual(self.checks(text % ('vault.keys', ', columns: [id]')), [])
        self.assertEqual(self.checks(text % ('vault.keys', ', rows: "id > 3"')), [])
        self.assertEqual(self.checks(text % ('vault.keys', ', privileges: [update]')), [])

    def test_views_around_tags(self):
        pg.sql('CREATE VIEW crm.contacts AS SELECT id, email FROM crm.customers; '
               'CREATE VIEW crm.contacts2 AS SELECT id, email FROM crm.contacts; '
               'GRANT SELECT ON crm.contacts, crm.contacts2 TO gatehouse', 'wh')
        self.addCleanup(pg.sql, 'DROP VIEW crm.contacts2, crm.contacts', 'wh')
        text = self.A + ('tags: { t: [%s] }\ngrants:\n  - { to: [a], tables: [%s]%s }\n'
                         'masking:\n  - { tag: t, with: redact }\n')
        for view in ('crm.contacts', 'crm.contacts2'):
            found = self.one(text % ('crm.customers.email', view, ''), 'view-around-tag')
            self.assertIn('crm.customers.email', found[3])
        self.assertEqual(self.checks(text % ('crm.customers.email', 'crm.contacts', ', columns: [id]')), [])
        self.assertEqual(self.checks(text % ('crm.customers.email', 'crm.contacts', ', through: true')), [])
        self.assertEqual(self.checks(text % ('"crm.*.email"', 'crm.contacts2', '')), [])

    def test_views_granted_both_ways(self):
        pg.sql('CREATE VIEW crm.contacts AS SELECT id, email FROM crm.customers; GRANT SELECT ON crm.contacts TO gatehouse', 'wh')
        self.addCleanup(pg.sql, 'DROP VIEW crm.contacts', 'wh')
        people = 'roles: { a: {}, b: {}, c: { member_of: [a] } }\nusers: { u: { roles: [c, b] }, v: { roles: [a] } }\n'
        text = people + 'grants:\n  - { to: [%s], tables: [%s], through: true, rows: "id > 1"%s }\n  - { to: [%s], tables: [%s]%s }\n  - { to: [a, b, c], tables: [sales.orders] }\n'
        for live in (True, False):
            for to, tables, more, other_to, other_tables, other_more, is_mixed in (
                    ('a', 'crm.contacts', '', 'a', 'crm.contacts', ', rows: "id < 9"', True), ('b', 'crm.contacts', '', 'a', '"crm.*"', ', rows: "id < 9"', True),
                    ('"user:u"', '"crm.*"', '', 'b', 'crm.contacts', ', columns: [id]', True), ('a', 'crm.contacts', ', columns: [id, email]', 'a', 'crm.contacts', ', columns: [id]', True),
                    ('"user:v"', 'crm.contacts', '', 'b', 'crm.contacts', ', columns: [id]', False), ('a', 'crm.contacts', '', 'a', 'crm.contacts', ', columns: [id], through: true', False),
                    ('a', 'crm.contacts', '', 'a', 'crm.customers', ', columns: [id]', False), ('a', 'crm.contacts', ', privileges: [insert]', 'a', 'crm.contacts', ', columns: [id]', False),
                    ('a', 'crm.contacts', ', valid: { until: 2120-01-01 }', 'a', 'crm.contacts', ', columns: [id], valid: { from: 2121-01-01 }', False),
                    ('a', 'crm.contacts', '', 'a', 'crm.contacts', '', False)):  # is useless, which is said
                with self.subTest((to, tables, more, other_to, other_tables, other_more, live)):
                    found = [f for f in self.findings(text % (to, tables, more, other_to, other_tables, other_more), live=live)[1] if f[2] == 'mixed-through']
                    self.assertEqual([f[:2] for f in found], [('5', 'warning')] if is_mixed else [])
                    if is_mixed and to == 'b':
                        self.assertIn('crm.contacts is granted with `through` here and without at ', found[0][3])
                        self.assertIn('lint.yaml:6:5: u, who has both', found[0][3])

    def test_dates_and_names_without_use(self):
        text = self.A + ('tags: { t: [crm.customers.email] }\nmasks: { m: "left(value, 1)" }\n'
                         'grants:\n  - { to: [a], tables: [crm.customers], valid: { until: 2020-01-01 } }\n')
        self.assertEqual(self.checks(text), [('4', 'warning', 'unused-tag'), ('5', 'warning', 'unused-mask'),
                                             ('7', 'warning', 'expired')])

    def test_the_acl_itself(self):
        done = proxy.cli('policy', 'lint', '--acl', proxy.acl, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn('user dave: warning: ', done.stdout)
        self.assertIn('row filter at grant ', done.stdout)
        strict = proxy.cli('policy', 'lint', '--acl', proxy.acl, '--strict', check=False)
        self.assertEqual(strict.returncode, 1)

    def test_which_policy(self):
        self.assertEqual(proxy.cli('policy', 'lint', check=False).returncode, 2)


TESTS = """
tests:
  - { as: alice, query: "select distinct region from crm.customers", rows: [[EU]] }
  - { as: alice, query: "select ssn from hr.employees", error: "42P01" }
  - { as: alice, query: "select * from crm.customers limit 0", columns: [id, name, email, region, vip, joined] }
  - { as: erin, query: "select vip, null, id from crm.customers order by id limit 1", rows: [[false, null, 1]] }
  - { as: erin, query: "select 1/0", error: "22012" }
  - { as: dave, query: "select 1", error: "3D000" }
  - { as: bob, query: "select frm", error: "42703" }
  - { as: bob, query: "selec 1", error: "42601" }
"""
WRONG = """
tests:
  - { as: alice, query: "select 1", rows: [[2]] }
  - { as: alice, query: "select 1", rows: [[1], [2]] }
  - { as: alice, query: "select 1", rows: [] }
  - { as: alice, query: "select 1", rows: [[1, 1]] }
  - { as: alice, query: "select null", rows: [[""]] }
  - { as: alice, query: "select 1 as a", columns: [b] }
  - { as: alice, query: "select 1", error: "42P01" }
  - { as: alice, query: "select <1&2", rows: [[1]] }
  - { as: nobody, query: "select 1", rows: [[1]] }
  - { as: alice, query: "commit", rows: [] }
"""


class Tests(unittest.TestCase):
    def test_pass(self):
        done = policy('test', write(warehouse.POLICY + TESTS))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[:2], ['TAP version 13', '1..8'])
        self.assertEqual(done.stdout.count('\nok '), 8)

    def test_fail(self):
        report = proxy.dir / 'results.xml'
        path = write(warehouse.POLICY + WRONG)
        done = policy('test', '--junit', report, path)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count('\nnot ok '), 10)
        self.assertNotIn('\nok ', done.stdout)
        self.assertIn('row 1: expected [\\"2\\"], found [\\"1\\"]', done.stdout)
        self.assertIn('no user nobody', done.stdout)
        suite = xml.dom.minidom.parse(str(report)).documentElement
        self.assertEqual((suite.getAttribute('tests'), suite.getAttribute('failures')), ('10', '10'))
        self.assertEqual(len(suite.getElementsByTagName('failure')), 10)
        line = (warehouse.POLICY + WRONG).splitlines().index('  - { as: alice, query: "select 1", rows: [[2]] }') + 1
        self.assertIn(f'"{path}:{line}:5"', done.stdout)
        found = objects(policy('test', '--json', path).stdout)
        self.assertEqual([o['ok'] for o in found], [False] * 10)

    def test_writes_are_rolled_back(self):
        text = warehouse.POLICY.replace('denies:', '  - { to: [everything], tables: [vault.keys], privileges: [insert, delete, '
                                        'update], rows: "id < 100" }\ndenies:') + """
tests:
  - { as: erin, query: "delete from vault.keys where id > 3 returning id", rows: [[4], [5]] }
  - { as: erin, query: "insert into vault.keys values (50, 'x'); select count(*) from vault.keys", rows: [[6]] }
  - { as: erin, query: "insert into vault.keys values (500, 'x')", error: "42501" }
  - { as: erin, query: "insert into vault.keys values (5, 'x')", error: "23505" }
  - { as: erin, query: "update vault.keys set secret = 'y' where id = 1 returning *", columns: [id, secret], rows: [[1, y]] }
"""
        before = pg.sql('SELECT * FROM vault.keys ORDER BY id', 'wh')
        done = policy('test', write(text))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(pg.sql('SELECT * FROM vault.keys ORDER BY id', 'wh'), before)

    def test_the_files_count_and_not_the_acl(self):
        text = changed(('columns: { except: [phone] }', 'columns: [id, phone]'), ('    mask: { email: email }\n', ''))
        path = write(text.read_text() + '\ntests:\n  - { as: alice, query: "select email from crm.customers", error: "42703" }\n')
        self.assertEqual(policy('test', path).returncode, 0)

    def test_no_tests_and_no_warehouse(self):
        done = policy('test', write(warehouse.POLICY))
        self.assertEqual(done.returncode, 1)
        self.assertIn('no tests', done.stderr)
        config = write(re.sub(r'port=\d+', 'port=1', proxy.config.read_text()), 'down.yaml')
        self.assertEqual(policy('test', write(warehouse.POLICY + TESTS), config=config).returncode, 1)


class Apply(unittest.TestCase):
    def test_mask_that_does_not_fit(self):
        before = proxy.cli('policy', 'export', '--acl', proxy.acl).stdout
        for mask in ('month', '"value::date"', '"1"'):
            path = changed(('mask: { email: email }', f'mask: {{ email: {mask} }}'))
            done = policy('apply', path)
            self.assertEqual(done.returncode, 1, mask)
            self.assertIn(f'{path}:', done.stderr)
        self.assertEqual(proxy.cli('policy', 'export', '--acl', proxy.acl).stdout, before)
        self.assertEqual(policy('apply', '--dry-run', changed(('mask: { email: email }', 'mask: { email: redact }')))
                         .returncode, 0)

    def test_mask_of_a_tag(self):
        path = write(warehouse.POLICY + 'masking:\n  - { tag: pii, with: year }\n')
        done = policy('apply', path)
        self.assertEqual(done.returncode, 1)
        self.assertIn('crm.customers.email', done.stderr)

    def test_warehouse_out_of_reach(self):
        config = write(re.sub(r'port=\d+', 'port=1', proxy.config.read_text()), 'down.yaml')
        done = policy('apply', write(warehouse.POLICY), config=config)
        self.assertEqual(done.returncode, 0)
        self.assertIn('masks and names are not held against it', done.stderr)


GRANTED = """
CREATE ROLE readers NOLOGIN; CREATE ROLE eu NOLOGIN IN ROLE readers; CREATE ROLE owners NOLOGIN;
CREATE ROLE imp_ann LOGIN PASSWORD 'ann-password' IN ROLE eu; CREATE ROLE imp_ben LOGIN PASSWORD 'ben-password' IN ROLE readers;
CREATE ROLE imp_lead LOGIN PASSWORD 'lead-password'; CREATE ROLE imp_cid LOGIN PASSWORD 'cid-password' IN ROLE imp_lead;
CREATE SCHEMA app; CREATE SCHEMA shut; GRANT USAGE ON SCHEMA app TO readers, imp_lead, gatehouse;
CREATE TABLE app.docs (id int PRIMARY KEY, region text, body text, secret text, author text);
INSERT INTO app.docs SELECT i, (ARRAY['EU', 'US'])[1 + i % 2], CASE WHEN i % 5 = 0 THEN 'hidden' ELSE 'body ' || i END,
    'secret ' || i, (ARRAY['imp_ann', 'imp_ben', 'imp_cid'])[1 + i % 3] FROM generate_series(1, 30) i;
CREATE TABLE app."Odd.Name" (id int, "we.ird" text); INSERT INTO app."Odd.Name" VALUES (1, 'x');
CREATE TABLE app.pub (id int); INSERT INTO app.pub VALUES (1), (2);
CREATE TABLE app.none (id int); CREATE TABLE shut.t (id int);
ALTER TABLE app.docs OWNER TO owners;
GRANT SELECT ON app.pub TO PUBLIC; GRANT SELECT ON shut.t TO readers; GRANT SELECT ON app."Odd.Name" TO readers WITH GRANT OPTION;
GRANT SELECT (id, region, body, author), UPDATE (body, region) ON app.docs TO readers;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.docs TO imp_lead;
ALTER TABLE app.docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY regions ON app.docs FOR SELECT USING (region = 'EU' OR author = CURRENT_USER);
CREATE POLICY own ON app.docs FOR UPDATE USING (author = CURRENT_USER) WITH CHECK (region = 'EU');
CREATE POLICY part ON app.docs FOR SELECT TO eu USING (id > 25);
CREATE POLICY fresh ON app.docs AS RESTRICTIVE FOR SELECT TO readers USING (body <> 'hidden');
CREATE POLICY setting ON app.docs FOR DELETE USING (region = current_setting('app.region', true));
CREATE VIEW app.mine WITH (security_invoker = true) AS SELECT id FROM app.docs; GRANT SELECT ON app.mine TO readers;
CREATE TABLE app.moved (id int, region text, note text); INSERT INTO app.moved VALUES (1, 'EU', ''), (2, 'US', ''), (3, 'AS', '');
GRANT SELECT, UPDATE ON app.moved TO readers; ALTER TABLE app.moved ENABLE ROW LEVEL SECURITY;
CREATE POLICY anything ON app.moved FOR UPDATE USING (true); CREATE POLICY seen ON app.moved FOR SELECT USING (region = 'EU');
CREATE POLICY more ON app.moved FOR SELECT TO eu USING (region = 'US'); CREATE POLICY kept ON app.moved AS RESTRICTIVE FOR SELECT USING (note <> 'gone');
GRANT ALL ON ALL TABLES IN SCHEMA app TO gatehouse;
ALTER ROLE gatehouse BYPASSRLS;
"""
QUESTIONS = ('SELECT id, region, body, author FROM app.docs ORDER BY id', 'SELECT * FROM app.docs ORDER BY id',
             'SELECT secret FROM app.docs', 'SELECT * FROM app.pub ORDER BY id', 'SELECT * FROM app."Odd.Name"',
             'SELECT * FROM app.none', 'SELECT * FROM shut.t', 'SELECT body FROM app.docs WHERE id < 10 ORDER BY id')


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pg.sql('CREATE DATABASE granted')
        pg.sql(GRANTED, 'granted')
        cls.proxy = gt.Gatehouse(scratch, pg, certs, warehouse='granted', name='granted',
                                 users={f'imp_{n}': f'{n}-password' for n in ('ann', 'ben', 'lead', 'cid')})
        users, cls.proxy.users = cls.proxy.users, {}
        cls.proxy.prepare()
        done = cls.proxy.cli('policy', 'import', '--config', cls.proxy.config)
        cls.text, cls.notes = done.stdout, done.stderr
        cls.proxy.policy, cls.proxy.users = cls.text, users
        cls.enterClassContext(cls.proxy)

    def direct(self, user, sql):
        """What PostgreSQL itself answers this user."""
        env = dict(self.proxy.environment(user, sslmode='require'), PGPORT=str(pg.port))
        return gt.run(gt.PG_BIN / 'psql', '-XAtq', '-P', r'null=\N', check=False, stdin=sql, env=env)

    def rows(self, done):
        return done.stdout if done.returncode == 0 and 'ERROR' not in done.stderr else None

    def test_the_policy_shows_what_the_warehouse_does(self):
        """The same answers through the policy as from PostgreSQL; where they differ, fewer rows, and a note."""
        compared = 0
        for user in self.proxy.users:
            for sql in QUESTIONS:
                with self.subTest(f'{user}: {sql}'):
                    direct, shown = self.rows(self.direct(user, sql)), self.rows(self.proxy.psql(user, sql, check=False))
                    if direct is None and 'SELECT *' in sql:
                        continue  # a star is the visible columns here, and all of them there
                    if user == 'imp_ann' and direct is not None and 'app.docs' in sql:  # the policy for eu alone
                        self.assertLessEqual(set(shown.splitlines()), set(direct.splitlines()))
                        continue
                    self.assertEqual(shown, direct)
                    compared += 1
        self.assertGreater(compared, 15)

    def test_restrictive_policies_restrict(self):
        shown = self.proxy.psql('imp_ben', "SELECT count(*), count(*) FILTER (WHERE body = 'hidden') FROM app.docs").stdout
        self.assertEqual(shown.strip().split('|')[1], '0')
        self.assertNotEqual(shown.strip().split('|')[0], '0')

    def test_columns_and_writes(self):
        sql = 'UPDATE app.docs SET body = body, region = region WHERE author = current_user RETURNING id'
        ids = self.proxy.psql('imp_ben', sql).stdout.split()
        allowed = pg.sql("SELECT id FROM app.docs WHERE author = 'imp_ben' AND region = 'EU' AND body <> 'hidden'", 'granted').split()
        self.assertEqual(sorted(ids), sorted(allowed))
        done = self.proxy.psql('imp_ben', 'UPDATE app.docs SET author = author', check=False)
        self.assertIn('ERROR', done.stderr)

    def test_nobody_moves_a_row_out_of_sight(self):
        """What an UPDATE makes must be a row that policies for SELECT show, as PostgreSQL asks where it reads the table."""
        for change, changed in (("region = 'US' WHERE id = 1", '1 -'), ("region = 'AS' WHERE id = 1", '- -'), ("note = 'gone' WHERE id = 1", '- -'), ("note = 'x' WHERE id = 1", '1 1'),
                                ("note = 'x' WHERE id > 0", '2 1'), ("region = 'EU' WHERE id = 2", '1 0')):
            for user, count in zip(('imp_ann', 'imp_ben'), changed.split()):
                with self.subTest(change, user=user):
                    sql = f'BEGIN;\nUPDATE app.moved SET {change};\n\\echo :ROW_COUNT\nROLLBACK;'
                    got = ['-' if 'violates row-level security' in done.stderr else done.stdout.split()[-1] for done in (self.direct(user, sql), self.proxy.psql(user, sql, check=False))]
                    self.assertEqual(got, [count] * 2)

    def test_settings_become_attributes(self):
        self.assertIn("attr('region')", self.text)
        self.assertNotIn('current_setting', self.text)
        self.assertIn('policy setting of app.docs reads a setting', self.notes)

    def test_what_it_cannot_say_is_told(self):
        for words in ('a superuser sees everything', "the proxy's own account is not imported", 'WITH GRANT OPTION',
                      'policy part of app.docs is for eu', 'schema shut: readers has grants',
                      'an UPDATE must fulfil both USING and WITH CHECK', 'passwords are not imported'):
            self.assertIn(words, self.notes)
        self.assertTrue(all(line.startswith('# ') for line in self.notes.splitlines()), self.notes)
        self.assertNotIn('shut', self.text)
        self.assertNotIn('app.none', self.text)
        self.assertIn('view app.mine has security_invoker', self.notes)
        self.assertNotIn('app.mine', self.text)

    def test_restriction_that_cannot_be_said_denies(self):
        pg.sql("CREATE FUNCTION public.odd(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 % 2 = 1'; CREATE TABLE app.odd (id int); "
               'GRANT SELECT ON app.odd TO readers, gatehouse; ALTER TABLE app.odd ENABLE ROW LEVEL SECURITY; '
               'CREATE POLICY p ON app.odd USING (true); CREATE POLICY q ON app.odd AS RESTRICTIVE USING '
               '(EXISTS (SELECT FROM app.pub WHERE pub.id = odd.id))', 'granted')
        self.addCleanup(pg.sql, 'DROP TABLE app.odd; DROP FUNCTION public.odd', 'granted')
        done = self.proxy.cli('policy', 'import', '--config', self.proxy.config)
        denies = done.stdout[done.stdout.index('denies:'):]
        self.assertRegex(denies, r'to: \["public"\]\s+tables: \["app.odd"\]\s+privileges: \[[a-z, ]*\]\s+- |'
                                 r'to: \["public"\]\s+tables: \["app.odd"\]\s+privileges: \[[a-z, ]*\]\s*$')
        self.assertIn('policy q of app.odd restricts by what Gatehouse cannot say', done.stderr)


class Unused(unittest.TestCase):
    def test_unused(self):
        with gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name='unused') as p:
            everything = {int(g['id']) for g in objects(p.cli('grants', '--acl', p.acl, '--json').stdout)
                          if g['effect'] == 'grant'}
            p.psql('alice', 'SELECT count(*) FROM crm.customers')
            p.psql('alice', 'SELECT salary FROM hr.employees', check=False)
            p.psql('carol', 'SELECT count(salary) FROM hr.employees')
            def unused(*argv):
                done = p.cli('policy', 'unused', '--config', p.config, '--json', *argv)
                return {o['id'] for o in objects(done.stdout)}, done.stderr
            left, words = unused('--days', '1')
            grants = {int(g['id']): g for g in objects(p.cli('grants', '--acl', p.acl, '--json').stdout)}
            used = everything - left
            self.assertEqual({(tuple(grants[i]['to']), tuple(grants[i]['tables'])) for i in used},
                             {(('analyst',), ('crm.customers',)), (('people',), ('hr.employees',))})
            self.assertEqual(len(used), 3)  # two grants make up what carol sees
            self.assertIn(f'{len(left)} of {len(everything)} grants unused in 2 statements', words)
        self.assertEqual(policy('unused', '--days', '0').returncode, 2)
        self.assertEqual(policy('unused', '--days', 'x').returncode, 2)


class Help(unittest.TestCase):
    def test_help_with_an_example(self):
        for verb in ('plan', 'lint', 'test', 'import', 'unused'):
            done = proxy.cli('policy', verb, '--help')
            self.assertIn(f'Usage: gatehouse policy {verb}', done.stdout)
            self.assertIn(f'Example:\n  gatehouse policy {verb} ', done.stdout)


if __name__ == '__main__':
    gt.main()
