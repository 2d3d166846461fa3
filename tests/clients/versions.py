"""Servers other than PostgreSQL 15 upstream: PostgreSQL 13, 14, 16, 17 and 18, and PGlite, which is no PostgreSQL server.

What the tests of visibility, of absent names and of the catalogs say of 15 holds on every version; besides,
what only a later server knows (literals, words, functions, catalog columns, the rows `old` and `new`) stays
without meaning or without access. Skipped where the registries cannot be reached: tests/lib/upstreams.py.
"""
import contextlib
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'lib'), str(TESTS / 'integration')]
import absent
import catalogs
import gatehouse_test as gt
import upstreams
import visibility
import warehouse

VERSIONS = (13, 14, 16, 17, 18)
BY_OID = catalogs.BY_OID

# On top of warehouse.POLICY: a writer of everything, and one who may not see every column of what they write.
POLICY = warehouse.POLICY.replace('grants:', """grants:
  - { to: [writer], tables: ["*.*"], privileges: [select, insert, update, delete, truncate] }
  - to: [clerk]
    tables: [hr.employees]
    columns: [id, name, dept]
    privileges: [select, insert, update, delete]
    rows: "dept = 'it'"
""").replace('roles:\n', """roles:
  writer: { description: writes all, may: [explain] }
  clerk: { description: writes some }
""").replace('users:\n', """users:
  wanda: { roles: [writer] }
  clark: { roles: [clerk] }
""")
USERS = warehouse.USERS | {'wanda': 'wanda-password', 'clark': 'clark-password'}

# PostgreSQL 15's lexer refuses these; a later one takes them for one number, an earlier one for a number and a name.
LITERALS = ['1_000', '0x1F', '0o17', '0b1', '1_000 AS x', '1.5_5', '1e1_0', '100_000.5', '0xFFFFFFFFFFFF', '1a', '$1a', '0x', '1__0']

# And its grammar these, of which each means something to some version.
SENTENCES = [
    "SELECT '{}' IS JSON", 'SELECT now() AT LOCAL', 'SELECT * FROM (SELECT 1)', 'SELECT 5 !', "SELECT JSON_ARRAY(1 ABSENT ON NULL)",
    "SELECT JSON_VALUE('{}', '$.a' RETURNING int)", "SELECT JSON_OBJECT('a': 1)",
    "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a int PATH '$'))",
    'DELETE FROM vault.keys RETURNING WITH (OLD AS o) o.secret',
    'MERGE INTO vault.keys k USING (VALUES (1)) v(i) ON k.id = v.i WHEN MATCHED THEN DELETE RETURNING k.*',
    'MERGE INTO vault.keys k USING (VALUES (1)) v(i) ON k.id = v.i WHEN NOT MATCHED BY SOURCE THEN DELETE',
    'COPY vault.keys FROM STDIN (ON_ERROR ignore, LOG_VERBOSITY verbose)', "COPY vault.keys FROM STDIN (DEFAULT 'x')",
    'COPY vault.keys FROM STDIN (ON_ERROR ignore, REJECT_LIMIT 3)',
]

# Words that PostgreSQL 15 reserves: they are no column's name without quotes.
RESERVED = set("""all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for
    foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading
    left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing
    primary references returning right select session_user similar some symmetric table tablesample then to trailing
    true union unique user using variadic verbose when where window with""".split())

# The same on every version, written in all of the grammar's own forms.
EXPRESSIONS = [
    "extract(year FROM date '2024-02-03')", "extract(epoch FROM interval '1 hour')", "time with time zone '10:00+00' AT TIME ZONE 'UTC'",
    "timestamptz '2024-01-01 00:00+00' AT TIME ZONE 'UTC'", "substring('abcdef' FROM 2 FOR 3)", "substring('abc' FROM 'b')",
    "overlay('abc' PLACING 'x' FROM 2)", "position('b' IN 'abc')", "trim(BOTH 'x' FROM 'xax')", "normalize('a', NFC)", "'a' IS NORMALIZED",
    "(date '2001-02-16', date '2001-12-21') OVERLAPS (date '2001-10-30', date '2002-10-30')", "COLLATION FOR ('a'::text)",
    "'a' SIMILAR TO 'a|b'", "'a%' LIKE 'a#%' ESCAPE '#'", "json '{\"a\": 1}' ->> 'a'", "json_object('{a,1}'::text[])::text",
    "U&'\\0041' || E'a\\'b' || $$x$$", "B'01' || X'1F'", "gen_random_uuid() IS NOT NULL", "date_part('month', date '2024-02-03')",
    'current_schema', 'CAST(ROW(1, 2) AS text)', 'GREATEST(1, 2)', '1 <> 2', '2 ^ 3', "'(1,2)'::point <-> '(4,6)'::point",
]

