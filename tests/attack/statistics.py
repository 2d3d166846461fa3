"""Operators that the planner runs over the statistics of rows that nobody sees: every operator there is, over a column of each type, with
constants that make some of them fail. Who sees no row of a full table must get the bytes that an empty one gives.

    statistics.py [--version N]

A few hundred of the statements, always the same; with GH_LONG=1 all of them, against PostgreSQL 13 to 18.
"""
import os
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import upstreams

LONG = os.environ.get('GH_LONG') == '1'
SAMPLE = 500
SEED = 7
# column -> type, value of row i; half of the rows share ten values, so that there are most common ones and a histogram.
COLUMNS = {
    'region': ('text', "'US'"), 'whole': ('integer', '7000 + {v}'), 'big': ('bigint', '{v}::bigint * 100000'), 'small': ('smallint', '{v}'), 'num': ('numeric', '{v} / 7.0'),
    'price': ('numeric(15,2)', '{v}'), 'f8': ('double precision', '{v} * 1e300'), 'f4': ('real', '{v}'), 'd': ('date', "date '2020-01-01' + {v}"),
    'ts': ('timestamp', "timestamp '2020-01-01' + {v} * interval '1 h'"), 'tz': ('timestamptz', "timestamptz '2020-01-01' + {v} * interval '1 h'"),
    'iv': ('interval', "{v} * interval '1 day'"), 'tm': ('time', "time '00:00' + {v} * interval '1 min'"), 'tmz': ('timetz', "timetz '00:00+00' + {v} * interval '1 min'"),
    'txt': ('text', "'value-' || {v}"), 'vc': ('varchar(20)', "'value-' || {v}"), 'ch': ('char(12)', "'value-' || {v}"), 'ci': ('citext', "'value-' || {v}"),
    'j': ('jsonb', "jsonb_build_object('k', '2020-01-01', 'n', {v})"), 'h': ('hstore', "hstore('k', 'v' || {v})"), 'l': ('ltree', "('a.b' || {v})::ltree"),
    'ints': ('integer[]', 'ARRAY[{v}, 7]'), 'texts': ('text[]', "ARRAY['value-' || {v}]"), 'color': ('w.color', "CASE WHEN {v} % 2 = 0 THEN 'red' ELSE 'green' END::w.color"),
    'r': ('int4range', 'int4range({v}, {v} + 5)'),
    'u': ('uuid', 'md5({v}::text)::uuid'), 'o': ('oid', '{v}::oid'), 'b': ('boolean', '{v} % 2 = 0'), 'bytes': ('bytea', "('value-' || {v})::bytea"),
    'ip': ('inet', "('10.0.' || {v} % 250 || '.1')::inet"), 'bits': ('bit(8)', '({v} % 250)::bit(8)'), 'cash': ('money', '{v}::money'), 'pt': ('point', 'point({v}, 1)'),
    'bx': ('box', 'box(point({v}, 1), point(0, 0))'), 'tsv': ('tsvector', "to_tsvector('simple', 'value' || {v})"), 'dom': ('w.dom', '{v}'),
}
# In a table of their own, since one such column changes all fences of a statement.
ROWS = {'region': COLUMNS['region'], 'pair': ('w.pair', "ROW(7000 + {v}, 'x')::w.pair"), 'pairs': ('w.pair[]', "ARRAY[ROW(7000 + {v}, 'x')::w.pair]")}
TABLES = {'t': COLUMNS, 'p': ROWS}
CONSTANTS = {
    'text': [r"'value-1%\'", r"'%\'", "'('", "'[a'", "'value-5'", "''", "'value-[0-9]{300}'"], 'integer': ['0', '-1', '2147483647', '7005'], 'bigint': ['9223372036854775807', '-1'],
    'smallint': ['0::int2'], 'numeric': ["'NaN'::numeric", '1e400::numeric'], 'double precision': ["'NaN'::float8", '1e308::float8'], 'real': ["'Infinity'::float4"],
    'date': ["'infinity'::date", "'5000000-01-01'::date"], 'timestamp without time zone': ["'294276-12-31'::timestamp"], 'timestamp with time zone': ["'294276-12-31 23:00+00'::timestamptz"],
    'interval': ["'178000000 years'::interval"], 'time without time zone': ["'24:00'::time"], 'time with time zone': ["'24:00+15'::timetz"],
    'jsonb': ["'{\"k\":1}'::jsonb", "'1'::jsonb"], 'jsonpath': ["'$.k.datetime() < \"2020-01-01 00:00:00+00\".datetime()'::jsonpath", "'strict $.q'::jsonpath", "'strict $.n / 0'::jsonpath"],
    'bytea': ["'\\x00'::bytea"], 'uuid': ["'00000000-0000-0000-0000-000000000000'::uuid"], 'oid': ['0::oid'], 'boolean': ['true'], 'name': ["'x'::name"], 'character': ["'x'::bpchar"],
    'character varying': ["'x'::varchar"], 'bit': ["B'1'"], 'inet': ["'10.0.0.0/8'::inet", "'::1'::inet"], 'money': ['0::money'], 'point': ['point(0, 0)'], 'box': ["'((0,0),(1,1))'::box"],
    'tsquery': ["'a & b'::tsquery"], 'tsvector': ["'a b'::tsvector"], 'integer[]': ['ARRAY[1]', 'ARRAY[[1],[2]]'], 'text[]': ["ARRAY['(']", r"ARRAY['value-1%\']"], 'int4range': ['int4range(1, 5)', "'empty'::int4range"],
    'record': ["ROW('a'::text, 'b'::text)", 'ROW(7005, 5)', 'ROW(1)', 'ROW(1, 2, 3)'], 'hstore': ["'k=>1'::hstore"], 'ltree': ["'a.b'::ltree"], 'lquery': ["'a.*'::lquery"], 'ltree[]': ["ARRAY['a.b']::ltree[]"],
    'lquery[]': ["ARRAY['a.*']::lquery[]"], 'citext': [r"'value-1%\'::citext", "'('::citext"], 'w.pair': ["ROW(1, 'x')::w.pair"], 'w.pair[]': ["ARRAY[ROW(1, 'x')::w.pair]"], 'w.color': ["'red'::w.color"],
}
# What the catalog of operators does not give: collations that meet, domains that have some, rows in other places.
FIXED = [
    'SELECT id FROM w.p WHERE pair = ROW(7005, 5)', 'SELECT id FROM w.p WHERE pair IN (ROW(7005, 5), ROW(7006, 5))', 'SELECT id FROM w.p WHERE (pair, id) < (ROW(7005, 5), 1)',
    'SELECT id FROM w.p WHERE CASE pair WHEN ROW(7005, 5) THEN true END', 'SELECT id FROM w.p WHERE pair BETWEEN ROW(7005, 5) AND ROW(7006, 5)', 'SELECT id FROM w.p WHERE pair IS DISTINCT FROM ROW(7005, 5)',
    'SELECT a.id FROM w.p a JOIN (SELECT ROW(7005, 5) AS p) b ON a.pair = b.p', 'SELECT id FROM w.p WHERE pair = ANY (SELECT ROW(7005, 5))',
    'SELECT id FROM (SELECT txt COLLATE "C" AS x, id FROM w.t) a, (SELECT \'b\'::text COLLATE "POSIX" AS y) b WHERE x = y', 'SELECT id FROM (SELECT txt COLLATE "C" AS x, id FROM w.t) a, (SELECT \'b\'::text COLLATE "POSIX" AS y) b WHERE x < y',
    'SELECT 1 FROM (SELECT txt COLLATE "C" AS x FROM w.t) a JOIN (SELECT txt COLLATE "POSIX" AS y FROM w.t) b ON a.x = b.y', 'SELECT 1 FROM (SELECT txt COLLATE "C" AS x FROM w.t) a WHERE x IN (SELECT txt COLLATE "POSIX" FROM w.t)',
    'SELECT 1 FROM (SELECT txt::w.c_text AS x FROM w.t) a JOIN (SELECT txt::w.posix_text AS y FROM w.t) b ON a.x = b.y', 'SELECT 1 FROM (SELECT txt::w.c_text AS x FROM w.t) a, (SELECT \'b\'::w.posix_text AS y) b WHERE x = y',
]
WITHIN = ['(SELECT * FROM {t} FOR UPDATE) q', '(SELECT * FROM {t} ORDER BY id LIMIT 1000 FOR SHARE SKIP LOCKED) q', '(SELECT z.* FROM {t} z JOIN {t} y ON y.id = z.id FOR KEY SHARE) q',
          '(SELECT q.* FROM (SELECT * FROM {t} FOR SHARE) q) q', '(WITH z AS (SELECT * FROM {t} FOR UPDATE) SELECT * FROM z) q', '(TABLE {t} FOR UPDATE) q']
