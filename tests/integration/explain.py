"""explain: what a statement becomes and why; what a refused one would need, held against the proxy itself."""
import json
import re
import shlex
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

MAY = {'explain', 'temp_tables', 'notify'}


def setUpModule():
    global proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('CREATE TABLE crm."Odd Table" (id int, "a.b" text, "x y" text, plain text); '
           'GRANT ALL ON crm."Odd Table" TO gatehouse', 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


def explain(user, sql, *argv):
    return proxy.cli('explain', '--config', proxy.config, '--user', user, sql, *argv, check=False)


def explained(user, sql):
    done = explain(user, sql, '--json')
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == (last['decision'] == 'refused'), done.stderr
    return last


def needs(user, sql):
    last = explained(user, sql)
    assert last['decision'] == 'refused', last
    n = last['needs']
    grants = {(g['relation'], ','.join(g['privileges']), ','.join(g['columns']), g['blind']) for g in n['grants']}
    return last['never'], grants, n['may'], n['functions'], n['denies']


class Allowed(unittest.TestCase):
    def test_who_allowed_filtered_and_masked(self):
        answer = explained('alice', "select c.email, o.amount from crm.customers c join sales.orders o on o.customer_id = c.id")
        self.assertEqual(answer['decision'], 'allowed')
        self.assertEqual(answer['grants'], [1, 2])
        self.assertIn("= CAST('EU' AS", answer['sql'])
        customers, orders = answer['relations']
        self.assertEqual(customers['rules'], [{'id': 1, 'effect': 'grant', 'via': 'analyst', 'columns': 'all but phone',
                                               'rows': "region = attr('region')", 'masks': ['email by email']}])
        self.assertEqual((customers['privileges'], customers['masked'], customers['filtered'], customers['rows']),
                         (['select'], ['email'], ['id'], 'filtered'))
        self.assertEqual([r['id'] for r in orders['rules']], [2])
        self.assertEqual(orders['rules'][0]['masks'], [])

    def test_denies_and_tags(self):
        answer = explained('frank', 'select * from crm.customers')
        self.assertEqual([(r['id'], r['effect'], r['via'], r['columns']) for r in answer['relations'][0]['rules']],
                         [(1, 'grant', 'analyst', 'all but phone'), (9, 'deny', 'contractor', 'tagged pii')])
        proxy.apply(warehouse.POLICY + 'masking:\n  - { tag: pii, with: redact, except: [everything] }\n')
        self.addCleanup(proxy.apply, warehouse.POLICY)
        self.assertEqual(explained('bob', 'select email from crm.customers')['relations'][0]['tags'],
                         [{'tag': 'pii', 'column': 'email', 'mask': 'redact'}])
        self.assertEqual(explained('erin', 'select email from crm.customers')['relations'][0]['tags'], [])

    def test_text(self):
        text = explain('alice', 'select email from crm.customers where id = 3').stdout
        self.assertRegex(text, r'''(?s)^allowed
  sent upstream: select .*
  crm\.customers: select of some rows
    in clear: id
    masked, or NULL by row: email
    in conditions: id
    grant 1 via analyst: columns all but phone; rows where region = attr\('region'\); masks email by email
$''')

    def test_nothing_runs(self):
        before = proxy.pg.sql('SELECT count(*), sum(id) FROM vault.keys', 'wh')
        self.assertEqual(explained('erin', 'delete from vault.keys')['decision'], 'refused')
        proxy.cli('grant', 'delete', 'on', 'vault.keys', 'to', 'everything', '--acl', proxy.acl)
        self.addCleanup(proxy.apply, warehouse.POLICY)
        self.assertEqual(explained('erin', 'delete from vault.keys returning id')['decision'], 'allowed')
        self.assertEqual(proxy.pg.sql('SELECT count(*), sum(id) FROM vault.keys', 'wh'), before)

    def test_users(self):
        done = explain('alcie', 'select 1')
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, '', 'gatehouse: no such user: alcie; did you mean "alice"?\n'))
        self.assertIn('dave has no grant in warehouse wh: a login there is refused (3D000)', explain('dave', 'select 1').stderr)
        proxy.cli('user', 'disable', 'bob', '--acl', proxy.acl)
        self.addCleanup(proxy.cli, 'user', 'enable', 'bob', '--acl', proxy.acl)
        self.assertIn('bob is disabled: every login is refused', explain('bob', 'select 1').stderr)


