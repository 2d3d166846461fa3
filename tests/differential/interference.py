"""Two warehouses that differ in hidden cells, rows and objects alone must answer with the same bytes, errors and notices included.

Users see a few rows of tame values; the rows that they do not see make expressions fail. Every statement puts a condition that
may fail where PostgreSQL evaluates conditions: over tables, over the catalogs, in joins, sub-selects, writes and row locks; while
one locks rows, those that are hidden are locked by somebody else in one of the two.

    interference.py [SEED [STATEMENTS]]
"""
import os
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import cells
import copies
import gatehouse_test as gt
import queries
import reads

LONG = os.environ.get('GH_LONG') == '1'
USERS = 5
CATALOGS = {
    'pg_catalog.pg_class': [('relname', 'text'), ('relnatts', 'int'), ('relhasindex', 'bool'), ('reltuples', 'num')],
    'pg_catalog.pg_attribute': [('attname', 'text'), ('attnum', 'int'), ('attlen', 'int'), ('attnotnull', 'bool')],
    'pg_catalog.pg_namespace': [('nspname', 'text')],
    'pg_catalog.pg_type': [('typname', 'text'), ('typlen', 'int')],
    'pg_catalog.pg_proc': [('proname', 'text'), ('pronargs', 'int')],
    'pg_catalog.pg_constraint': [('conname', 'text')],
    'pg_catalog.pg_indexes': [('indexname', 'text'), ('tablename', 'text')],
    'information_schema.tables': [('table_name', 'text'), ('table_schema', 'text')],
    'information_schema.columns': [('column_name', 'text'), ('ordinal_position', 'int')],
}
# Columns of the tables, which one user or another does not see: in a query within they are looked for further out.
NAMES = sorted({name for columns in cells.TABLES.values() for name, *_ in columns})
# What only one of the two warehouses has.
HIDDEN = [f'''CREATE SCHEMA secret_{x};
{''.join(f"CREATE TABLE secret_{x}.t{x}_{i} (id{x} int PRIMARY KEY, {n} text DEFAULT '{x}{i}', CONSTRAINT c{n}{i} CHECK ({n} <> 'x'));" for i, n in enumerate(names))}
CREATE TYPE secret_{x}.kind AS ENUM ('{x}1', '{x}2'); CREATE FUNCTION secret_{x}.f{x}(int) RETURNS int LANGUAGE sql AS 'SELECT {n}';
COMMENT ON TABLE secret_{x}.t{x}_0 IS '{x}'; ANALYZE;''' for x, n, names in (('a', 1, ['alpha', 'abc', 'red', 'x12', 'topsecret']), ('b', 2, ['beta', 'zz9']))]
# What parameters are declared to be: nothing, text, or what a column that is compared with it may have to be cast to.
TYPES = {0: '', 16: 'boolean', 19: 'name', 20: 'bigint', 21: 'smallint', 23: 'integer', 25: 'text', 26: 'oid', 700: 'real', 701: 'double precision',
         1042: 'character(1)', 1043: 'varchar(2)', 1082: 'date', 1114: 'timestamp', 1184: 'timestamptz', 1700: 'numeric', 1186: 'interval'}
# Types whose comparing fails for some values: a default operator class of somebody's own, and casts without a word.
OWN = '''
CREATE FUNCTION w.mood_cmp(w.mood, w.mood) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $f$ BEGIN IF 'wild' IN ($1, $2) THEN RAISE division_by_zero; END IF; RETURN enum_cmp($1, $2); END $f$;
CREATE OPERATOR CLASS w.mood_ops DEFAULT FOR TYPE w.mood USING btree AS FUNCTION 1 w.mood_cmp(w.mood, w.mood);
CREATE CAST (varchar AS bigint) WITH INOUT AS IMPLICIT; CREATE CAST (varchar AS boolean) WITH INOUT AS ASSIGNMENT;
'''
LOCKS = re.compile(r'\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b')
LITERALS = {'text': ["'a%'", "'red'", "'x\\'", "'%12'", "'t_\\'", "'topsecret'", "'12'", "'2020-01-31'"]}


