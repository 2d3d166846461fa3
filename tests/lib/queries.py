"""Random queries over the tables of cells.py: typed, so that most of them run, and full of expressions that fail on some
values. What they answer is determined up to the order of rows: LIMIT and ordered aggregates stand over total orders alone.

    Queries(rng, tables, hidden).query() -> (SQL, parameters)       tables: name -> [(column, kind)]
"""
import re

LITERALS = {
    'int': ['0', '1', '2', '3', '5', '10', '40', '-1', '2147483647'],
    'big': ['0', '7::bigint', '5000000000', '-1::bigint'],
    'num': ['0.0', '1.5', '2.25', '100.0', '-0.5', '1e10'],
    'text': ["''", "'a'", "'ab'", "'red'", "'12'", "'x'", "'2020-01-31'", "'true'"],
    'code': ["'a'::varchar(8)", "'77'::varchar", "'zz'::varchar(8)"],
    'label': ["'a'::text", "'red'::text"],
    'date': ["date '2020-01-31'", "'2020-02-29'::date", "date '1999-12-31'"],
    'ts': ["timestamp '2020-01-31 10:00'", "'2021-03-01'::timestamp"],
    'bool': ['true', 'false', 'NULL::boolean'],
    'ints': ["'{1}'::int[]", 'ARRAY[1, 2, 3]', "'{}'::int[]"],
    'json': ["'{\"k\": 1}'::jsonb", "'[1, 2]'::jsonb", "'{}'::jsonb"],
    'mood': ["'calm'::w.mood", "'wild'::w.mood"],
}
NAMES = {'int': 'int', 'big': 'bigint', 'num': 'numeric', 'text': 'text', 'date': 'date', 'ts': 'timestamp', 'bool': 'boolean', 'json': 'jsonb',
         'ints': 'int[]'}
PATTERNS = ["'a%'", "'%b%'", "'_'", "'x\\'", "'a_\\'", "'%\\'", "'a\\%'", "'%'", "''"]
ESCAPES = ["''", "'!'", "'ab'"]
REGEXPS = ["'^a'", "'b$'", "'[0-9]+'", "'(a|b)+'", "'.'", "'(x)?\\1'"]
ORDERED = ('int', 'big', 'num', 'text', 'date', 'ts', 'bool', 'code', 'mood', 'ints', 'json', 'label')
TEXTS = ('text', 'code', 'label')


