"""What Gatehouse leaves without a fence must fail on no row. Random conditions over a table of extreme values, of which the
user sees a few tame ones: PostgreSQL may run a condition on each row of what the sent statement has no fence around, so here
it is run on each of those (and, of what is fenced, on the visible ones), and must not fail. Sub-selects read it, too, or
another table, of which all is visible, but whose extreme values only hidden rows lead to.

    early.py [SEED [STATEMENTS]]
"""
import itertools
import os
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

LONG = os.environ.get('GH_LONG') == '1'
LEADS = '-77'  # of i4: from hidden rows to extreme ones
COLUMNS = {
    'i2': ('int', 'smallint', ['0', '1', '32767', '-32768']),
    'i4': ('int', 'integer', ['0', '1', '-1', '2147483647', '-2147483648', LEADS]),
    'i8': ('int', 'bigint', ['0', '7', '9223372036854775807', '-9223372036854775808']),
    'n4': ('num', 'numeric(4,2)', ['0', '99.99', '-99.99', 'NaN']),
    'n15': ('num', 'numeric(15,2)', ['0.00', '9999999999999.99', '-9999999999999.99', '0.01', 'NaN']),
    'n50': ('num', 'numeric(50,40)', ['0', '9999999999.9999999999999999999999999999999999999999', '0.' + '0' * 39 + '1']),
    'nf': ('num', 'numeric', ['0', '1e131071', '-1e131071', '1e-16383', 'Infinity', '-Infinity', 'NaN']),
    'f4': ('float', 'real', ['0', '3e38', '-1e-37', 'NaN']),
    'f8': ('float', 'float8', ['0', '1e308', '-1e308', '1e-308', 'Infinity', 'NaN']),
    'd': ('date', 'date', ['2020-02-29', '5874897-12-31', '4714-11-24 BC', 'infinity', '-infinity']),
    'ts': ('ts', 'timestamp', ['2020-02-29 12:00', '294276-12-31 23:59:59', '4714-11-24 00:00:00 BC', 'infinity', '-infinity']),
    'tz': ('tz', 'timestamptz', ['2020-02-29 12:00+00', '294276-12-31 23:59:59+00', '4714-11-24 00:00:00+00 BC', 'infinity']),
    't': ('text', 'text', ['', 'a', 'abc', '12', 'x\\', '%', 'é' * 9, '2020-01-01', '1e400']),
    'v': ('text', 'varchar(9)', ['', 'b', '9', 'x\\', 'ü']),
    'c': ('text', 'char(4)', ['', 'c', '1', 'zz']),
    'tc': ('text', 'text COLLATE "C"', ['', 'a', '12']),
    'tp': ('text', 'text COLLATE "POSIX"', ['', 'a', '12']),
    'ti': ('text', 'text COLLATE insensitive', ['', 'a', 'A']),
    'o': ('oid', 'oid', ['0', '4294967295']),
    'iv': ('span', 'interval', ['0', '178000000 years', '-178000000 years', '2147483647 days']),
    'tm': ('time', 'time', ['00:00', '24:00']),
    'tmz': ('time', 'timetz', ['00:00+15:59', '24:00-15:59']),
    'e': ('enum', 'mood', ['sad', 'glad']),
    'b': ('bool', 'boolean', ['t', 'f']),
    'u': ('uuid', 'uuid', ['00000000-0000-0000-0000-000000000000']),
}
QUICK = {'nf': ['0', '1e400', '-1e400', '1e-400', 'Infinity', 'NaN']}  # what the other rows hold, since a hundred thousand digits take their time
LITERALS = {'int': ['0', '1', '2', '7', '-1', '2147483647', '3000000000', "('1'::int8 - 1)"],
            'num': ['0.0', '1.5', '0.01', '7.0', '-2.5', '1e400', '12345678901234567890.5', '(1e400 + 1)', "('1'::int4 + 1e400)", '(1 - 2.5)'],
            'float': ["'1.5'::float8", "'1e300'::float8", "(1 - '1.5'::float8)"], 'date': ["date '1995-01-01'", 'CURRENT_DATE', '(CURRENT_DATE - 7)', 'now()::date', "(date '1995-01-01' + 1)"],
            'ts': ["timestamp '1995-01-01'", 'LOCALTIMESTAMP', "(CURRENT_DATE - interval '9999 months')", "(now() AT TIME ZONE 'UTC')", "(date '1995-01-01' + interval '1 day')"],
            'tz': ['CURRENT_TIMESTAMP', 'now()', "(now() - interval '99999 days')", "date_trunc('month', now() + interval '833 years')", "('294276-12-31 23:00+00'::timestamptz + interval '1 year')"], 'oid': ['1', '5000000000', "'7'::oid"], 'span': ["interval '1 day'"], 'time': ["time '10:00'", 'CURRENT_TIME'], 'enum': ["'sad'"], 'text': ["'a'", "'1'", "''", 'NULL', "lower('A')"], 'bool': ['true'], 'uuid': ["'00000000-0000-0000-0000-000000000001'"]}
