"""The small warehouse that the system tests query, who may see what of it, and what each of them must see.

`VISIBLE` builds, in plain SQL written by hand, a database that holds only the cells that a person may
see: the oracle of tests/integration/visibility.py. It repeats the policy in other words on purpose.
"""

SQL = """
CREATE SCHEMA crm;
CREATE SCHEMA sales;
CREATE SCHEMA hr;
CREATE SCHEMA vault;
CREATE SCHEMA app;

CREATE TABLE crm.customers (
    id integer PRIMARY KEY, name text NOT NULL, email text, phone text, region text, vip boolean, joined date);
INSERT INTO crm.customers
SELECT i, 'Customer ' || i, 'c' || i || '@' || (ARRAY['example.org', 'mail.test', 'shop.test'])[1 + i % 3],
       '+00 555 ' || lpad((i * 7919 % 10000)::text, 4, '0'),
       (ARRAY['EU', 'US', 'APAC'])[1 + i % 3], i % 5 = 0, date '2020-01-01' + i * 17
FROM generate_series(1, 30) i;
UPDATE crm.customers SET email = NULL WHERE id % 9 = 0 OR id % 11 = 0;
UPDATE crm.customers SET region = NULL WHERE id = 29;

CREATE TABLE sales.orders (
    id integer PRIMARY KEY, customer_id integer REFERENCES crm.customers, region text, amount numeric(10, 2),
    card text, note text, created timestamptz);
INSERT INTO sales.orders
SELECT i, c.id, c.region, (i * 37 % 500) + 0.5, lpad((i * 1234567890123::bigint % 10000000000000000)::text, 16, '4'),
       'HIDDEN-NOTE-' || i, timestamptz '2024-01-01 00:00+00' + i * interval '7 hours'
FROM generate_series(1, 200) i JOIN crm.customers c ON c.id = 1 + i % 30;
CREATE INDEX ON sales.orders (customer_id);

CREATE VIEW sales.order_totals AS
SELECT region, count(*) AS orders, sum(amount) AS total FROM sales.orders GROUP BY region;

CREATE TABLE hr.employees (id integer PRIMARY KEY, name text, dept text, salary integer, ssn text, manager integer);
INSERT INTO hr.employees
SELECT i, 'Employee ' || i, (ARRAY['sales', 'it', 'legal'])[1 + i % 3], 40000 + i * 1000, 'SSN-' || lpad(i::text, 6, '0'),
       CASE WHEN i > 1 THEN i / 2 END
FROM generate_series(1, 12) i;

CREATE TABLE vault.keys (id integer PRIMARY KEY, secret text);
INSERT INTO vault.keys SELECT i, 'VAULT-' || i FROM generate_series(1, 5) i;

CREATE FUNCTION app.add_tax(numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 1.2';
CREATE FUNCTION app.peek() RETURNS text STABLE LANGUAGE sql AS 'SELECT secret FROM vault.keys LIMIT 1';

GRANT USAGE ON SCHEMA crm, sales, hr, vault, app TO gatehouse;
GRANT ALL ON ALL TABLES IN SCHEMA crm, sales, hr, vault TO gatehouse;
ANALYZE;
"""