RETURNED = ['DELETE FROM {t} WHERE id < 0 RETURNING *', 'UPDATE {t} SET id = id WHERE id < 0 RETURNING *', "INSERT INTO {t} (id, region) SELECT 1, 'EU' WHERE false RETURNING *"]
WRITES = ['UPDATE {t} SET id = id WHERE{c}', 'DELETE FROM {t} WHERE{c}', 'SELECT id FROM {t} WHERE{c} FOR UPDATE', 'MERGE INTO {t} q USING (VALUES (1)) v (i) ON{c} WHEN MATCHED THEN DO NOTHING',
          'UPDATE {t} SET id = {t}.id FROM (VALUES (1)) v (i) WHERE{c}']
SCHEMA = '''
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm;
CREATE SCHEMA w; CREATE TYPE w.color AS ENUM ('red', 'green'); CREATE TYPE w.pair AS (a integer, b text); CREATE DOMAIN w.dom AS integer;
CREATE DOMAIN w.c_text AS text COLLATE "C"; CREATE DOMAIN w.posix_text AS text COLLATE "POSIX";
'''+ '\n'.join(f'CREATE TABLE w.{table} (id integer PRIMARY KEY, {", ".join(f"{c} {t}" for c, (t, _) in columns.items())});' for table, columns in TABLES.items())
FILL = '\n'.join(f'''INSERT INTO w.{table} SELECT i, {", ".join(value.format(v="v") for _, value in columns.values())}
    FROM (SELECT i, CASE WHEN i % 2 = 0 THEN i ELSE i % 10 END AS v FROM generate_series(1, 600) i) q; ANALYZE w.{table};''' for table, columns in TABLES.items())
