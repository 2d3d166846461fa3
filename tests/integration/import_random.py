"""policy import against the warehouse itself: random roles, GRANTs and row-level security in a real PostgreSQL; the imported policy,
applied, shows every role the cells that PostgreSQL shows it with its own hand, and lets it write what PostgreSQL lets it write.
Where it gives less, a note has said why; it never gives more."""
import os
import random
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

LOGINS = ('l0', 'l1', 'l2', 'l3', 'l4')
GROUPS = ('g0', 'g1', 'g2', 'g3')
COLUMNS = ('id', 'region', 'owner', 'body')
PASSWORD = 'a-password'
IS_LONG = os.environ.get('GH_LONG') == '1'
CONDITIONS = ("id > 4", "id % 2 = 0", "region = 'EU'", "owner = CURRENT_USER", 'true', 'false', None,
              "id IN (SELECT k FROM s0.map)", "EXISTS (SELECT FROM s0.map m WHERE m.who = CURRENT_USER AND m.k > id)",
              "id IN (SELECT k FROM s0.guarded)", "id IN (SELECT k FROM s0.closed)", "region = current_setting('app.region', true)",
              "pg_has_role(CURRENT_USER, 'g0', 'MEMBER')", "body LIKE '%3'", "region IS NULL OR id < 9")


def world(rng):
    """Statements that make a warehouse; every cell's text is unique and says where it is from, but for id, region, owner."""
    yield 'CREATE SCHEMA s0; CREATE SCHEMA s1; CREATE SCHEMA s2'
    yield ('CREATE TABLE s0.map (k int, who text); INSERT INTO s0.map VALUES (2, \'l0\'), (5, \'l1\'), (9, \'l2\'); '
           'GRANT SELECT ON s0.map TO PUBLIC; '
           'CREATE TABLE s0.guarded (k int); INSERT INTO s0.guarded SELECT generate_series(1, 12); '
           'ALTER TABLE s0.guarded ENABLE ROW LEVEL SECURITY; GRANT SELECT ON s0.guarded TO PUBLIC; '
           'CREATE POLICY p ON s0.guarded USING (k < 3); '
           'CREATE TABLE s0.closed (k int); INSERT INTO s0.closed SELECT generate_series(1, 12)')
    for role in LOGINS + GROUPS:
        options = ['LOGIN' if role in LOGINS else 'NOLOGIN']
        options += ['NOINHERIT'] * (rng.random() < 0.15) + ['BYPASSRLS'] * (rng.random() < 0.15)
        yield f'DROP ROLE IF EXISTS {role}; CREATE ROLE {role} {" ".join(options)}'
    order = list(GROUPS)
    for i, group in enumerate(order):
        for member in order[i + 1:] + list(LOGINS):
            if rng.random() < 0.3:
                yield f'GRANT {group} TO {member}'
    if rng.random() < 0.5:
        yield 'GRANT l0 TO l4'
    for schema in ('s0', 's1', 's2'):
        for role in ('PUBLIC',) if rng.random() < 0.6 else rng.sample(GROUPS + LOGINS, 3):
            yield f'GRANT USAGE ON SCHEMA {schema} TO {role}'
    for n in range(6):
        t = f's{n % 3}.t{n}'
        yield f'CREATE TABLE {t} (id int, region text, owner text, body text)'
        yield (f"INSERT INTO {t} SELECT i, (ARRAY['EU', 'US', NULL])[1 + i % 3], (ARRAY['l0', 'l1', 'g0', 'l3'])[1 + i % 4], "
               f"'{t}/' || i FROM generate_series(1, 12) i")
        yield f'ALTER TABLE {t} OWNER TO {rng.choice(GROUPS + LOGINS + ("postgres",))}'
        for role in rng.sample(GROUPS + LOGINS + ('PUBLIC',), 4):
            what = f'SELECT ({", ".join(rng.sample(COLUMNS, rng.randint(1, 3)))})' if rng.random() < 0.4 else 'SELECT'
            yield f'GRANT {what} ON {t} TO {role}'
        if rng.random() < 0.75:
            yield f'ALTER TABLE {t} ENABLE ROW LEVEL SECURITY'
        if rng.random() < 0.2:
            yield f'ALTER TABLE {t} FORCE ROW LEVEL SECURITY'
        for p in range(rng.randint(0, 4)):
            using, check = rng.choice(CONDITIONS), rng.choice(CONDITIONS)
            command = rng.choice(('ALL', 'SELECT', 'SELECT', 'UPDATE', 'INSERT'))
            yield (f"CREATE POLICY p{p} ON {t} AS {'RESTRICTIVE' if rng.random() < 0.3 else 'PERMISSIVE'} FOR {command} "
                   f"TO {rng.choice(('PUBLIC', 'PUBLIC', *GROUPS, *LOGINS))}" +
                   (f' USING ({using})' if using and command != 'INSERT' else '') +
                   (f' WITH CHECK ({check})' if check and command not in ('SELECT', 'DELETE') else ''))
    for n, body in enumerate(('SELECT * FROM s0.t0', 'SELECT id, body FROM s1.t1 WHERE owner = CURRENT_USER', 'SELECT * FROM s2.t2')):
        yield f'CREATE VIEW s0.v{n}' + (' WITH (security_invoker)' if n == 2 else '') + f' AS {body}'
        yield f'ALTER VIEW s0.v{n} OWNER TO {rng.choice(GROUPS + ("postgres",))}; GRANT SELECT ON s0.v{n} TO PUBLIC'
    yield from writes(random.Random(rng.random()))
    yield 'GRANT USAGE ON SCHEMA s0, s1, s2 TO gatehouse; GRANT ALL ON ALL TABLES IN SCHEMA s0, s1, s2 TO gatehouse'