FIELDS = ['year', 'month', 'day', 'quarter', 'decade', 'century', 'millennium', 'week', 'isoyear', 'dow', 'isodow', 'doy', 'hour', 'epoch', 'julian', "'year'", "'foo'"]
KIND_OF = {'int2': 'int', 'int4': 'int', 'int8': 'int', 'numeric': 'num', 'numeric(6,1)': 'num', 'float8': 'float', 'float4': 'float', 'timestamp': 'ts', 'timestamptz': 'tz',
           'date': 'date', 'interval': 'span', 'time': 'time', 'oid': 'oid', 'text': 'text', 'varchar': 'text', 'varchar(2)': 'text', 'name': 'text'}
VISIBLE = '12345'  # of i2
TAME = {'int': ['1', '2', '3'], 'num': ['1', '2.5'], 'float': ['1', '2'], 'date': ['2020-01-31'], 'ts': ['2020-02-29 12:00'], 'tz': ['2020-02-29 12:00+00'],
        'text': ['1', '2', 'a'], 'bool': ['t', 'f'], 'uuid': ['00000000-0000-0000-0000-000000000001'], 'oid': ['1'], 'span': ['1 day'], 'time': ['10:00'], 'enum': ['sad']}
# What a parameter may be declared as, 0 for nothing, and hold.
PARAMETERS = {'int': [(0, '1'), (20, '9223372036854775807'), (23, '1'), (1700, '1e400')], 'num': [(0, '1'), (1700, '1e400'), (701, '1e308'), (20, '5')], 'float': [(701, '1.5'), (700, '1e30')],
              'date': [(0, '2020-01-01'), (1082, '5874897-12-31')], 'ts': [(1114, '2020-01-01')], 'tz': [(1184, '2020-01-01')], 'text': [(0, 'x\\'), (25, 'a'), (19, 'a')]}
PATTERNS = ['a%', '_', 'x\\', '%']
ENDS = [''] * 12 + [' LIMIT 1', ' LIMIT -1', " LIMIT '-1'", ' OFFSET 1', ' OFFSET -1', ' LIMIT ALL', ' LIMIT NULL']
DEPTHS = (1, 1, 1, 2)
COMPARISONS = ['=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM']