POLICY = '''version: 1
roles: { reader: {} }
users: { nora: { roles: [reader], attributes: { region: EU } } }
grants:
  - { to: [reader], tables: [w.t, w.p], rows: "region = attr('region')", privileges: [select, insert, update, delete] }
  - { to: [reader], tables: [w.pair, w.color, w.dom, w.c_text, w.posix_text] }
'''
ANY = {'anyelement', 'anycompatible', 'anynonarray', 'anycompatiblenonarray', 'anyarray', 'anycompatiblearray', 'anyenum', 'anyrange', 'anycompatiblerange', 'record'}


def takes(argument, kind):
    """May a column of this type stand there?"""
    is_array = kind.endswith('[]')
    return argument == kind or (argument in ('anyelement', 'anycompatible')) or (argument in ('anyarray', 'anycompatiblearray') and is_array) or \
        (argument in ('anynonarray', 'anycompatiblenonarray') and not is_array) or (argument == 'anyenum' and kind == 'w.color') or \
        (argument in ('anyrange', 'anycompatiblerange') and kind == 'int4range') or (argument == 'record' and kind == 'w.pair') or \
        (argument == 'text' and kind in ('character varying', 'character', 'citext'))


def constants(argument, kind):
    if argument in ANY:
        return CONSTANTS.get(kind, []) + (CONSTANTS['record'] if kind == 'w.pair' else [])
    return CONSTANTS.get(argument, [])


# Each of them with a condition that fails over some value.
FIXED += [f'{head}SELECT id FROM {source} WHERE {c}' for t, c in (('w.t', r"txt LIKE 'value-1%\'"), ('w.p', 'pair = ROW(7005, 5)'), ('w.t', r"left(txt, 3) = 'a' OR vc ILIKE '_%\'"))
          for head, source in [('', w.format(t=t)) for w in WITHIN] + [(f'WITH q AS ({r.format(t=t)}) ', name) for r in RETURNED for name in ('q', 'q z', '(TABLE q) z')]]


