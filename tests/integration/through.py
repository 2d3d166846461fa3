"""Views that a grant gives with `through`: the rules of the tables inside hold, whatever is asked of the view."""
import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

# {h} is in what alice may not see, and differs between the warehouse and its twin.
WORLD = """
CREATE SCHEMA base; CREATE SCHEMA mart; CREATE SCHEMA lib;
CREATE TYPE base.mood AS ENUM ('calm', 'sad');
CREATE TABLE base.emp (id int PRIMARY KEY, region text, name text, salary int, ssn text, dept int, mood base.mood, seen interval, born date);
INSERT INTO base.emp VALUES
  (1, 'EU', 'Ann', 100, 'CANARY{h}1', 1, 'calm', interval '-1 day +2 hours', '2001-02-03'),
  (2, 'EU', 'Bob', 0, 'CANARY{h}2', 2, 'sad', interval '3 mon', '2001-03-02'),
  (3, 'EU', 'Cid', 300, 'CANARY{h}3', 9, NULL, NULL, NULL),
  (4, 'US', 'CANARY{h}D', {h}, 'CANARY{h}4', 1, 'sad', NULL, '1999-01-01'),
  (5, 'US', 'CANARY{h}E', 0, 'CANARY{h}5', 3, 'calm', NULL, NULL);
CREATE TABLE base.dept (id int PRIMARY KEY, title text, budget int);
INSERT INTO base.dept VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30);
CREATE TABLE base.vault (id int PRIMARY KEY, word text);
INSERT INTO base.vault VALUES (1, 'CANARY{h}v'), (2, 'CANARY{h}w');
CREATE FUNCTION lib.twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE FUNCTION lib.word(int) RETURNS text STABLE LANGUAGE sql AS 'SELECT word FROM base.vault WHERE id = $1';

CREATE VIEW mart.plain AS SELECT id, region, name, salary, ssn, dept, mood FROM base.emp;
CREATE VIEW mart.named AS SELECT e.id, e.name, d.title, d.budget FROM base.emp e LEFT JOIN base.dept d ON d.id = e.dept;
CREATE VIEW mart.inverse AS SELECT id, region, 1000 / salary AS inverse FROM base.emp;
CREATE VIEW mart.ratio AS SELECT id FROM base.emp WHERE 1000 / salary > 0;
CREATE VIEW mart.totals AS SELECT region, count(*) AS n, sum(salary) AS total, max(ssn) AS top FROM base.emp GROUP BY region;
CREATE VIEW mart.by_key AS SELECT e.id, e.name, e.ssn, count(*) AS n FROM base.emp e JOIN base.dept d ON d.id = e.dept GROUP BY e.id;
CREATE VIEW mart.words AS SELECT id, word FROM base.vault;
CREATE VIEW mart.joined AS SELECT e.id, e.name, v.word FROM base.emp e LEFT JOIN base.vault v USING (id);
CREATE VIEW mart.outer_ AS SELECT p.id, p.ssn, w.word FROM mart.plain p LEFT JOIN mart.words w ON w.id = p.id;
CREATE VIEW mart.row_ AS SELECT e.id, e.*::text AS everything, to_jsonb(e.*) AS doc FROM base.emp e;
CREATE VIEW mart.mine AS SELECT id, name FROM base.emp WHERE lower(name) = CURRENT_USER;
CREATE VIEW mart.dates AS SELECT id FROM base.emp WHERE born = '2001-02-03'::date OR seen = '-1 days +02:00:00'::interval;
CREATE VIEW mart.moods AS SELECT id, name FROM base.emp WHERE mood = 'calm'::base.mood;
CREATE VIEW mart.twice AS SELECT id, lib.twice(salary) AS twice FROM base.emp;
CREATE VIEW mart.peek AS SELECT id, lib.word(id) AS word FROM base.emp;
CREATE VIEW mart.locked AS SELECT id FROM base.emp WHERE id = 1 FOR UPDATE;
CREATE VIEW mart.system AS SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'base'::regnamespace;
CREATE VIEW mart.values_ AS VALUES (1, 'a'), (2, 'b');
CREATE VIEW mart.tagged AS SELECT id, name AS contact FROM base.emp;
CREATE VIEW mart.over_tagged AS SELECT id, contact FROM mart.tagged;
CREATE VIEW mart.denied AS SELECT id, name FROM base.emp;
CREATE VIEW mart.over_denied AS SELECT e.id, d.name FROM base.emp e LEFT JOIN mart.denied d USING (id);
CREATE VIEW mart.owned AS SELECT id, word FROM base.vault;
CREATE VIEW mart.over_owned AS SELECT id, word FROM mart.owned;
CREATE VIEW mart.renamed AS SELECT id, name FROM base.emp;
ALTER VIEW mart.renamed RENAME COLUMN name TO "the ""name";
CREATE VIEW mart.mixed AS SELECT id, name, ssn FROM base.emp;
CREATE VIEW mart.closed AS SELECT id, word FROM base.vault;
CREATE VIEW mart.changing AS SELECT id, name AS x FROM base.emp;
"""

