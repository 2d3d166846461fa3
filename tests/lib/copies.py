"""What the differential suites stand on: one PostgreSQL, one proxy, and for each user of a random policy three databases.

    whole       the warehouse                            through the proxy
    twinN       other values wherever USER cannot see    through the proxy
    seen_USER   only what USER may see, by cells.py      direct
"""
import itertools
import random
import re

import cells
import gatehouse_test as gt

STATEMENT_TIMEOUT = '4s'
# How else PostgreSQL might run a statement: plans differ in which of two failing expressions comes first.
PLANS = ['', 'SET enable_hashjoin = off; SET enable_mergejoin = off', 'SET enable_nestloop = off', 'SET enable_hashjoin = off; SET enable_nestloop = off',
         'SET enable_hashagg = off', 'SET enable_sort = off', 'SET join_collapse_limit = 1; SET from_collapse_limit = 1',
         'SET enable_material = off; SET enable_memoize = off; SET enable_seqscan = off', 'SET plan_cache_mode = force_generic_plan']


class Answer:
    """What a statement answered: `outcome` for comparison between databases, `raw` for comparison byte by byte."""

    def __init__(self, results, log):
        last = results[-1] if results else gt.Result()
        self.sqlstate, self.error, self.tag = last.sqlstate, last.error, last.tag
        self.names, self.types = last.names, [c[3] for c in last.columns or []]
        self.rows = sorted(map(repr, last.rows))
        self.ordered = last.rows
        self.outcome = ('error', self.sqlstate) if self.sqlstate else ('rows', tuple(self.names), tuple(self.rows))
        self.raw = [(k, b) for k, b in log if k not in 'KRSZ'] if self.sqlstate else [(k, b) for k, b in log if k not in 'KRSZD'] + sorted(b for k, b in log if k == 'D')

    def __str__(self):
        if self.sqlstate:
            return f'{self.sqlstate} {self.error.get("M")}'
        return f'{self.tag} {self.ordered[:4]}'


def ask(c, sql, parameters=None, types=()):
    """parameters None: the simple protocol. What COPY takes stands behind its line."""
    begin = len(c.log)
    head, _, data = sql.partition('\n')
    results = c.query(head, data.encode()) if sql.startswith('COPY ') and data else c.query(sql) if parameters is None else [c.extended(sql, parameters, types)]
    answer = Answer(results, c.log[begin:])
    del c.log[:]
    return answer