def statements(pg):
    rows = lambda sql: [line.split('|') for line in pg.sql(sql, 'whole').splitlines()]
    operators = rows("SELECT DISTINCT replace(oprname, '|', '!bar!'), oprleft::regtype, oprright::regtype FROM pg_operator WHERE oprresult = 'bool'::regtype AND oprleft <> 0 ORDER BY 1, 2, 3")
    columns = rows("SELECT attrelid::regclass, attname, (CASE WHEN typtype = 'd' THEN typbasetype ELSE t.oid END)::regtype FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
                   " WHERE attrelid IN ('w.t'::regclass, 'w.p'::regclass) AND attnum > 0 ORDER BY 1, 2")
    out = []
    for table, column, kind in columns:
        for name, left, right in operators:
            name = name.replace('!bar!', '|')
            if takes(left, kind):
                out += [f'SELECT id FROM {table} WHERE {column} {name} {c}' for c in constants(right, kind)]
                out += [f'SELECT id FROM {table} WHERE {column} {name} ANY (ARRAY[{c}])' for c in constants(right, kind)[:2]]
                out += [f'SELECT 1 FROM {table} a JOIN {table} b ON a.{column} {name} b.{column}'] * takes(right, kind)
            if takes(right, kind):
                out += [f'SELECT id FROM {table} WHERE {c} {name} {column}' for c in constants(left, kind)]
        for c in constants(kind, kind):
            out += [f'SELECT id FROM {table} WHERE {column} {rest}' for rest in (f'IN ({c}, {c})', f'BETWEEN {c} AND {c}', f'IS DISTINCT FROM {c}')]
    out = list(dict.fromkeys(out))
    rng = random.Random(SEED)
    if not LONG:
        out = rng.sample(out, SAMPLE)
    within = [sql for sql in FIXED + out if re.search(r'FROM w[.][tp] WHERE', sql)]
    # What neither the server nor a fence in FROM keeps apart: queries whose rows are locked, and what writes return.
    return FIXED + out + [other for sql in (within if LONG else rng.sample(within, SAMPLE // 4)) for other in apart(sql, rng)]


def apart(sql, rng):
    """The same condition over a query whose rows are locked, and over what a write returns."""
    head, table, rest = re.match(r'(.*?)FROM (w[.][tp]) WHERE(.*)', sql).groups()
    yield f'{head}FROM {rng.choice(WITHIN).format(t=table)} WHERE{rest}'
    yield f'WITH q AS ({rng.choice(RETURNED).format(t=table)}) {head}FROM q WHERE{rest}'
    yield rng.choice(WRITES).format(t=table, c=rest)


def run(bin_dir):
    """(statements, answered, differing)"""
    count = answered = wrong = 0
    with gt.Scratch() as scratch, gt.Postgres(scratch, bin_dir=bin_dir(scratch)) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        pg.sql('CREATE DATABASE whole')
        pg.sql(SCHEMA, 'whole')
        pg.sql('CREATE DATABASE empty TEMPLATE whole')
        pg.sql(FILL, 'whole')
        warehouses = '\n'.join(f'{w}:\n  conninfo: "{pg.conninfo(w, "gatehouse")}"\n  password_file: wh.pass' for w in ('whole', 'empty'))
        with gt.Gatehouse(scratch, pg, policy=POLICY, users={'nora': 'nora-pass'}, warehouses=warehouses) as proxy:
            whole, empty = (proxy.wire('nora', database=w) for w in ('whole', 'empty'))
            for sql in statements(pg):
                answers = []
                for c in (whole, empty):
                    c.log.clear()
                    result = c.query(sql)[-1]
                    answers.append([message for message in c.log if message[0] != 'K'])
                count += 1
                answered += result.sqlstate is None
                if answers[0] != answers[1]:
                    wrong += 1
                    print(f'not ok hidden rows change the answer: {sql}\n    {answers[0]!r}'[:500], flush=True)
    return count, answered, wrong


def main():
    versions = [15] + [13, 14, 16, 17, 18] * LONG
    if '--version' in sys.argv:
        versions = [int(sys.argv[sys.argv.index('--version') + 1])]
    passed = failed = skipped = 0
    for version in versions:
        try:
            parts = upstreams.fetch() if version != 15 else None
        except upstreams.Unavailable as e:
            print(f'skip PostgreSQL {version}  # {e}')
            skipped += 1
            continue
        count, answered, wrong = run(lambda scratch: gt.PG_BIN if version == 15 else upstreams.postgres(parts, scratch, version))
        dull = answered < count * 2 // 3
        if dull:
            print('not ok too few of the statements answer')
        passed, failed = passed + count - wrong, failed + wrong + dull
        print(f'PostgreSQL {version}: {count} statements, {answered} answer, {wrong} differ', flush=True)
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    sys.exit(failed > 0)


main()
