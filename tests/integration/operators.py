"""Operators and functions of extensions: what PostgreSQL finds along the client's search_path, Gatehouse finds too, and
never takes another of the same name instead. The oracle is a database that holds the visible rows alone, asked directly.
"""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

EXTENSIONS = ('citext', 'hstore', 'pg_trgm', 'ltree', 'intarray')
SCHEMA = ''.join(f'CREATE EXTENSION {e};' for e in EXTENSIONS) + """
CREATE SCHEMA own;
CREATE SCHEMA ext;
CREATE EXTENSION cube SCHEMA ext;
CREATE EXTENSION earthdistance SCHEMA ext;
CREATE DOMAIN public.mail AS citext CHECK (VALUE LIKE '%@%');
CREATE TABLE public.people (id integer PRIMARY KEY, region text, email citext UNIQUE, alias mail, name text, short varchar(20), tags hstore, path ltree,
    nums integer[], emails citext[], big bigint[], spot ext.cube);
CREATE TABLE public.logins (id integer PRIMARY KEY, email citext, name text);
CREATE TABLE public.badges (id integer, email citext, name text);
INSERT INTO public.badges VALUES (1, 'nobody', 'Ann'), (2, 'bob@X.org', 'Bea');
CREATE VIEW public.known AS SELECT p.id, email, l.name AS who, p.email IS DISTINCT FROM 'ANN@x.org' AS other, nullif(p.email, 'BOB@x.org') AS n, CASE p.email WHEN 'ANN@x.org' THEN 1 ELSE 2 END AS c,
    (p.email, p.id) IN (SELECT email, 4 FROM public.logins) AS s, (p.email, p.id) > ('b', 3) AS r, ROW(p.email, p.id) = ROW('ANN@x.org', 2) AS e FROM public.people p LEFT JOIN public.logins l USING (email);
CREATE SCHEMA cellar;
CREATE TABLE cellar.vault (id integer, email citext);
CREATE FUNCTION cellar.mail_of(integer) RETURNS citext IMMUTABLE LANGUAGE sql AS 'SELECT ''x''::citext';
CREATE TEXT SEARCH CONFIGURATION own.words (COPY = french);
CREATE TEXT SEARCH CONFIGURATION public.words (COPY = english);
CREATE TEXT SEARCH DICTIONARY public.stops (TEMPLATE = simple, STOPWORDS = english);
CREATE TABLE public.plain (id integer, name text);
CREATE FUNCTION own.same(text, integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR own.= (LEFTARG = text, RIGHTARG = integer, FUNCTION = own.same);
CREATE FUNCTION own.plus(text, text) RETURNS text STABLE LANGUAGE sql AS 'SELECT max(name) FROM public.logins';
CREATE OPERATOR own.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = own.plus);
CREATE OPERATOR own.@@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = own.plus);
CREATE TYPE own.money AS (amount numeric);
CREATE FUNCTION own.less(own.money, own.money) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT ($1).amount < ($2).amount';
CREATE OPERATOR own.<# (LEFTARG = own.money, RIGHTARG = own.money, FUNCTION = own.less);
CREATE TABLE public.prices (id integer PRIMARY KEY, price own.money);
INSERT INTO public.prices VALUES (1, ROW(5)), (2, ROW(7));
INSERT INTO public.logins VALUES (1, 'ANN@x.org', 'Ann'), (2, 'bob@X.org', 'BOB'), (3, 'eve@x.org', 'Eve');
"""
ROWS = """INSERT INTO public.people
SELECT i, (ARRAY['EU', 'US'])[1 + i % 2], (ARRAY['Ann@X.org', 'BOB@x.org', 'carol@x.org', 'Dora@Y.org'])[1 + i % 4] || CASE WHEN i > 4 THEN i::text ELSE '' END,
    (ARRAY['Ann@X.org', 'BOB@x.org'])[1 + i % 2], (ARRAY['Ann', 'bob', 'Carol'])[1 + i % 3], (ARRAY['ann', 'BOB'])[1 + i % 2],
    hstore(ARRAY['a', 'b'], ARRAY[i::text, 'B' || i % 3]), ('Top.A' || i % 3 || '.B' || i)::ltree, ARRAY[i, i + 1, i % 5],
    ARRAY['A@x', 'b@X']::citext[], ARRAY[i]::bigint[], ext.cube(i, i + 1) FROM generate_series(1, 24) i WHERE {where};"""