class Queries:
    def __init__(self, rng, tables, hidden=()):
        self.rng, self.tables, self.hidden = rng, tables, list(hidden)
        known = {k for columns in tables.values() for _, k in columns}
        self.ordered = [k for k in ORDERED if k != 'mood' or k in known]  # who sees no column of a type does not know it
        self.aliases, self.ctes, self.parameters = 0, [], None

    # -- tools

    def pick(self, *choices):
        return self.rng.choice(choices)()

    def chance(self, p):
        return self.rng.random() < p

    def alias(self):
        self.aliases += 1
        return f'a{self.aliases}' if not self.chance(0.03) else f'"A {self.aliases}"'

    def kind(self, among=('int', 'int', 'text', 'text', 'num', 'date', 'bool', 'big', 'ts', 'json', 'ints')):
        return self.rng.choice(among)

    def literal(self, kind):
        text = self.rng.choice(LITERALS[kind])
        if self.parameters is not None and kind in ('int', 'text', 'date', 'num') and self.chance(0.3):
            plain = text.split("'")[1] if "'" in text else text
            self.parameters.append(plain)
            n = len(self.parameters)
            return f'${n}::{NAMES[kind]}'
        return text

    # -- expressions

    def column(self, kind, scope):
        """A column of the kind, or None. scope: [(alias, [(name, kind)])], the innermost FROM last."""
        found = [(a, c) for a, columns in scope for c, k in columns if k == kind]
        if not found:
            return None
        a, c = self.rng.choice(found)
        if self.chance(0.15) and sum(c == name for _, columns in scope for name, _ in columns) == 1:
            return c
        return f'{a}.{c}'

    def leaf(self, kind, scope):
        return (self.column(kind, scope) if self.chance(0.8) else None) or self.literal(kind)

    def expr(self, kind, scope, depth=2):
        if depth <= 0 or self.chance(0.35):
            return self.leaf(kind, scope)
        if self.chance(0.12):
            return self.anything(kind, scope, depth - 1)
        return getattr(self, f'{kind}_expr')(scope, depth - 1)

    def anything(self, kind, scope, d):
        e = lambda k=kind: self.expr(k, scope, d)
        return self.pick(lambda: f'CASE WHEN {self.predicate(scope, d)} THEN {e()} ELSE {e()} END',
                         lambda: f'CASE WHEN {self.predicate(scope, d)} THEN {e()} END',
                         lambda: f'COALESCE({e()}, {e()})', lambda: f'NULLIF({e()}, {e()})' if kind not in ('json', 'label', 'code') else e(),
                         lambda: self.scalar(kind, scope, d))

    def scalar(self, kind, scope, d):
        """A scalar sub-select; now and then of more rows than one."""
        inner, from_sql = self.from_clause(scope, 1)
        both = scope + inner
        if kind in ('int', 'big') and self.chance(0.5):
            return f'(SELECT count(*)::{NAMES[kind]} FROM {from_sql} WHERE {self.predicate(both, d)})'
        if kind in ('json', 'bool', 'ints', 'code', 'label') or self.chance(0.15):
            return f'(SELECT {self.expr(kind, both, d)} FROM {from_sql} WHERE {self.predicate(both, d)})'
        return f'(SELECT {self.rng.choice(["min", "max"])}({self.expr(kind, both, d)}) FROM {from_sql} WHERE {self.predicate(both, d)})'

    def text_of(self, scope, d):
        return self.expr('text', scope, d) if self.chance(0.85) else self.expr(self.rng.choice(('code', 'label')), scope, 0)

    def castable(self, scope, value):
        """Text of which a cast fails on some rows, seldom on all."""
        column = self.column('text', scope)
        if not column:
            return f"'{value}'::text"
        return column if self.chance(0.3) else f"CASE WHEN {column} ~ '^[a-z]' THEN '{value}' ELSE {column} END"

    def int_expr(self, scope, d):
        i, t = (lambda: self.expr('int', scope, d)), (lambda: self.text_of(scope, d))
        return self.pick(lambda: f'({i()} + {i()})', lambda: f'({i()} - {i()})', lambda: f'({i()} * {i()})', lambda: f'({i()} / {i()})',
                         lambda: f'({i()} % {i()})', lambda: f'length({t()})', lambda: f'({self.castable(scope, "12")})::int', lambda: f'abs({i()})',
                         lambda: f'({self.expr("num", scope, d)})::int', lambda: f'extract(year FROM {self.expr("date", scope, d)})::int',
                         lambda: f'cardinality({self.expr("ints", scope, d)})', lambda: f'({self.expr("ints", scope, d)})[{i()}]',
                         lambda: f"({self.expr('json', scope, d)} ->> 'k')::int", lambda: f'position({t()} in {t()})',
                         lambda: f'greatest({i()}, {i()})', lambda: f'({self.expr("date", scope, d)} - {self.expr("date", scope, d)})',
                         lambda: f'sign({i()})::int', lambda: f'width_bucket({i()}, 0, 10, {i()})', lambda: f'({self.expr("big", scope, d)})::int',
                         lambda: f'(- {i()})', lambda: f'ascii({t()})', lambda: f'({self.predicate(scope, d)})::int')

    def big_expr(self, scope, d):
        b = lambda: self.expr('big', scope, d)
        return self.pick(lambda: f'({b()} + {b()})', lambda: f'({b()} * {b()})', lambda: f'({b()} / {b()})', lambda: f'{self.expr("int", scope, d)}::bigint',
                         lambda: f'({self.castable(scope, "12")})::bigint', lambda: f'mod({b()}, {b()})')

    def num_expr(self, scope, d):
        n, i = (lambda: self.expr('num', scope, d)), (lambda: self.expr('int', scope, d))
        return self.pick(lambda: f'({n()} + {n()})', lambda: f'({n()} * {i()})', lambda: f'round({n()} / {n()}, 4)', lambda: f'round({n()}, {self.rng.choice("012")})',
                         lambda: f'sqrt({n()})::numeric(20,3)', lambda: f'ln({n()})::numeric(20,3)', lambda: f'{i()}::numeric', lambda: f'({self.castable(scope, "1.5")})::numeric',
                         lambda: f'abs({n()})', lambda: f'power({n()}, 2)', lambda: f'({n()})::numeric(4,1)', lambda: f'least({n()}, {n()})', lambda: f'trunc({n()})')

    def text_expr(self, scope, d):
        t, i = (lambda: self.text_of(scope, d)), (lambda: self.expr('int', scope, d))
        return self.pick(lambda: f'({t()} || {t()})', lambda: f'upper({t()})', lambda: f'lower({t()})', lambda: f'substr({t()}, {i()}, {i()})',
                         lambda: f'left({t()}, {i()})', lambda: f"replace({t()}, 'a', {t()})", lambda: f"split_part({t()}, 'x', {i()})",
                         lambda: f'{i()}::text', lambda: f'{self.expr("date", scope, d)}::text', lambda: f'{self.expr("num", scope, d)}::text',
                         lambda: f"concat({t()}, '-', {i()})", lambda: f'repeat({t()}, 2)', lambda: f"regexp_replace({t()}, {self.rng.choice(REGEXPS)}, 'z')",
                         lambda: f"chr(nullif({i()}, 0) % 60000)", lambda: f'md5({t()})', lambda: f'btrim({t()})', lambda: f"to_char({self.expr('date', scope, d)}, 'YYYY-MM')",
                         lambda: f"lpad({t()}, 4, '.')", lambda: f"({self.expr('json', scope, d)} ->> 'k')", lambda: f'({t()})::varchar(3)', lambda: f'reverse({t()})',
                         lambda: f"encode(decode({t()}, 'hex'), 'hex')", lambda: f'{self.expr("json", scope, d)}::text', lambda: f"substring({t()} from {self.rng.choice(REGEXPS)})")

    def code_expr(self, scope, d):
        return self.leaf('code', scope)

    def label_expr(self, scope, d):
        return self.leaf('label', scope)

    def mood_expr(self, scope, d):
        return self.pick(lambda: self.leaf('mood', scope), lambda: f'({self.castable(scope, "sad")})::w.mood')

    def date_expr(self, scope, d):
        e, i = (lambda: self.expr('date', scope, d)), (lambda: self.expr('int', scope, d))
        return self.pick(lambda: f'({e()} + {i()})', lambda: f'({self.castable(scope, "2020-01-31")})::date', lambda: f'make_date({i()}, {i()}, {i()})',
                         lambda: f'least({e()}, {e()})', lambda: f'{self.expr("ts", scope, d)}::date')

    def ts_expr(self, scope, d):
        e = lambda: self.expr('ts', scope, d)
        return self.pick(lambda: f"({e()} + interval '1 day')", lambda: f"date_trunc('month', {e()})", lambda: f'{self.expr("date", scope, d)}::timestamp',
                         lambda: f"({self.expr('date', scope, d)} + interval '1 year')")

    def ints_expr(self, scope, d):
        return self.pick(lambda: f'ARRAY[{self.expr("int", scope, d)}, {self.expr("int", scope, d)}]', lambda: f'({self.expr("ints", scope, d)} || {self.expr("int", scope, d)})',
                         lambda: f'({self.expr("ints", scope, d)})[1:2]', lambda: f'({self.castable(scope, "{1,2}")})::int[]')

    def json_expr(self, scope, d):
        return self.pick(lambda: f"({self.expr('json', scope, d)} -> 'k')", lambda: f'to_jsonb({self.expr(self.kind(("int", "text", "date")), scope, d)})',
                         lambda: f"jsonb_build_object('k', {self.expr('int', scope, d)})", lambda: f'({self.castable(scope, "{}")})::jsonb')

    def bool_expr(self, scope, d):
        return f'({self.predicate(scope, d)})'

    def comparison(self, scope, d):
        kind = self.kind(self.ordered)
        op = self.rng.choice(('=', '=', '<', '>', '<=', '>=', '<>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'))
        left = self.column(kind, scope) if self.chance(0.5) else None
        if left and self.chance(0.6):  # what an index could serve
            return f'{left} {op} {self.column(kind, scope) if self.chance(0.2) else self.literal(kind)}'
        other = kind
        if kind in TEXTS and self.chance(0.3):
            other = self.rng.choice(TEXTS)
        elif kind in ('int', 'big', 'num') and self.chance(0.3):
            other = self.rng.choice(('int', 'big', 'num'))
        elif kind in ('date', 'ts') and self.chance(0.4):
            other = self.rng.choice(('date', 'ts'))
        return f'{self.expr(kind, scope, d)} {op} {self.expr(other, scope, d)}'

    def subquery(self, scope, d, kinds):
        """FROM and WHERE over the scope, with a target list of these kinds."""
        inner, from_sql = self.from_clause(scope, 1)
        both = scope + inner
        return f'SELECT {", ".join(self.expr(k, both, d) for k in kinds)} FROM {from_sql} WHERE {self.predicate(both, d)}'

    def predicate(self, scope, d=2):
        if d <= 0:
            return self.comparison(scope, 0)
        p, t, i = (lambda: self.predicate(scope, d - 1)), (lambda: self.text_of(scope, d - 1)), (lambda: self.expr('int', scope, d - 1))
        return self.pick(lambda: self.comparison(scope, d - 1), lambda: self.comparison(scope, d - 1), lambda: self.comparison(scope, 0),
                         lambda: f'({p()} AND {p()})', lambda: f'({p()} OR {p()})', lambda: f'NOT ({p()})', lambda: f'({p()}) IS NOT TRUE', lambda: f'({p()}) IS NULL',
                         lambda: f'{t()} LIKE {self.rng.choice(PATTERNS)}', lambda: f'{t()} NOT LIKE {t()}', lambda: f'{t()} ILIKE {self.rng.choice(PATTERNS)}',
                         lambda: f"{t()} LIKE 'a%' ESCAPE {self.rng.choice(ESCAPES)}",
                         lambda: f'{t()} ~ {self.rng.choice(REGEXPS)}', lambda: f'{t()} !~* {self.rng.choice(REGEXPS)}', lambda: f"{t()} SIMILAR TO '%(a|b)'",
                         lambda: f'{self.leaf(self.kind(self.ordered), scope)} IS {self.rng.choice(("", "NOT "))}NULL',
                         lambda: f'{i()} IN ({self.literal("int")}, {i()}, {self.literal("int")})', lambda: f'{i()} NOT IN ({self.literal("int")}, {self.literal("int")})',
                         lambda: f'{i()} BETWEEN {self.rng.choice(("", "SYMMETRIC "))}{i()} AND {i()}', lambda: f'{i()} = ANY ({self.expr("ints", scope, d - 1)})',
                         lambda: f'1 / {i()} > {self.literal("int")}', lambda: f'({self.castable(scope, "true")})::boolean', lambda: f'{i()} IN ({self.subquery(scope, d - 1, ["int"])})',
                         lambda: f'{self.rng.choice(("", "NOT "))}EXISTS ({self.subquery(scope, d - 1, ["int"])})',
                         lambda: f'{t()} = {self.rng.choice(("ANY", "ALL"))} ({self.subquery(scope, d - 1, ["text"])})',
                         lambda: f'({i()}, {t()}) {self.rng.choice(("=", "<"))} ({i()}, {t()})',
                         lambda: f'({i()}, {t()}) IN ({self.subquery(scope, 0, ["int", "text"])})',
                         lambda: f"{self.expr('json', scope, d - 1)} @> '{{\"k\": 1}}'", lambda: f"{self.expr('json', scope, d - 1)} ? 'k'",
                         lambda: f"{self.expr('json', scope, d - 1)} @@ '$.k > 0'", lambda: f"{self.expr('json', scope, d - 1)} @? '$.k ? (@ like_regex \"^x\")'",
                         lambda: f'{self.expr("ints", scope, d - 1)} {self.rng.choice(("@>", "&&", "="))} {self.expr("ints", scope, d - 1)}',
                         lambda: f'starts_with({t()}, {t()})', lambda: f'{self.literal("bool")}', lambda: f'{self.leaf("bool", scope)}',
                         lambda: f'{i()} {self.rng.choice(("=", ">", "<"))} {self.scalar("int", scope, d - 1)}')

    # -- FROM

    def table(self):
        """(name, columns) of a table, or of a common table expression in scope."""
        if self.ctes and self.chance(0.4):
            return self.rng.choice(self.ctes)
        name = self.rng.choice(sorted(self.tables))
        return (name if '.' in name or self.chance(0.2) else f'w.{name}'), self.tables[name]

    def from_item(self, scope, depth):
        """SQL and [(alias, columns)]. scope: what LATERAL may see."""
        x = self.rng.random()
        a = self.alias()
        if depth <= 0 or x < 0.6:
            name, columns = self.table()
            if self.chance(0.06):
                renamed = [(f'c{i}', k) for i, (_, k) in enumerate(columns)]
                return f'{name} AS {a} ({", ".join(c for c, _ in renamed)})', [(a, renamed)]
            if self.chance(0.1) and not self.ctes and '.' not in name:
                return name, [(name, columns)]
            return f'{name} {a}', [(a, columns)]
        if x < 0.75:
            kinds = [self.kind() for _ in range(self.rng.randint(1, 3))]
            lateral = self.chance(0.4)
            sql, names = self.select(kinds, scope if lateral else [], depth - 1)
            return f'{"LATERAL " if lateral else ""}({sql}) {a}', [(a, list(zip(names, kinds)))]
        if x < 0.8:
            rows = ', '.join(f'({self.literal("int")}, {self.literal("text")})' for _ in range(3))
            return f'(VALUES {rows}) AS {a} (v, s)', [(a, [('v', 'int'), ('s', 'text')])]
        if x < 0.84:
            return f'generate_series(1, {self.rng.choice(("3", "2"))}) AS {a} (g)', [(a, [('g', 'int')])]
        if x < 0.87 and self.column('ints', scope):
            return f'unnest({self.column("ints", scope)}) AS {a} (g)', [(a, [('g', 'int')])]
        return self.join(scope, depth)

    def join(self, scope, depth):
        left, la = self.from_item(scope, depth - 1)
        right, ra = self.from_item(scope, 0)
        word = self.rng.choice(('JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN'))
        if word == 'CROSS JOIN':
            return f'({left} CROSS JOIN {right})', la + ra
        names = [c for c, _ in la[-1][1]]
        common = [c for c, k in ra[0][1] if len(la) == 1 and names.count(c) == 1 and (c, k) in la[0][1] and k not in ('json',)]
        if common and self.chance(0.3):
            return f'({left} {word} {right} USING ({self.rng.choice(common)}))', la + ra
        if len(common) >= 1 and self.chance(0.1):
            return f'({left} NATURAL {word} {right})', la + ra
        kind = self.kind(('int', 'text', 'int', 'num', 'date'))
        x, y = self.column(kind, la), self.column(kind, ra)
        equal = f'{x} = {y}' if x and y else 'true'
        if word == 'FULL JOIN':
            return f'({left} FULL JOIN {right} ON {equal})', la + ra
        return f'({left} {word} {right} ON {equal} AND {self.predicate(la + ra, 1)})', la + ra

    def from_clause(self, scope, depth):
        items, out = [], []
        for _ in range(self.rng.choice((1, 1, 1, 2)) if depth > 0 else 1):
            sql, found = self.from_item(scope + out, depth)
            items.append(sql)
            out += found
        return out, ', '.join(items)

    # -- SELECT

    def select(self, kinds, scope=(), depth=2):
        """SQL and the names of its columns."""
        scope = list(scope)
        if depth > 0 and self.chance(0.12):
            op = self.rng.choice(('UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'))
            left, names = self.core(kinds, scope, depth - 1)
            right, _ = self.core(kinds, scope, depth - 1)
            return f'{left} {op} {right}', names
        return self.core(kinds, scope, depth)

    def core(self, kinds, scope, depth):
        names = [f'o{i}' for i in range(len(kinds))]
        inner, from_sql = self.from_clause(scope, depth)
        where = f' WHERE {self.predicate(scope + inner, 2)}' if self.chance(0.7) else ''
        x = self.rng.random()
        if x < 0.2:
            return self.grouped(kinds, names, scope, inner, from_sql, where), names
        if x < 0.3:
            return self.windowed(kinds, names, scope + inner, from_sql, where), names
        targets = ', '.join(f'{self.expr(k, scope + inner, 2)} AS {n}' for k, n in zip(kinds, names))
        if x < 0.38:
            return f'SELECT DISTINCT {targets} FROM {from_sql}{where}', names
        if x < 0.43:
            order = ', '.join(str(i + 1) for i in range(len(kinds)))
            return f'(SELECT DISTINCT ON ({names[0]}) * FROM (SELECT {targets} FROM {from_sql}{where}) {self.alias()} ORDER BY {order})', names
        if x < 0.5:
            order = ', '.join(f'{i + 1}{self.rng.choice(("", " DESC", " NULLS FIRST"))}' for i in range(len(kinds)))
            limit = self.rng.choice(('LIMIT 3', 'LIMIT 5 OFFSET 1', f'LIMIT {self.scalar("big", [], 1)}', f'OFFSET {self.scalar("big", [], 1)}', 'FETCH FIRST 2 ROWS ONLY'))
            return f'(SELECT {targets} FROM {from_sql}{where} ORDER BY {order} {limit})', names
        return f'SELECT {targets} FROM {from_sql}{where}', names

    def aggregate(self, kind, scope):
        e = lambda k=kind: self.expr(k, scope, 1)
        name = NAMES.get(kind, 'text')
        where = f' FILTER (WHERE {self.predicate(scope, 1)})' if self.chance(0.2) else ''
        if kind in ('int', 'big'):
            sql = self.rng.choice((f'count(*){where}::{name}', f'count({e()}){where}::{name}', f'count(DISTINCT {e()}){where}::{name}', f'sum({e("int")}){where}::{name}', f'max({e()}){where}'))
            return sql
        if kind == 'num':
            return self.rng.choice((f'sum({e()}){where}', f'round(avg({e("int")}){where}, 3)', f'min({e()}){where}', f'percentile_disc(0.5) WITHIN GROUP (ORDER BY {e()}){where}'))
        if kind == 'bool':
            return self.rng.choice((f'bool_and({e()}){where}', f'bool_or({e()}){where}', f'count(*) > {self.literal("int")}'))
        if kind == 'text':
            x = e()
            return self.rng.choice((f"string_agg({x}, ',' ORDER BY {x}){where}", f'max({x}){where}', f"string_agg(DISTINCT {x}, ',' ORDER BY {x}){where}"))
        if kind == 'json':
            x = e('int')
            return f'jsonb_agg({x} ORDER BY {x}){where}'
        if kind == 'ints':
            x = e('int')
            return f'array_agg({x} ORDER BY {x}){where}'
        if kind in ('code', 'label'):
            return f'max({e()}){where}'
        return f'{self.rng.choice(("min", "max"))}({e()}){where}'

    def grouped(self, kinds, names, scope, inner, from_sql, where):
        both = scope + inner
        keys = {}
        for k, n in zip(kinds, names):
            if self.chance(0.5) and self.column(k, inner):
                keys[n] = self.column(k, inner)
        targets = ', '.join(f'{keys[n] if n in keys else self.aggregate(k, both)} AS {n}' for k, n in zip(kinds, names))
        group = ', '.join(keys.values())
        if keys and self.chance(0.4):
            group = self.rng.choice((f'ROLLUP ({group})', f'CUBE ({group})', 'GROUPING SETS (' + ', '.join(f'({k})' for k in keys.values()) + ', ())'))
        having = f' HAVING {self.aggregate("bool", both)}' if self.chance(0.3) else ''
        return f'SELECT {targets} FROM {from_sql}{where}{" GROUP BY " + group if group else ""}{having}'

    def windowed(self, kinds, names, scope, from_sql, where):
        targets = []
        for k, n in zip(kinds, names):
            partition = f'PARTITION BY {self.expr(self.kind(("int", "text", "date")), scope, 1)} ' if self.chance(0.6) else ''
            order = f'ORDER BY {self.expr("int", scope, 1)}'
            frame = self.rng.choice(('', '', ' RANGE BETWEEN 2 PRECEDING AND CURRENT ROW', f' GROUPS BETWEEN {self.literal("int")} PRECEDING AND CURRENT ROW'))
            over = f'OVER ({partition}{order}{frame})'
            if k == 'int':
                sql = self.rng.choice((f'(rank() {over})::int', f'(dense_rank() {over})::int', f'min({self.expr("int", scope, 1)}) {over}', f'(count(*) {over})::int'))
            elif k in ('num', 'text', 'date', 'ts', 'big'):
                sql = f'{self.rng.choice(("min", "max"))}({self.expr(k, scope, 1)}) {over}'
            else:
                sql = self.expr(k, scope, 1)
            targets.append(f'{sql} AS {n}')
        return f'SELECT {", ".join(targets)} FROM {from_sql}{where}'

    def with_clause(self):
        out = []
        for _ in range(self.rng.randint(1, 2)):
            name = f'c{len(self.ctes)}'
            if self.chance(0.3):
                start, _ = self.core(['int'], [], 0)
                table, columns = self.table()
                name = f'r{len(self.ctes)}'
                scope = [('t', columns), ('r', [('o', 'int'), ('lvl', 'int')])]
                out.append(f'{name} (o, lvl) AS (SELECT z.*, 1 FROM ({start}) z UNION SELECT {self.expr("int", scope[:1], 1)}, r.lvl + 1'
                           f' FROM {table} t, {name} r WHERE r.lvl < 3 AND {self.comparison(scope, 1)})')
                self.ctes.append((name, [('o', 'int'), ('lvl', 'int')]))
                continue
            kinds = [self.kind() for _ in range(self.rng.randint(1, 3))]
            sql, names = self.select(kinds, [], 1)
            hint = self.rng.choice(('', '', 'MATERIALIZED ', 'NOT MATERIALIZED '))
            out.append(f'{name} AS {hint}({sql})')
            self.ctes.append((name, list(zip(names, kinds))))
        return 'WITH RECURSIVE ' + ', '.join(out) + ' '

    def query(self, parameters=False):
        self.aliases, self.ctes, self.parameters = 0, [], [] if parameters else None
        text = self.with_clause() if self.chance(0.2) else ''
        x = self.rng.random()
        if x < 0.08:  # one table, as it is
            name, columns = self.table()
            if self.hidden and self.chance(0.1):
                name, columns = self.rng.choice(self.hidden), [('id', 'int'), ('grp', 'text')]
            p = lambda: self.predicate([('t', columns)], 2)
            sql = self.pick(lambda: f'SELECT * FROM {name}', lambda: f'SELECT t.* FROM {name} t WHERE {p()}', lambda: f'TABLE {name}',
                            lambda: f'SELECT count(*) FROM {name} t WHERE {p()}', lambda: f'SELECT t FROM {name} t',
                            lambda: f'SELECT row_to_json(t) FROM {name} t WHERE {p()}', lambda: f'SELECT * FROM {name} NATURAL JOIN {self.table()[0]}')
        else:
            sql, names = self.select([self.kind(self.ordered) for _ in range(self.rng.randint(1, 4))])
            if sql.startswith('('):
                sql = f'SELECT * FROM {sql} q'
            if self.chance(0.4):
                sql = f'{sql} ORDER BY {", ".join(str(i + 1) for i in range(len(names)))}'
        return self.numbered(text + sql)

    def lookups(self, count):
        """Statements of one shape that differ in their constants alone, as programs send them: after a few Gatehouse has them prepared."""
        table = self.rng.choice(sorted(self.tables))
        columns = self.tables[table]
        a = self.rng.choice(('', '', f'{table}.', 't.'))
        number = lambda: str(self.rng.choice((1, 2, 3, 5, 8, 13, 21, 30, 40, -1, 0, 2147483647, 2147483648)))
        text = lambda: self.rng.choice(("''", "'a'", "'red'", "'12'", "'x\\'", "'2020-01-31'", "'it''s'", "'1e400'", "'t'", "'{1}'", "'calm'", "'5'"))
        parts = [(f'{a}{columns[0][0]} = ', number if self.chance(0.9) else text)]
        for c, kind in self.rng.sample(columns, self.rng.randint(0, min(3, len(columns)))):
            x = self.rng.random()
            value = number if kind in ('int', 'big', 'num') and x < 0.6 else text
            if x < 0.1 or kind == 'bool':
                parts.append((f'{a}{c}' + (' IS NOT NULL' if kind != 'bool' else ''), lambda: ''))
            else:
                parts.append((f'{a}{c} {self.rng.choice(("=", "<>", "<", ">="))} ', value))
        targets = self.rng.choice(('*', ', '.join(a + c for c, _ in self.rng.sample(columns, self.rng.randint(1, min(4, len(columns)))))))
        end = self.rng.choice(('', '', f' ORDER BY {a}{columns[0][0]} LIMIT 1', f' ORDER BY {a}{self.rng.choice(columns)[0]}'))
        for _ in range(count):
            where = ' AND '.join(head + value() for head, value in parts)
            yield f'SELECT {targets} FROM w.{table}{" t" if a == "t." else ""} WHERE {where}{end}'

    def numbered(self, sql):
        """The statement with those parameters alone that it still holds."""
        if self.parameters is None:
            return sql, None
        kept = []

        def place(match):
            kept.append(self.parameters[int(match[1]) - 1])
            return f'${len(kept)}'
        return re.sub(r'\$(\d+)', place, sql), kept