class Conditions(queries.Queries):
    """Statements around one condition over one to three tables."""

    def __init__(self, rng, tables, catalogs, keys):
        super().__init__(rng, tables)
        self.catalogs, self.keys = catalogs, keys
        self.always = True

    def one(self):
        name = self.rng.choice(sorted(self.catalogs if self.chance(0.2) else self.tables))
        a = self.alias()
        columns = self.catalogs.get(name) or self.tables[name]
        return f'{name if "." in name else "w." + name} {a}', (a, columns)

    def predicate(self, scope, d=2):
        """Often one that fails for some value of some column, at once."""
        tables = [s for s in scope if s[1]]
        if d <= 0 or not tables or self.chance(0.5):
            return super().predicate(scope, d)
        a, columns = self.rng.choice(tables)
        column, kind = self.rng.choice(columns)
        c = f'{a}.{column}'
        shapes = self.FAILING.get(kind, ['{c} IS NULL'])
        other = self.rng.choice(['true', 'true', super().predicate(scope, 1)])
        text = self.rng.choice(shapes + (self.ALWAYS if self.always else [])).format(c=c, k=self.rng.choice(['1', '5', '40']))
        text = self.rng.choice(['{}', '{}', '({}) IS NULL', 'NOT ({})', '({}) IS NOT TRUE']).format(text)
        return text if other == 'true' else self.rng.choice([f'{other} AND {text}', f'{text} AND {other}', f'({other} OR {text})'])

    # Conditions that fail on some values ...
    FAILING = {
        'int': ['1 / {c} > {k}', '{c} % ({c} - 1) = 0', '{c} * 1000000 > {k}', 'chr({c}) = chr({k})', '({c} + 2147483600) > {k}', 'make_date({c}, 1, 1) IS NOT NULL',
                "repeat('x', 3)::varchar = substr('abc', 1, {c})", '{c}::smallint > {k}', 'width_bucket({k}, 0, 10, {c}) > 1', 'log({c}) > 1'],
        'big': ['{c} * {c} > {k}', '{k} / {c} > 0', '{c}::int > {k}', '{c} = {k}::oid', '{c} + 9223372036854775800 > {k}'],
        'num': ['{c}::float8 > {k}', '{c} = {k}::float8', '{c}::int > {k}', 'sqrt({c}) > {k}', 'ln({c}) > 0', '{c}::numeric(4,1) > {k}', 'power(10.0, {c}) > {k}', '{c}::bigint = {k}'],
        'text': ['{c}::int > {k}', '{c}::date IS NOT NULL', '{c}::boolean', "{c} LIKE '%\\'", "{c} LIKE 'b_\\'", "{c} ILIKE 'a%_\\'", "{c} LIKE 'a' || chr(92)", "'a1' ~ {c}", "{c}::jsonb IS NULL",
                 "{c} NOT LIKE '__\\'", "like({c}, 'b__\\')", "{c}::int[] IS NULL", "decode({c}, 'hex') IS NULL", "{c} SIMILAR TO 'a' || {c}", "substr({c}, 1, length({c}) - 2) = 'a'", "{c}::numeric > {k}"],
        'mood': ["greatest({c}, 'sad') = 'sad'", 'least({c}, {c}) IS NULL', "CASE WHEN {c} = 'sad' THEN {c} = greatest({c}) ELSE true END", "greatest({c}, {c}) > 'calm'"],
        'code': ["{c}::int > {k}", '{c} = {k}', '{c} <> {k}', '{c} IN ({k}, 7)', '{c} BETWEEN {k} AND 50', "coalesce({c}, '1') = {k}", '{c} IS DISTINCT FROM {k}', '({c}) IS TRUE', '{c} = -{k}', "{c} LIKE 'b\\'", "{c} < ('x'::text COLLATE \"POSIX\")"],
        'label': ["{c}::int > {k}", "{c} LIKE '_\\'", "{c} = 'u1'::name", "{c} < 'zz'::name"],
        'date': ['({c} + 2147483000) IS NULL', '{c}::timestamp > now()', "{c} - 3000000 > date '2020-01-01'", "date_trunc('year', {c}) IS NULL"],
        'ts': ["{c} + interval '1 year' > now()", "{c} - interval '290000 years' < now()"],
        'json': ["({c} ->> 'k')::int > {k}", "{c} @@ '$.k.datetime() < \"2020-01-01 00:00:00+00\".datetime()'", "{c}::int > {k}", "jsonb_array_length({c}) > {k}"],
        'ints': ['1 / {c}[1] > 0', "array_position({c}, NULL) = 1", '{c}[1] * 2147483647 > {k}'],
        'bool': ['1 / {c}::int > 0'],
    }
    # ... and that fail on every row, but only where a row is looked at.
    ALWAYS = ['({c} IS NULL) = (CURRENT_DATE - 2147483647 = CURRENT_DATE)', "({c} IS NULL) = ('zz'::text::timestamptz = CURRENT_TIMESTAMP)",
              "{c} IS NULL OR CURRENT_TIMESTAMP < '294276-12-31 23:00+00'::timestamptz + interval '1 year'", "{c} IS NULL AND '294276-12-31 23:00+00'::timestamptz + interval '1 year' IS NULL",
              "({c} IS NOT NULL) = (1 / (length(current_setting('server_version')) - length(current_setting('server_version'))) = 1)"]

    def statement(self, parameters):
        self.aliases, self.ctes, self.parameters = 0, [], [] if parameters else None
        (x, a), (y, b) = self.one(), self.one()
        p = lambda *scope, d=2: self.predicate(list(scope), d)
        e = lambda kind, *scope: self.expr(kind, list(scope), 2)

        def of_target(*scope, d=2):
            """Beside a source without rows the target may be looked at or not: nothing that fails on every row."""
            self.always = False
            text = p(*scope, d=d)
            self.always = True
            return text
        key = lambda s: f'{s[0]}.{s[1][0][0]}'
        column, kind = self.rng.choice(a[1])
        other = self.rng.choice(NAMES)
        bare = lambda text: text.replace('q.', '')
        table = self.rng.choice(sorted(self.tables))
        t = (table, self.tables[table])
        u, v = f'w.{table}', (f'w.{table}', self.tables[table])
        return self.numbered(self.pick(
            lambda: f'SELECT count(*) FROM {x} WHERE {p(a)}', lambda: f'SELECT count(*) FROM {x} WHERE {p(a, d=1)}', lambda: f'SELECT count(*) FROM {x} WHERE {p(a, d=3)}',
            lambda: f'SELECT * FROM {x} WHERE {p(a)} ORDER BY 1 LIMIT 1', lambda: f'SELECT 1 FROM {x} WHERE {key(a)}::text = {e("text", a)} AND {p(a)}',
            lambda: f'SELECT count(*) FROM {x} JOIN {y} ON {p(a, b)}', lambda: f'SELECT count(*) FROM {x} LEFT JOIN {y} ON {p(a, b)} WHERE {p(b, d=1)}',
            lambda: f'SELECT count(*) FROM {x}, {y} WHERE {p(a)} AND {p(b)}', lambda: f'SELECT count(*) FROM {x} FULL JOIN {y} ON {key(a)}::text = {key(b)}::text WHERE {p(a, b)}',
            lambda: f'SELECT {e("int", a)}, count(*) FROM {x} GROUP BY 1 HAVING {p(a, d=0) if self.chance(0.1) else "bool_or(" + p(a) + ")"} ORDER BY 1',
            lambda: f'SELECT EXISTS (SELECT FROM {x} WHERE {p(a)})', lambda: f'SELECT count(*) FROM {x} WHERE EXISTS (SELECT FROM {y} WHERE {p(a, b)})',
            lambda: f'WITH q AS (SELECT {e("int", a)} AS i, {e("text", a)} AS s FROM {x}) SELECT count(*) FROM q WHERE {p(("q", [("i", "int"), ("s", "text")]))}',
            lambda: f'SELECT count(*) FROM (SELECT {e("int", a)} AS i, {e("text", a)} AS s FROM {x} WHERE {p(a, d=1)}) q WHERE {p(("q", [("i", "int"), ("s", "text")]))}',
            lambda: f'SELECT count(*) FROM {x}, LATERAL (SELECT {e("int", a, b)} AS i FROM {y} WHERE {p(a, b, d=1)}) q WHERE q.i > 1',
            lambda: f'SELECT count(*) FROM {x}, LATERAL (SELECT {a[0]}.{column} AS i) q WHERE {p(("q", [("i", kind)]), d=1)}',
            lambda: f'SELECT count(*) FROM (SELECT {a[0]}.{column} AS {other} FROM {x}) z, LATERAL (SELECT 1 FROM {y} WHERE {bare(p(("q", [(other, kind)]), d=1))}) r',
            lambda: f'SELECT DISTINCT {e("text", a)} FROM {x} ORDER BY 1', lambda: f'SELECT {e("num", a)} FROM {x} ORDER BY {e("int", a)}, 1 LIMIT {self.scalar("big", [], 1)}',
            lambda: f'SELECT rank() OVER (ORDER BY {e("int", a)}) FROM {x} ORDER BY 1', lambda: f'SELECT sum({e("int", a)}) FILTER (WHERE {p(a)}) FROM {x}',
            lambda: f'SELECT count(*) FROM {x} TABLESAMPLE bernoulli (100) WHERE {p(a)}', lambda: f'SELECT {key(a)} FROM {x} WHERE {p(a, d=1)} UNION SELECT {key(b)} FROM {y} WHERE {p(b, d=1)} ORDER BY 1',
            lambda: f'DELETE FROM {u} WHERE {p(v)}', lambda: f'DELETE FROM {u} USING {x} WHERE {p(a)}', lambda: f'DELETE FROM {u} AS {t[0]} USING {x} WHERE {of_target(a, t)} RETURNING {e("text", t)}',
            lambda: f'UPDATE {u} AS {t[0]} SET id = {table}.id FROM {x} WHERE {of_target(t, a)}', lambda: f'UPDATE {u} AS {t[0]} SET grp = {e("text", t)} WHERE {p(t)} RETURNING {p(t)}',
            lambda: f'UPDATE {u} AS {t[0]} SET id = {table}.id FROM {x} JOIN {y} ON {p(a, b)} WHERE {of_target(t, d=1)}',
            lambda: f'INSERT INTO {u} (id, grp) SELECT 5000 + {e("int", a)}, \'red\' FROM {x} WHERE {p(a)} RETURNING id',
            lambda: f'INSERT INTO {u} AS {t[0]} (id) VALUES ({self.rng.choice(self.keys[table])}) ON CONFLICT (id) DO UPDATE SET grp = {e("text", t)} WHERE {p(t)}',
            lambda: self.merge(u, t, x, a, of_target), lambda: self.merge(u, t, f'(SELECT {e("int", a)} AS i, {e("text", a)} AS s FROM {x} WHERE {p(a, d=1)}) q',
                                                                          ('q', [('i', 'int'), ('s', 'text')]), of_target),
            lambda: self.locked(), lambda: self.locked()))

    def merge(self, u, t, source, s, of_target):
        """Values of the rows that it makes out of both sides, so that they are checked as they will be stored."""
        clauses = []
        for _ in range(self.rng.choice((1, 1, 2))):
            column, kind = self.rng.choice(t[1][1:])
            clauses.append(f'WHEN MATCHED AND {of_target(t, s, d=1)} THEN ' + self.rng.choice(
                ('DELETE', 'DO NOTHING', f'UPDATE SET {column} = {self.expr(kind, [t, s], 1)}', f'UPDATE SET grp = {self.expr("text", [t, s], 1)}',
                 f'UPDATE SET (grp, {column if column != "grp" else "id"}) = (SELECT {t[0]}.grp, {self.expr(kind if column != "grp" else "int", [t, s], 1)})')))
        if self.chance(0.5):
            column, kind = self.rng.choice([c for c in t[1] if c[0] not in ('id', 'grp')])
            clauses.append(f'WHEN NOT MATCHED AND {self.predicate([s], 1)} THEN INSERT (id, grp, {column}) VALUES '
                           f'({self.rng.choice(("5000 + ", "4 - ", "-100 - "))}{self.expr("int", [s], 1)}, {self.leaf("text", [s])}, {self.expr(kind, [s], 1)})')
        key = f'{s[0]}.{s[1][0][0]}::text = {t[0]}.id::text AND ' if self.chance(0.5) else ''
        return f'MERGE INTO {u} AS {t[0]} USING {source} ON {key}{of_target(t, s)} {" ".join(clauses)}'

    def locked(self):
        """Locks of what is read, once where conditions stand, once around and within sub-selects."""
        (ta, a), (tb, b) = ((n, (self.alias(), self.tables[n])) for n in self.rng.choices(sorted(self.tables), k=2))
        x, y = f'w.{ta} {a[0]}', f'w.{tb} {b[0]}'
        def p(*scope, d=1):  # as above: beside a query without rows
            self.always = False
            text = self.predicate(list(scope), d)
            self.always = True
            return text
        key, out = (lambda s: f'{s[0]}.id'), ('q', [('i', 'int'), ('s', 'text')])
        lock = f'FOR {self.rng.choice(("UPDATE", "UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE"))}'
        end = self.rng.choice(('', '', ' NOWAIT', ' SKIP LOCKED'))
        inner = lambda: f'SELECT {key(a)} AS i, {a[0]}.grp AS s FROM {x} WHERE {p(a)}'
        return self.pick(
            lambda: f'SELECT {key(a)} FROM {x} WHERE {p(a, d=2)} ORDER BY 1 {lock}{end}', lambda: f'SELECT {key(a)} FROM {x} WHERE {p(a)} ORDER BY 1 LIMIT 2 {lock}{end}',
            lambda: f'SELECT {key(a)}, {key(b)} FROM {x} JOIN {y} ON {key(a)} = {key(b)} WHERE {p(a, b)} {lock} OF {a[0]}{end}',
            lambda: f'SELECT {key(a)}, {key(b)} FROM {x}, {y} WHERE {key(a)} = {key(b)} AND {p(a, b)} {lock}{end}',
            lambda: f'SELECT {key(a)} FROM {x} LEFT JOIN {y} ON {key(a)} = {key(b)} AND {p(b)} WHERE {p(a)} {lock} OF {a[0]}{end}',
            lambda: f'SELECT {key(a)} FROM {x} WHERE EXISTS (SELECT FROM {y} WHERE {p(a, b)}) {lock}{end}',
            lambda: f'SELECT i FROM ({inner()}) q WHERE {p(out)} {lock}{end}', lambda: f'SELECT count(*) FROM ({inner()} {lock}{end}) q WHERE {p(out)}',
            lambda: f'WITH q AS ({inner()} {lock}{end}) SELECT count(*) FROM q WHERE {p(out)}',
            lambda: f'SELECT i, {key(b)} FROM ({inner()}) q JOIN {y} ON {key(b)} = q.i WHERE {p(out, b)} {lock}{end}',
            lambda: f'SELECT {key(b)} FROM {y} WHERE {key(b)} IN ({inner().replace(f", {a[0]}.grp AS s", "")} {lock}{end}) AND {p(b)}',
            lambda: f'SELECT {key(b)}, i FROM {y}, LATERAL (SELECT {key(a)} AS i FROM {x} WHERE {p(a, b)} {lock}{end}) q WHERE {p(("q", [("i", "int")]))}',
            lambda: f'UPDATE w.{tb} AS {b[0]} SET grp = {b[0]}.grp WHERE {key(b)} IN (SELECT {key(a)} FROM {x} WHERE {p(a)} {lock}{end}) RETURNING {key(b)}',
            lambda: f'DELETE FROM w.{tb} AS {b[0]} USING ({inner()} {lock}{end}) q WHERE {key(b)} = q.i AND {p(b, out)} RETURNING {key(b)}')


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 3
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 20000 if LONG else 1500
    print(f'seed {seed}, {size} statements')
    count = dict.fromkeys(('all', 'answering', 'failing', 'refused', 'slow', 'explained', 'wrong'), 0)
    cells.SCHEMA += OWN
    queries.LITERALS['text'] = queries.LITERALS['text'] + LITERALS['text']
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        with copies.Copies(scratch, pg, seed, USERS, rows_each=60, narrow=True, hidden=HIDDEN, grants='select, insert, update, delete') as world:
            rng = random.Random(seed + 1)
            # Whether a hidden row has a key is told by the unique index: inherent, so keys that both warehouses have.
            keys = {u: {t: sorted(set(world.rows[t]) & set(rows)) for t, rows in world.twins[u].items()} for u in world.policies}
            makers = {u: Conditions(rng, world.tables(u), CATALOGS, keys[u]) for u in world.policies}
            for i in range(size):
                user = rng.choice(sorted(makers))
                sql, parameters = makers[user].statement(i % 3 == 0)
                types = [rng.choice(sorted(TYPES)) for _ in parameters] if parameters and i % 2 else ()
                compare(world, user, sql, parameters, count, types, is_prepared=rng.random() < 0.5)
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    if count['answering'] < count['all'] / 5:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    if count['explained'] > count['all'] * reads.EXPLAINED_MAX:
        print('not ok too many differences are left to plans')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