class Conditions:
    def __init__(self, rng):
        self.rng = rng
        self.scope, self.count, self.parameters = ['t'], 0, None

    def pick(self, *choices):
        return self.rng.choice(choices)()

    def kind(self):
        return self.rng.choice(['int', 'int', 'num', 'num', 'num', 'float', 'date', 'ts', 'tz', 'text', 'text', 'bool', 'uuid', 'oid', 'span', 'time', 'enum'])

    def near(self, kind):
        """Another kind that PostgreSQL compares with this one."""
        return self.rng.choice(next((g for g in (('int', 'num', 'float', 'oid'), ('date', 'ts', 'tz'), ('span', 'time')) if kind in g), (kind,)) + (kind, kind))

    def value(self, kind, d=2):
        r = self.rng
        if d <= 0 or r.random() < 0.3:
            column = r.choice([c for c, (k, _, _) in COLUMNS.items() if k == kind])
            if self.parameters is not None and kind in PARAMETERS and r.random() < 0.15:
                return self.parameter(kind)
            return f'{r.choice(self.scope)}.{column}' if r.random() < 0.7 else r.choice(LITERALS[kind])
        v = lambda k=kind: self.value(k, d - 1)
        number = lambda: self.value(r.choice(('int', 'num', 'num')), d - 1)
        choices = [lambda: f'coalesce({v()}, {v(self.near(kind))})', lambda: f'{r.choice(("greatest", "least"))}({v()}, {v(self.near(kind))})',
                   lambda: f'CASE WHEN {self.condition(d - 1)} THEN {v()} ELSE {v(self.near(kind))} END', lambda: f'CASE {v()} WHEN {v()} THEN {v()} END',
                   lambda: f'({v(self.near(kind))})::{r.choice([t for t in KIND_OF if KIND_OF[t] == kind] or [kind])}', lambda: f'NULLIF({v()}, {v()})', lambda: self.scalar(kind, d - 1)]
        if kind in ('int', 'num'):
            choices += [lambda: f'({number()} {r.choice("+-*/%")} {v()})', lambda: f'({v()} {r.choice("*/+-%")} {r.choice(LITERALS[r.choice(("int", "num"))])})'] * 4
            choices += [lambda: f'(- {v()})', lambda: f'{r.choice(("abs", "round", "floor", "ceil", "trunc", "sign"))}({v()})']
        if kind == 'num':
            choices += [lambda: f'extract({r.choice(FIELDS)} FROM {v(r.choice(("date", "ts", "tz")))})'] * 3 + [lambda: f'extract({r.choice(FIELDS)} FROM {r.choice(LITERALS[r.choice(("date", "tz"))])})']
        if kind == 'int':
            choices += [lambda: f'{r.choice(("length", "char_length", "octet_length"))}({v("text")})', lambda: f'({v("date")} - {v("date")})']
        if kind == 'text':
            n = lambda: r.choice(['0', '1', '2', '-1', '2147483647', 't.i4'])
            choices += [lambda: f'substring({v()} from {n()} for {n()})', lambda: f'substr({v()}, {n()}, {n()})', lambda: f'substr({v()}, {n()})', lambda: f'lower({v()})',
                        lambda: f'({v()} || {v()})'] * 2
        if kind == 'date':
            choices += [lambda: f'({v()} {r.choice("+-")} {self.value("int", d - 1)})']
        if kind == 'ts':
            choices += [lambda: f"({v()} + interval '1 day')", lambda: f"date_trunc('{r.choice(('day', 'year'))}', {v()})"]
        return r.choice(choices)()

    def parameter(self, kind):
        """A new one, or one that stands elsewhere; as it is, or given a type by a cast."""
        n = self.rng.randint(1, len(self.parameters) + 1)
        if n > len(self.parameters):
            self.parameters.append(self.rng.choice(PARAMETERS[kind]))
        return f'${n}' + self.rng.choice(['', '', '', '::' + self.rng.choice([t for t in KIND_OF if KIND_OF[t] == kind])])

    def query(self, target, d, grouping=''):
        self.count += 1
        alias = f'e{self.count}'
        outer = f'{self.rng.choice(self.scope)}.i4'
        scope, self.scope = self.scope, [alias] if self.rng.random() < 0.4 else self.scope + [alias]
        where = self.pick(lambda: f'{alias}.i4 = {outer}', lambda: f'{alias}.i4 = {outer} AND {self.condition(d - 1)}', lambda: self.condition(d - 1))
        out = f'SELECT {target(alias)} FROM {self.rng.choice(("edge", "other"))} {alias} WHERE {where}{grouping}' + self.rng.choice(ENDS)
        self.scope = scope
        return out

    def scalar(self, kind, d):
        if self.rng.random() < 0.2:
            return f'({self.query(lambda a: self.value(kind, d - 1), d)})'
        name = self.rng.choice({'int': ('count', 'max', 'sum'), 'num': ('sum', 'avg', 'min'), 'float': ('sum', 'avg', 'max')}.get(kind, ('min', 'max')))
        if kind in ('bool', 'uuid', 'oid', 'enum'):
            return self.value(kind, 0)
        return f'({self.query(lambda a: f"{name}({self.value(kind, d - 1)})", d)})'

    def condition(self, d=2):
        r, kind = self.rng, self.kind()
        v = lambda k=kind, down=0: self.value(k, max(d - down, 0))
        if d <= 0 or r.random() < 0.55:
            return f'{v()} {r.choice(COMPARISONS)} {v(self.near(kind))}'
        c = lambda: self.condition(d - 1)
        return self.pick(lambda: f'({c()} AND {c()})', lambda: f'({c()} OR {c()})', lambda: f'NOT ({c()})', lambda: f'({v()}) IS NULL', lambda: f'({c()}) IS NOT TRUE',
                         lambda: f'{v()} {r.choice(("IN", "IN", "NOT IN"))} ({v(self.near(kind), 1)}, {v(self.near(kind), 1)})', lambda: f'{v()} BETWEEN {v(self.near(kind))} AND {v(down=1)}',
                         lambda: f"{v('text')} LIKE '{r.choice(PATTERNS)}'",
                         lambda: f'{v()} {r.choice(("IN", "= ANY", "> ALL", "NOT IN"))} ({self.query(lambda a: self.value(self.near(kind), d - 1), d)})',
                         lambda: f'EXISTS ({self.query(lambda a: r.choice(("1", "*", self.value(kind, 1))), d)})',
                         lambda: f't.i4 IN ({self.query(lambda a: f"{a}.i4", d, f" GROUP BY 1 HAVING sum({self.value(chr(110) + chr(117) + chr(109), 1)}) > 5")})')

    def statement(self):
        """(text, parameters as (type, value))"""
        self.count, self.parameters = 0, [] if self.rng.random() < 0.25 else None
        sql = self.text()
        return sql, self.parameters or []

    def text(self):
        if self.rng.random() < 0.25:  # a condition on what a sub-select computes
            kind = self.kind()
            inner = self.value(kind, self.rng.choice(DEPTHS))
            return f'SELECT count(*) FROM (SELECT t.i4, {inner} AS x FROM edge t) s WHERE s.x {self.rng.choice(COMPARISONS)} {self.rng.choice(LITERALS[kind])}'
        conjuncts = [self.condition(self.rng.choice(DEPTHS)) for _ in range(self.rng.choice((1, 1, 2, 3)))]
        if self.rng.random() < 0.2:
            conjuncts.insert(self.rng.randrange(len(conjuncts) + 1), f't.id = {self.rng.randrange(1, 55)}')
        return f'SELECT count(*) FROM edge t WHERE {" AND ".join(conjuncts)}'


