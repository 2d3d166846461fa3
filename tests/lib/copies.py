"""What the differential suites stand on: one PostgreSQL, one proxy, and for each user of a random policy three databases.

    whole       the warehouse                            through the proxy
    twin_USER   other values wherever USER cannot see    through the proxy
    seen_USER   only what USER may see, by cells.py      direct
"""
import random

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


def ask(c, sql, parameters=None):
    """parameters None: the simple protocol."""
    begin = len(c.log)
    results = c.query(sql) if parameters is None else [c.extended(sql, parameters)]
    answer = Answer(results, c.log[begin:])
    del c.log[:]
    return answer


class Copies:
    """Use as a context. `users` names; `rows_each` rows a table."""

    def __init__(self, scratch, pg, seed, users, rows_each=30, writes=False):
        self.scratch, self.pg, self.rng = scratch, pg, random.Random(seed)
        self.writes = writes
        self.rows = {t: cells.random_rows(self.rng, t, range(1, rows_each + 1)) for t in cells.TABLES}
        self.policies = {f'u{i}': cells.Policy(self.rng, f'u{i}', writes) for i in range(users)}
        self.connections = {}

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
        pg.sql(cells.create(), 'empty')
        self.fill('whole', self.rows)
        self.seen, self.twins = {}, {}
        for user, policy in self.policies.items():
            self.seen[user] = self.project(user, 'whole', self.rows)
            pg.sql(f'CREATE DATABASE seen_{user} TEMPLATE bare')
            pg.sql(self.seen[user].create(), f'seen_{user}')
            if not self.writes:
                self.twins[user] = cells.twin(self.rng, policy, self.seen[user], self.rows, lambda rows, user=user: self.judge_rows(user, rows))
                self.fill(f'twin_{user}', self.twins[user])
        databases = ['whole'] + [f'twin_{u}' for u in self.twins]
        warehouses = '\n'.join(f'{d}:\n  conninfo: "{pg.conninfo(d, "gatehouse", tls=False)}"\n  password_file: wh.pass' for d in databases)
        self.proxy = gt.Gatehouse(self.scratch, pg, policy=cells.policy_file(self.policies.values()), users={u: 'pw' for u in self.policies},
                                  warehouses=warehouses)
        self.proxy.__enter__()
        return self

    def __exit__(self, *exc):
        for c in self.connections.values():
            c.close()
        self.proxy.__exit__(*exc)

    def tables(self, user):
        """What a user sees, for queries.py: name -> [(column, kind)]."""
        return {t: [(c, k) for c, k, _ in columns if c in self.seen[user].columns[t]]
                for t, columns in cells.TABLES.items() if self.seen[user].columns[t]}

    def plans(self, user, sql, parameters, wanted):
        """Does PostgreSQL itself, over what the user sees, answer `wanted` under some other plan? Tables stand
        as they are, and fenced as Gatehouse may have to fence them."""
        for setting in PLANS:
            for text in (sql, fenced(sql)):
                c = self.prepared(gt.Wire(self.pg.port, 'gatehouse', f'seen_{user}', 'upstream-secret'))
                try:
                    if text != sql:
                        c.query('SET search_path TO f, w, public')
                    if setting:
                        c.query(setting)
                    if ask(c, text, parameters).outcome == wanted:
                        return True
                finally:
                    c.close()
        return False


def fenced(sql):
    """The statement over the fenced views of schema f."""
    for table in cells.TABLES:
        sql = sql.replace(f'w.{table}', f'f.{table}')
    return sql
