"""What is hidden answers as what never existed: the same messages, byte for byte, but for the name."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

# (user, hidden, absent, template): both names have the same length, so that positions agree too.
PAIRS = [
    ('alice', 'vault.keys', 'vaulx.keyz', 'SELECT * FROM {}'),
    ('alice', 'vault.keys', 'vault.keyz', 'SELECT * FROM {}'),
    ('alice', 'hr.employees', 'hr.employeez', 'SELECT 1 FROM crm.customers, {}'),
    ('alice', 'hr.employees', 'hx.employees', 'SELECT id FROM crm.customers WHERE id IN (SELECT id FROM {})'),
    ('alice', 'hr.employees', 'hr.employeez', 'WITH x AS (SELECT * FROM {}) SELECT * FROM x'),
    ('alice', 'hr.employees', 'hr.employeez', 'INSERT INTO {} VALUES (1)'),
    ('alice', 'hr.employees', 'hr.employeez', 'UPDATE {} SET id = 1'),
    ('alice', 'hr.employees', 'hr.employeez', 'DELETE FROM {}'),
    ('alice', 'hr.employees', 'hr.employeez', 'TRUNCATE {}'),
    ('alice', 'hr.employees', 'hr.employeez', 'COPY {} TO STDOUT'),
    ('alice', 'hr.employees', 'hr.employeez', 'TABLE {}'),
    ('alice', 'hr.employees', 'hr.employeez', 'EXPLAIN SELECT * FROM {}'),
    ('alice', 'hr.employees', 'hr.employeez', "SELECT '{}'::regclass"),
    ('alice', 'hr.employees', 'hr.employeez', "SELECT ('{}' || '')::regclass"),
    ('alice', 'hr', 'hx', "SELECT '{}'::regnamespace"),
    ('alice', 'hr.employees', 'hr.employeez', "SELECT to_regclass('{}')"),
    ('alice', 'hr.employees', 'hr.employeez', "SELECT has_table_privilege('{}', 'select')"),
    ('alice', 'hr.employees', 'hr.employeez', 'SELECT NULL::{}'),
    ('alice', 'hr.employees', 'hr.employeez', 'LOCK TABLE {}'),
    ('alice', 'hr.employees', 'hr.employeez', "SELECT pg_total_relation_size('{}')"),
    ('alice', 'wh.vault.keys', 'wh.vault.keyz', 'SELECT * FROM {}'),
    ('alice', 'phone', 'phxne', 'SELECT {} FROM crm.customers'),
    ('alice', 'phone', 'phxne', 'SELECT c.{} FROM crm.customers c'),
    ('alice', 'phone', 'phxne', 'SELECT crm.customers.{} FROM crm.customers'),
    ('alice', 'phone', 'phxne', 'SELECT id FROM crm.customers WHERE {} IS NULL'),
    ('alice', 'phone', 'phxne', 'SELECT id FROM crm.customers ORDER BY {}'),
    ('alice', 'phone', 'phxne', 'SELECT count(*) FROM crm.customers GROUP BY {}'),
    ('alice', 'phone', 'phxne', 'SELECT id FROM crm.customers a JOIN crm.customers b USING ({})'),
    ('alice', 'phone', 'phxne', 'SELECT (c).{} FROM crm.customers c'),
    ('alice', 'phone', 'phxne', 'SELECT {}(c) FROM crm.customers c'),
    ('alice', 'phone', 'phxne', 'UPDATE crm.customers SET {} = 1'),
    ('alice', 'phone', 'phxne', 'INSERT INTO crm.customers ({}) VALUES (1)'),
    ('alice', 'phone', 'phxne', 'COPY crm.customers ({}) TO STDOUT'),
    ('alice', 'app.peek', 'app.peex', 'SELECT {}()'),
    ('alice', 'app.add_tax', 'app.add_tay', 'SELECT {}(1)'),
    ('bob', 'phone', 'phxne', 'SELECT {} FROM crm.customers'),
    ('carol', 'ssn', 'sxn', 'SELECT {} FROM hr.employees'),
    ('carol', 'ssn', 'sxn', 'SELECT max({}) FROM hr.employees'),
    ('frank', 'email', 'emaix', 'SELECT {} FROM crm.customers'),
]

# The same where only the database's name or the user differs.
LOGINS = [('dave', 'wh', 'nowh'), ('alice', 'postgres', 'postgrex'), ('alice', 'template1', 'templatex')]


def setUpModule():
    global proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


def answer(user, messages):
    """Every byte that these messages bring back to a session of their own."""
    with proxy.wire(user) as c:
        begin = len(c.log)
        c.send(*messages)
        while c.receive()[0] != 'Z':
            pass
        return b''.join(kind.encode() + body for kind, body in c.log[begin:])


class HiddenIsAbsent(unittest.TestCase):
    def compare(self, wrap):
        for user, hidden, absent, template in PAIRS:
            with self.subTest(sql=template.format(hidden), user=user):
                seen = answer(user, wrap(template.format(hidden)))
                truth = answer(user, wrap(template.format(absent)))
                # A name may stand whole or as its last part, whichever the message quotes.
                names = sorted({hidden, *hidden.split('.')} - {*absent.split('.')}, key=len, reverse=True)
                others = sorted({absent, *absent.split('.')} - {*hidden.split('.')}, key=len, reverse=True)
                for n in names:
                    seen = seen.replace(n.encode(), b'<name>')
                for n in others:
                    truth = truth.replace(n.encode(), b'<name>')
                self.assertEqual(seen, truth)
                if 'to_reg' not in template and 'has_' not in template:
                    self.assertRegex(truth, rb'C(4|3F)', 'an error is expected')

    def test_simple(self):
        self.compare(lambda sql: [gt.query_message(sql)])

    def test_extended(self):
        self.compare(lambda sql: [gt.parse_message(sql), gt.bind_message(), gt.describe_message('P'),
                                  gt.execute_message(), gt.SYNC])

    def test_codes(self):
        with proxy.wire('alice') as c:
            for sql, code in (('SELECT * FROM vault.keys', '42P01'), ('SELECT phone FROM crm.customers', '42703'),
                              ('SELECT * FROM crm.nothing', '42P01'), ('SELECT c.nothing FROM crm.customers c', '42703')):
                result = c.query(sql)[-1]
                self.assertEqual(result.sqlstate, code, sql)
                self.assertIn('H', result.error, 'the hint says that it may exist')

    def test_names_in_catalogs(self):
        """No catalog relation that answers at all names what is hidden."""
        hidden = ('vault', 'employees', 'HIDDEN-NOTE', 'VAULT-', 'peek', 'add_tax', 'ssn', 'salary', 'upstream-secret')
        queries = ['SELECT relname FROM pg_catalog.pg_class', 'SELECT nspname FROM pg_catalog.pg_namespace',
                   'SELECT attname FROM pg_catalog.pg_attribute', 'SELECT table_name FROM information_schema.tables',
                   'SELECT column_name FROM information_schema.columns', 'SELECT * FROM pg_catalog.pg_stats',
                   'SELECT * FROM pg_catalog.pg_statistic', 'SELECT proname FROM pg_catalog.pg_proc', 'SELECT * FROM pg_catalog.pg_roles',
                   'SELECT * FROM pg_catalog.pg_authid', 'SELECT * FROM pg_catalog.pg_stat_activity',
                   'SELECT description FROM pg_catalog.pg_description', 'SELECT typname FROM pg_catalog.pg_type',
                   'SELECT conname FROM pg_catalog.pg_constraint', 'SELECT * FROM pg_catalog.pg_tables',
                   'SELECT * FROM pg_catalog.pg_views', 'SELECT * FROM pg_catalog.pg_indexes']
        with proxy.wire('alice') as c:
            for sql in queries:
                with self.subTest(sql=sql):
                    result = c.query(sql)[-1]
                    values = {v for row in result.rows for v in row if v is not None}
                    for name in hidden:
                        self.assertFalse([v for v in values if v == name or v.startswith(name + '.') or f'.{name}' in v or (name.isupper() and name in v)], name)
                    if 'pg_roles' in sql:
                        self.assertNotIn('gatehouse', values, 'the account upstream')
                    if 'nspname' in sql:
                        self.assertNotIn('hr', values)
                    if 'attname' in sql or 'column_name' in sql:
                        self.assertNotIn('phone', values)

    def test_logins(self):
        for user, hidden, absent in LOGINS:
            with self.subTest(user=user, database=hidden):
                errors = []
                for name in (hidden, absent):
                    with self.assertRaises(gt.ServerError) as caught:
                        proxy.wire(user, database=name)
                    errors.append({k: v.replace(name, '<name>') for k, v in caught.exception.fields.items()})
                self.assertEqual(errors[0], errors[1])
                self.assertEqual(errors[0]['C'], '3D000')


if __name__ == '__main__':
    gt.main()