WRITES = [
    "INSERT INTO vault.keys VALUES (9, 'x') RETURNING *",
    "INSERT INTO vault.keys AS k VALUES (1, 'y') ON CONFLICT (id) DO UPDATE SET secret = excluded.secret || k.secret RETURNING k.id, secret",
    "INSERT INTO vault.keys VALUES (1, 'y') ON CONFLICT DO NOTHING RETURNING id",
    "UPDATE vault.keys SET secret = upper(secret) WHERE id < 3 RETURNING id, secret",
    "UPDATE sales.orders o SET note = c.name FROM crm.customers c WHERE c.id = o.customer_id AND o.id = 7 RETURNING o.id, o.note, c.name",
    "WITH d AS (DELETE FROM vault.keys WHERE id > 3 RETURNING *) SELECT count(*), min(secret) FROM d",
    "DELETE FROM vault.keys USING crm.customers c WHERE c.id = keys.id AND c.id = 2 RETURNING keys.*",
    "DELETE FROM vault.keys AS old WHERE id = 5 RETURNING old.id, old.secret",
    'SELECT * FROM vault.keys ORDER BY id', 'TRUNCATE vault.keys', 'SELECT count(*) FROM vault.keys',
    "INSERT INTO vault.keys (id) VALUES (NULL)", "SELECT 1 / 0 FROM crm.customers",
]

OLD_AND_NEW = [
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING old.ssn', '42P01'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING old.*', '42P01'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING OLD.id', '42P01'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING old', '42703'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING (old).ssn', '42703'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING to_jsonb(old)', '42703'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING (SELECT old.ssn)', '42P01'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING (SELECT 1 FROM (VALUES (1)) old(id), (SELECT old.ssn) y)', '42P01'),
    ('DELETE FROM hr.employees WHERE id = 2 RETURNING (SELECT old FROM (VALUES (1)) v(x))', '42703'),
    ('DELETE FROM hr.employees AS new WHERE id = 2 RETURNING old.ssn', '42P01'),
    ('DELETE FROM hr.employees AS new WHERE id = 2 RETURNING new.ssn', '42703'),
    ('DELETE FROM hr.employees e USING (hr.employees old JOIN hr.employees b ON old.id = b.id) AS j WHERE e.id = 2 RETURNING old.ssn', '42P01'),
    ('DELETE FROM hr.employees e USING hr.employees old WHERE e.id = 2 AND old.id = 2 RETURNING old.ssn', '42703'),
    ("INSERT INTO hr.employees (id, name, dept) VALUES (99, 'x', 'it') RETURNING new.ssn", '42P01'),
    ("INSERT INTO hr.employees (id, name, dept) VALUES (2, 'x', 'it') ON CONFLICT DO NOTHING RETURNING old.ssn", '42P01'),
    ("UPDATE hr.employees SET name = 'x' WHERE id = 2 RETURNING new.ssn", '42P01'),
    ("WITH x AS (UPDATE hr.employees SET name = 'x' WHERE id = 2 RETURNING old.ssn) SELECT * FROM x AS old", '42P01'),
    # names of the statement's own mean what they always did
    ('DELETE FROM hr.employees AS new WHERE id = -1 RETURNING new.id', None),
    ('DELETE FROM hr.employees e USING hr.employees old WHERE e.id = -1 RETURNING old.id, old.*, old', None),
    ('DELETE FROM hr.employees WHERE id = -1 RETURNING (SELECT y.id FROM (VALUES (1)) old(id), LATERAL (SELECT old.id) y)', None),
]