POLICY = """version: 1
roles: { reader: { description: reads }, allowed: { description: reads and may call } }
users: { rita: { roles: [reader] }, wanda: { roles: [reader, allowed] } }
grants:
  - { to: [reader], tables: [public.people], rows: "region = 'EU'" }
  - { to: [reader], tables: [public.logins, public.prices] }
  - { to: [reader], tables: [public.badges, public.plain], columns: [id, name] }
  - { to: [reader], tables: [public.known], through: true }
  - { to: [allowed], tables: [public.logins], privileges: [update] }
functions:
  - { to: [allowed], allow: [own.less, public.max, public.replace, public.regexp_match, public.similarity, public.words, public.stops] }
"""
# What rita asks; each answer is the oracle's, by rows or by SQLSTATE.
QUERIES = """
SELECT id FROM people WHERE email = 'ann@x.ORG'
SELECT id FROM people WHERE 'ann@x.ORG' = email
SELECT id FROM people p WHERE p.email = 'ann@x.ORG' AND p.region = 'EU'
SELECT id FROM people WHERE email <> 'bob@x.org'
SELECT id FROM people WHERE email < 'B' OR email >= 'D'
SELECT id FROM people WHERE email = 'ann@x' || '.org' AND id > 0
SELECT id FROM people WHERE email = ('ann@x' || '.org') || ''
SELECT id FROM people WHERE (email = (('ann@x' || ('.org'))))
SELECT id FROM people WHERE NOT email = 'ann@x.org'
SELECT id FROM people WHERE email IN ('ANN@X.ORG', 'bob@x.org')
SELECT id FROM people WHERE email NOT IN ('ANN@X.ORG', 'bob@x.org')
SELECT id FROM people WHERE email IN ('ann@x.org')
SELECT id FROM people WHERE email IN ('ann@x.org'::text, 'BOB@x.org')
SELECT id FROM people WHERE email = ANY ('{ann@x.org,BOB@X.ORG}')
SELECT id FROM people WHERE email = ANY (ARRAY['ann@x.org']::citext[])
SELECT id FROM people WHERE email = ANY (ARRAY['ann@x.org'])
SELECT id FROM people WHERE email <> ALL ('{ann@x.org,bob@x.org}')
SELECT id FROM people WHERE email = ANY (emails)
SELECT id FROM people WHERE email LIKE 'ANN%'
SELECT id FROM people WHERE email NOT LIKE 'ANN%'
SELECT id FROM people WHERE email ILIKE 'aNN%'
SELECT id FROM people WHERE email LIKE 'ANN' || '%' AND true
SELECT id FROM people WHERE email ~ '^ANN'
SELECT id FROM people WHERE email !~ '^ANN' AND email ~* 'x'
SELECT id FROM people WHERE email = name
SELECT id FROM people WHERE email = 'Ann@X.org'::text
SELECT id FROM people WHERE email::text = 'ann@x.org'
SELECT id FROM people WHERE lower(email) = 'ann@x.org'
SELECT id FROM people WHERE alias = 'ANN@x.org'
SELECT id FROM people WHERE alias = email
SELECT id FROM people WHERE short = 'ANN' OR name = 'Ann'
SELECT id FROM people WHERE coalesce(email, 'x') = 'ANN@x.org'
SELECT id FROM people WHERE CASE WHEN id > 0 THEN email END = 'ANN@x.org'
SELECT s.id FROM (SELECT id, email FROM people) s WHERE s.email = 'ANN@x.org'
SELECT s.id FROM (SELECT * FROM people) s WHERE s.email = 'ANN@x.org'
SELECT s.id FROM (SELECT id, email AS e FROM people) s WHERE e IN ('ANN@x.org', 'BOB@X.org')
SELECT s.id FROM (SELECT id, email FROM people UNION ALL SELECT id, email FROM logins) s WHERE s.email = 'ANN@x.org'
WITH s AS (SELECT id, email FROM people) SELECT id FROM s WHERE email = 'ANN@x.org'
WITH s AS (SELECT id, email FROM people), t AS (SELECT * FROM s) SELECT id FROM t WHERE email <> 'ANN@x.org'
SELECT p.id, l.id FROM people p JOIN logins l ON p.email = l.email
SELECT p.id, l.id FROM people p, logins l WHERE p.email = l.email AND l.name = 'Ann'
SELECT p.id FROM people p LEFT JOIN logins l ON l.email = p.email WHERE l.id IS NULL
SELECT id FROM people WHERE email IN (SELECT email FROM logins)
SELECT id FROM people WHERE email NOT IN (SELECT email FROM logins)
SELECT id FROM people WHERE email = ANY (SELECT email FROM logins)
SELECT id FROM people WHERE email IN (SELECT name FROM logins)
SELECT id FROM people p WHERE EXISTS (SELECT 1 FROM logins l WHERE l.email = p.email)
SELECT id FROM people WHERE email = (SELECT email FROM logins WHERE id = 1)
SELECT id FROM people WHERE email = (SELECT max(name) FROM logins)
SELECT id, (SELECT l.id FROM logins l WHERE l.email = p.email) FROM people p
SELECT count(*), lower(email) FROM people GROUP BY 2
SELECT email, count(*) FROM (SELECT email FROM people UNION ALL SELECT email FROM logins) x GROUP BY email
SELECT DISTINCT email FROM logins ORDER BY email
SELECT id FROM people ORDER BY email DESC, id LIMIT 3
SELECT id FROM people WHERE email BETWEEN 'A' AND 'C'
SELECT id FROM people WHERE email IS DISTINCT FROM 'ANN@x.org'
SELECT nullif(email, 'ANN@x.org') FROM people
SELECT CASE email WHEN 'ANN@x.org' THEN 1 END FROM people
SELECT id FROM people WHERE (email, name) = ('ANN@x.org', 'Ann')
SELECT id FROM people WHERE email LIKE 'a!%' ESCAPE '!'
SELECT id FROM people WHERE email SIMILAR TO 'A%'
SELECT id FROM people WHERE email NOT BETWEEN SYMMETRIC 'C' AND ('A') OR email BETWEEN NULL AND 'z'
SELECT lag(email) OVER (ORDER BY id) IS NOT DISTINCT FROM email, email IS DISTINCT FROM NULL, 'ANN@x.org' IS DISTINCT FROM (email) FROM people
SELECT nullif(nullif(email, 'ANN@x.org'), 'BOB@x.org'), nullif('ann@x.org', email), nullif(email, NULL) FROM people
SELECT CASE email WHEN CASE WHEN id > 0 THEN 'ANN@x.org' END::citext THEN CASE email WHEN 'x' THEN 5 END WHEN NULL THEN 2 ELSE 3 END, CASE 'ANN@x.org' WHEN email THEN 1 END FROM people
SELECT id FROM people WHERE (id, email) IN ((4, 'BOB@x.org'), (6, NULL)) OR (email, id) > ('a', 4) OR (email, id) IS NOT DISTINCT FROM ('ANN@x.org', 2)
SELECT id FROM people WHERE email NOT LIKE '%b!%' || '%' ESCAPE '!' AND email NOT SIMILAR TO ('(A|C)%') AND email ILIKE 'A%' ESCAPE '#'
SELECT id FROM people WHERE id = 4 OR id IN (2, 6) OR id BETWEEN 8 AND 10 OR name LIKE 'C%'
SELECT id FROM people WHERE nullif(name, 'Ann') IS DISTINCT FROM NULL
SELECT CASE name WHEN 'Ann' THEN 1 ELSE 2 END FROM people
SELECT * FROM known ORDER BY id
SELECT k.id FROM known k JOIN logins USING (email) WHERE other AND NOT r
SELECT p.id FROM people p JOIN logins l USING (email)
SELECT * FROM people p JOIN logins l USING (email)
SELECT *, email, p.email, l.email FROM people p LEFT JOIN logins l USING (email) WHERE email >= 'ann' ORDER BY email, p.id LIMIT 7
SELECT email, count(*) FROM logins RIGHT JOIN people USING (email) GROUP BY email HAVING email > 'B' ORDER BY email DESC
SELECT email, email::text, count(email) OVER (PARTITION BY email), lower(email) AS l FROM logins FULL JOIN people USING (email)
SELECT * FROM logins FULL JOIN people USING (email, name)
SELECT p.id FROM people p NATURAL JOIN logins l
SELECT * FROM people p NATURAL LEFT JOIN (SELECT email, name AS known FROM logins) l WHERE known IS NOT NULL
SELECT * FROM people NATURAL JOIN logins NATURAL JOIN plain
SELECT * FROM (plain p JOIN people l USING (id)) JOIN logins m USING (email) WHERE p.id > 0
SELECT l.*, email FROM people p JOIN (SELECT email FROM logins) l USING (email) JOIN logins m USING (email, id) ORDER BY email
SELECT count(*) FROM people WHERE email IN (SELECT * FROM (SELECT email FROM logins) q)
SELECT id, email FROM people JOIN logins USING (email, id)
SELECT email FROM people p JOIN logins l USING (email) JOIN plain n ON n.name = l.name AND email <> 'x'
SELECT x.e, email FROM people p JOIN logins l USING (email), LATERAL (SELECT email || '!' AS e) x
SELECT (SELECT count(*) FROM plain WHERE name <> email), email FROM people p JOIN logins USING (email)
SELECT b.email FROM logins a LEFT JOIN (SELECT email FROM people WHERE id > 4) b USING (email) ORDER BY email
SELECT DISTINCT ON (email) email AS e, p.id FROM people p JOIN logins USING (email) ORDER BY email, 2
SELECT DISTINCT email FROM people p JOIN logins USING (email) UNION SELECT name FROM logins ORDER BY email
WITH q AS (SELECT * FROM people JOIN logins USING (email)) SELECT count(*) FROM q WHERE email = 'ANN@x.org'
SELECT count(*) FROM people WHERE id IN (SELECT p.id FROM people p JOIN logins l USING (email) WHERE email = 'BOB@x.org')
SELECT grouping(email), email, count(*) FROM people p JOIN logins USING (email) GROUP BY ROLLUP (email)
SELECT "Ä" AS "ö", email FROM (SELECT email, 'ü' AS "Ä" FROM people) p JOIN logins USING (email) WHERE "Ä" = 'ü'
SELECT count(*) FROM people p JOIN (SELECT name AS email FROM logins) l USING (email)
SELECT count(*) FROM people p JOIN LATERAL (SELECT email FROM logins l WHERE l.name = p.name) l USING (email)
SELECT count(*) FROM people p JOIN (logins l CROSS JOIN plain) USING (email)
SELECT email FROM people p JOIN logins l USING (email) JOIN logins m ON true WHERE l.id = m.id
SELECT nosuch FROM people p JOIN logins l USING (email)
SELECT j.email, j.* FROM (people p JOIN logins l USING (email)) AS j ORDER BY j.email USING <
SELECT x.email, count(*) FROM ((people p JOIN logins l USING (email)) LEFT JOIN (SELECT name AS m FROM plain) n ON n.m = l.name) AS x JOIN (VALUES ('ann@x.ORG'::citext), ('z')) AS v (email) USING (email) GROUP BY x.email
SELECT *, x.email FROM (((SELECT email, name, region FROM people) p JOIN logins USING (email, name))) x RIGHT JOIN (SELECT email FROM logins) l USING (email)
SELECT * FROM (VALUES ('ann@x.ORG'::citext, 1), ('eve@x.org', 2)) AS v (email, n) NATURAL JOIN logins ORDER BY n
SELECT email / 0 FROM people p JOIN logins l USING (email)
SELECT id FROM people WHERE (email, name) IN (SELECT email, name FROM logins)
SELECT id FROM people WHERE (id, email) IN (SELECT id, email FROM logins UNION SELECT 4, 'BOB@x.org') OR (email, id) = ANY ((SELECT max(email::text)::citext, 2 FROM logins))
SELECT id FROM people WHERE (email, id) NOT IN (SELECT email, id FROM logins) AND (email, id) <> ALL (WITH q AS (SELECT email, id + 3 AS n FROM logins) SELECT * FROM q)
SELECT id, (email, id) < ALL (SELECT email, p.id + 1 FROM logins WHERE id < 3), (email, id) IN (SELECT NULL, 3) FROM people p
SELECT id, (email, name) = (SELECT email, name FROM logins WHERE id = 1), (id, email) <> (SELECT id, email FROM logins WHERE id > 9) FROM people
SELECT * FROM ROWS FROM (unnest(ARRAY['ann@x.org', 'BOB@x.org']::citext[]), generate_series(1, 2)) AS r (email, n) LEFT JOIN logins USING (email)
SELECT * FROM jsonb_to_recordset('[{"email": "EVE@x.org", "n": 2}]') AS w (email citext, n int) NATURAL JOIN logins
SELECT * FROM logins AS a (n, k) JOIN (SELECT email AS k FROM people) b USING (k) WHERE a.k > 'a'
SELECT a.id FROM people a JOIN logins b USING (id)
SELECT a.id FROM people a JOIN logins b USING (name)
SELECT max(email), min(email), max(alias), count(DISTINCT email) FROM people
SELECT replace(email, 'ANN', 'x'), split_part(email, 'X', 2), regexp_replace(email, 'A', '-'), strpos(email, 'N'), translate(email, 'A', 'b') FROM people WHERE id < 9
SELECT max(email) OVER (ORDER BY id), (regexp_match(email, 'ANN|BOB'))[1] FROM people ORDER BY max(email) OVER (ORDER BY id DESC)
SELECT id FROM people WHERE regexp_match(email, 'ANN') IS NOT NULL AND similarity(name, 'Anne') > 0.3
SELECT akeys(tags), hstore_to_json(tags), exist(tags, 'a'), slice(tags, ARRAY['b']), (each(tags)).key FROM people WHERE id < 7
SELECT e.key, count(*) FROM people, each(tags) AS e GROUP BY 1
SELECT nlevel(path), subpath(path, 1), lca(path, 'Top.A1'), sort(nums), uniq(sort(nums)), idx(nums, 4), ext.cube_dim(spot) FROM people WHERE id < 9
SELECT tags -> 'a' FROM people WHERE id < 9
SELECT id FROM people WHERE tags -> 'b' = 'B1'
SELECT id FROM people WHERE (tags -> 'a')::int > 20
SELECT id FROM people WHERE tags ? 'a' AND tags @> 'b=>B1'
SELECT id FROM people WHERE 'b=>B1' <@ tags
SELECT id, tags || 'c=>1' FROM people WHERE id < 7
SELECT id FROM people WHERE tags ?& ARRAY['a', 'b']
SELECT id FROM people WHERE tags ?| '{a,zz}'
SELECT tags - 'a' FROM people WHERE id < 7
SELECT tags - 'a'::text FROM people WHERE id < 7
SELECT %% tags FROM people WHERE id < 7
SELECT id FROM people WHERE tags = 'a=>2, b=>B2'
SELECT id FROM people WHERE tags <> 'a=>2, b=>B2' AND id < 9
SELECT id FROM people WHERE name % 'Anne'
SELECT id, name <-> 'Anne' FROM people WHERE id < 9
SELECT id FROM people WHERE short % 'anne' AND id % 4 = 2
SELECT id FROM people ORDER BY name <-> 'Carl', id LIMIT 4
SELECT id FROM people WHERE 'Anne' %> name OR name <% 'Ann Bob'
SELECT id FROM people WHERE path <@ 'Top.A1'
SELECT id FROM people WHERE path @> 'Top.A1.B4'::ltree
SELECT id FROM people WHERE path ~ 'Top.*.B4'
SELECT id FROM people WHERE path ? ARRAY['Top.A1.*', 'Top.A2.*']::lquery[] AND id < 12
SELECT id FROM people WHERE path @ 'A1 & !B4'
SELECT id, path || 'x' FROM people WHERE id = 4
SELECT id, 'x' || path FROM people WHERE id = 4
SELECT id FROM people WHERE path = 'Top.A1.B4'
SELECT id FROM people WHERE path IN ('Top.A1.B4', 'Top.A0.B6')
SELECT id FROM people WHERE path < 'Top.A1'
SELECT id FROM people WHERE nums && ARRAY[4, 6]
SELECT id FROM people WHERE nums && '{4,6}'
SELECT id FROM people WHERE nums @> '{4}'
SELECT id FROM people WHERE nums @@ '4 | 6'
SELECT nums + 7, nums - 4, nums & '{4,6}', # nums, nums # 4 FROM people WHERE id = 4
SELECT nums | ARRAY[1] FROM people WHERE id = 4
SELECT nums || 9 FROM people WHERE id = 4
SELECT big && ARRAY[4::bigint] FROM people WHERE id = 4
SELECT nums = ARRAY[4, 5, 4] FROM people WHERE id = 4
SELECT id + 1, id - 1, id * 2, id / 2, id % 3, id ^ 2, -id FROM people WHERE id < 7
SELECT id FROM people WHERE length(name) + id % 2 * 3 > 3
SELECT name || 'x' || short FROM people WHERE id = 4
SELECT id FROM people WHERE email OPERATOR(public.=) 'ANN@x.org'
SELECT id FROM people WHERE email OPERATOR(pg_catalog.=) 'ANN@x.org'
SELECT id FROM people WHERE tags OPERATOR(public.->) 'a' = '4'
SELECT id FROM people WHERE spot && ext.cube '(4,4)'
SELECT id FROM people WHERE name = 'Ann' AND email = 'nobody'
SELECT 1 WHERE 'a'::citext = 'A'
SELECT 'a'::citext = 'A'::text, 'a' = 'A', 'a'::citext = 'A'::varchar
SELECT x = 'A' FROM (SELECT 'a'::citext AS x) q
SELECT * FROM unnest(ARRAY['a', 'b']::citext[]) AS u (v) WHERE v = 'A'
SELECT v = 'A', w FROM (VALUES ('a'::citext, 1), ('b', 2)) AS q (v, w)
SELECT v = 'A' FROM (SELECT 1, email FROM logins) AS q (i, v)
SELECT v = 'A' FROM (VALUES ('a', 1), ('A', 2)) AS q (v, w)
SELECT column1 = 'A', column2 = 1 FROM (VALUES ('a'::citext, 1), ('b', 2)) AS q
SELECT v = 'ANN@x.org' FROM (SELECT email AS v FROM logins UNION ALL SELECT NULL UNION SELECT 'x') q
SELECT v = 'ANN@x.org' FROM (SELECT email AS v FROM logins UNION ALL SELECT name FROM logins) q
SELECT v = 'ANN@X.ORG' FROM (SELECT short AS v FROM people UNION ALL SELECT email FROM logins) q
SELECT v = 'A' FROM unnest(ARRAY['a', 'B']::citext[], ARRAY[1, 2]) AS q (v, w) WHERE w = 1
SELECT v = 'A', o FROM logins l, unnest(ARRAY[l.email, 'a']) WITH ORDINALITY AS q (v, o) WHERE q.o = 2
SELECT k = 'a', v = 'A' FROM logins l, jsonb_each_text('{"a": "a"}') AS q (k, v) WHERE email = 'ann@x.org'
SELECT a = 'X', b = 'x' FROM json_to_record('{"a": "x", "b": "x"}') AS q (a citext, b text)
SELECT q = 'x', q.value = 'x' FROM logins, json_array_elements_text('["x"]') q WHERE email = 'ann@x.org'
SELECT count(*) FROM people JOIN (SELECT id::bigint, email AS e FROM logins) l USING (id) WHERE id = 2 AND e = 'BOB@x.org'
SELECT s.int8 = 1, s.coalesce = 'ANN@x.org', s.case = 'x', s.array, s.nullif = 'a' FROM (SELECT (1 + 1)::bigint, coalesce(email, 'x'), CASE WHEN id = 1 THEN email ELSE 'x' END, ARRAY[email], nullif(name, 'x'), CASE WHEN true THEN 1 ELSE id END, (SELECT max(id) FROM logins), email = 'a', email::text FROM logins) s WHERE s.id > 0 AND s.max > 0 AND s.email <> 'ANN@X.ORG'
SELECT count(*) FROM generate_series(1, 5) g WHERE g = 3 AND g % 2 = 1
SELECT sum(id) FILTER (WHERE email = 'ANN@x.org') FROM people
SELECT count(*) FROM people HAVING max(id) > 2
SELECT count(*) FROM people HAVING count(*) FILTER (WHERE name = 'Ann') > 1
SELECT id FROM people WHERE nosuch @@@ 4
SELECT id FROM people WHERE id @@@ 4
""".strip().splitlines()
PARAMETERS = [
    ('SELECT id FROM people WHERE email = $1', ['ANN@x.org'], ()),
    ('SELECT id FROM people WHERE email = $1', ['ANN@x.org'], (25,)),
    ('SELECT id FROM people WHERE email = $1', ['ANN@x.org'], (1043,)),
    ('SELECT id FROM people WHERE email IN ($1, $2)', ['ANN@x.org', 'bob@X.org'], ()),
    ('SELECT id FROM people WHERE email IN ($1, $2)', ['ANN@x.org', 'bob@X.org'], (25, 25)),
    ('SELECT id FROM people WHERE email = ANY ($1)', ['{ANN@x.org,bob@X.org}'], ()),
    ('SELECT id FROM people WHERE email LIKE $1 AND id > $2', ['ann%', '1'], ()),
    ('SELECT tags -> $1 FROM people WHERE id = $2', ['a', '4'], ()),
    ('SELECT id FROM people WHERE $1::int IS NULL OR id = $1', ['4'], ()),
    ('SELECT id FROM people WHERE $1 = email', ['ANN@x.org'], ()),
    ('SELECT id FROM people WHERE nums && $1', ['{4}'], ()),
]
# Refused, since Gatehouse has no way of saying it, and never answered differently.
REFUSED = """
SELECT * FROM (people p JOIN logins l USING (email)) AS j RIGHT JOIN (SELECT email FROM logins) m USING (email)
SELECT j.email FROM people p JOIN logins l USING (email) AS j
SELECT (SELECT max(p.id) FROM plain p WHERE p.name = 'x' || email) FROM people p JOIN logins l USING (email)
""".strip().splitlines()


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    for database, where in (('wh', 'true'), ('copy', 'i % 2 = 0')):
        pg.sql(f'CREATE DATABASE {database}')
        pg.sql(SCHEMA + ROWS.format(where=where) + 'ANALYZE', database)
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'rita': 'pw', 'wanda': 'pw'}, tls='disable'))