def writes(rng):
    """Who may write what, beside what they may read."""
    for n in range(6):
        t = f's{n % 3}.t{n}'
        for role in rng.sample(GROUPS + LOGINS + ('PUBLIC',), 5):
            for privilege in rng.sample(('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'), rng.randint(1, 3)):
                part = privilege in ('INSERT', 'UPDATE') and rng.random() < 0.4
                columns = f'({", ".join(rng.sample(COLUMNS, 2))})' if part else ''
                yield f'GRANT {privilege} {columns} ON {t} TO {role}'
        for p in range(rng.randint(0, 4)):
            command, using, check = rng.choice(('ALL', 'INSERT', 'UPDATE', 'UPDATE', 'DELETE')), *rng.choices(CONDITIONS, k=2)
            yield (f"CREATE POLICY w{p} ON {t} AS {'RESTRICTIVE' if rng.random() < 0.25 else 'PERMISSIVE'} FOR {command} "
                   f"TO {rng.choice(('PUBLIC', 'PUBLIC', *GROUPS, *LOGINS))}" +
                   (f' USING ({using})' if using and command != 'INSERT' else '') +
                   (f' WITH CHECK ({check})' if check and command != 'DELETE' else ''))
        yield f'CREATE TABLE s0.backup{n} AS TABLE {t}'


def tries(user):
    """table, statement: of each kind, with and without reading, and such as move a row over the borders of conditions."""
    for n in range(6):
        t = f's{n % 3}.t{n}'
        for columns, values in (('id, region, owner, body', f"6, 'EU', '{user}', 'b3'"), ('id, region, owner, body', "3, 'US', 'g0', 'x'"),
                                ('id', '2'), ('id, region', "9, 'EU'"), ('owner, body', f"'{user}', 'w3'")):
            yield t, f'INSERT INTO {t} ({columns}) VALUES ({values})'
        yield t, f"INSERT INTO {t} (id, region) VALUES (8, 'EU') RETURNING id"
        for what in ("body = 'w3'", "region = 'US'", 'id = 2', "owner = 'l0'", 'id = id + 1', "region = 'EU', owner = 'g0'"):
            yield t, f'UPDATE {t} SET {what}'
        yield t, f"UPDATE {t} SET body = 'w' WHERE id > 5"
        yield t, f"UPDATE {t} SET region = 'EU' WHERE region = 'US' RETURNING id"
        yield t, f'DELETE FROM {t}'
        yield t, f'DELETE FROM {t} WHERE id < 8'
        yield t, f'TRUNCATE {t}'