POLICY = """
version: 1
roles: { clerk: { may: [explain] }, boss: {}, lone: {}, helper: {} }
users:
  alice: { roles: [clerk], attributes: { region: EU } }
  ann: { roles: [clerk, helper], attributes: { region: EU } }
  boss: { roles: [boss] }
  lone: { roles: [lone] }
tags: { contact: [mart.tagged.contact] }
grants:
  - { to: [clerk], tables: [base.emp], columns: { except: [ssn] }, rows: "region = attr('region')" }
  - { to: [clerk], tables: [base.dept], mask: { title: "upper(value)" }, columns: [id, title] }
  - { to: [clerk], tables: ["mart.[a-z]*"], through: true }
  - { to: [clerk], tables: [VIEWS], through: true }
  - { to: [clerk], tables: [mart.owned], rows: "id = 1" }
  - { to: [clerk], tables: [mart.mixed], through: true, columns: [id, name] }
  - { to: [clerk], tables: [mart.mixed], through: true, columns: [id, ssn], rows: "id > 1" }
  - { to: [clerk], tables: [mart.plain], through: true, privileges: [insert, update, delete] }
  - { to: [boss], tables: ["*.*"] }
  - { to: [lone], tables: [mart.plain, mart.values_, mart.words], through: true }
denies:
  - { to: [clerk], tables: [mart.denied] }
masking:
  - { tag: contact, with: redact, except: [boss] }
functions:
  - { to: [helper], allow: ["lib.twice"] }
"""
NOT_GRANTED = ('tagged', 'denied', 'owned', 'mixed')
VIEWS = [line.split()[2] for line in WORLD.splitlines() if line.startswith('CREATE VIEW') and line.split()[2][5:] not in NOT_GRANTED]
POLICY = POLICY.replace('  - { to: [clerk], tables: ["mart.[a-z]*"], through: true }\n', '').replace('VIEWS', ', '.join(VIEWS))

