"""The life of a policy as a way in: roles in circles, grants that end, tables that are renamed or made again, users that go."""
import datetime
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

BASE = """\
version: 1
roles:
  reader: {{ description: reads }}
{roles}
users:
  ann: {{ roles: [{member}], attributes: {{ region: EU }} }}
  bert: {{ roles: [reader] }}
grants:
  - to: [reader]
    tables: [public.open, "shop.*"]
{grants}
"""
USERS = {'ann': 'ann-pass', 'bert': 'bert-pass'}


def policy(roles='', grants='', member='reader'):
    return BASE.format(roles=roles, grants=grants, member=member)


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql("CREATE TABLE open (a int); INSERT INTO open VALUES (1); CREATE SCHEMA shop; CREATE SCHEMA hidden;"
           "CREATE TABLE shop.t (a int, region text); INSERT INTO shop.t VALUES (1, 'EU'), (2, 'US');"
           "CREATE TABLE hidden.t (a int, region text, secret text); INSERT INTO hidden.t VALUES (7, 'XX', 'CNRY')", 'wh')
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=policy(), users=USERS))


class Policies(unittest.TestCase):
    def refused(self, text):
        path = proxy.dir / 'refused.yaml'
        path.write_text(text)
        done = proxy.cli('policy', 'apply', '--acl', proxy.acl, path, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertTrue(done.stderr.strip())
        return done.stderr

    def test_circles(self):
        self.refused(policy('  a: { member_of: [b] }\n  b: { member_of: [a] }'))
        self.refused(policy('  a: { member_of: [a] }'))
        self.refused(policy('  a: { member_of: [b] }\n  b: { member_of: [c] }\n  c: { member_of: [d] }\n  d: { member_of: [b] }'))

    def test_depth(self):
        chain = lambda n: '\n'.join(f'  r{i}: {{ member_of: [{"r" + str(i + 1) if i + 1 < n else "reader"}] }}' for i in range(n))
        self.refused(policy(chain(200), member='r0'))
        proxy.apply(policy(chain(50), member='r0'))
        self.settles('ann', 'SELECT a FROM open', None)

    def test_diamonds_do_not_multiply(self):
        layers = 14
        roles = ''.join(f'  l{i}a: {{ member_of: [l{i + 1}a, l{i + 1}b] }}\n  l{i}b: {{ member_of: [l{i + 1}a, l{i + 1}b] }}\n'
                        for i in range(layers))
        roles += f'  l{layers}a: {{ member_of: [reader] }}\n  l{layers}b: {{ member_of: [reader] }}'
        begin = time.monotonic()
        proxy.apply(policy(roles, member='l0a, l0b'))
        self.settles('ann', 'SELECT a FROM open', None)
        self.assertLess(time.monotonic() - begin, 5 * gt.SLOW)

    def test_unknown_names_and_broken_filters(self):
        for grants in ('  - { to: [nobody], tables: [public.open] }', '  - { to: [reader], tables: [public.open], rows: "a = " }',
                       '  - { to: [reader], tables: [public.open], rows: "true) OR (true" }',
                       '  - { to: [reader], tables: [public.open], rows: "true; DROP TABLE open" }',
                       '  - { to: [reader], tables: [public.open], mask: { a: "value) FROM x --" } }',
                       '  - { to: [reader], tables: [public.open], colums: [a] }', '  - { to: [reader], tables: [open] }',
                       '  - { to: [reader], tables: [public.open], privileges: [selct] }',
                       '  - { to: [reader], tables: [public.open], valid: { until: 2026-02-30 } }'):
            with self.subTest(grants=grants):
                self.refused(policy(grants=grants))

    def settles(self, user, sql, code):
        with proxy.wire(user) as c:
            gt.wait_for(lambda: c.query(sql)[-1].sqlstate == code, 10, f'{sql} answers {code}')


class Time(unittest.TestCase):
    def grant(self, frm, until):
        words = ', '.join(f'{k}: "{v.strftime("%Y-%m-%dT%H:%M:%SZ")}"' for k, v in (('from', frm), ('until', until)) if v)
        return policy(grants=f'  - {{ to: [reader], tables: [hidden.t], columns: [a], valid: {{ {words} }} }}')

    def test_validity(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        minute = datetime.timedelta(minutes=1)
        with proxy.wire('ann') as c:
            for frm, until, code in ((None, now - minute, '42P01'), (now + minute, None, '42P01'), (now - minute, now + minute, None)):
                proxy.apply(self.grant(frm, until))
                gt.wait_for(lambda: c.query('SELECT a FROM hidden.t')[-1].sqlstate == code, 5, f'{frm} to {until} answers {code}')
                time.sleep(0.3)
                self.assertEqual(c.query('SELECT a FROM hidden.t')[-1].sqlstate, code)

    def test_ends_in_an_open_session(self):
        """Nothing changes but the time: cached plans and prepared statements end too."""
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
        with proxy.wire('ann') as c:
            proxy.apply(self.grant(None, until))
            gt.wait_for(lambda: c.query('SELECT a FROM hidden.t')[-1].rows == [['7']], 3, 'the grant')
            c.extended('SELECT a FROM hidden.t', name='p')
            self.assertIsNone(c.query('PREPARE q AS SELECT a FROM hidden.t; BEGIN; DECLARE k CURSOR WITH HOLD FOR SELECT a FROM hidden.t; COMMIT')[-1].error)
            self.assertEqual(c.query('EXECUTE q')[-1].rows, [['7']])
            time.sleep(max(0, (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) + 1.2)
            self.assertEqual(c.query('SELECT a FROM hidden.t')[-1].sqlstate, '42P01')
            c.send(gt.bind_message(statement='p'), gt.execute_message(), gt.SYNC)
            answer = c.results()[-1]
            self.assertEqual(answer.rows, [])
            self.assertIsNotNone(answer.error)
            for sql in ('EXECUTE q', 'FETCH ALL FROM k', 'EXPLAIN EXECUTE q'):
                answer = c.query(sql)[-1]
                self.assertEqual((answer.rows, answer.sqlstate in ('42P01', '42501')), ([], True), sql)
            c.send(gt.bind_message(statement='q'), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '42P01')


class Objects(unittest.TestCase):
    def tearDown(self):
        pg.sql("DROP TABLE IF EXISTS shop.t, shop.t2, hidden.open CASCADE; CREATE TABLE shop.t (a int, region text);"
               "INSERT INTO shop.t VALUES (1, 'EU'), (2, 'US')", 'wh')

    def settles(self, c, sql, code, rows=None):
        def there():
            r = c.query(sql)[-1]
            return r.sqlstate == code and (rows is None or r.rows == rows)
        gt.wait_for(there, 15, f'{sql} answers {code} {rows}', step=0.1)

    def test_renamed_into_a_hidden_schema(self):
        proxy.apply(policy())
        with proxy.wire('ann') as c:
            self.settles(c, 'SELECT a FROM shop.t ORDER BY a', None, [['1'], ['2']])
            pg.sql('ALTER TABLE shop.t RENAME TO t_old; ALTER TABLE shop.t_old SET SCHEMA hidden', 'wh')
            self.settles(c, 'SELECT a FROM shop.t', '42P01')
            self.settles(c, 'SELECT a FROM hidden.t_old', '42P01')
            pg.sql('DROP TABLE hidden.t_old', 'wh')

    def test_swapped_with_a_hidden_table(self):
        """At no moment may the granted name give the hidden table's columns that the policy hides."""
        proxy.apply(policy(grants='  - { to: [reader], tables: [shop.u], columns: [a] }').replace(', "shop.*"', ', shop.t'))
        pg.sql("CREATE TABLE shop.u AS SELECT 1 AS a, 'CNRY'::text AS secret", 'wh')
        try:
            with proxy.wire('ann') as c:
                self.settles(c, 'SELECT * FROM shop.u', None, [['1']])
                pg.sql("BEGIN; DROP TABLE shop.u; CREATE TABLE shop.u AS SELECT 'CNRY'::text AS secret, 2 AS a; COMMIT", 'wh')
                for _ in range(100):
                    self.assertNotIn('CNRY', repr(c.query('SELECT * FROM shop.u')[-1].rows))
                    time.sleep(0.02)
                self.settles(c, 'SELECT * FROM shop.u', None, [['2']])
                self.settles(c, 'SELECT secret FROM shop.u', '42703')
        finally:
            pg.sql('DROP TABLE shop.u', 'wh')

    def test_a_column_that_is_added_is_hidden_unless_granted(self):
        proxy.apply(policy(grants='  - { to: [reader], tables: [hidden.t], columns: [a] }'))
        with proxy.wire('ann') as c:
            self.settles(c, 'SELECT * FROM hidden.t', None, [['7']])
            pg.sql("ALTER TABLE hidden.t ADD COLUMN extra text DEFAULT 'CNRY'", 'wh')
            for _ in range(60):
                self.assertEqual(c.query('SELECT * FROM hidden.t')[-1].rows, [['7']])
                time.sleep(0.02)
            self.assertEqual(c.query('SELECT extra FROM hidden.t')[-1].sqlstate, '42703')
            pg.sql('ALTER TABLE hidden.t DROP COLUMN extra', 'wh')


class People(unittest.TestCase):
    def test_a_disabled_user_does_not_get_in(self):
        proxy.apply(policy())
        proxy.cli('user', 'disable', '--acl', proxy.acl, 'bert')
        try:
            def out():
                try:
                    proxy.wire('bert').close()
                    return False
                except gt.ServerError as e:
                    # a login that was under way at that moment ends as one that was open
                    self.assertIn(e.sqlstate, ('28P01', '57P01', '3D000'))
                    return e.sqlstate == '28P01'
            gt.wait_for(out, 5, 'the disabled user is kept out')
        finally:
            proxy.cli('user', 'enable', '--acl', proxy.acl, 'bert')

    def test_a_user_that_is_disabled_or_dropped_sees_nothing_more(self):
        proxy.apply(policy())
        gt.wait_for(lambda: self.can('bert'), 5, 'bert may log in')
        with proxy.wire('bert') as c:
            self.assertEqual(c.one('SELECT a FROM open'), [['1']])
            proxy.cli('user', 'disable', '--acl', proxy.acl, 'bert')
            try:
                def over():
                    try:
                        return c.query('SELECT a FROM open')[-1].error is not None
                    except gt.Closed:
                        return True
                gt.wait_for(over, 5, 'the open session sees nothing more')
            finally:
                proxy.cli('user', 'enable', '--acl', proxy.acl, 'bert')

    def can(self, user):
        try:
            proxy.wire(user).close()
            return True
        except gt.ServerError:
            return False

    def test_a_policy_without_the_user_takes_the_user_away(self):
        proxy.apply(policy())
        with proxy.wire('bert') as c:
            c.one('SELECT a FROM open')
            proxy.apply(policy().replace('  bert: { roles: [reader] }\n', ''))
            gt.wait_for(lambda: not self.can('bert'), 5, 'no login')

            def over():
                try:
                    return c.query('SELECT a FROM open')[-1].error is not None
                except gt.Closed:
                    return True
            gt.wait_for(over, 5, 'the open session sees nothing more')
        proxy.apply(policy())
        proxy.cli('user', 'password', '--acl', proxy.acl, 'bert', stdin=USERS['bert'] + '\n')

    def test_a_role_that_is_dropped_gives_nothing_more(self):
        """From the middle of a chain: who had grants through it has them no more."""
        proxy.apply(policy('  middle: { member_of: [reader] }\n  outer: { member_of: [middle] }', member='outer'))
        try:
            gt.wait_for(lambda: self.can('ann'), 5, 'ann may log in')
            with proxy.wire('ann') as c:
                self.assertEqual(c.one('SELECT a FROM open'), [['1']])
                proxy.cli('role', 'drop', '--acl', proxy.acl, 'middle')
                gt.wait_for(lambda: c.query('SELECT a FROM open')[-1].sqlstate == '42P01', 5, 'the open session sees nothing more')
            gt.wait_for(lambda: not self.can('ann'), 5, 'nor does a new one')
        finally:
            proxy.apply(policy())

    def test_a_name_that_is_given_again_brings_no_grants_along(self):
        own = '  - { to: [user:bert], tables: [hidden.t] }'
        proxy.apply(policy(grants=own).replace('bert: { roles: [reader] }', 'bert: {}'))
        try:
            gt.wait_for(lambda: self.can('bert'), 5, 'bert may log in')
            proxy.cli('user', 'drop', '--acl', proxy.acl, 'bert', '--cascade')
            proxy.cli('user', 'add', '--acl', proxy.acl, 'bert')
            proxy.cli('user', 'password', '--acl', proxy.acl, 'bert', stdin=USERS['bert'] + '\n')
            gt.wait_for(lambda: not self.can('bert'), 5, 'the new bert has no grants')
        finally:
            proxy.apply(policy())
            gt.wait_for(lambda: self.can('bert'), 5, 'bert is as before')


if __name__ == '__main__':
    gt.main()