class Needed(unittest.TestCase):
    """The least that would let a statement through: as it is told, and as the proxy finds when it is given."""

    def only_grants(self, user, sql, *grants):
        self.assertEqual(needs(user, sql), (None, set(grants), [], [], []), sql)

    def test_relations_and_columns(self):
        self.only_grants('alice', "select ssn, salary from hr.employees where dept = 'it'",
                         ('hr.employees', 'select', 'dept,salary,ssn', False))
        self.only_grants('alice', 'select phone from crm.customers', ('crm.customers', 'select', 'phone', False))
        self.only_grants('alice', 'select id from crm.customers order by phone', ('crm.customers', 'select', 'phone', False))
        self.only_grants('alice', 'select c.id from crm.customers c join hr.employees e on e.manager = c.id',
                         ('hr.employees', 'select', 'manager', False))
        self.only_grants('alice', 'select e.name, k.secret from hr.employees e join vault.keys k using (id)',
                         ('hr.employees', 'select', 'id,name', False), ('vault.keys', 'select', 'id,secret', False))
        self.only_grants('alice', 'select count(*) from vault.keys', ('vault.keys', 'select', 'id', False))
        self.only_grants('alice', 'copy (select note from sales.orders) to stdout', ('sales.orders', 'select', 'note', False))
        self.only_grants('alice', "copy (select note, ')', E'\\')' as \"a)\" from sales.orders) to stdout",
                         ('sales.orders', 'select', 'note', False))
        self.only_grants('alice', 'declare c cursor for select note from sales.orders', ('sales.orders', 'select', 'note', False))
        self.only_grants('alice', 'copy sales.orders (id, note) to stdout', ('sales.orders', 'select', 'note', False))
        self.only_grants('alice', """select "a.b" from crm."Odd Table" where "x y" = '1'""",
                         ('crm."Odd Table"', 'select', 'a.b,x y', False))

    def test_writes(self):
        self.only_grants('alice', "update crm.customers set email = 'x' where id = 3", ('crm.customers', 'update', 'email', True))
        self.only_grants('alice', 'update sales.orders set amount = 0 where id = 3', ('sales.orders', 'update', 'amount', False))
        self.only_grants('alice', 'delete from crm.customers where id = 3', ('crm.customers', 'delete', '', False))
        self.only_grants('alice', 'truncate sales.orders', ('sales.orders', 'truncate', '', False))
        self.only_grants('alice', "insert into vault.keys values (9, 'x') returning id",
                         ('vault.keys', 'insert', 'id,secret', False), ('vault.keys', 'select', 'id', False))
        self.only_grants('alice', "insert into crm.customers (id, name) values (1, 'x') on conflict (id) do update set name = 'y'",
                         ('crm.customers', 'insert', 'id,name', False), ('crm.customers', 'update', 'name', False))

    def test_may_and_functions(self):
        self.assertEqual(needs('alice', 'explain select id from crm.customers'), (None, set(), ['explain'], [], []))
        self.assertEqual(needs('alice', 'create temp table t as select phone from crm.customers'),
                         (None, {('crm.customers', 'select', 'phone', False)}, ['temp_tables'], [], []))
        self.assertEqual(needs('alice', 'listen x'), (None, set(), ['notify'], [], []))
        self.assertEqual(needs('alice', 'select app.add_tax(amount) from sales.orders'), (None, set(), [], ['app.add_tax'], []))
        self.assertEqual(needs('alice', 'explain select app.add_tax(salary) from hr.employees'),
                         (None, {('hr.employees', 'select', 'salary', False)}, ['explain'], ['app.add_tax'], []))

    def test_denies_stand_in_the_way(self):
        self.assertEqual(needs('frank', 'select email from crm.customers'), (None, set(), [], [], [9]))
        never, grants, _, _, denies = needs('frank', 'select phone from crm.customers')
        self.assertEqual((never, grants, denies), (None, {('crm.customers', 'select', 'phone', False)}, [9]))
        self.assertIn('in the way: deny 9 via contractor', explain('frank', 'select email from crm.customers').stdout)

    def test_never(self):
        for sql, text in (("select pg_read_file('/etc/passwd')", 'function pg_read_file is not allowed'),
                          ('drop table crm.customers', 'must be owner of table customers'),
                          ('select nope from crm.customers', 'nope'), ('selec 1', 'syntax error at or near "selec"'),
                          ('select 1 / amount from sales.nothing', 'relation "sales.nothing" does not exist'),
                          ('set role postgres', 'permission denied to set parameter "role"')):
            answer = explained('alice', sql)
            self.assertIn(text, answer['never'])
            self.assertEqual(answer['needs'], {'grants': [], 'may': [], 'functions': [], 'denies': []})
        self.assertIn('did you mean "crm.customers"?', explain('alice', 'select 1 from crm.custmers').stdout)

    def test_a_hidden_column_is_refused_as_in_a_session(self):
        for sql in ('select phone from crm.customers', 'select nothing from crm.customers', 'select c.note from sales.orders c'):
            with proxy.wire('alice') as c:
                self.assertEqual(explained('alice', sql)['sqlstate'], c.query(sql)[-1].sqlstate)

    def test_what_is_needed_is_enough(self):
        """The printed commands, run as they are, let the same statement through the proxy."""
        cases = ("select ssn, salary from hr.employees where dept = 'it'", 'select phone from crm.customers',
                 """select "a.b" from crm."Odd Table" where "x y" = '1'""",
                 "update crm.customers set email = email where id = 3",
                 'begin; delete from crm.customers where id = -3; rollback',
                 "insert into vault.keys values (9, 'x') on conflict (id) do nothing",
                 'select e.name, k.secret from hr.employees e join vault.keys k using (id)')
        for sql in cases:
            with self.subTest(sql):
                self.addCleanup(proxy.apply, warehouse.POLICY)
                text = explain('alice', sql).stdout
                commands = re.findall(r'^  needed: gatehouse (grant .*)$', text, re.M)
                self.assertTrue(commands, text)
                with proxy.wire('alice') as c:
                    self.assertIsNotNone(c.query(sql)[-1].sqlstate)
                for command in commands:
                    proxy.cli(*shlex.split(command), '--acl', proxy.acl)
                self.assertTrue(explain('alice', sql).stdout.startswith('allowed'))
                with proxy.wire('alice') as c:
                    gt.wait_for(lambda: c.query(sql)[-1].sqlstate is None, 5, sql)
                proxy.cli('policy', 'apply', '--prune', '--acl', proxy.acl, proxy.dir / 'policy.yaml')


if __name__ == '__main__':
    gt.main()