PATHS = ['SELECT 1', 'SET search_path = crm', 'SET search_path = crm, sales', 'BEGIN', 'SET LOCAL search_path = hr', 'SELECT 1', 'ROLLBACK',
         'RESET search_path', 'SET search_path TO crm', 'BEGIN', 'SAVEPOINT a', 'SET search_path TO hr', 'ROLLBACK TO a', 'COMMIT',
         "SELECT set_config('search_path', 'sales', false)", 'SET search_path = crm; SET search_path = hr',
         'BEGIN; SET search_path = sales; SELECT 1/0; COMMIT', 'ROLLBACK', 'RESET ALL']


class World:
    """One version's server with both warehouses, and a proxy in front of each."""

    def __init__(self, version):
        self.version = version
        with contextlib.ExitStack() as stack:  # closed where the rest of it fails
            self.open(stack)
            self.stack = stack.pop_all()

    def open(self, stack):
        scratch = stack.enter_context(gt.Scratch())
        certs = gt.Certificates(scratch.path('tls'))
        bin_dir = upstreams.postgres(parts, scratch, self.version)
        self.pg = stack.enter_context(gt.Postgres(scratch, certs, bin_dir=bin_dir))
        warehouse.load(self.pg, 'store')
        self.pg.sql("UPDATE hr.employees SET dept = 'it' WHERE id = 2", 'store')
        self.pg.role('oracle', 'oracle-secret')
        for user in warehouse.VISIBLE:
            warehouse.load_visible(self.pg, user, 'store')
        self.pg.role('upstream_account', 'upstream-secret', 'SUPERUSER')
        self.pg.sql('CREATE DATABASE wh')
        self.pg.sql(catalogs.WORLD, 'wh')
        self.proxy = stack.enter_context(
            gt.Gatehouse(scratch, self.pg, certs, policy=POLICY, users=USERS, database='store'))
        self.catalogs = stack.enter_context(
            gt.Gatehouse(scratch, self.pg, certs, policy=catalogs.POLICY, users={'mallory': 'pw', 'trudy': 'pw'}, name='catalogs', tls='disable',
                         upstream_user='upstream_account'))
        self.psql = upstreams.psql(parts, scratch)

    def direct(self):
        return gt.Wire(self.pg.port, 'gatehouse', 'store', 'upstream-secret', tls='sslrequest')


parts, world = None, None


def setUpModule():
    global parts
    try:
        parts = upstreams.fetch()
    except upstreams.Unavailable as e:
        raise unittest.SkipTest(str(e))
    unittest.addModuleCleanup(enter, None)


def enter(version):
    """Makes this version's world the one that all modules ask; one is up at a time."""
    global world
    if world is not None and world.version != version:
        world.stack.close()
        world = None
    if world is None and version is not None:
        world = World(version)
        visibility.pg, visibility.proxy = world.pg, world.proxy
        absent.proxy = world.proxy
        catalogs.pg, catalogs.proxy = world.pg, world.catalogs


def plain(result):
    return result.sqlstate or (result.names, result.rows, result.tag)


class OfVersion:
    version = None

    @classmethod
    def setUpClass(cls):
        enter(cls.version)


