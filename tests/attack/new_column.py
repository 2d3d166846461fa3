"""A column that somebody adds to a table of which everything was granted: until the catalog tells of it, nothing shows it
that would hide it from then on."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

CANARY = 'CANARY-of-a-new-column'
POLICY = """version: 1
roles: { by_list: {}, by_except: {}, by_deny: {}, by_tag: {}, by_masking: {}, by_mask: {}, by_rows: {}, open: {} }
users:
  by_list: { roles: [by_list] }
  by_except: { roles: [by_except] }
  by_deny: { roles: [by_deny] }
  by_tag: { roles: [by_tag] }
  by_masking: { roles: [by_masking] }
  by_mask: { roles: [by_mask] }
  by_rows: { roles: [by_rows] }
  open: { roles: [open] }
tags:
  pii: ['tagged.*.ssn']
masking:
  - { tag: pii, with: redact, except: [by_list, by_except, by_deny, by_tag, by_mask, by_rows, open] }
grants:
  - { to: [by_list], tables: [s.t, named.t], columns: [id, name], privileges: [select, update] }
  - { to: [by_except], tables: [s.t], columns: { except: [ssn] } }
  - { to: [by_deny], tables: [s.t] }
  - { to: [by_tag], tables: [tagged.t] }
  - { to: [by_masking], tables: [tagged.t] }
  - { to: [by_mask], tables: [s.t], mask: { ssn: redact } }
  - { to: [by_rows], tables: [s.t, named.t], columns: [id, name], rows: id > 0 }
  - { to: [open], tables: [s.t], privileges: [select, update] }
denies:
  - { to: [by_deny], tables: ['*.*'], columns: [ssn] }
  - { to: [by_tag], tables: ['*.*'], tags: [pii] }
"""
READS = ['SELECT * FROM t', 'SELECT t.* FROM t', 'TABLE t', 'SELECT t FROM t', 'SELECT row_to_json(t) FROM t', 'SELECT t::text FROM t',
         'SELECT to_jsonb(x) FROM (SELECT * FROM t) x', 'SELECT * FROM t a JOIN t b USING (id)', 'SELECT * FROM t NATURAL JOIN t u',
         'WITH c AS (SELECT * FROM t) SELECT c.*::text FROM c', 'SELECT * FROM t ORDER BY id FOR SHARE', 'SELECT t.* FROM t GROUP BY t.id',
         'COPY t TO STDOUT', 'COPY (SELECT * FROM t) TO STDOUT', 'SELECT * FROM ONLY t', 'SELECT (t).* FROM t', 'SELECT count(*), max(t::text) FROM t',
         'DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t', "SELECT row_to_json(json_populate_record(NULL::t, '{}'))"]
# By its name, which somebody may guess.
NAMES = ['SELECT ssn FROM t', 'SELECT t.ssn FROM t', 'SELECT s FROM (SELECT ssn AS s FROM t) x', 'SELECT id, (SELECT max(ssn) FROM t u) FROM t',
         'SELECT (SELECT u.name || ssn FROM t u) FROM t', 'SELECT name FROM t GROUP BY name, ssn HAVING max(ssn) IS NOT NULL', 'SELECT lower(t.ssn) FROM t',
         'COPY (SELECT ssn FROM t) TO STDOUT', 'WITH c AS (SELECT ssn FROM t) TABLE c', 'SELECT a.id FROM t a JOIN t b USING (ssn)',
         "SELECT id FROM t WHERE ssn LIKE 'CANARY%'", 'SELECT id FROM t ORDER BY ssn', 'SELECT 1 AS x FROM t GROUP BY ssn', 'SELECT t.id FROM t JOIN t u ON u.ssn = t.ssn',
         'SELECT DISTINCT ON (ssn) id FROM t', 'SELECT count(*) OVER (PARTITION BY ssn) FROM t', 'SELECT u.id FROM t u, LATERAL (SELECT u.ssn AS v) w']
WRITES = ["UPDATE t SET name = 'Anna' RETURNING *", "UPDATE t SET name = 'Anna' RETURNING t.*", "UPDATE t SET name = 'Anna' RETURNING t",
          "UPDATE t SET name = 'Anna' RETURNING row_to_json(t)"]
GOVERNED = {'by_list': 's', 'by_except': 's', 'by_deny': 's', 'by_tag': 'tagged', 'by_masking': 'tagged', 'by_mask': 's', 'by_rows': 's'}


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql('CREATE SCHEMA s; CREATE SCHEMA tagged; CREATE SCHEMA named; CREATE TABLE named.t (id int PRIMARY KEY, name text); INSERT INTO named.t SELECT 1, $$Anna$$;'
           'CREATE TABLE s.t (id int PRIMARY KEY, name text); CREATE TABLE tagged.t (id int PRIMARY KEY, name text);'
           "INSERT INTO s.t VALUES (1, 'Anna'); INSERT INTO tagged.t VALUES (1, 'Anna')", 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={u: 'pw' for u in [*GOVERNED, 'open']}))


class NewColumn(unittest.TestCase):
    def test_a_star_shows_the_columns_that_were_decided_on(self):
        sessions = {u: proxy.wire(u) for u in [*GOVERNED, 'open']}
        for user, c in sessions.items():
            self.addCleanup(c.close)
            c.query(f'SET search_path TO {GOVERNED.get(user, "s")}')
            self.assertEqual(c.one('SELECT * FROM t'), [['1', 'Anna']], user)
            c.send(gt.parse_message('SELECT * FROM t', 'before'), gt.SYNC)
            c.results()
        before = {user: proxy.wire(user) for user in GOVERNED}  # logged in, and nothing asked yet
        pg.sql(f"ALTER TABLE s.t ADD COLUMN ssn text DEFAULT '{CANARY}'; ALTER TABLE tagged.t ADD COLUMN ssn text DEFAULT '{CANARY}'", 'wh')
        for user, schema in GOVERNED.items():
            for c in (sessions[user], before[user]):
                c.query(f'SET search_path TO {schema}')
                for sql in READS + (WRITES if user == 'by_list' else []):
                    answer = c.query(sql)[-1]
                    self.assertNotIn(CANARY.encode(), c.received_bytes(), (user, sql, answer))
                    if 'mask' not in user:  # who may know of it when the catalog does
                        self.assertNotIn(b'ssn', c.received_bytes(), (user, sql, answer))
                    if sql in READS[:3]:
                        self.assertEqual([r[:2] for r in answer.rows], [['1', 'Anna']], (user, sql))
            c = sessions[user]
            c.send(gt.bind_message(statement='before'), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
            c.results()
            self.assertNotIn(CANARY.encode(), c.received_bytes(), user)
            before[user].close()

    def test_a_name_finds_the_columns_that_were_decided_on(self):
        with proxy.wire('by_list') as listed, proxy.wire('by_rows') as filtered:
            for i, sql in enumerate(NAMES):  # each by another name, since the catalog may tell of those before
                pg.sql(f"ALTER TABLE named.t ADD COLUMN new{i} text DEFAULT '{CANARY}'", 'wh')
                for c in (listed, filtered):
                    c.query('SET search_path TO named')
                    answer = c.query(sql.replace('ssn', f'new{i}'))[-1]
                    self.assertNotIn(CANARY.encode(), c.received_bytes(), sql)
                    self.assertEqual((sql, answer.sqlstate), (sql, '42703'))

    def test_who_may_see_whatever_comes_does(self):
        with proxy.wire('open') as c:
            gt.wait_for(lambda: c.query('SELECT * FROM s.t')[-1].rows[0][-1] == CANARY, what='the new column', seconds=20)


if __name__ == '__main__':
    gt.main()
