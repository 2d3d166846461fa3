"""Random INSERT, UPDATE, DELETE, MERGE and COPY FROM of random users, into tables some of which are partitioned, and whose triggers change
rows before they are stored.

    Users of one grant a table    the same statement under PostgreSQL's own row-level security, with the filter as USING and WITH CHECK
                                  and the columns granted: same SQLSTATE, tag and RETURNING, and the same tables afterwards
    Users of any policy           after a failure the tables are as before; what a success changed, added or took away is what the
                                  rule of docs/semantics.md lets this user write, by tests/lib/cells.py

    writes.py [SEED [STATEMENTS]]
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
USERS = 6
# Around a condition that Gatehouse may have to put behind a CASE, where neither the planner's order holds nor does NULL end an AND.
OPEN, CLOSE = '/*<*/', '/*>*/'
# What a trigger says to change a column, or to leave the row alone, in words that the catalog reads rightly or not at all.
CHANGES = ['NEW.{c} := {v};', 'NEW."{c}" = {v};', 'new . {c} := {v};', 'IF {i} THEN NEW.{c} := {v}; END IF;', 'SELECT {v} INTO NEW.{c};', 'SELECT {v}, 1 INTO NEW.{c}, x;',
           'SELECT x.v FROM (VALUES ({v})) x (v) INTO STRICT NEW.{c};', "EXECUTE 'SELECT $1' INTO NEW.{c} USING {v};", 'r := NEW; r.{c} := {v}; NEW := r;',
           "NEW := jsonb_populate_record(NEW, jsonb_build_object('{c}', {v}));", "SELECT (jsonb_populate_record(NEW, jsonb_build_object('{c}', {v}))).* INTO NEW;",
           "SELECT q INTO NEW.* FROM jsonb_populate_record(NEW, jsonb_build_object('{c}', {v})) q;", 'CALL w.change_{c}(NEW.{c}, {v});', 'CALL w.change_{c}({v_null}, {v});',
           "r := jsonb_populate_record(NEW, jsonb_build_object('{c}', {v})); RETURN r;", 'n.{c} := {v};', "FOR r IN SELECT * FROM jsonb_populate_record(NEW, jsonb_build_object('{c}', {v})) LOOP RETURN r; END LOOP;",
           "FOR NEW IN SELECT * FROM jsonb_populate_record(NEW, jsonb_build_object('{c}', {v})) LOOP NULL; END LOOP;", "RETURN jsonb_populate_record(NEW, jsonb_build_object('{c}', {v}));",
           "OPEN k FOR SELECT {v}; FETCH k INTO NEW.{c}; CLOSE k;", "OPEN k FOR SELECT * FROM jsonb_populate_record(NEW, jsonb_build_object('{c}', {v})); FETCH k INTO NEW; CLOSE k;"]
READS = ['IF {i} THEN RETURN NULL; END IF;', 'PERFORM to_jsonb(NEW);', 'x := NEW.id;', 'IF NEW IS NULL THEN RETURN NULL; END IF;', 'r := NEW; r.{c} := {v};', "-- NEW.{c} := 'x';\n", '']


def triggers(rng, partitioned):
    """SQL of some, and what they may change: {table: columns}."""
    out, changed = [], {t: set() for t in cells.TABLES}
    for i in range(rng.choice((1, 2, 2, 3))):
        table = rng.choice(sorted(cells.TABLES))
        column, kind, _ = rng.choice([c for c in cells.TABLES[table] if c[1] in ('text', 'int') and c[0] != 'id' or c[0] == 'grp'])
        value = {'text': "CASE WHEN NEW.id % 3 = 0 THEN 'red' WHEN NEW.id % 3 = 1 THEN 'blue' ELSE NEW.grp || '' END", 'int': '2 + NEW.id % 5'}[kind]
        words = dict(c=column, v=value, v_null='x' if kind == 'int' else 'y', i=rng.choice(('NEW.id % 2 = 0', "NEW.grp = 'red'", 'NEW.id > 500', "TG_OP = 'UPDATE'")))
        body = [rng.choice(READS), rng.choice(CHANGES) if rng.random() < 0.8 else '', rng.choice(READS) if rng.random() < 0.4 else '']
        declared = 'r record; x int; y text; k refcursor;' + (' n ALIAS FOR NEW;' if 'n.{c}' in body[1] else '')
        if body[1]:
            changed[table].add(column)
        out.append(f'CREATE PROCEDURE w.change_{column}_{i} (INOUT a {kind if kind == "text" else "int"}, b {kind if kind == "text" else "int"}) LANGUAGE plpgsql AS $f$ BEGIN a := b; END $f$;'
                   f'CREATE FUNCTION w.before_{i}() RETURNS trigger LANGUAGE plpgsql AS $f$ DECLARE {declared} BEGIN ' +
                   ' '.join(body).format(**words).replace(f'w.change_{column}(', f'w.change_{column}_{i}(') + f' RETURN NEW; END $f$;'
                   f'CREATE TRIGGER before_{i} BEFORE {rng.choice(("INSERT", "UPDATE", "INSERT OR UPDATE", "INSERT OR UPDATE", f"UPDATE OF {column}"))} ON '
                   f'w.{table}{rng.choice(("", "_0", "_1")) if table in partitioned else ""} FOR EACH ROW EXECUTE FUNCTION w.before_{i}();')
    return '\n'.join(out), changed


class Writes(queries.Queries):
    """Statements over columns that the user sees; `clear`: those that may be written."""

    def __init__(self, rng, tables, clear):
        super().__init__(rng, tables)
        self.clear = clear

    def value(self, column, kind, scope, depth=1):
        if column == 'id':
            return self.pick(lambda: str(self.rng.randint(1, 45)), lambda: str(self.rng.randint(100, 900)), lambda: str(self.rng.randint(100, 900)),
                             lambda: self.expr('int', scope, 1) if self.chance(0.3) else f'{self.leaf("int", scope)} + 1000')
        if column == 'grp' and self.chance(0.7):
            return self.rng.choice(["'red'", "'blue'", "'green'", "'nobody'", 'NULL'])
        if column == 'owner' and self.chance(0.5):
            return self.rng.choice(["'bob'", "'u0'", 'current_user'])
        return self.expr(kind, scope, depth)

    def returning(self, scope, table):
        if self.chance(0.5):
            return ''
        return ' RETURNING ' + self.rng.choice(['*' if len(scope) == 1 else f'{table}.id', f'{table}.id', f'{table}.id, {self.expr("text", scope, 1)}', f'{self.expr("int", scope, 2)} AS o'])

    def sets(self, table, scope):
        chosen = self.rng.sample(self.clear[table], min(len(self.clear[table]), self.rng.choice((1, 1, 2, 3))))
        if len(chosen) > 1 and self.chance(0.3):
            return f'({", ".join(c for c, _ in chosen)}) = ({", ".join(self.value(c, k, scope) for c, k in chosen)})'
        return ', '.join(f'{c} = {self.value(c, k, scope)}' for c, k in chosen)

    def statement(self, parameters):
        self.aliases, self.ctes, self.parameters = 0, [], [] if parameters else None
        table = self.rng.choice(sorted(t for t in self.tables if self.clear[t]))
        sql = getattr(self, self.rng.choice(('insert', 'update', 'update', 'delete', 'insert', 'merge', 'merge', 'copy')))(table)
        if not sql.startswith(('MERGE', 'COPY')) and self.chance(0.2) and (' RETURNING ' not in sql or f' RETURNING {table}.id' in sql or sql.endswith(' RETURNING *')):
            sql = f'WITH written AS ({sql}) ' + ('SELECT 1' if ' RETURNING ' not in sql or self.chance(0.3) else 'SELECT * FROM written')
        return self.numbered(sql)

    def insert(self, table):
        t = (table, self.tables[table])
        columns = [('id', 'int')] + [(c, k) for c, k in self.clear[table] if c != 'id' and (c == 'grp' or self.chance(0.4))]
        names = ', '.join(c for c, _ in columns)
        if self.chance(0.25):
            inner, from_sql = self.from_clause([], 0)
            source = f'SELECT {", ".join(self.value(c, k, inner) for c, k in columns)} FROM {from_sql} WHERE {self.predicate(inner, 1)}'
        else:
            source = 'VALUES ' + ', '.join(f'({", ".join(self.value(c, k, []) for c, k in columns)})' for _ in range(self.rng.choice((1, 1, 2))))
        conflict = ''
        if self.chance(0.5):
            both = [t, ('excluded', columns)]
            conflict = ' ON CONFLICT (id) ' + self.rng.choice(['DO NOTHING', f'DO UPDATE SET {self.sets(table, both)}' + (f' WHERE {self.predicate(both, 1)}' if self.chance(0.5) else '')])
        return f'INSERT INTO w.{table} AS {table} ({names}) {source}{conflict}{self.returning([t], table)}'

    def copy(self, table):
        columns = [('id', 'int'), ('grp', 'text')] + [(c, k) for c, k in self.clear[table] if c not in ('id', 'grp') and self.chance(0.3)]
        columns = [c for c in columns if c in self.clear[table]] or [('id', 'int')]
        value = lambda c, k: str(self.rng.randint(100, 900)) if c == 'id' else cells.value(self.rng, c, k)
        lines = ['\t'.join('\\N' if v is None else v.replace('\\', '\\\\') for v in (value(c, k) for c, k in columns)) for _ in range(self.rng.choice((1, 1, 2)))]
        self.parameters = None
        return f'COPY w.{table} ({", ".join(c for c, _ in columns)}) FROM STDIN\n' + ''.join(line + '\n' for line in lines)

    def beside(self, table, word):
        """FROM or USING, by a unique key, so that each row has one partner."""
        t = (table, self.tables[table])
        if self.chance(0.6):
            return '', [t], self.predicate([t], 2) if self.chance(0.5) else self.rng.choice(['true', 'id % 3 = 0', 'id < 15', "grp = 'red'", 'grp IS NOT NULL', f'id = {self.rng.randint(1, 30)}'])
        other = self.rng.choice(sorted(self.tables))
        scope = [t, ('b', self.tables[other])]
        return f' {word} w.{other} b', scope, f'b.id = {self.column("int", [t])} AND {self.predicate(scope, 1)}'

    def update(self, table):
        beside, scope, where = self.beside(table, 'FROM')
        return f'UPDATE w.{table} AS {table} SET {self.sets(table, scope)}{beside} WHERE {OPEN}{where}{CLOSE}{self.returning(scope, table)}'

    def delete(self, table):
        beside, scope, where = self.beside(table, 'USING')
        return f'DELETE FROM w.{table} AS {table}{beside} WHERE {OPEN}{where}{CLOSE}{self.returning(scope, table)}'

    def merge(self, table):
        t = (table, self.tables[table])
        other = self.rng.choice(sorted(self.tables))
        source, columns = f'w.{other} AS b', self.tables[other]
        if self.chance(0.4):  # keys that are there and keys that are not
            source, columns = f"(VALUES ({self.rng.randint(1, 30)}, 'red'), ({self.rng.randint(31, 900)}, 'blue')) AS b(id, grp)", [('id', 'int'), ('grp', 'text')]
        b, both = ('b', columns), [t, ('b', columns)]
        on = f'b.id = {table}.id' + (f' AND {self.predicate(both, 1)}' if self.chance(0.4) else '')
        clauses = []
        for _ in range(self.rng.choice((1, 1, 2))):
            action = self.rng.choice((f'UPDATE SET {self.sets(table, both)}', f'UPDATE SET {self.sets(table, both)}', 'DELETE', 'DO NOTHING'))
            clauses.append(f'WHEN MATCHED{self.and_maybe(both)} THEN {action}')
        if self.chance(0.6):
            given = [(c, k) for c, k in self.clear[table] if c != 'id' and (c == 'grp' or self.chance(0.4))]
            names, values = ', '.join(['id'] + [c for c, _ in given]), ', '.join(['b.id + 1000'] * self.chance(0.5) or ['b.id']) + ''.join(f', {self.value(c, k, [b])}' for c, k in given)
            clauses.append(f'WHEN NOT MATCHED{self.and_maybe([b])} THEN INSERT ({names}) VALUES ({values})')
        return f'MERGE INTO w.{table} AS {table} USING {source} ON {OPEN}{on}{CLOSE} ' + ' '.join(clauses)

    def and_maybe(self, scope):
        return f' AND {self.predicate(scope, 1)}' if self.chance(0.5) else ''


class World(copies.Copies):
    """Beside the proxied warehouse, for each user of one grant a table a copy under row-level security."""

    def __init__(self, *args, **words):
        super().__init__(*args, **words)
        rng = random.Random(args[2] + 2)
        self.partitioned = tuple(t for t in cells.TABLES if rng.random() < 0.3)
        self.triggers, self.altered = triggers(rng, self.partitioned)

    def fill(self, database, rows):
        super().fill(database, rows)
        self.pg.sql(self.triggers, database)

    def __enter__(self):
        super().__enter__()
        for user, policy in self.policies.items():
            if policy.simple:
                self.fill(f'rls_{user}', self.rows)
                self.pg.sql(self.security(policy), f'rls_{user}')
        self.before = self.state(self.direct('whole'))
        self.truth = {u: self.verdicts(u) for u in self.policies}
        return self

    def security(self, policy):
        user = policy.user
        out = [f'CREATE ROLE {user}; GRANT USAGE ON SCHEMA w TO {user}; GRANT SELECT ON w.map TO {user};']
        for rule in policy.rules:
            columns = f' ({", ".join(rule.columns)})' if rule.columns is not None else ''
            check = policy.resolved(rule.rows) if rule.rows else 'true'
            out.append(f'GRANT SELECT{columns}, INSERT{columns}, UPDATE{columns}, DELETE ON w.{rule.table} TO {user};'
                       f'ALTER TABLE w.{rule.table} ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON w.{rule.table} USING ({check}) WITH CHECK ({check});')
        return '\n'.join(out).replace(f'CREATE ROLE {user};', f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{user}') THEN CREATE ROLE {user}; END IF; END $$;")

    def verdicts(self, user):
        c = self.direct('whole')
        return {t: {i: f for i, (f, _) in self.seen[user].verdicts(t, lambda sql: c.query(sql)[-1].rows).items()} for t in cells.TABLES}

    def restore(self):
        c = self.direct('whole')
        c.query("SET session_replication_role = replica;" + ''.join(f'DELETE FROM w.{t};' for t in cells.TABLES) + cells.fill(self.rows).replace('ANALYZE;', ''))
        c.query('RESET session_replication_role')
        assert self.state(c) == self.before

    @staticmethod
    def target(sql):
        return re.search(r'(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|COPY) w\.(\w+)', sql)[1]

    def under_security(self, user, sql, parameters, is_guarded=False):
        """The answer and the tables afterwards; nothing stays."""
        if is_guarded:
            sql = sql.replace(OPEN, f'CASE WHEN {self.target(sql)}.id IS NOT NULL THEN (').replace(CLOSE, ') ELSE false END')
        c = self.direct(f'rls_{user}')
        c.query('BEGIN')
        c.query(f'SET LOCAL ROLE {user}')
        # Of a table granted in part `*` is an error there.
        answer = copies.ask(c, re.sub(r'RETURNING \*', 'RETURNING ' + ', '.join(self.seen[user].columns[self.target(sql)]), sql), parameters)
        after = self.before
        if not answer.sqlstate:
            c.query('RESET ROLE')
            after = self.state(c)
        c.query('ROLLBACK')
        return answer, after


def forbidden(world, user, after, truth):
    """What a success did that the rule does not let the user do."""
    seen, wrong = world.seen[user], []
    for table in cells.TABLES:
        old, new, altered = world.before[table], after[table], world.altered[table]
        for i in old.keys() - new.keys():
            # An UPDATE of the key moves a row: then the same values stand elsewhere.
            if not (i in seen.rows[table] and (seen.may_write(table, 'delete', [], world.truth[user][table][i])
                                               or seen.may_write(table, 'update', ['id'], world.truth[user][table][i]))):
                wrong.append(f'took away {table} {i}')
        for i in new.keys() - old.keys():
            given = [c for c, v in new[i].items() if v is not None and c not in altered]
            moved = any(sum(new[i][c] == r[c] for c in r) >= len(r) / 2 for k, r in old.items() if k not in new)
            if not seen.may_write(table, 'insert', given, truth[table][i]) and not (moved and seen.may_write(table, 'update', ['id'], truth[table][i])):
                wrong.append(f'added {table} {i}')
        for i in old.keys() & new.keys():
            changed = [c for c in old[i] if old[i][c] != new[i][c]]
            if not changed:
                continue
            changed = [c for c in changed if c not in altered]
            if i not in seen.rows[table]:
                wrong.append(f'changed {table} {i}, which is hidden')
            elif not (seen.may_write(table, 'update', changed, world.truth[user][table][i]) and seen.may_write(table, 'update', changed, truth[table][i])):
                if not (seen.may_write(table, 'delete', [], world.truth[user][table][i]) and seen.may_write(table, 'insert', changed, truth[table][i])):
                    wrong.append(f'changed {changed} of {table} {i}')
            elif any(seen.rows[table][i].get(c, '') != old[i][c] for c in changed):
                wrong.append(f'changed {changed} of {table} {i}, which do not show')
    return wrong


def names_hidden(world, user, sql):
    """Is a word that stands by itself the name of a hidden column? Here it means one of a table further out."""
    hidden = {c for t in cells.TABLES for c in next(iter(world.before[t].values())) if c not in world.seen[user].columns[t]}
    return any(re.search(rf'(?<![.\w]){c}(?!\w)', sql) for c in hidden)


def differs(world, user, sql, answer, after, truth, count):
    """How the statement went otherwise than under row-level security."""
    other, its_after = world.under_security(user, sql[0], sql[1])
    if answer.outcome == other.outcome and answer.tag == other.tag and after == its_after:
        return [], other
    if answer.sqlstate and other.sqlstate and {answer.sqlstate[:2], other.sqlstate[:2]} <= {'21', '22', '23'}:
        return [], other  # over several rows: which comes first
    guarded, its_after = world.under_security(user, sql[0], sql[1], True)
    if guarded.outcome == answer.outcome and after == its_after:
        count['plans'] += 1
        return [], other
    if other.sqlstate in ('42702', '42809', '42883', '42804') and other.sqlstate != answer.sqlstate:  # there hidden columns have names, and count
        count['names'] += 1
        return [], other
    if other.sqlstate == '42501' and 'permission denied for table' in other.error['M'] and (re.search(r' AS (?:\w+|"[^"]*") \(|NATURAL', sql[0]) or names_hidden(world, user, sql[0])):
        count['names'] += 1  # columns that are named anew by position, which there are others; or that both tables have, hidden ones too
        return [], other
    if not answer.sqlstate and after == world.before and other.sqlstate and (other.sqlstate[:2] in ('21', '22') or other.sqlstate == '42P22'):
        count['plans'] += 1  # nothing to write, and what fails was not looked at
        return [], other
    # Under row-level security a conflict is an error where the row that stands there is hidden, or the proposed one could not be
    # stored. Here a hidden row is not there to be changed, and a row that is not stored is not checked: nothing happens.
    if 'ON CONFLICT' in sql[0] and other.sqlstate == '42501' and (after == world.before or not forbidden(world, user, after, truth)):
        count['conflicts'] += 1
        return [], other
    # What fails first, the check of a new row or a value or a key of the next row, is nobody's business.
    if answer.sqlstate and other.sqlstate and {answer.sqlstate, other.sqlstate} & {'42501'} and {answer.sqlstate[:2], other.sqlstate[:2]} & {'22', '23', '21'}:
        count['both fail'] += 1
        return [], other
    return ['row-level security answers otherwise'], other


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 5
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 10000 if LONG else 1000
    print(f'seed {seed}, {size} statements')
    count = dict.fromkeys(('all', 'writing', 'idle', 'failing', 'refused', 'conflicts', 'both fail', 'names', 'plans', 'unchecked', 'wrong'), 0)
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        with World(scratch, pg, seed, USERS, writes=True) as world:
            rng = random.Random(seed + 1)
            makers = {}
            for user, policy in world.policies.items():
                tables = world.tables(user)
                masked = {(r.table, c) for r in policy.rules if not r.deny for c in r.masks} | (set(policy.tagged) if policy.tag_mask else set())
                clear = {t: [(c, k) for c, k in columns if (t, c) not in masked] for t, columns in tables.items()}
                makers[user] = Writes(rng, tables, clear)
            for i in range(size):
                user = rng.choice(sorted(makers))
                compare(world, user, makers[user].statement(i % 3 == 0), count)
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    if count["writing"] < count["all"] / 15:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


def compare(world, user, sql, count):
    if not world.proxy.alive():
        raise gt.TestError(f'the proxy died:\n{world.proxy.log()[-3000:]}')
    answer = copies.ask(world.proxied(user), *sql)
    after = world.state(world.direct('whole'))
    count['all'] += 1
    wrong, other = [], None
    has_changed = after != world.before
    truth = world.verdicts(user) if has_changed else world.truth[user]
    if answer.sqlstate and has_changed:
        wrong.append('it failed, but wrote')
    count['refused' if answer.sqlstate == '42501' else 'failing' if answer.sqlstate else 'writing' if has_changed else 'idle'] += 1
    if has_changed:
        wrong += forbidden(world, user, after, truth)
    is_unchecked = answer.sqlstate == '42501' and 'its new rows cannot be checked' in answer.error['M']
    count['unchecked'] += is_unchecked
    if world.policies[user].simple and not is_unchecked and not sql[0].startswith('COPY'):  # of which row-level security knows nothing
        more, other = differs(world, user, sql, answer, after, truth, count)
        wrong += more
    if has_changed:
        world.restore()
    if wrong:
        count['wrong'] += 1
        reads.show('; '.join(wrong), user, *sql, ('proxy', answer), ('security', other))
        print(f'    triggers {world.triggers}\n    partitioned {world.partitioned}')


if __name__ == '__main__':
    main()