class Catalogs(OfVersion):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # 13 has no such function, and fails by itself where there is no column 7.
        catalogs.BY_OID = [e for e in BY_OID if cls.version > 13 or e not in
                           ('pg_get_statisticsobjdef_columns(x)', "pg_describe_object('pg_class'::regclass, x, 7)")]

    def allowed_functions(self):
        """15's, but for what tests/golden says of this version: each line reviewed as the list itself is."""
        changes = (TESTS / 'golden' / f'allowed_functions_{self.version}.diff').read_text().split()
        names = set(catalogs.GOLDEN.read_text().split()) - {c[1:] for c in changes if c[0] == '-'}
        order = self.sorted_names()
        return [n for n in order if n in names | {c[1:] for c in changes if c[0] == '+'}]

    def sorted_names(self):
        return catalogs.rows('SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 11 ORDER BY 1')

    def test_psql_backslash_commands(self):
        """psql 15 and psql 18; where a psql that does not know the server fails without Gatehouse, it may with it."""
        programs = [gt.PG_BIN / 'psql'] + ([world.psql] if world.psql else [])
        for program in programs:
            for command, word in catalogs.COMMANDS:
                with self.subTest(f'{program.parent.parent.name}: {command}'):
                    done = world.catalogs.psql('mallory', command, '-P', 'tuples_only=off', check=False, program=program)
                    self.assertNotRegex(done.stdout + done.stderr, catalogs.HIDDEN)
                    if done.returncode == 0:
                        self.assertTrue(re.search(word, done.stdout), done.stdout)
                        continue
                    direct = gt.run(program, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', world.pg.dir, '-p', world.pg.port, '-U', 'postgres',
                                    '-d', 'wh', stdin=command, check=False)
                    self.assertNotEqual(direct.returncode, 0, done.stderr)
                    self.assertEqual(done.stderr.splitlines()[0], direct.stderr.splitlines()[0])

    def test_no_figure_of_a_governed_table(self):
        with world.catalogs.wire('mallory') as c:
            text, = c.one("SELECT to_jsonb(c) FROM pg_class c WHERE relname = 'orders'")[0]
        for column, value in re.findall(r'"(reltuples|relpages|relall\w+)": (-?\w+)', text):
            self.assertIn(value, ('-1', '0'), column)

    if os.environ.get('GH_LONG') != '1':
        test_no_function_tells_of_a_hidden_oid = None


class Visibility(OfVersion):
    pass


class Absent(OfVersion):
    pass