def rows(rng):
    """Two tables' rows: each extreme at least once, and at random together; then tame ones."""
    values = [v for _, _, v in COLUMNS.values()]
    quick = [QUICK.get(c, v) + [None] for c, (_, _, v) in COLUMNS.items()]
    edge = list(itertools.islice(itertools.zip_longest(*values), 10)) + [[rng.choice(v) for v in quick] for _ in range(30)]
    tame = [[VISIBLE] + [rng.choice(TAME[k]) for k, _, _ in list(COLUMNS.values())[1:]] for _ in range(8)]
    other = [[LEADS if c == 'i4' else v for c, v in zip(COLUMNS, r)] for r in edge[:20]]
    quoted = lambda v: 'NULL' if v is None else "'" + v.replace("'", "''") + "'"
    insert = lambda table, rows: f'INSERT INTO {table} VALUES ' + ',\n'.join('(' + ', '.join(map(quoted, r)) + ')' for r in rows) + ';'
    return insert('edge', edge + tame) + insert('other', other + tame)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 11
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 40000 if LONG else 5000
    rng = random.Random(seed)
    print(f'seed {seed}, {size} statements')
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        pg.sql('CREATE DATABASE wh')
        pg.sql("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE COLLATION insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)", 'wh')
        pg.sql(f'CREATE TABLE edge ({", ".join(f"{c} {t}" for c, (_, t, _) in COLUMNS.items())}); CREATE TABLE other (LIKE edge);'
               f'ALTER TABLE edge ADD id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY; {rows(rng)}'
               'CREATE INDEX ON edge (i4); CREATE INDEX ON other (i4);'
               f'CREATE VIEW seen AS SELECT * FROM edge WHERE i2 = {VISIBLE}; CREATE TABLE none (LIKE edge); ANALYZE', 'wh')
        policy = 'version: 1\nroles: { r: { description: d } }\nusers: { ann: { roles: [r] } }\ngrants:\n  - { to: [r], tables: [public.edge], rows: "i2 = 12345" }\n' \
                 '  - { to: [r], tables: [public.other], rows: "i2 = 12345 or i4 < 0" }\n'
        with gt.Gatehouse(scratch, pg, policy=policy, users={'ann': 'pw'}) as proxy:
            count = check(pg, proxy, Conditions(rng), size)
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    if min(count[k] for k in ('unfenced', 'fenced', 'guarded')) < size / 20:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