class Psql:
    """One psql that stays, as the superuser."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            [gt.PG_BIN / 'psql', '-XAtq', '-h', pg.dir, '-p', str(pg.port), '-U', 'postgres', '-d', database], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, sql):
        self.process.stdin.write(f'{sql}\n\\echo @end\n')
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().rstrip('\n')) != '@end':
            lines.append(line)
        return lines

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def content(t):
    return f"SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), 'empty') FROM {t} t;"


RELATIONS = [(f's{n % 3}.t{n}', COLUMNS) for n in range(6)] + [('s0.v0', COLUMNS), ('s0.v1', ('id', 'body')), ('s0.v2', COLUMNS),
                                                               ('s0.map', ('k', 'who')), ('s0.guarded', ('k',)), ('s0.closed', ('k',))]


def setUpModule():
    global scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'BYPASSRLS')


class Import(unittest.TestCase):
    def direct(self, database, user):
        """relation, column -> what PostgreSQL shows this role: the sorted values; nothing where it refuses."""
        script = [f'SET SESSION AUTHORIZATION {user};']
        for relation, columns in RELATIONS:
            for column in columns + ('1',):
                script += [f'\\echo @{relation} {column}', f'SELECT {column}::text FROM {relation};']
        text = gt.run(gt.PG_BIN / 'psql', '-XAtq', '-P', r'null=\N', '-h', pg.dir, '-p', str(pg.port), '-U', 'postgres', '-d', database,
                      stdin='\n'.join(script), check=False).stdout
        found = {}
        for part in text.split('@')[1:]:
            head, *rows = part.splitlines()
            found[tuple(head.split())] = sorted(rows)
        return found

    def shown(self, proxy, user):
        found = {}
        try:
            c = proxy.wire(user)
        except gt.ServerError:
            return {(r, c): [] for r, columns in RELATIONS for c in columns + ('1',)}
        with c:
            for relation, columns in RELATIONS:
                for column in columns + ('1',):
                    rows = c.query(f'SELECT {column}::text FROM {relation}')[-1].rows
                    found[relation, column] = sorted('\\N' if r[0] is None else r[0] for r in rows)
        return found

    def direct_write(self, admin, user, statement, t, only=None):
        """What the table holds after the role's own statement, as a list of rows; None: refused. `only`: it held that row alone."""
        alone = f"DELETE FROM {t} t WHERE t::text <> '{only}';" if only else ''
        lines = admin.ask(f'BEGIN; {alone} SET LOCAL SESSION AUTHORIZATION {user};\n{statement};\n'
                          f'SET LOCAL SESSION AUTHORIZATION DEFAULT;\n{content(t)}\nROLLBACK;')
        return lines[-1].split() if lines else None

    def is_more(self, admin, user, statement, t, before, after):
        """Is there a row that PostgreSQL would not have let this role make, change or delete so, had it been the only one?
        (A row that a WITH CHECK refuses ends all of its statement there, and is not found here.)"""
        statement = statement.split(' RETURNING')[0]
        gone, new = list(before), list(after)
        for row in after:
            if row in gone:
                gone.remove(row)
                new.remove(row)
        if not gone:
            direct = self.direct_write(admin, user, statement, t)
            return direct is None or sorted(direct) != sorted(after)
        for row in gone:
            direct = self.direct_write(admin, user, statement, t, row)
            if direct is None or not set(direct) - {'empty'} <= set(new) or row in direct:
                return True
            for made in set(direct) - {'empty'}:
                new.remove(made)
        return bool(set(new) - {'empty'})

    def compare_writes(self, database, proxy, user, notes, faults):
        """How many ended alike, and how many writes the proxy refused, or did less of, and said so."""
        alike = less = 0
        admin = Psql(database)
        self.addCleanup(admin.close)
        try:
            c = proxy.wire(user)
        except gt.ServerError:
            return 0, 0
        with c:
            for t, statement in tries(user):
                before = admin.ask(content(t))[-1].split()
                direct = self.direct_write(admin, user, statement, t)
                result = c.query(statement)[-1]
                after = before if result.error else admin.ask(content(t))[-1].split()
                if after != before:
                    admin.ask(f'TRUNCATE {t}; INSERT INTO {t} TABLE s0.backup{t[-1]};')
                fault = f'{database}: {user}: {statement}: {before} -> {after}, in PostgreSQL {direct}'
                if after == (direct or before):
                    alike += 1
                    continue
                less += 1
                if after != before and self.is_more(admin, user, statement, t, before, after):
                    faults.append(f'more than PostgreSQL: {fault}')
                if direct is None and any(value is not None for row in result.rows for value in row):
                    alone = [self.direct_write(admin, user, statement, t, row) for row in before] if statement.startswith('UPDATE') else []
                    if not any(alone):
                        faults.append(f'{result.rows} returned: {fault}')
                if not [n for n in notes.splitlines() if t in n or re.search(r'role [lg]\d: |schema s\d: ', n)]:
                    faults.append(f'no note says that it is less: {fault}')
        return alike, less

    def one(self, seed):
        rng = random.Random(seed)
        database = f'import{seed}'
        pg.sql(f'CREATE DATABASE {database}')
        for statement in world(rng):
            pg.sql(statement, database)
        proxy = gt.Gatehouse(scratch, pg, certs, warehouse=database, name=database)
        proxy.prepare()
        imported = proxy.cli('policy', 'import', '--config', proxy.config)
        proxy.policy, proxy.users, notes = imported.stdout, {user: PASSWORD for user in LOGINS}, imported.stderr
        exact = fewer = alike = less = 0
        faults = []
        with proxy:
            for user in LOGINS:
                direct, shown = self.direct(database, user), self.shown(proxy, user)
                for key, values in shown.items():
                    where = f'seed {seed}: {user}: SELECT {key[1]} FROM {key[0]}'
                    left = list(direct[key])
                    for value in values:
                        if value != '\\N':
                            self.assertIn(value, left, f'{where}: shown and not granted\n{notes}')
                            left.remove(value)
                    self.assertLessEqual(len(values), len(direct[key]), f'{where}: more rows than granted\n{notes}')
                    if values == direct[key]:
                        exact += 1
                        continue
                    fewer += 1
                    told = [n for n in notes.splitlines() if key[0] in n or re.search(r'role [lg]\d: |schema s\d: ', n)]
                    self.assertTrue(told, f'{where}: {len(values)} of {len(direct[key])} rows, and no note says so\n{notes}')
                if not IS_LONG and user not in ('l1', 'l3'):
                    continue
                done = self.compare_writes(database, proxy, user, notes, faults)
                alike, less = alike + done[0], less + done[1]
        self.assertEqual('\n'.join(faults[:9]), '', notes)
        pg.sql(f'DROP DATABASE {database} WITH (FORCE)')
        pg.sql(f'DROP ROLE IF EXISTS {", ".join(LOGINS + GROUPS)}')
        return exact, fewer, alike, less

    maxDiff = None

    def test_random(self):
        first = int(os.environ.get('GH_SEED', 1))
        sums = [self.one(seed) for seed in (range(first, first + 40) if IS_LONG else (1, 15))]
        exact, fewer, alike, less = (sum(x) for x in zip(*sums))
        print(f'# {exact} answers as the warehouse gives them, {fewer} with fewer rows or cells')
        print(f'# {alike} writes end as in the warehouse, {less} do less')
        self.assertGreater(exact, 4 * fewer)
        self.assertGreater(alike, 4 * less)


if __name__ == '__main__':
    gt.main()