class Copies:
    """Use as a context. `users`: how many; `rows_each`: rows a table; `hidden`: SQL of what nobody is granted, for the
    warehouse and for the twins; `views`: a views.Views, whose views stand in all of them."""

    def __init__(self, scratch, pg, seed, users, rows_each=30, writes=False, narrow=False, hidden=('', ''), grants=None, views=None):
        self.scratch, self.pg, self.rng = scratch, pg, random.Random(seed)
        self.writes = writes
        self.rows = {t: cells.random_rows(self.rng, t, range(1, rows_each + 1), tame=9 if narrow else 0) for t in cells.TABLES}
        self.policies = {f'u{i}': cells.Policy(self.rng, f'u{i}', writes, narrow, grants, simple=writes and i % 2 == 0) for i in range(users)}
        self.hidden, self.views = hidden, views
        self.connections = {}
        self.sizes = {}
        self.partitioned = ()  # tables

    def direct(self, database):
        key = ('', database)
        if key not in self.connections:
            self.connections[key] = self.prepared(gt.Wire(self.pg.port, 'gatehouse', database, 'upstream-secret'))
        return self.connections[key]

    def proxied(self, user, database='whole'):
        key = (user, database)
        if key not in self.connections:
            self.connections[key] = self.prepared(self.proxy.wire(user, database=database))
        return self.connections[key]

    def prepared(self, c):
        c.query(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        c.query('SET search_path TO w, public')
        return c

    def fill(self, database, rows):
        """A database of the tables with other rows; their OIDs are the same in all, since clients see them."""
        self.pg.sql(f'CREATE DATABASE {database} TEMPLATE empty')
        self.pg.sql(cells.fill(rows), database)

    def state(self, c):
        """The tables' rows as PostgreSQL writes them."""
        return {t: {int(r[0]): dict(zip([n for n, _, _ in columns], r)) for r in c.query(f'SELECT * FROM w.{t} ORDER BY id')[-1].rows}
                for t, columns in cells.TABLES.items()}

    def project(self, user, database, rows):
        c = self.direct(database)

        def evaluate(sql):
            result = c.query(sql)[-1]
            assert not result.error, f'{sql}: {result.error}'
            return result.rows
        return cells.Projection(self.policies[user], evaluate, rows)

    def judge_rows(self, user, rows):
        """The Projection of other rows, in a database for the moment."""
        self.fill('moment', rows)
        try:
            return self.project(user, 'moment', rows)
        finally:
            self.connections.pop(('', 'moment')).close()
            self.pg.sql('DROP DATABASE moment')

    def __enter__(self):
        pg = self.pg
        pg.sql('CREATE DATABASE bare')
        pg.sql(cells.SCHEMA, 'bare')
        pg.sql('CREATE DATABASE empty TEMPLATE bare')
        pg.sql(cells.create(self.partitioned) + (self.views.create() if self.views else ''), 'empty')
        self.fill('whole', self.rows)
        self.rows = self.state(self.direct('whole'))
        pg.sql(self.hidden[0], 'whole')
        self.seen, self.twins = {}, {}
        for user, policy in self.policies.items():
            self.seen[user] = self.project(user, 'whole', self.rows)
            if not self.writes:
                pg.sql(f'CREATE DATABASE seen_{user} TEMPLATE bare')
                pg.sql(self.seen_sql(user), f'seen_{user}')
                self.twins[user] = cells.twin(self.rng, policy, self.seen[user], self.rows, lambda rows, user=user: self.judge_rows(user, rows),
                                               policy.narrow)
                self.fill(self.twin_of(user), self.twins[user])
                pg.sql(self.hidden[1], self.twin_of(user))
        databases = ['whole'] + [self.twin_of(u) for u in self.twins]
        warehouses = '\n'.join(f'{d}:\n  conninfo: "{pg.conninfo(d, "gatehouse", tls=False)}"\n  password_file: wh.pass' for d in databases)
        self.proxy = gt.Gatehouse(self.scratch, pg, policy=cells.policy_file(self.policies.values(), self.views), users={u: 'pw' for u in self.policies},
                                  warehouses=warehouses)
        self.proxy.__enter__()
        return self

    def __exit__(self, *exc):
        for c in self.connections.values():
            c.close()
        self.proxy.__exit__(*exc)

    def seen_sql(self, user):
        return self.seen[user].create() + (self.views.seen(self.policies[user], self.seen[user]) if self.views else '')

    @staticmethod
    def twin_of(user):
        """Its name is as long as the warehouse's, so that answers that name it differ in those bytes alone."""
        return f'twin{user[1:]}'

    def tables(self, user):
        """What a user sees, for queries.py: name -> [(column, kind)]."""
        out = {t: [(c, k) for c, k, _ in columns if c in self.seen[user].columns[t]]
               for t, columns in cells.TABLES.items() if self.seen[user].columns[t]}
        return out | (self.views.tables(self.policies[user]) if self.views else {})

    def sized(self, user):
        """Copies of what the user sees in which PostgreSQL takes some of the tables for large, or for one row: names of databases."""
        if user not in self.sizes:
            tables = [t for t in cells.TABLES if self.seen[user].columns[t]]
            self.sizes[user] = []
            for sizes in itertools.product('alo', repeat=len(tables)):
                name = f'size_{"".join(sizes)}_{user}'
                self.pg.sql(f'CREATE DATABASE {name} TEMPLATE bare')
                self.pg.sql(self.seen_sql(user), name)
                for table, size in zip(tables, sizes):
                    first = self.seen[user].columns[table][0]
                    if size == 'l':
                        self.pg.sql(f'INSERT INTO w.{table} ({first}) SELECT NULL FROM generate_series(1, 30000); ANALYZE w.{table};'
                                    f'DELETE FROM w.{table} WHERE ctid IN (SELECT ctid FROM w.{table} OFFSET {len(self.seen[user].rows[table])})', name)
                    elif size == 'o':
                        self.pg.sql(f'CREATE TEMP TABLE all_{table} AS SELECT * FROM w.{table}; TRUNCATE w.{table};'
                                    f'INSERT INTO w.{table} ({first}) VALUES (NULL); ANALYZE w.{table}; DELETE FROM w.{table};'
                                    f'INSERT INTO w.{table} SELECT * FROM all_{table}', name)
                    else:
                        self.pg.sql(f'ANALYZE w.{table}', name)
                self.sizes[user].append(name)
        return self.sizes[user]

    def alone(self, user, sql, parameters):
        """What the statement answers over what the user sees where, of one table, a single row is left."""
        c = self.prepared(gt.Wire(self.pg.port, 'gatehouse', f'seen_{user}', 'upstream-secret'))
        try:
            for table in cells.TABLES:
                if f'{table}' not in sql or not self.seen[user].columns[table]:
                    continue
                for place in [r[0] for r in c.query(f'SELECT ctid FROM w.{table}')[-1].rows]:
                    c.query('BEGIN')
                    c.query(f"DELETE FROM w.{table} WHERE ctid <> '{place}'")
                    yield ask(c, sql, parameters)
                    c.query('ROLLBACK')
        finally:
            c.close()

    def may_come_before(self, user, sql, parameters, *answers):
        """Two answers fail alike: are the rows that came before the error such as what the user sees gives?"""
        left = {row for a in answers for row in a.rows}
        for other in self.alone(user, sql, parameters):
            left -= set(other.rows)
            if not left:
                return True
        return not left

    def plans(self, user, sql, parameters, wanted, message=None, types=()):
        """Does PostgreSQL itself, over what the user sees, answer `wanted` under some other plan? Tables stand
        as they are, fenced as Gatehouse may have to fence them, and with what it makes a constant. Of statements over the catalogs, which are
        others there, only whether and how they fail is compared. `message`: it must fail with this text, too."""
        is_catalog = 'pg_catalog.' in sql or 'information_schema.' in sql
        alone = target_alone(sql)
        if alone and wanted[0] == 'rows' and not wanted[2]:
            answer = ask(self.direct(f'seen_{user}'), alone, parameters, types)
            if not answer.sqlstate and not answer.rows:
                return True

        def ways():
            yield from ((f'seen_{user}', p) for p in PLANS)
            yield from ((d, p) for d in self.sized(user) for p in PLANS[:3])
        for database, setting in ways():
            texts = [(sql, 'w, public'), (over(sql, 'f', 'f'), 'f, w, public'), (over(sql, 'k', 'w'), 'k, w, public')]
            if is_catalog:
                texts += [(fenced_catalogs(t), path) for t, path in texts]
            if is_write(sql):
                texts += [(guarded(sql), 'w, public'), (over_sources(guarded(sql), 'f'), 'f, w, public')]
            texts += [(t, 'w, public') for t in other_way_round(sql)]
            if guarded_read(sql) != sql:
                texts.append((guarded_read(sql), 'w, public'))
            if self.views:
                texts.append((over(sql, 'f', 's'), 's, f, w, public'))
            for text, path in texts:
                c = self.prepared(gt.Wire(self.pg.port, 'gatehouse', database, 'upstream-secret'))
                try:
                    c.query(f'SET search_path TO {path}')
                    if setting:
                        c.query(setting)
                    c.query('BEGIN')
                    answer = ask(c, text, parameters, types)
                    outcome = answer.outcome
                    if message is not None:
                        if outcome == wanted and answer.error['M'] == message:
                            return True
                    elif outcome == wanted or both_fail(outcome, wanted) or (is_catalog and outcome[0] == wanted[0] == 'rows'):
                        return True
                finally:
                    c.close()
        return message is not None and any(a.outcome == wanted and a.error['M'] == message for a in self.alone(user, sql, parameters))


VALUES = ('21', '22', '54')  # classes of errors that a value raises, as is 42P22; chr() of none is 54000


def both_fail(a, b):
    """Both met a value, or too many rows: which failing part comes first is the plan's business."""
    return a[0] == b[0] == 'error' and all(x[1][:2] in VALUES or x[1] == '42P22' for x in (a, b))


def are_both_wrong(a, b):
    """More than one part of the statement is not valid: Gatehouse looks for names first, PostgreSQL goes from clause to clause."""
    return a[0] == b[0] == 'error' and a[1][:2] == b[1][:2] == '42' and any(x[1] in ('42P01', '42703') for x in (a, b))


def differ_in_text(a, b):
    """Are they one error but for the text of its message?"""
    return a.outcome == b.outcome and a.sqlstate and {**a.error, 'M': ''} == {**b.error, 'M': ''}


WRITE = re.compile(r'(UPDATE|DELETE FROM) w\.\w+ AS (\w+) .*')


def is_write(sql):
    return bool(WRITE.match(sql))


def outer_clauses(sql):
    """The statement cut before FROM, USING, WHERE and RETURNING, those outside of brackets and strings: word -> what follows it."""
    out, word, depth, begin = {}, '', 0, 0
    for m in re.finditer(r"'(?:[^']|'')*'|[()]|\b(?:FROM|USING|WHERE|RETURNING)\b", sql):
        depth += {'(': 1, ')': -1}.get(m[0], 0)
        if m[0][0] in "'()" or depth or (m[0] == 'FROM' and sql[:m.start()] == 'DELETE '):
            continue
        out.setdefault(word, sql[begin:m.start()].strip())
        word, begin = m[0], m.end()
    out.setdefault(word, sql[begin:].strip())
    return out


def guarded_read(sql):
    """A query whose WHERE stands within CASE, as Gatehouse may put it, where the planner does not order its parts."""
    depth, begin, end = 0, None, len(sql)
    for m in re.finditer(r"'(?:[^']|'')*'|[()]|\b(?:WHERE|(?:GROUP|ORDER) BY|HAVING|WINDOW|LIMIT|OFFSET|FETCH|UNION|INTERSECT|EXCEPT)\b", sql):
        depth += {'(': 1, ')': -1}.get(m[0], 0)
        if m[0][0] in "'()" or depth:
            continue
        if begin is not None:
            end = m.start()
            break
        if m[0] == 'WHERE':
            begin = m.end()
    return sql if begin is None or not sql.startswith('SELECT') else f'{sql[:begin]} CASE WHEN random() >= 0 THEN ({sql[begin:end]}) ELSE false END {sql[end:]}'


def write_parts(sql):
    """(target AS alias, alias, other relations, condition) of a write that has all of them."""
    m = WRITE.match(sql)
    parts = outer_clauses(sql) if m else {}
    others = parts.get('FROM') or parts.get('USING')
    return (m[0][len(m[1]) + 1:m.end(2)], m[2], others, parts['WHERE']) if others and 'WHERE' in parts else None


def target_alone(sql):
    """Of a write that reads other relations the rows of the target that its WHERE finds, where that names none of those. If there are none,
    the others are not read by a plan that begins with the target."""
    parts = write_parts(sql)
    return parts and f'SELECT FROM {parts[0]} WHERE {parts[3]}'


def guarded(sql):
    """A write whose WHERE stands behind a condition on its target, as Gatehouse puts it behind the row filter: what is false for
    all rows PostgreSQL then does not know before it reads them."""
    head, _, rest = sql.rpartition(' WHERE ')
    condition, returning, end = rest.partition(' RETURNING ')
    return f'{head} WHERE CASE WHEN {WRITE.match(sql)[2]}.id IS NOT NULL THEN {condition} ELSE false END{returning}{end}'


def over_sources(sql, tables):
    """A write whose target stays while the rest is read from other schemas."""
    target = WRITE.match(sql).end(2)
    return sql[:target] + over(sql[target:], tables, tables)


def other_way_round(sql):
    """What a statement that fails may meet first where the second of two relations is read before the first; of a write, its sources
    before its target. PostgreSQL takes CROSS JOIN by join_collapse_limit = 1 as it is written."""
    relation = r'(\S+ (?:a\d+|"A \d+"))'
    two = re.match(rf'SELECT count\(\*\) FROM {relation}, {relation} WHERE (.*)', sql)
    if two:
        yield f'SELECT count(*) FROM {two[2]} CROSS JOIN {two[1]} WHERE {two[3]}'
    parts = write_parts(sql)
    if parts:
        target, alias, others, condition = parts
        yield f'SELECT count(*) FROM {others}'
        yield f'SELECT count(*) FROM ({others}) CROSS JOIN {target} WHERE CASE WHEN {alias}.id IS NOT NULL THEN {condition} ELSE false END'


def fenced_catalogs(sql):
    return re.sub(r'((?:pg_catalog|information_schema)\.\w+) (a\d+|"A \d+")', r'(SELECT * FROM \1 OFFSET 0) \2', sql)


def over(sql, tables, views):
    """The statement over the tables and views of other schemas."""
    for name in cells.TABLES:
        sql = sql.replace(f'w.{name}', f'{tables}.{name}')
    return sql.replace('w.v_', f'{views}.v_')