def renamed(raw, database):
    """The answer as if the twin had the warehouse's name."""
    return [(m[0], m[1].replace(database.encode(), b'whole')) if isinstance(m, tuple) else m.replace(database.encode(), b'whole') for m in raw]


def is_order_alone(world, user, sql, parameters, whole, twin):
    """Both fail alike, after other rows of those that show; or over another row of a catalog, whose name, which shows, the statement says."""
    if not whole.sqlstate or whole.sqlstate != twin.sqlstate:
        return False
    if whole.error == twin.error:
        return world.may_come_before(user, sql, parameters, whole, twin)
    told = ''.join(re.findall('"(.*)"', whole.error['M'] + twin.error['M']))
    return ('pg_catalog.' in sql or 'information_schema.' in sql) and {**whole.error, 'M': ''} == {**twin.error, 'M': ''} and told != '' and told not in ''.join(HIDDEN)


def prepared(sql, parameters, types):
    """The same by SQL."""
    declared = ', '.join(TYPES[t] or 'unknown' for t in types)
    values = ', '.join(cells.literal(p) for p in parameters)
    return f'PREPARE gh_p ({declared}) AS {sql}; EXECUTE gh_p ({values}); DEALLOCATE gh_p'


def compare(world, user, sql, parameters, count, types=(), is_prepared=False):
    if not world.proxy.alive():
        raise gt.TestError(f'the proxy died:\n{world.proxy.log()[-3000:]}')
    answers = []
    holder = world.direct('whole') if LOCKS.search(sql) else None
    if holder:  # what is hidden is locked by somebody else
        holder.query('BEGIN;' + ''.join(f'SELECT FROM w.{t} WHERE id <> ALL (ARRAY{sorted(world.seen[user].rows[t])}::int[]) FOR UPDATE;' for t in cells.TABLES))
        del holder.log[:]
    for database in ('whole', world.twin_of(user)):
        c = world.proxied(user, database)
        c.query('BEGIN')  # writes leave nothing behind
        if types and is_prepared:
            answers.append(copies.ask(c, prepared(sql, parameters, types)))
            c.query('DEALLOCATE ALL')
            del c.log[:]
        else:
            answers.append(copies.ask(c, sql, parameters, types))
        c.query('ROLLBACK')
    if holder:
        holder.query('ROLLBACK')
    whole, twin = answers
    count['all'] += 1
    if '57014' in (whole.sqlstate, twin.sqlstate) and not (holder and twin.sqlstate != '57014'):  # which would wait for a hidden row
        count['slow'] += 1
        return
    count['refused' if whole.sqlstate == '42501' else 'failing' if whole.sqlstate else 'answering'] += 1
    if renamed(whole.raw, world.twin_of(user)) == renamed(twin.raw, world.twin_of(user)):  # 'secret' || 'win1250' holds it by itself
        return
    if is_order_alone(world, user, sql, parameters, whole, twin) or whole.outcome != twin.outcome and all(world.plans(user, sql, parameters, a.outcome, types=types) for a in answers):
        count['explained'] += 1
        return
    count['wrong'] += 1
    reads.show('LEAK: what is hidden changes the answer', user, sql, (parameters, types, is_prepared), ('whole', whole), ('twin', twin))


if __name__ == '__main__':
    main()
