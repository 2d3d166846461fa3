"""A policy applied while the proxy runs holds from the next statement on, in every open session."""
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

WITHOUT_EMAIL = warehouse.POLICY.replace('columns: { except: [phone] }', 'columns: { except: [phone, email] }') \
    .replace('    mask: { email: email }\n', '')
ONLY_ERIN = re.sub(r'grants:\n.*\ndenies:', 'grants:\n  - to: [everything]\n    tables: ["*.*"]\ndenies:', warehouse.POLICY,
                   flags=re.S)


def setUpModule():
    global proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


class Live(unittest.TestCase):
    def setUp(self):
        proxy.obey(warehouse.POLICY)

    def settled(self, c, sql, code):
        """The first answer with this SQLSTATE (None: success) must come soon; returns the seconds it took."""
        begin = time.monotonic()
        gt.wait_for(lambda: c.query(sql)[-1].sqlstate == code, 5, f'{sql} answers {code}', step=0.005)
        return time.monotonic() - begin

    def is_over(self, c):
        """The relation is gone, or so is the session, with an error that says why."""
        try:
            result = c.query('SELECT 1 FROM sales.orders')[-1]
        except (gt.Closed, OSError):
            self.assertIn('E', [kind for kind, _ in c.log])
            return True
        if result.error is None:
            return False
        self.assertIn(result.sqlstate, ('42P01', '42501', '57P01', '3D000'))
        return True

    def test_column_taken_and_given_back(self):
        with proxy.wire('alice') as c:
            sql = 'SELECT email FROM crm.customers'
            self.assertIsNone(c.query(sql)[-1].sqlstate)
            proxy.apply(WITHOUT_EMAIL)
            self.settled(c, sql, '42703')
            proxy.apply(warehouse.POLICY)
            self.settled(c, sql, None)

    def test_all_grants_taken(self):
        sessions = [proxy.wire('alice') for _ in range(8)]
        try:
            for c in sessions:
                self.assertIsNone(c.query('SELECT 1 FROM sales.orders')[-1].sqlstate)
            proxy.apply(ONLY_ERIN)
            for c in sessions:
                gt.wait_for(lambda: self.is_over(c), 5, 'the session sees nothing more', step=0.005)
            with self.assertRaises(gt.ServerError) as caught:
                proxy.wire('alice')
            self.assertEqual(caught.exception.sqlstate, '3D000', 'the warehouse is not there any more')
        finally:
            for c in sessions:
                c.close()

    def test_prepared_statement_is_judged_again(self):
        with proxy.wire('alice') as c:
            first = c.extended('SELECT id, email FROM crm.customers ORDER BY id', name='s')
            self.assertTrue(first.rows)
            proxy.apply(WITHOUT_EMAIL)
            self.settled(c, 'SELECT email FROM crm.customers', '42703')
            c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC)
            again = c.results()[-1]
            self.assertIsNotNone(again.sqlstate)
            self.assertEqual(again.rows, [])

    def test_row_filter_changes_under_a_prepared_statement(self):
        with proxy.wire('alice') as c:
            self.assertEqual(c.extended('SELECT DISTINCT region FROM crm.customers', name='r').rows, [['EU']])
            proxy.apply(warehouse.POLICY.replace('attributes: { region: EU } }\n  bob', 'attributes: { region: APAC } }\n  bob'))
            gt.wait_for(lambda: c.one('SELECT DISTINCT region FROM crm.customers') == [['APAC']], 5, 'the new attribute')
            c.send(gt.bind_message(statement='r'), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].rows, [['APAC']])

    def test_new_attribute_value_while_sessions_query(self):
        """No statement ever mixes two policies: each answer is wholly of one region."""
        answers, errors, stop = [], set(), threading.Event()

        def ask():
            with proxy.wire('alice') as c:
                while not stop.is_set():
                    result = c.query('SELECT DISTINCT region FROM sales.orders ORDER BY 1')[-1]
                    if result.error:
                        errors.add(result.sqlstate)
                    else:
                        answers.append(tuple(r[0] for r in result.rows))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        other = warehouse.POLICY.replace('attributes: { region: EU } }\n  bob', 'attributes: { region: US } }\n  bob')
        for _ in range(6):
            proxy.apply(other)
            time.sleep(0.15)
            proxy.apply(warehouse.POLICY)
            time.sleep(0.15)
        stop.set()
        for t in threads:
            t.join()
        self.assertLessEqual(set(answers), {('EU',), ('US',)})
        self.assertEqual(len(set(answers)), 2)
        self.assertLessEqual(errors, {'42501'}, 'what was under way for long when the policy changed')

    def test_bad_policy_changes_nothing(self):
        bad = warehouse.POLICY + '  - to: [nobody_defined_this]\n    tables: ["*.*"]\n'
        path = proxy.dir / 'bad.yaml'
        path.write_text(bad)
        done = proxy.cli('policy', 'apply', '--acl', proxy.acl, path, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('nobody_defined_this', done.stderr)
        self.assertEqual(done.stdout, '')
        with proxy.wire('alice') as c:
            self.assertTrue(c.one('SELECT id FROM crm.customers'))

    def test_apply_killed_under_the_proxy(self):
        """kill -9 at any moment of an apply: who queries meanwhile gets the old policy's answer or the new one's, and no error."""
        def policy(region):
            return (warehouse.POLICY.replace('attributes: { region: EU } }\n  bob', f'attributes: {{ region: {region} }} }}\n  bob') +
                    ''.join(f'  - {{ to: [contractor], tables: [vault.t{i}], columns: [a, b], rows: "x = \'{region}\'" }}\n'
                            for i in range(1500)))
        stop, answers, errors, rng = threading.Event(), set(), [], random.Random(5)

        def ask():
            with proxy.wire('alice') as c:
                while not stop.is_set():
                    result = c.query('SELECT DISTINCT region FROM crm.customers')[-1]
                    answers.add(tuple(map(tuple, result.rows)))
                    errors.extend([result.sqlstate] * (result.sqlstate is not None))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            begin = time.monotonic()
            proxy.apply(policy('EU'))
            whole = time.monotonic() - begin
            for i in range(100 if os.environ.get('GH_LONG') == '1' else 12):
                (proxy.dir / 'killed.yaml').write_text(policy(('US', 'EU')[i % 2]))
                process = subprocess.Popen([gt.BINARY, 'policy', 'apply', '--acl', proxy.acl, proxy.dir / 'killed.yaml'],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(rng.uniform(0, whole))
                process.kill()
                process.wait()
                said = json.loads(proxy.cli('user', 'show', 'alice', '--acl', proxy.acl, '--json').stdout)['attributes']
                with proxy.wire('alice') as c:
                    gt.wait_for(lambda: c.one('SELECT DISTINCT region FROM crm.customers') == [[said['region']]], 10,
                                'the proxy obeys what the ACL says')
            status = json.loads(proxy.cli('status', '--config', proxy.config, '--json').stdout)
            self.assertEqual(status['policy']['state'], 'current')
        finally:
            stop.set()
            thread.join()
        self.assertEqual(errors, [])
        self.assertLessEqual(answers, {(('EU',),), (('US',),)})

    def test_relation_made_while_running(self):
        """A new table is seen by who holds a wildcard, and only by them."""
        with proxy.wire('erin') as erin, proxy.wire('alice') as alice:
            proxy.pg.sql('CREATE TABLE crm.fresh (a int); INSERT INTO crm.fresh VALUES (1); GRANT SELECT ON crm.fresh TO gatehouse',
                         'wh')
            gt.wait_for(lambda: erin.query('SELECT a FROM crm.fresh')[-1].rows == [['1']], 10, 'the new table')
            self.assertEqual(alice.query('SELECT a FROM crm.fresh')[-1].sqlstate, '42P01')

    def test_new_key_of_the_hash_mask(self):
        """A new key is used by every connection that begins, pooled ones included."""
        proxy.apply(warehouse.POLICY.replace('mask: { email: email }', 'mask: { email: email, name: hash }'))

        def look():
            with proxy.wire('alice') as c:
                return c.one('SELECT name FROM crm.customers ORDER BY id LIMIT 1')[0][0]

        def other_than(known):
            value = look()
            return value if value != known and re.fullmatch('[0-9a-f]{32}', value) else None

        first = gt.wait_for(lambda: other_than(None), 5, 'a pseudonym')
        with contextlib.closing(sqlite3.connect(proxy.acl, timeout=10)) as db, db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'hash_key'", ('ab' * 32,))
            db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'version'")
        second = gt.wait_for(lambda: other_than(first), 5, 'another pseudonym')
        self.assertEqual({look() for _ in range(8)}, {second})
        self.assertNotIn('abababab', proxy.log())

    def test_new_password_and_hangup(self):
        proxy.cli('user', 'password', '--acl', proxy.acl, 'grace', stdin='another\n')
        gt.wait_for(lambda: self.can_login('grace', 'another'), 5, 'the new password')
        self.assertFalse(self.can_login('grace', warehouse.USERS['grace']))
        with proxy.wire('alice') as c:
            proxy.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            self.assertEqual(c.one('SELECT 1'), [['1']], 'an open session outlives a reload')
            self.assertTrue(self.can_login('alice', warehouse.USERS['alice']))

    def can_login(self, user, password):
        try:
            proxy.wire(user, password=password).close()
            return True
        except gt.ServerError as e:
            self.assertEqual(e.sqlstate, '28P01')
            return False


if __name__ == '__main__':
    gt.main()