class Language(OfVersion):
    def compare(self, statements, user='wanda', transaction=False):
        with world.proxy.wire(user) as c, world.direct() as d:
            for sql in statements:
                with self.subTest(sql):
                    answers = []
                    for w in (c, d):
                        if transaction:
                            w.query('BEGIN')
                        answers.append(plain(w.query(sql)[-1]))
                        if transaction:
                            w.query('ROLLBACK')
                    self.assertEqual(*answers)

    def test_the_version_is_told(self):
        with world.proxy.wire('alice') as c:
            self.assertEqual(int(c.parameters['server_version'].split('.')[0]), self.version)

    def test_literals_of_other_lexers(self):
        with world.proxy.wire('wanda') as c:
            for literal in LITERALS:
                for ask in (c.query, lambda sql: [c.extended(sql)]):
                    with self.subTest(literal):
                        self.assertEqual(ask(f'SELECT {literal}')[-1].sqlstate, '42601')
            self.assertEqual(c.query('SELECT 1 _000, 0 x1F')[-1].names, ['_000', 'x1f'], 'two tokens stay two')
            self.assertEqual(c.query('SELECT 1 _000, 0 x1F')[-1].rows, [['1', '0']])

    def test_sentences_of_other_grammars(self):
        with world.proxy.wire('wanda') as c:
            for sql in SENTENCES:
                with self.subTest(sql):
                    self.assertEqual(c.query(sql)[-1].sqlstate, '42601')
        self.assertEqual(world.pg.sql('SELECT count(*) FROM vault.keys', 'store').strip(), '5')

    def test_every_word_names_a_column(self):
        """Words that only this server reserves as well as 15's own words of lower rank."""
        words = set(world.pg.sql('SELECT word FROM pg_get_keywords()').split())
        words |= {'system_user', 'json', 'json_table', 'merge_action', 'virtual', 'path', 'period', 'objects', 'recheck', 'depth'}
        with world.proxy.wire('wanda') as c:
            for word in sorted(words):
                with self.subTest(word):
                    result = c.query(f'SELECT {word} AS {word} FROM (SELECT 2 AS {word}) AS q')[-1]
                    if word in RESERVED:
                        self.assertNotEqual(plain(result), ([word], [['2']], 'SELECT 1'))
                    else:
                        self.assertEqual(plain(result), ([word], [['2']], 'SELECT 1'), result.error)

    def test_expressions(self):
        self.compare([f'SELECT {e}' for e in EXPRESSIONS])

    def test_writes(self):
        self.compare(WRITES, transaction=True)
        merge = ('MERGE INTO vault.keys k USING (VALUES (1), (7)) v(i) ON k.id = v.i WHEN MATCHED THEN UPDATE SET secret = \'m\' '
                 'WHEN NOT MATCHED THEN INSERT VALUES (v.i, \'n\')')
        with world.proxy.wire('wanda') as c:
            c.query('BEGIN')
            if self.version < 15:
                self.assertEqual(c.query(merge)[-1].sqlstate, '42601')
            else:
                self.assertEqual(c.query(merge)[-1].tag, 'MERGE 2')
            c.query('ROLLBACK')

    def test_old_and_new(self):
        with world.proxy.wire('clark') as c:
            for sql, code in OLD_AND_NEW:
                for ask in (c.query, lambda text: [c.extended(text)]):
                    with self.subTest(sql):
                        c.query('BEGIN')
                        result = ask(sql)[-1]
                        self.assertEqual(result.sqlstate, code, result.error or result.rows)
                        c.query('ROLLBACK')
        self.assertNotIn(b'SSN-', c.received_bytes())

    def test_the_path_that_is_told(self):
        """PostgreSQL 18 reports search_path: the client's, never the one that Gatehouse set."""
        with world.proxy.wire('wanda') as c, world.direct() as d:
            for w in (c, d):
                w.told = [w.parameters.get('search_path')]
                for sql in PATHS:
                    before = len(w.log)
                    w.query(sql)
                    w.told.append([body for kind, body in w.log[before:] if kind == 'S' and body.startswith(b'search_path')])
            self.assertEqual(c.told, d.told)
            self.assertEqual(self.version >= 18, any(c.told))

    def test_sessions_end_once(self):
        """What a session holds is given back once, whether it ends by its own fault, or with the connection, or both."""
        for _ in range(40):
            c = world.proxy.wire('wanda')
            c.query('SET search_path = crm')
            c.send(b'~\0\0\0\x04')
            with self.assertRaises(gt.Closed):
                while c.receive()[0] != 'Z':
                    pass
        with world.proxy.wire('wanda') as c:
            self.assertEqual(c.query('SELECT 1')[-1].rows, [['1']])
        self.assertTrue(world.proxy.alive())

    def test_new_functions_of_the_server(self):
        allowed = {'any_value(id)': 16, "array_sort(ARRAY[2, 1])": 18, 'uuidv7() IS NOT NULL': 18, 'casefold(name)': 18, 'pg_current_xact_id() IS NULL': 13}
        with world.proxy.wire('wanda') as c:
            for call, since in allowed.items():
                result = c.query(f'SELECT {call} FROM crm.customers' + (' GROUP BY name' if 'name' in call else ''))[-1]
                self.assertEqual(result.sqlstate, None if self.version >= since else '42883', call)
            for call in ("pg_input_is_valid('1', 'hr.employees')", "pg_stat_get_backend_subxact(1)", "pg_get_acl('pg_class'::regclass, 0, 0)",
                         "pg_read_file('x')", "pg_ls_dir('.')", "has_largeobject_privilege(1, 'select')"):
                self.assertIn(c.query(f'SELECT {call}')[-1].sqlstate, ('42501', '42883'), call)


for v in VERSIONS:
    globals().update({
        f'Postgres{v}Absent': type(f'Postgres{v}Absent', (Absent, absent.HiddenIsAbsent), {'version': v, '__module__': __name__}),
        f'Postgres{v}Catalogs': type(f'Postgres{v}Catalogs', (Catalogs, catalogs.Catalogs), {'version': v, '__module__': __name__}),
        f'Postgres{v}Language': type(f'Postgres{v}Language', (Language, unittest.TestCase), {'version': v, '__module__': __name__}),
        f'Postgres{v}Visibility': type(f'Postgres{v}Visibility', (Visibility, visibility.Oracle), {'version': v, '__module__': __name__}),
        f'Postgres{v}VisibilityRules': type(f'Postgres{v}VisibilityRules', (Visibility, visibility.Rules),
                                            {'version': v, '__module__': __name__}),
    })