POLICY = """\
version: 1
roles:
  analyst: { description: reads governed tables }
  support: { description: helps customers }
  people: { description: looks after employees }
  everything: { description: sees all }
  contractor: { description: no personal data }
users:
  alice: { roles: [analyst], attributes: { region: EU } }
  bob: { roles: [support], attributes: { region: US } }
  carol: { roles: [people], attributes: { dept: it, depts: [it, legal] } }
  dave: { kind: human }
  erin: { roles: [everything] }
  frank: { roles: [analyst, contractor], attributes: { region: EU } }
  grace: { roles: [analyst] }
tags:
  pii: [crm.customers.email, crm.customers.phone, "*.*.ssn"]
grants:
  - to: [analyst]
    tables: [crm.customers]
    columns: { except: [phone] }
    rows: "region = attr('region')"
    mask: { email: email }
  - to: [analyst]
    tables: [sales.orders]
    columns: { except: [note] }
    rows: "region = attr('region')"
    mask: { card: "partial(0,4)" }
  - to: [analyst]
    tables: [sales.order_totals]
  - to: [support]
    tables: [crm.customers]
    columns: [id, region, vip]
  - to: [support]
    tables: [crm.customers]
    columns: [id, name, email]
    rows: "region = attr('region')"
  - to: [people]
    tables: [hr.employees]
    columns: [id, name, dept, manager]
  - to: [people]
    tables: [hr.employees]
    columns: [salary]
    rows: "dept = ANY (attr('depts'))"
  - to: [everything]
    tables: ["*.*"]
denies:
  - to: [contractor]
    tables: ["*.*"]
    tags: [pii]
"""

USERS = {name: f'{name}-password' for name in ('alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace')}

_EMAIL = ("CASE WHEN email IS NULL THEN NULL WHEN position('@' in email) = 0 THEN '***' "
          "ELSE left(email, 1) || '***@' || split_part(email, '@', 2) END")

# user -> the statements that make a database of visible cells out of a copy of the warehouse
VISIBLE = {
    'alice': f"""
        CREATE TABLE v_c AS SELECT id, name, {_EMAIL} AS email, region, vip, joined FROM crm.customers WHERE region = 'EU';
        CREATE TABLE v_o AS SELECT id, customer_id, region, amount,
            repeat('*', 12) || right(card, 4) AS card, created FROM sales.orders WHERE region = 'EU';
        CREATE TABLE v_t AS SELECT * FROM sales.order_totals;
        DROP SCHEMA crm, sales, hr, vault, app CASCADE;
        CREATE SCHEMA crm; CREATE SCHEMA sales;
        ALTER TABLE v_c SET SCHEMA crm; ALTER TABLE crm.v_c RENAME TO customers;
        ALTER TABLE v_o SET SCHEMA sales; ALTER TABLE sales.v_o RENAME TO orders;
        ALTER TABLE v_t SET SCHEMA sales; ALTER TABLE sales.v_t RENAME TO order_totals;""",
    'bob': """
        CREATE TABLE v_c AS SELECT id, CASE WHEN region = 'US' THEN name END AS name,
            CASE WHEN region = 'US' THEN email END AS email, region, vip FROM crm.customers;
        DROP SCHEMA crm, sales, hr, vault, app CASCADE;
        CREATE SCHEMA crm;
        ALTER TABLE v_c SET SCHEMA crm; ALTER TABLE crm.v_c RENAME TO customers;""",
    'carol': """
        CREATE TABLE v_e AS SELECT id, name, dept, CASE WHEN dept IN ('it', 'legal') THEN salary END AS salary, manager
            FROM hr.employees;
        DROP SCHEMA crm, sales, hr, vault, app CASCADE;
        CREATE SCHEMA hr;
        ALTER TABLE v_e SET SCHEMA hr; ALTER TABLE hr.v_e RENAME TO employees;""",
}


def load(pg, database='wh'):
    """Makes the upstream account and the warehouse."""
    pg.role('gatehouse', 'upstream-secret')
    pg.sql(f'CREATE DATABASE {database}')
    pg.sql(SQL, database)


def load_visible(pg, user, database='wh'):
    """Makes the database `visible_USER` of only the cells that `user` may see; returns its name."""
    name = f'visible_{user}'
    pg.sql(f'CREATE DATABASE {name} TEMPLATE {database}')
    pg.sql(VISIBLE[user] + """
        DO $$ DECLARE s text; BEGIN
            FOR s IN SELECT nspname FROM pg_namespace WHERE nspname IN ('crm', 'sales', 'hr') LOOP
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO oracle', s);
                EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO oracle', s);
            END LOOP; END $$;""", name)
    return name