# What alice must see: the definitions over her rows of base.emp without ssn, base.dept with a masked title and no budget, and
# nothing of base.vault.
EXPECTED = {
    'plain': [['1', 'EU', 'Ann', '100', None, '1', 'calm'], ['2', 'EU', 'Bob', '0', None, '2', 'sad'], ['3', 'EU', 'Cid', '300', None, '9', None]],
    'named': [['1', 'Ann', 'ONE', None], ['2', 'Bob', 'TWO', None], ['3', 'Cid', None, None]],
    'inverse': '22012',
    'ratio': '22012',
    'totals': [['EU', '3', '400', None]],
    'by_key': [['1', 'Ann', None, '1'], ['2', 'Bob', None, '1']],
    'words': [],
    'joined': [['1', 'Ann', None], ['2', 'Bob', None], ['3', 'Cid', None]],
    'outer_': [['1', None, None], ['2', None, None], ['3', None, None]],
    'mine': [],
    'dates': [['1']],
    'moods': [['1', 'Ann']],
    'twice': '42501',
    'peek': '42501',
    'locked': '42501',
    'values_': [['1', 'a'], ['2', 'b']],
    'over_tagged': [['1', '***'], ['2', '***'], ['3', '***']],
    'over_denied': [['1', None], ['2', None], ['3', None]],
    'over_owned': [['1', 'CANARY{h}v']],
    'renamed': [['1', 'Ann'], ['2', 'Bob'], ['3', 'Cid']],
    'mixed': [['1', 'Ann', None], ['2', 'Bob', None], ['3', 'Cid', None]],
}
# Every one looks for what is hidden by another way; none may show it, nor answer otherwise in the twin.
ATTACKS = [
    "SELECT {v} FROM mart.{v}", "SELECT {v}::text FROM mart.{v}", "SELECT to_jsonb({v}) FROM mart.{v}", "SELECT ({v}).* FROM mart.{v}",
    "SELECT count({v}.*) FROM mart.{v}", "SELECT count(*) FROM mart.{v}", "SELECT * FROM mart.{v} ORDER BY 1", "TABLE mart.{v}",
    "SELECT x.ssn FROM mart.{v} x", "SELECT x.word FROM mart.{v} x", "SELECT x.salary FROM mart.{v} x", "SELECT e.ssn FROM mart.{v}",
    "SELECT emp.ssn FROM mart.{v}", "SELECT ctid FROM mart.{v}", "SELECT tableoid FROM mart.{v}", "SELECT ssn({v}) FROM mart.{v}",
    "SELECT gh.ssn FROM mart.{v}", "SELECT \"gh\".* FROM mart.{v}",
    "SELECT id FROM mart.{v} WHERE 1 / (id - 4) > -9", "SELECT id FROM mart.{v} WHERE 1 / (id - 5) > -9 AND id > 0",
    "SELECT id FROM mart.{v} WHERE CASE WHEN id > 3 THEN 1 / (id - id) > 0 ELSE true END",
    "SELECT * FROM mart.{v} q WHERE q::text LIKE '%CANARY%'", "SELECT * FROM mart.{v} q WHERE q::text ~ 'CANARY(.*)D'",
    "SELECT id FROM mart.{v} q WHERE (q::text || 'x')::int = 1", "SELECT a.id FROM mart.{v} a JOIN mart.{v} b ON 1 / (a.id - 4) = b.id",
    "SELECT * FROM mart.{v} NATURAL JOIN base.emp", "SELECT * FROM (SELECT 1) s LEFT JOIN mart.{v} ON true",
    "WITH emp AS (SELECT 1 AS id) SELECT * FROM mart.{v}", "WITH vault AS (SELECT 2 AS id) SELECT * FROM mart.{v}",
    "SELECT * FROM mart.{v}, LATERAL (SELECT max(e.salary) FROM base.emp e WHERE e.id = {v}.id) l", "COPY mart.{v} TO STDOUT",
    "COPY (SELECT * FROM mart.{v}) TO STDOUT", "EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM mart.{v} WHERE id = 1",
    "INSERT INTO mart.{v} (id) VALUES (77) RETURNING *", "UPDATE mart.{v} SET id = id RETURNING *", "DELETE FROM mart.{v} RETURNING *",
    "SELECT * FROM mart.{v} FOR UPDATE", "SELECT * FROM mart.{v} TABLESAMPLE SYSTEM (100)", "DECLARE c CURSOR FOR SELECT * FROM mart.{v}",
    "SELECT pg_get_viewdef('mart.{v}'::regclass)", "SELECT * FROM pg_catalog.pg_attribute WHERE attrelid = 'mart.{v}'::regclass AND attname = 'zz'",
    "SELECT array_agg(q.* ORDER BY q.*) FROM mart.{v} q", "SELECT string_agg(q::text, ',') OVER (ORDER BY q.*) FROM mart.{v} q", "SELECT DISTINCT ON (1) * FROM mart.{v} q ORDER BY 1",
]