class PGlite(unittest.TestCase):
    """A server that is not PostgreSQL's: all its connections are one session, and it cannot cancel."""

    @classmethod
    def setUpClass(cls):
        enter(None)
        cls.scratch = cls.enterClassContext(gt.Scratch())
        cls.port = gt.free_port()
        cls.process = subprocess.Popen(
            ['node', str(upstreams.pglite(parts, cls.scratch)), '-p', str(cls.port), '-m', '20'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.end)
        gt.wait_for(lambda: gt.can_connect(cls.port), 60, 'PGlite listens')
        with gt.Wire(cls.port, 'postgres', 'postgres') as c:
            for result in c.query(warehouse.SQL.replace('TO gatehouse;', 'TO postgres;')):
                assert result.error is None, result.error

    @classmethod
    def end(cls):
        cls.process.terminate()
        cls.process.wait()

    def conninfo(self, database, user):
        return f'host=127.0.0.1 port={self.port} dbname=postgres user=postgres sslmode=disable'

    def proxy(self, **more):
        return self.enterContext(gt.Gatehouse(self.scratch, self, policy=POLICY, users=USERS, name=self.id(), **more))

    def alone(self):
        return self.proxy(workers=1, pool='mode: session, size: 1, idle: 1')

    def test_rows_and_masks(self):
        with self.alone().wire('alice') as c:
            ids = [[str(i)] for i in range(1, 31) if i % 3 == 0]
            self.assertEqual(c.one('SELECT id FROM crm.customers ORDER BY id'), ids)
            self.assertEqual(c.extended('SELECT id, email FROM crm.customers WHERE id = $1', [3]).rows, [['3', 'c***@example.org']])
            self.assertEqual(c.query('SELECT phone FROM crm.customers')[-1].sqlstate, '42703')
            self.assertEqual(c.query('SELECT * FROM vault.keys')[-1].sqlstate, '42P01')

    def test_writes_and_transactions(self):
        with self.alone().wire('wanda') as c:
            c.query('BEGIN')
            self.assertEqual(c.one("INSERT INTO vault.keys VALUES (9, 'x') RETURNING id, secret"), [['9', 'x']])
            self.assertEqual(c.query('SELECT 1/0')[-1].sqlstate, '22012')
            self.assertEqual(c.status, 'E')
            c.query('ROLLBACK')
            self.assertEqual(c.one('SELECT count(*) FROM vault.keys'), [['5']])

    def test_introspection(self):
        proxy = self.alone()
        program = upstreams.psql(parts, self.scratch) or gt.PG_BIN / 'psql'
        for command, word in ((r'\d crm.customers', 'email'), (r'\dt crm.*', 'customers'), (r'\dn', 'crm'), (r'\df lower', 'lower'),
                              (r'\dv sales.*', 'order_totals')):
            with self.subTest(command):
                done = proxy.psql('alice', command, program=program)
                self.assertIn(word, done.stdout)
                self.assertNotRegex(done.stdout, 'phone|vault|employees')

    def test_check_says_what_it_is(self):
        self.assertRegex(self.alone().cli('check', '--config', self.scratch.path(self.id()) / 'gatehouse.yaml').stdout, 'PostgreSQL 1[0-9]')

    def test_one_session_is_not_shared(self):
        """Two connections would be one session: what one has parsed the other would run. The second is refused."""
        proxy = self.proxy(workers=2)
        refused = 0
        with proxy.wire('alice') as c:
            for _ in range(4):
                with self.assertRaises(gt.ServerError) as e:
                    proxy.wire('erin')
                self.assertEqual(e.exception.sqlstate, '53300')
                refused += 1
            self.assertEqual(c.one('SELECT count(*) FROM crm.customers'), [['10']])
        self.assertIn('one session and one key', proxy.log())


if __name__ == '__main__':
    gt.main()