def answer(result):
    return result.sqlstate or sorted(map(repr, result.rows))


# Which of them may be named, and as what, is decided here; who may not hears what is said of nothing.
SEARCHES = """
SELECT id FROM people WHERE to_tsvector('words', name) @@ to_tsquery('public.words', 'bobs')
SELECT to_tsvector('words'::regconfig, 'les enfants walking'), to_tsvector(regconfig 'public.words', 'walking'), to_tsvector('"words"', 'the walking')
SELECT ts_lexize('stops', 'the'), ts_lexize('public.stops'::regdictionary, 'Walk'), ts_headline('words', 'many walks', to_tsquery('words', 'walk'))
SELECT ts_lexize('words', 'the')
SELECT to_tsvector('stops', 'the')
""".strip().splitlines()


class Operators(unittest.TestCase):
    def both(self, user='rita', path=None):
        c = self.enterContext(proxy.wire(user))
        d = self.enterContext(gt.Wire(pg.port, 'gatehouse', 'copy', 'upstream-secret'))
        for w in (c, d) if path else ():
            self.assertIsNone(w.query(f'SET search_path = {path}')[-1].error)
        return c, d

    def test_what_postgresql_answers(self):
        c, d = self.both()
        for sql in QUERIES:
            with self.subTest(sql):
                seen, wanted = c.query(sql)[-1], d.query(sql)[-1]
                self.assertEqual(answer(seen), answer(wanted), seen.error)
                self.assertEqual(seen.names, wanted.names)

    def test_parameters(self):
        c, d = self.both()
        for sql, values, types in PARAMETERS:
            with self.subTest(sql, types=types):
                seen, wanted = (w.extended(sql, values, types) for w in (c, d))
                self.assertEqual(answer(seen), answer(wanted), seen.error)

    def test_functions_of_extensions_that_do_more(self):
        c, _ = self.both()
        for sql in ('SELECT set_limit(0.1)', 'SELECT ext.gc_to_sec(1)', "SELECT gtrgm_in('a')"):
            self.assertEqual(c.query(sql)[-1].sqlstate, '42883', sql)

    def test_text_search_of_the_warehouse(self):
        rita, _ = self.both(path='own, public')
        for path in ('public', 'own, public'): # to whom own.words is not allowed it is not there
            c, d = self.both('wanda', path=path)
            d.query('SET search_path = public')
            for sql in SEARCHES:
                with self.subTest(sql, path=path):
                    seen = c.query(sql)[-1]
                    self.assertEqual(answer(seen), answer(d.query(sql)[-1]), seen.error)
        for sql in SEARCHES + ["SELECT to_tsvector('own.words', 'a')", "SELECT 'own.words'::regconfig"]:
            with self.subTest(sql):
                hidden, absent = (rita.query(s)[-1].error for s in (sql, sql.replace('words', 'nothing').replace('stops', 'nothing')))
                self.assertEqual(hidden['C'], '42704')
                self.assertEqual({k: v.replace('words', 'nothing').replace('stops', 'nothing') for k, v in hidden.items()}, absent)
        c, d = self.both()
        plan = "SELECT to_tsvector('english'::regconfig, name), to_tsvector('pg_catalog.simple'::regconfig, 'A'), 'english_stem'::regdictionary FROM people"
        self.assertEqual(sorted(c.one(plan)), sorted(d.one(plan)))

    def test_the_path_decides(self):
        """Out of the path an extension's operators are not found, and pg_catalog's are; with one in front they are."""
        for path in ('own, ext', 'ext, public', 'public, own'):
            c, d = self.both(path=path)
            for sql in ("SELECT id FROM public.people WHERE email = 'ANN@x.org'", "SELECT id FROM public.people WHERE email IN ('ANN@x.org', 'x')",
                        "SELECT tags -> 'a' FROM public.people WHERE id = 4", "SELECT id FROM public.people WHERE spot && '(4,4)'",
                        "SELECT id FROM public.people WHERE name = 'Ann'"):
                with self.subTest(sql, path=path):
                    seen = c.query(sql)[-1]
                    self.assertEqual(answer(seen), answer(d.query(sql)[-1]), seen.error)

    def test_never_another_answer(self):
        c, d = self.both()
        for sql in REFUSED:
            with self.subTest(sql):
                self.assertEqual(c.query(sql)[-1].sqlstate, '42501')
                self.assertIsNone(d.query(sql)[-1].error)

    def test_hidden_columns_take_no_part_in_natural_joins(self):
        c, _ = self.both()
        self.assertEqual(c.one('SELECT b.id FROM logins l NATURAL JOIN badges b'), [['1']])

    def test_hidden_names_and_columns_are_as_absent_ones(self):
        """Whether an operand of unknown type is refused must not depend on hidden columns' types, or on what a word of the text is a hidden name of."""
        c, _ = self.both()
        told = lambda sql: (lambda e: (e['C'], e['M']))(c.query(sql)[-1].error)
        for sql in ("SELECT p.nothing = 'x' AS {} FROM plain p", "SELECT {}.nothing = 'x' FROM plain {}", "SELECT p.nothing = 'x', {}(1) FROM plain p"):
            for name in ('vault', 'mail_of', 'cellar'):
                with self.subTest(sql, name=name):
                    code, message = told(sql.format(name, name))
                    self.assertEqual((code, message.replace(name, 'absent')), told(sql.format('absent', 'absent')))
        self.assertEqual(told("SELECT b.nothing = 'x' FROM badges b"), told("SELECT b.nothing = 'x' FROM plain b"))

    def test_names_that_nothing_has(self):
        """A column that is not there is said so, also where the type of an operand decides which function is meant; and hidden is not there."""
        c, d = (self.both('wanda'))
        for sql in ('SELECT max({}), max(l.email) FROM badges, (SELECT email FROM logins) l(email) WHERE name = l.email', 'SELECT max(b.{} || l.name), l.email FROM badges b, logins l GROUP BY 2',
                    "SELECT count(*) FROM badges b JOIN people p USING (id) WHERE b.{} = 'x' AND p.email = 'A'", "SELECT l.email, (SELECT max(b.{}) FROM badges b WHERE b.name = l.email) FROM logins l",
                    "WITH b AS (SELECT * FROM badges) SELECT max(b.{}), (SELECT max(email) FROM logins) FROM b"):
            with self.subTest(sql):
                hidden, absent = (c.query(sql.format(name))[-1].error for name in ('email', 'nails'))
                told = d.query(sql.format('nails'))[-1].error
                if 'badges, (' not in sql: # there `email` is the other's
                    self.assertEqual({k: v.replace('email', 'nails') for k, v in hidden.items() if k != 'W'}, {k: v for k, v in absent.items() if k != 'W'})
                self.assertEqual((absent['C'], absent['M'], absent['P']), (told['C'], told['M'], told['P']))
        for sql in ('SELECT max(id), max(email) FROM people, (SELECT id::bigint FROM logins) l', "SELECT count(*) FROM people p WHERE q.name = p.email",
                    """SELECT email AS "ü", nosuch FROM people p JOIN logins l USING (email)""", "SELECT *, l.nosuch FROM people NATURAL JOIN (SELECT email FROM logins) l WHERE email > 'a'"):
            with self.subTest(sql):
                self.assertEqual(*((e['C'], e['M'], e['P']) for e in (w.query(sql)[-1].error for w in (c, d))))

    def test_types_that_are_not_known(self):
        """Where the type of an operand is not known here, citext in reach is refused and anything else is not."""
        c, d = self.both()
        self.assertEqual(c.query("SELECT (s.r).f1 = 'A' FROM (SELECT ROW(email) AS r FROM people) AS s")[-1].sqlstate, '42501')
        sql = "SELECT (s.p).email = 'ANN@x.org' FROM (SELECT p FROM people p) AS s"
        self.assertEqual(sorted(c.one(sql)), sorted(d.one(sql)))
        self.assertEqual(c.query("SELECT (s.p).id = 1, (s.p).name = 'A' FROM (SELECT p FROM plain p) AS s")[-1].sqlstate, None)
        for values in (("'a'", "'A'"), ("'a'::text", "'b'::text")):
            sql = "SELECT column1 = 'A' FROM (VALUES ({}), ({})) AS q".format(*values)
            self.assertEqual(c.one(sql), d.one(sql))

    def test_what_somebody_made(self):
        """An operator's function must be allowed; one over types of PostgreSQL's own is as absent as no other."""
        c, d = self.both(path='own, public')
        self.assertEqual(c.query("SELECT name @@@ 'x' FROM people")[-1].sqlstate, '42883')
        self.assertEqual(c.query("SELECT name OPERATOR(own.@@@) 'x' FROM people")[-1].sqlstate, '42883')
        self.assertEqual(c.query("SELECT name OPERATOR(own.+) 'x' FROM people")[-1].sqlstate, '42883')
        self.assertEqual(c.query('SELECT a.id FROM prices a, prices b WHERE a.price <# b.price')[-1].sqlstate, '42501')
        self.assertNotIn(b'BOB', c.received_bytes())
        allowed, _ = self.both('wanda', 'own, public')
        sql = 'SELECT a.id FROM prices a, prices b WHERE a.price <# b.price'
        self.assertEqual(allowed.one(sql), d.one(sql))

    def test_functions_of_the_same_name(self):
        c, d = self.both('wanda')
        for sql in ('SELECT max(email) FROM people', "SELECT id, replace(email, 'ANN', 'x') FROM people", "SELECT regexp_match(email, '^(ANN)') FROM people",
                    'SELECT max(name) FROM people', "SELECT replace(name, 'Ann', 'x') FROM people", "SELECT similarity(name, 'Anne') FROM people"):
            with self.subTest(sql):
                seen = c.query(sql)[-1]
                self.assertEqual(answer(seen), answer(d.query(sql)[-1]), seen.error)

    def test_writes(self):
        c, d = self.both('wanda')
        for sql in ("UPDATE logins SET name = 'x' WHERE email = 'ANN@X.org'", "UPDATE logins l SET name = p.name FROM people p WHERE p.email = l.email"):
            with self.subTest(sql):
                answers = []
                for w in (c, d):
                    w.query('BEGIN')
                    result = w.query(sql)[-1]
                    answers.append((result.tag, answer(w.query('SELECT * FROM logins')[-1])))
                    w.query('ROLLBACK')
                self.assertEqual(*answers)
        self.assertNotEqual(answers[0][0], 'UPDATE 0')

    def test_no_hidden_row_is_told(self):
        """What an extension's operator raises, it raises for visible rows alone."""
        c, d = self.both()
        for sql in ("SELECT count(*) FROM people WHERE path ~ ('Top.A' || CASE WHEN id % 2 = 1 THEN '!!' ELSE '*' END)::lquery",
                    "SELECT count(*) FROM people WHERE tags @> ('x=>' || (1 / (id % 2 - 1))::text)::hstore"):
            with self.subTest(sql):
                seen = c.query(sql)[-1]
                self.assertEqual(answer(seen), answer(d.query(sql)[-1]), seen.error)


if __name__ == '__main__':
    gt.main()