def setUpModule():
    global SCRATCH, PG, PROXY
    SCRATCH, certs, PG = gt.module_fixture()
    PG.role('gatehouse', 'upstream-secret')
    PG.sql('CREATE DATABASE model')
    PG.sql(WORLD.replace('{h}', '777'), 'model')  # made once, so that both have the same OIDs
    for name, h in (('wh', '777'), ('tw', '888')):
        PG.sql(f'CREATE DATABASE {name} TEMPLATE model')
        PG.sql(f"""UPDATE base.emp SET ssn = replace(ssn, '777', '{h}'), name = replace(name, '777', '{h}'), salary = CASE id WHEN 4 THEN {int(h) % 777} ELSE salary END;
            UPDATE base.vault SET word = replace(word, '777', '{h}') WHERE id = 2;
            DELETE FROM base.emp WHERE id = 5 AND '{h}' = '888';
            GRANT USAGE ON SCHEMA base, mart, lib TO gatehouse; GRANT ALL ON ALL TABLES IN SCHEMA base, mart TO gatehouse;
            REVOKE ALL ON base.vault FROM gatehouse; VACUUM ANALYZE;""".replace('VACUUM ANALYZE', 'ANALYZE'), name)
    warehouses = '\n'.join(f'{d}:\n  conninfo: "{PG.conninfo(d, "gatehouse")}"\n  password_file: wh.pass' for d in ('wh', 'tw'))
    PROXY = unittest.enterModuleContext(gt.Gatehouse(
        SCRATCH, PG, certs, policy=POLICY, users={u: 'pw' for u in ('alice', 'ann', 'boss', 'lone')}, warehouses=warehouses))


def answers(c, sql):
    """All that a statement answered, as bytes."""
    del c.log[:]
    c.query('BEGIN')
    begin = len(c.log)
    c.query(sql)
    out = list(c.log[begin:])
    c.query('ROLLBACK')
    # Only an ORDER BY decides on the order of rows.
    return [(k, b.replace(b'wh', b'tw') if k == 'E' else b) for k, b in out if k not in 'KRSZDd'] + sorted(m for m in out if m[0] in 'Dd')