def check(pg, proxy, maker, size):
    count = dict.fromkeys(('all', 'invalid', 'fenced', 'guarded', 'unfenced', 'failing', 'slow', 'wrong'), 0)
    with proxy.wire('ann') as c, gt.Wire(pg.port, 'gatehouse', 'wh', 'upstream-secret') as direct:
        c.query("SET statement_timeout = '100ms'; SET jit = off")  # only what is sent counts
        direct.query("SET statement_timeout = '500ms'; SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan")

        def ask(c, sql, parameters):
            result = c.extended(sql, [v for _, v in parameters], [t for t, _ in parameters]) if parameters else c.query(sql)[-1]
            del c.log[:]
            return result.error

        def fails(sql, parameters):
            error = ask(direct, sql, parameters)
            count['slow'] += error is not None and error['C'] == '57014'
            return error if error and error['C'] != '57014' else None
        asked = []
        for _ in range(size):
            sql, parameters = maker.statement()
            count['all'] += 1
            error = ask(c, sql, parameters)
            if error and error['C'][:2] in ('42', '0A'):
                count['invalid'] += 1
            else:
                asked.append((sql, parameters))
        sent = {r['sql']: r['rewritten'] for r in proxy.audit() if r.get('rewritten')}
        for sql, parameters in asked:
            if sql not in sent:  # refused before it was sent
                continue
            aliases = re.findall(r'FROM (?:edge|other) (\w+)', sql)
            fenced = {a for a in aliases if f'OFFSET 0) "{a}"' in sent[sql]}
            if 'CASE WHEN (("t"."i2" = 12345)) THEN (' in sent[sql]:
                count['guarded'] += 1
                # Beside CASE PostgreSQL runs the filter first only as long as it is the cheapest.
                bare = sent[sql].replace('WHERE (("t"."i2" = 12345)) AND ', 'WHERE ')
                error = fails(bare, parameters)
                if error and not fails(bare.replace('"public"."edge"', '"public"."seen"'), parameters):
                    count['wrong'] += 1
                    print(f'not ok the guard does not hold: {error["C"]} {error["M"][:100]}\n    {sql}  {parameters}')
                continue
            if len(fenced) == len(set(aliases)):
                count['fenced'] += 1
                continue
            count['unfenced'] += 1
            early = re.sub(r'FROM edge (\w+)', lambda m: f'FROM {"seen" if m[1] in fenced else "edge"} {m[1]}', sql)
            error = fails(early, parameters)
            # What a fence is around may fail for a visible row, also one that another condition leaves out, as here by what a sub-select
            # finds in rows that its filter would; else nothing may but what fails by itself, without any row.
            visible = sql.replace('FROM edge', 'FROM seen' if fenced else 'FROM none')
            if error and (fails(visible, parameters) or (fenced and (fails(visible.replace(' AND ', ' OR '), parameters) or {'C': ''})['C'] == error['C'])):
                count['failing'] += 1
            elif error:
                count['wrong'] += 1
                print(f'not ok no fence but around {sorted(fenced)}, and it fails: {error["C"]} {error["M"][:100]}\n    {sql}  {parameters}')
    return count


if __name__ == '__main__':
    main()
