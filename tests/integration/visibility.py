"""What a person sees, wherever a relation can stand: the answer equals that of a database that holds only
the visible cells. Each list of queries runs through the proxy and, as the same bytes, on that database."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

QUERIES = {
    'alice': [
        # the relation itself
        'SELECT * FROM crm.customers ORDER BY id',
        'TABLE crm.customers ORDER BY id',
        'SELECT c.* FROM crm.customers c ORDER BY c.id',
        'SELECT customers.id, customers.email FROM crm.customers ORDER BY 1',
        'SELECT id, email FROM crm.customers AS c (id, n, email) ORDER BY 1',
        'SELECT count(*), count(email), min(id), max(id) FROM crm.customers',
        'SELECT * FROM ONLY sales.orders ORDER BY id LIMIT 5',
        'SELECT id, card, amount FROM sales.orders ORDER BY id OFFSET 3 LIMIT 7',
        'SELECT * FROM sales.order_totals ORDER BY region',
        # conditions see masked values and visible rows only
        "SELECT id FROM crm.customers WHERE email LIKE 'c%@example.org' ORDER BY id",
        "SELECT id FROM crm.customers WHERE email = 'c***@example.org' ORDER BY id",
        "SELECT id FROM crm.customers WHERE email = 'c3@example.org'",
        "SELECT id FROM crm.customers WHERE region = 'US'",
        "SELECT id FROM crm.customers WHERE region <> 'EU' OR region IS NULL",
        "SELECT id FROM sales.orders WHERE card LIKE '4%' ORDER BY id",
        'SELECT id FROM crm.customers WHERE email IS NULL ORDER BY id',
        'SELECT DISTINCT region FROM sales.orders',
        'SELECT DISTINCT ON (region) region, id FROM sales.orders ORDER BY region, id',
        'SELECT email, count(*) FROM crm.customers GROUP BY email ORDER BY 1',
        'SELECT region, sum(amount) FROM sales.orders GROUP BY region HAVING sum(amount) > 10 ORDER BY 1',
        'SELECT card FROM sales.orders ORDER BY card, id LIMIT 4',
        'SELECT region, vip, count(*) FROM crm.customers GROUP BY GROUPING SETS ((region), (vip), ()) ORDER BY 1, 2, 3',
        'SELECT id, row_number() OVER (PARTITION BY region ORDER BY amount, id) FROM sales.orders ORDER BY id LIMIT 9',
        'SELECT sum(amount) FILTER (WHERE id % 2 = 0) FROM sales.orders',
        # joins
        'SELECT c.id, o.id FROM crm.customers c JOIN sales.orders o ON o.customer_id = c.id ORDER BY 1, 2 LIMIT 20',
        'SELECT c.id, count(o.id) FROM crm.customers c LEFT JOIN sales.orders o ON o.customer_id = c.id AND o.amount > 100'
        ' GROUP BY c.id ORDER BY c.id',
        'SELECT c.id, o.id FROM sales.orders o RIGHT JOIN crm.customers c ON o.customer_id = c.id AND o.id < 50 ORDER BY 1, 2',
        'SELECT c.id, o.id FROM sales.orders o FULL JOIN crm.customers c ON o.id = c.id ORDER BY 1, 2 LIMIT 50',
        'SELECT count(*) FROM crm.customers CROSS JOIN sales.order_totals',
        'SELECT count(*) FROM crm.customers a, crm.customers b WHERE a.id < b.id',
        'SELECT region, count(*) FROM crm.customers JOIN sales.orders USING (region) GROUP BY region',
        'SELECT * FROM crm.customers NATURAL JOIN sales.order_totals ORDER BY id',
        'SELECT count(*) FROM crm.customers NATURAL JOIN sales.orders',
        'SELECT count(*) FROM (crm.customers c JOIN sales.orders o ON c.id = o.customer_id) j WHERE j.vip',
        # sub-selects, CTEs, LATERAL, set operations
        'SELECT (SELECT max(amount) FROM sales.orders o WHERE o.customer_id = c.id) FROM crm.customers c ORDER BY c.id',
        'SELECT id FROM crm.customers WHERE id IN (SELECT customer_id FROM sales.orders WHERE amount > 300) ORDER BY id',
        'SELECT id FROM crm.customers c WHERE EXISTS (SELECT 1 FROM sales.orders o WHERE o.customer_id = c.id) ORDER BY id',
        'SELECT id FROM crm.customers WHERE id = ANY (SELECT customer_id FROM sales.orders) ORDER BY id',
        'SELECT ARRAY(SELECT id FROM crm.customers ORDER BY id)',
        'WITH c AS (SELECT * FROM crm.customers) SELECT id, email FROM c ORDER BY id',
        'WITH customers AS (SELECT 1 AS id) SELECT * FROM customers',
        'WITH o AS MATERIALIZED (SELECT * FROM sales.orders), c AS (SELECT customer_id, sum(amount) s FROM o GROUP BY 1)'
        ' SELECT * FROM c ORDER BY 1',
        'WITH RECURSIVE r(n) AS (SELECT min(id) FROM crm.customers UNION ALL SELECT n + 1 FROM r WHERE n < 5)'
        ' SELECT n FROM r ORDER BY n',
        'SELECT c.id, l.amount FROM crm.customers c, LATERAL (SELECT amount FROM sales.orders o WHERE o.customer_id = c.id'
        ' ORDER BY amount DESC, o.id LIMIT 1) l ORDER BY 1',
        'SELECT id FROM crm.customers UNION SELECT id FROM sales.orders ORDER BY 1',
        'SELECT id FROM crm.customers EXCEPT SELECT customer_id FROM sales.orders ORDER BY 1',
        'SELECT id FROM crm.customers INTERSECT ALL SELECT customer_id FROM sales.orders ORDER BY 1',
        'SELECT * FROM (SELECT email AS e FROM crm.customers) s WHERE e IS NOT NULL ORDER BY e',
        'SELECT id, CASE WHEN vip THEN email ELSE name END FROM crm.customers ORDER BY id',
        'SELECT coalesce(email, name) FROM crm.customers ORDER BY id',
        'SELECT lower(name) || upper(region), length(email) FROM crm.customers ORDER BY id',
        "SELECT date_trunc('month', created), count(*) FROM sales.orders GROUP BY 1 ORDER BY 1",
        'VALUES (1, (SELECT count(*) FROM crm.customers)), (2, 0)',
        'SELECT a.id, b.id FROM crm.customers a LEFT JOIN crm.customers b ON b.id = a.id + 3 ORDER BY 1',
        # errors of the visible copy are the errors of the proxy
        'SELECT phone FROM crm.customers',
        'SELECT c.phone FROM crm.customers c',
        'SELECT note FROM sales.orders',
        'SELECT id FROM crm.customers WHERE phone IS NOT NULL',
        'SELECT id FROM sales.orders ORDER BY note',
        'SELECT * FROM hr.employees',
        'SELECT * FROM vault.keys',
        'SELECT id FROM crm.customers c JOIN sales.orders o ON c.id = o.customer_id',
        'SELECT 1 / (id - id) FROM crm.customers',
        "SELECT 'x'::integer",
        'SELECT nothing FROM nowhere.nobody',
        'SELEC 1',
    ],
    'bob': [
        'SELECT * FROM crm.customers ORDER BY id',
        'SELECT count(*), count(name), count(email), count(region) FROM crm.customers',
        "SELECT id FROM crm.customers WHERE name LIKE 'Customer 1%' ORDER BY id",
        'SELECT region, count(name) FROM crm.customers GROUP BY region ORDER BY region',
        'SELECT a.id, b.name FROM crm.customers a LEFT JOIN crm.customers b ON a.id = b.id AND b.name IS NOT NULL ORDER BY 1',
        'SELECT name FROM crm.customers WHERE name IS NOT NULL ORDER BY name',
        'SELECT phone FROM crm.customers',
        'SELECT joined FROM crm.customers',
        'SELECT * FROM sales.orders',
    ],
    'carol': [
        'SELECT * FROM hr.employees ORDER BY id',
        'SELECT dept, sum(salary), count(*) FROM hr.employees GROUP BY dept ORDER BY dept',
        'SELECT id FROM hr.employees WHERE salary IS NULL ORDER BY id',
        'SELECT id FROM hr.employees WHERE salary > 0 ORDER BY id',
        'SELECT e.name, m.salary FROM hr.employees e JOIN hr.employees m ON m.id = e.manager ORDER BY e.id',
        'WITH RECURSIVE chain AS (SELECT id, manager, 0 AS depth FROM hr.employees WHERE manager IS NULL UNION ALL'
        ' SELECT e.id, e.manager, depth + 1 FROM hr.employees e JOIN chain c ON e.manager = c.id)'
        ' SELECT id, depth FROM chain ORDER BY id',
        'SELECT ssn FROM hr.employees',
        'SELECT * FROM crm.customers',
    ],
}


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.role('oracle', 'oracle-secret')
    for user in warehouse.VISIBLE:
        warehouse.load_visible(pg, user)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


def plain(result):
    return (result.sqlstate,) if result.error else (result.names, result.rows, result.tag)


class Oracle(unittest.TestCase):
    """The same queries on the visible copy; simple and extended protocol."""

    def compare(self, user, ask):
        with proxy.wire(user) as seen, \
                gt.Wire(pg.port, 'oracle', f'visible_{user}', 'oracle-secret', tls='sslrequest') as truth:
            truth.query("SET search_path = public")
            for sql in QUERIES[user]:
                with self.subTest(sql=sql):
                    self.assertEqual(plain(ask(seen, sql)), plain(ask(truth, sql)))

    def test_alice_simple(self):
        self.compare('alice', lambda c, sql: c.query(sql)[-1])

    def test_alice_extended(self):
        self.compare('alice', lambda c, sql: c.extended(sql))

    def test_bob_simple(self):
        self.compare('bob', lambda c, sql: c.query(sql)[-1])

    def test_bob_extended(self):
        self.compare('bob', lambda c, sql: c.extended(sql))

    def test_carol_simple(self):
        self.compare('carol', lambda c, sql: c.query(sql)[-1])

    def test_carol_extended(self):
        self.compare('carol', lambda c, sql: c.extended(sql))


class Rules(unittest.TestCase):
    """Single facts of the rule, with the values written out."""

    def one(self, user, sql):
        with proxy.wire(user) as c:
            return c.one(sql)

    def test_full_access_sees_everything(self):
        self.assertEqual(self.one('erin', 'SELECT count(*), count(phone) FROM crm.customers'), [['30', '30']])
        self.assertEqual(self.one('erin', 'SELECT count(*) FROM vault.keys'), [['5']])
        self.assertEqual(self.one('erin', 'SELECT note FROM sales.orders WHERE id = 7'), [['HIDDEN-NOTE-7']])

    def test_deny_by_tag_beats_every_grant(self):
        with proxy.wire('frank') as c:
            self.assertEqual(c.query('SELECT email FROM crm.customers')[-1].sqlstate, '42703')
            self.assertEqual(c.one('SELECT count(id) FROM crm.customers'),
                             self.one('alice', 'SELECT count(id) FROM crm.customers'))

    def test_missing_attribute_shows_no_row(self):
        self.assertEqual(self.one('grace', 'SELECT count(*) FROM crm.customers'), [['0']])

    def test_mask_in_values(self):
        rows = self.one('alice', 'SELECT email FROM crm.customers WHERE email IS NOT NULL')
        self.assertTrue(rows)
        for value, in rows:
            self.assertRegex(value, r'^c\*\*\*@')
        for value, in self.one('alice', 'SELECT card FROM sales.orders'):
            self.assertRegex(value, r'^\*{12}\d{4}$')

    def test_parameters_filter_masked_values(self):
        with proxy.wire('alice') as c:
            self.assertEqual(c.extended('SELECT id FROM crm.customers WHERE email = $1', ['c3@example.org']).rows, [])
            self.assertEqual(c.extended('SELECT id FROM crm.customers WHERE id = $1', [3]).rows, [['3']])
            self.assertEqual(c.extended('SELECT id FROM crm.customers WHERE id = $1', [1]).rows, [])

    def test_search_path_finds_visible_relations(self):
        with proxy.wire('alice', parameters={'search_path': 'sales, crm'}) as c:
            self.assertEqual(c.one('SELECT count(*) FROM customers'),
                             self.one('alice', 'SELECT count(*) FROM crm.customers'))

    def test_identity_is_the_proxys(self):
        rows = self.one('alice', 'SELECT current_user, session_user, user, current_database()')
        self.assertEqual(rows, [['alice', 'alice', 'alice', 'wh']])

    def test_statements_not_allowed_are_named(self):
        with proxy.wire('erin') as c:
            for sql in ('CREATE TABLE crm.t (a int)', 'DROP TABLE crm.customers', 'ALTER TABLE crm.customers ADD x int',
                        'CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'GRANT ALL ON crm.customers TO public',
                        'VACUUM', 'CREATE ROLE x', 'DO $$ BEGIN END $$', 'LOAD \'x\'', 'CHECKPOINT', 'SET ROLE postgres',
                        'SET SESSION AUTHORIZATION postgres', 'ALTER SYSTEM SET work_mem = 1', 'REINDEX TABLE crm.customers',
                        "SELECT pg_read_file('/etc/passwd')", "SELECT query_to_xml('select 1', true, true, '')",
                        "SELECT pg_sleep(0) FROM crm.customers", "SELECT lo_import('/etc/passwd')"):
                with self.subTest(sql=sql):
                    result = c.query(sql)[-1]
                    self.assertEqual(result.sqlstate, '42501', result.error)
            self.assertEqual(c.one('SELECT 1'), [['1']], 'the session goes on')
        self.assertEqual(pg.sql("SELECT count(*) FROM pg_class WHERE relname = 't'", 'wh').strip(), '0')


if __name__ == '__main__':
    gt.main()