class Through(unittest.TestCase):
    def setUp(self):
        self.connections = {}
        self.addCleanup(lambda: [c.close() for c in self.connections.values()])

    def wire(self, user='alice', database='wh'):
        key = (user, database)
        if key not in self.connections:
            self.connections[key] = PROXY.wire(user, database=database)
        return self.connections[key]

    def one(self, sql, user='alice', database='wh'):
        return self.wire(user, database).query(sql)[-1]

    def test_what_each_view_shows(self):
        for name, expected in EXPECTED.items():
            with self.subTest(view=name):
                got = self.one(f'SELECT * FROM mart.{name} ORDER BY 1')
                if isinstance(expected, str):
                    self.assertEqual(got.sqlstate, expected)
                else:
                    self.assertEqual(got.rows, json.loads(json.dumps(expected).replace('{h}', '777')), got.error)

    def test_whole_rows_hold_what_is_visible(self):
        got = self.one('SELECT everything, doc FROM mart.row_ WHERE id = 2')
        self.assertEqual(got.sqlstate, None, got.error)
        self.assertEqual(got.rows[0][0], '(2,EU,Bob,0,,2,sad,"3 mons",2001-03-02)')
        self.assertEqual(json.loads(got.rows[0][1]) | {'seen': 0},
                         {'id': 2, 'region': 'EU', 'name': 'Bob', 'salary': 0, 'ssn': None, 'dept': 2, 'mood': 'sad', 'seen': 0, 'born': '2001-03-02'})

    def test_plain_grants_show_by_owners_rights(self):
        got = self.one('SELECT id, ssn FROM mart.plain ORDER BY 1', 'boss')
        self.assertEqual([r[1] for r in got.rows], [f'CANARY777{i}' for i in range(1, 6)])

    def test_who_sees_nothing_of_the_tables_gets_no_rows(self):
        self.assertEqual(self.one('SELECT * FROM mart.plain', 'lone').rows, [])
        self.assertEqual(len(self.one('SELECT * FROM mart.values_', 'lone').rows), 2)
        self.assertEqual(self.one('SELECT * FROM base.emp', 'lone').sqlstate, '42P01')

    def test_the_current_user_is_the_persons(self):
        self.assertEqual(self.one('SELECT * FROM mart.mine', 'ann').rows, [['1', 'Ann']])

    def test_functions_of_a_definition_obey_the_list(self):
        self.assertEqual(self.one('SELECT * FROM mart.twice', 'ann').rows, [['1', '200'], ['2', '0'], ['3', '600']])
        for user, view in (('alice', 'twice'), ('alice', 'peek'), ('ann', 'peek')):
            got = self.one(f'SELECT * FROM mart.{view}', user)
            self.assertEqual((got.sqlstate, got.error['M'], got.error['P']), ('42501', f'permission denied for view {view}', '15'))

    def test_catalogs_in_a_definition_are_filtered(self):
        got = self.one('SELECT relname FROM mart.system')
        self.assertTrue(got.sqlstate == '42501' or 'vault' not in str(got.rows), got.rows)

    def test_literals_mean_what_they_meant(self):
        c = self.wire()
        c.query("SET DateStyle TO 'SQL, DMY'; SET IntervalStyle TO 'sql_standard'")
        self.assertEqual(c.query('SELECT id FROM mart.dates ORDER BY 1')[-1].rows, [['1']])

    def test_what_fails_over_hidden_rows_alone_does_not_fail(self):
        # In the warehouse the salary of row 4 is 0, in its twin it is not; rows 2 and 5 are 0 in both.
        for where in ('id <> 2', 'id IN (1, 3, 4)', 'id = 4'):
            for view, column in (('inverse', 'inverse'), ('ratio', 'id')):
                seen = {d: answers(self.wire(database=d), f'SELECT {column} FROM mart.{view} WHERE {where} ORDER BY 1') for d in ('wh', 'tw')}
                self.assertEqual(seen['wh'], seen['tw'], (view, where))
        self.assertEqual(self.one('SELECT inverse FROM mart.inverse WHERE id <> 2 ORDER BY 1').rows, [['3'], ['10']])

    def test_attacks(self):
        ran = 0
        for view in EXPECTED:
            for attack in ATTACKS:
                sql = attack.replace('{v}', view)
                seen = {d: answers(self.wire(database=d), sql) for d in ('wh', 'tw')}
                with self.subTest(sql=sql):
                    self.assertEqual(seen['wh'], seen['tw'])
                    shown = b' '.join(b for _, b in seen['wh'])
                    self.assertNotIn(b'CANARY777', shown.replace(b'CANARY777v', b'') if view == 'over_owned' else shown)
                    self.assertNotIn(b'base.vault', shown if 'EXPLAIN' not in sql else b'')
                ran += any(k == 'D' for k, _ in seen['wh'])
        self.assertGreater(ran, 150)

    def test_errors_of_the_server_name_nothing(self):
        self.assertEqual(self.one('SELECT * FROM mart.closed').rows, [])  # the account may not read vault; nothing of it is asked for
        PG.sql('REVOKE SELECT ON base.dept FROM gatehouse', 'wh')
        try:
            got = self.one('SELECT * FROM mart.named')
            self.assertEqual(got.sqlstate, '42501')
            self.assertNotIn('dept', str(got.error))
        finally:
            PG.sql('GRANT SELECT ON base.dept TO gatehouse', 'wh')

    def test_prepared_statements_and_cursors(self):
        c = self.wire()
        self.assertEqual(c.extended('SELECT name FROM mart.plain WHERE id = $1', ('2',)).rows, [['Bob']])
        self.assertEqual(c.query("PREPARE p AS SELECT name FROM mart.plain WHERE id = $1; EXECUTE p(3)")[-1].rows, [['Cid']])
        self.assertEqual(c.query('BEGIN; DECLARE k CURSOR FOR SELECT name FROM mart.plain ORDER BY id; FETCH 2 FROM k; COMMIT')[-2].rows, [['Ann'], ['Bob']])

    def test_my_access_and_catalogs(self):
        got = self.one("SELECT column_name, shows, rows FROM gatehouse.my_access WHERE table_name = 'plain' ORDER BY 1")
        self.assertEqual({tuple(r[1:]) for r in got.rows}, {('by row', 'filtered')})
        self.assertEqual(len(got.rows), 7)
        got = self.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 'plain'")
        self.assertEqual(got.rows, [['7']])

    def test_explain_and_the_audit_tell_of_the_tables(self):
        sql = 'SELECT ssn FROM mart.outer_ WHERE id = 1'
        told = PROXY.cli('explain', '--config', PROXY.config, '--user', 'alice', '--warehouse', 'wh', sql).stdout
        for line in ('base.emp: select of some rows', 'mart.outer_', 'mart.plain', 'base.vault'):
            self.assertIn(line, told)
        self.one(sql)
        record = gt.wait_for(lambda: [r for r in PROXY.audit() if r.get('sql') == sql], what='the record')[0]
        touched = {f"{t['schema']}.{t['name']}" if 'schema' in t else t.get('relation') for t in record['relations']}
        self.assertLessEqual({'base.emp', 'mart.outer_', 'mart.plain'}, touched)

    def test_a_new_definition_takes_effect(self):
        PG.sql("CREATE OR REPLACE VIEW mart.changing AS SELECT id, region AS x FROM base.emp", 'wh')
        gt.wait_for(lambda: self.one('SELECT x FROM mart.changing ORDER BY 1').rows == [['EU'], ['EU'], ['EU']], what='the new definition')
        PG.sql("CREATE VIEW mart.fresh AS SELECT id, ssn FROM base.emp", 'wh')
        PROXY.apply(POLICY.replace('tables: [mart.mixed], through: true, columns: [id, name]', 'tables: [mart.fresh], through: true'))
        gt.wait_for(lambda: self.one('SELECT * FROM mart.fresh ORDER BY 1').rows == [['1', None], ['2', None], ['3', None]], what='the new view')
        PROXY.apply(POLICY)
        gt.wait_for(lambda: self.one('SELECT * FROM mart.fresh').sqlstate == '42P01', what='the old policy')

    def test_a_definition_that_cannot_be_read_shows_nothing(self):
        PG.sql('CREATE TABLE base.slow (id int); GRANT SELECT ON base.slow TO gatehouse; CREATE VIEW mart.slow AS SELECT id FROM base.slow; '
               'CREATE VIEW mart.quick AS SELECT id FROM base.dept', 'wh')
        with gt.Wire(PG.port, 'locker', 'wh', self.locker(), tls='disable') as holder:
            holder.query('BEGIN; LOCK TABLE base.slow IN ACCESS EXCLUSIVE MODE')
            PROXY.apply(POLICY.replace('tables: [mart.mixed], through: true, columns: [id, name]', 'tables: [mart.slow, mart.quick], through: true'))
            gt.wait_for(lambda: self.one('SELECT * FROM mart.quick').rows, what='the other view', seconds=20)
            self.assertEqual(self.one('SELECT * FROM mart.slow').sqlstate, '42501')
            holder.query('ROLLBACK')
        gt.wait_for(lambda: self.one('SELECT * FROM mart.slow').rows == [], seconds=20, what='the view when the lock is gone')
        PROXY.apply(POLICY)

    def locker(self):
        PG.role('locker', 'pw', 'SUPERUSER')
        return 'pw'


if __name__ == '__main__':
    gt.main()
