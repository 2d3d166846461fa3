"""A warehouse, random policies over it, and the one rule of docs/semantics.md a second time, cell by cell.

    World                 tables with values that make predicates fail
    Policy(rng, user)     random grants, denies, masks and tags of one user; `yaml()` for Gatehouse
    Projection            what the user may see: computed row by row here, from what PostgreSQL says of each
                          filter alone. Knows nothing of how Gatehouse decides or rewrites
    twin()                the same warehouse with other values wherever the user cannot see the difference
"""
import decimal
import json

SCHEMA = r'''
CREATE SCHEMA w;
CREATE TYPE w.mood AS ENUM ('calm', 'sad', 'wild');
'''
# name -> [(column, kind, SQL type)]; the first column is the key. Kinds are those of queries.py.
TABLES = {
    'items': [('id', 'int', 'integer PRIMARY KEY'), ('grp', 'text', 'text'), ('owner', 'text', 'text'), ('n', 'int', 'integer'),
              ('big', 'big', 'bigint'), ('amount', 'num', 'numeric(12,2)'), ('note', 'text', 'text'),
              ('code', 'code', 'varchar(8) COLLATE "C"'), ('day', 'date', 'date'), ('ok', 'bool', 'boolean'),
              ('tags', 'ints', 'integer[]'), ('doc', 'json', 'jsonb')],
    'sales': [('id', 'int', 'integer PRIMARY KEY'), ('item_id', 'int', 'integer'), ('grp', 'text', 'text'), ('qty', 'int', 'integer'),
              ('price', 'num', 'numeric(10,2)'), ('label', 'label', 'text COLLATE "POSIX"'), ('at', 'ts', 'timestamp'),
              ('mood', 'mood', 'w.mood'), ('huge', 'num', 'numeric')],
    'people': [('id', 'int', 'integer PRIMARY KEY'), ('grp', 'text', 'text'), ('name', 'text', 'text'), ('boss', 'int', 'integer'),
               ('n', 'int', 'integer'), ('born', 'date', 'date'), ('mail', 'text', 'text')],
}
VALUES = {
    'int': ['0', '0', '1', '2', '3', '5', '7', '-4', '10', '12', '40', '99', '2147483647', '-2147483648', None],
    'big': ['0', '1', '9', '5000000000', '-1', '9223372036854775807', None],
    'num': ['0.00', '1.50', '2.25', '10.00', '99.99', '-3.10', '150.00', '0.05', None],
    'text': ['', 'a', 'ab', 'abc', 'red', 'blue', '12', '12x', 'a%', 'a_c', 'x\\', 'Ab', '2020-01-31', 'true', '{1,2}', '{"k":1}', '(', None],
    'code': ['', 'a', 'B', 'b1', '77', 'x\\', 'zz', None],
    'label': ['', 'a', 'red', '5', 'x%', None],
    'date': ['2020-01-31', '2020-02-29', '1999-12-31', '2024-07-01', '5874897-12-31', None],
    'ts': ['2020-01-31 10:00:00', '2021-03-01 00:00:00', '1999-12-31 23:59:59', '294276-12-31 00:00:00', None],
    'bool': ['t', 'f', None],
    'ints': ['{}', '{1}', '{1,2,3}', '{0}', '{5,NULL}', None],
    'json': ['{}', '{"k": 1}', '{"k": "x"}', '{"k": 0, "a": [1, 2]}', '[1, 2]', '"s"', 'null', '{"k": "2020-01-01"}', None],
    'mood': ['calm', 'sad', 'wild', None],
}
GROUPS = ['red', 'blue', 'green', None]
OWNERS = ['ann', 'bob', 'eve', 'u0', 'u1', None]
MAILS = ['ann@x.org', 'bob@corp.example', 'nobody', 'q@z', None]
TEXTS = {'grp': GROUPS, 'owner': OWNERS, 'mail': MAILS, 'name': ['Ann', 'Bob', 'Eve', 'Dora', '', None]}
HUGE = VALUES['num'] + ['1e400', '-1e400', '12345678901234567890.5']
MAP = [('red', 'one', 'ann'), ('blue', 'one', 'bob'), ('blue', 'two', 'u0'), ('green', 'two', 'eve'), (None, 'one', 'u1')]


# Values of which few expressions fail.
TAME = {'int': ['1', '2', '3', '5'], 'big': ['1', '2', '9'], 'num': ['1.50', '2.25', '10.00'], 'text': ['12', '1', '2'], 'code': ['1', '2'], 'label': ['1', '2'],
        'date': ['2020-01-31', '2020-02-29'], 'ts': ['2020-01-31 10:00:00'], 'bool': ['t'], 'ints': ['{1}', '{1,2,3}'], 'json': ['{"k": 1}'], 'mood': ['calm', 'sad']}


def value(rng, column, kind):
    if column == 'huge':
        return rng.choice(HUGE)
    if column in ('item_id', 'boss'):
        return rng.choice([str(rng.randint(1, 12)), None])
    return rng.choice(TEXTS.get(column) or VALUES[kind])


def random_rows(rng, table, ids, tame=0):
    """Rows by key; those up to `tame` hold tame values, but for what filters read."""
    def cell(i, c, k):
        if c == 'id':
            return str(i)
        return rng.choice(TAME[k]) if i <= tame and c not in TEXTS else value(rng, c, k)
    return {i: {c: cell(i, c, k) for c, k, _ in TABLES[table]} for i in ids}


def literal(v):
    return 'NULL' if v is None else "'" + v.replace("'", "''") + "'"


def create(partitioned=()):
    """SQL that makes the tables; those of `partitioned` in three parts by their key."""
    out = ['CREATE TABLE w.map (grp text, team text, member text);',
           'INSERT INTO w.map VALUES ' + ', '.join('(' + ', '.join(map(literal, m)) + ')' for m in MAP) + ';']
    for table, columns in TABLES.items():
        by = ' PARTITION BY RANGE (id)' if table in partitioned else ''
        parts = zip(('MINVALUE', '12', '24'), ('12', '24', 'MAXVALUE')) if by else ()
        out.append(f'CREATE TABLE w.{table} (' + ', '.join(f'{c} {t}' for c, _, t in columns) + f'){by};' +
                   ''.join(f'CREATE TABLE w.{table}_{i} PARTITION OF w.{table} FOR VALUES FROM ({a}) TO ({b});' for i, (a, b) in enumerate(parts)) +
                   f'CREATE INDEX ON w.{table} (grp);')
    return '\n'.join(out)


def fill(rows):
    """SQL that fills them: table -> id -> column -> text."""
    return '\n'.join(insert(t, [c for c, _, _ in columns], rows[t].values()) for t, columns in TABLES.items()) + ' ANALYZE;'


def insert(table, columns, rows, schema='w'):
    if not rows or not columns:
        return ''
    return f'INSERT INTO {schema}.{table} VALUES ' + ',\n'.join('(' + ', '.join(literal(r[c]) for c in columns) + ')' for r in rows) + ';'


# ---- policies ------------------------------------------------------------------------------------------------

FILTERS = ["{t} = attr('grp')", "{t} = ANY (attr('teams'))", "{t} = 'red'", "{t} <> attr('missing')", "{i} > 3", "{i} % 2 = 0", "{i} IS NOT NULL",
           "{i} < 10 OR {t} = 'blue'", "NOT ({i} BETWEEN 2 AND 40)", "length({t}) > 1", "lower({t} || '') = lower(attr('grp'))",
           "{t} IN (SELECT m.grp FROM w.map m WHERE m.team = attr('team'))", "CASE WHEN {i} IS NULL THEN NULL ELSE {i} >= 0 END",
           "EXISTS (SELECT 1 FROM w.map m WHERE m.member = {o} AND m.team = 'one')", "{o} = current_user", "id < 20", "id % 3 <> 0", "NULL::boolean",
           "coalesce({t}, '') NOT IN ('green', '')", "({i} + 0) IN (SELECT length(m.team) FROM w.map m)"]
# Few rows: what hides is most of the table. Dear enough that PostgreSQL would run the client's condition first.
DEAR = ' OR '.join(f'id = {-100 - i}' for i in range(16))  # so that PostgreSQL would run the filter behind a condition of the query's
NARROW = ["id <= 4", f"id <= 4 OR {DEAR}", f"id < 3 OR {{t}} IS NULL AND id < 7 OR {DEAR}", "CASE WHEN id < 9 THEN length({t} || '') > 0 END", "(id < 6 OR lower({t} || '') = 'nobody')", "abs(id - 3) + length(coalesce({t}, '')) * 0 < 4",
          "lower({t} || '') || id::text IN (lower(attr('grp')) || '1', 'red2', 'red3', 'blue4', 'blue5', 'green6', attr('grp') || '7')",
          "id <= 9 AND {t} IN (SELECT m.grp FROM w.map m WHERE m.team = attr('team'))", "(id + length({t} || '')) IN (1, 3, 5, 7, 9) AND (id * 3) % 31 < 20 AND id / 2 < 5",
          "lower({t} || '') || '!' = upper('nobody') || attr('missing')", "upper({t} || 'x') || id::text = ANY (ARRAY['REDX1', 'REDX2', 'BLUEX3', 'GREENX4', 'BLUEX5'])",
          "EXISTS (SELECT 1 FROM w.map m WHERE m.member = {o} AND m.team = 'one') AND id < 9"]
# Weakest first, within a kind; every two can be compared.
MASKS = {
    'int': ['round(10)', 'round(100)', "constant('7')", 'redact', 'null'],
    'big': ['round(1000)', "constant('5')", 'null'],
    'num': ['round(5)', 'round(50)', "constant('1.25')", 'null'],
    'text': ['partial(2,1)', 'partial(1,0)', 'email', "constant('hidden')", 'redact', 'null'],
    'code': ['partial(1,1)', "constant('cc')", 'redact', 'null'],
    'label': ['partial(1,1)', 'redact', 'null'],
    'date': ['month', 'year', "constant('2000-01-01')", 'redact', 'null'],
    'ts': ['month', 'year', 'null'],
    'bool': ["constant('t')", 'redact', 'null'],
    'ints': ["constant('{}')", 'null'],
    'json': ["constant('{}')", 'null'],
    'mood': ["constant('calm')", 'null'],
}
# Expressions of one's own: weaker than redact and null, not to be compared with the others.
OWN = {'text': "upper(left(value, 1)) || '#'", 'int': 'value / 2', 'num': 'value * 0', 'date': "value - 1"}


def masked(mask, kind, v):
    """What a built-in mask makes of a value, by the table of docs/policy-guide.md."""
    name, _, args = mask.partition('(')
    args = args.rstrip(')')
    if name == 'null':
        return None
    if name == 'constant':
        return args.strip("'")
    if name == 'redact':
        return '***' if kind in ('text', 'code', 'label') else None
    if v is None:
        return None
    if name == 'round':
        n, d = decimal.Decimal(args), decimal.Decimal(v)
        with decimal.localcontext() as c:
            c.prec = 900
            whole = (abs(d) / n).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP) * n
            if kind in ('int', 'big'):  # past the type's end there is none: the last multiple within it
                whole = min(whole, (2 ** (31 if kind == 'int' else 63) - (d > 0)) // int(n) * n)
        return str(whole.copy_sign(d) if whole else decimal.Decimal(0))
    if name in ('month', 'year'):
        year, month, _ = v.split(' ')[0].split('-')
        if int(year) >= (294277 if kind == 'date' else 294276):
            return None  # no such timestamp: the mask shows less rather than fail
        return f'{year}-{month if name == "month" else "01"}-01' + (' 00:00:00' if kind == 'ts' else '')
    if name == 'partial':
        a, b = map(int, args.split(','))
        return '*' * len(v) if len(v) <= a + b else v[:a] + '*' * (len(v) - a - b) + (v[-b:] if b else '')
    if name == 'email':
        return f'{v[0]}***@{v.split("@", 1)[1]}' if '@' in v else '***'
    raise ValueError(mask)


class Rule:
    """A grant or a deny of one table."""

    def __init__(self, **words):
        self.deny, self.table, self.columns, self.tags, self.rows, self.masks, self.privileges = (
            words.get(k) for k in ('deny', 'table', 'columns', 'tags', 'rows', 'masks', 'privileges'))

    def yaml(self, role):
        words = [f'to: [{role}]', f'tables: [w.{self.table}]']
        if self.privileges:
            words.append(f'privileges: [{", ".join(self.privileges)}]')
        if self.columns is not None:
            words.append(f'columns: [{", ".join(self.columns)}]')
        if self.tags:
            words.append(f'tags: [{", ".join(self.tags)}]')
        if self.rows:
            words.append(f'rows: {json.dumps(self.rows)}')
        if self.masks:
            words.append('mask: { ' + ', '.join(f'{c}: {json.dumps(m)}' for c, m in self.masks.items()) + ' }')
        return '  - { ' + ', '.join(words) + ' }'


class Policy:
    """One user's part of a policy. `writes`: grants of insert, update and delete as well; `narrow`: few rows, in clear,
    with the privileges `grants`; `simple`: one grant a table, of all privileges, as row-level security could say it."""

    def __init__(self, rng, user, writes=False, narrow=False, grants=None, simple=False):
        self.narrow, self.grants, self.simple = narrow, grants, simple
        self.user, self.role, self.rng = user, f'r_{user}', rng
        self.attributes = {'grp': rng.choice(['red', 'blue']), 'team': rng.choice(['one', 'two'])}
        self.teams = rng.sample(['red', 'blue', 'green'], rng.randint(1, 2))
        self.tag = f'tag_{user}'
        self.tagged = [(t, c) for t, cs in TABLES.items() for c, _, _ in cs[1:] if rng.random() < 0.08]
        self.tag_mask = rng.choice(['redact', 'null', "null"]) if rng.random() < 0.4 and not simple else None
        self.rules = []
        for table in TABLES:
            self.add_table(table, writes)

    def filter(self, table):
        rng = self.rng
        columns = TABLES[table]
        return rng.choice(NARROW if self.narrow else FILTERS).format(t='grp', i=rng.choice([c for c, k, _ in columns if k == 'int']),
                                          o={'items': 'owner', 'people': 'name', 'sales': 'grp'}[table])

    def add_table(self, table, writes):
        rng = self.rng
        names = [c for c, _, _ in TABLES[table]]
        kinds = {c: k for c, k, _ in TABLES[table]}
        own = {c for c in names if kinds[c] in OWN and rng.random() < 0.15}
        if self.narrow:
            self.rules.append(Rule(table=table, rows=self.filter(table), masks={}, privileges=[self.grants] if self.grants else None))
            return
        if self.simple:
            self.rules.append(Rule(table=table, rows=self.filter(table), masks={}, privileges=['select', 'insert', 'update', 'delete'],
                                   columns=None if rng.random() < 0.6 else [c for c in names if c in ('id', 'grp') or rng.random() < 0.6]))
            return
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
            columns = None if rng.random() < 0.5 else [c for c in names if c == 'id' or rng.random() < 0.7]
            masks = {}
            for c in columns or names:
                if c != 'id' and rng.random() < (0.12 if not writes else 0.04):
                    masks[c] = rng.choice([OWN[kinds[c]], 'null'] if c in own else MASKS[kinds[c]])
            self.rules.append(Rule(table=table, columns=columns, masks=masks, rows=self.filter(table) if rng.random() < 0.85 else None,
                                   privileges=['select', 'insert', 'update', 'delete'] if writes and rng.random() < 0.8 else None))
        if rng.random() < 0.3:
            self.rules.append(Rule(deny=True, table=table, columns=rng.sample(names[1:], 1), rows=self.filter(table) if rng.random() < 0.6 else None))
        if rng.random() < 0.25:
            self.rules.append(Rule(deny=True, table=table, rows=self.filter(table)))
        if rng.random() < 0.1:
            self.rules.append(Rule(deny=True, table=table, tags=[self.tag], rows=self.filter(table)))

    def yaml(self):
        """Pieces of the policy file: role, user, tag, grants, denies, masking."""
        attributes = ', '.join(f'{k}: {v}' for k, v in self.attributes.items())
        return {
            'roles': f'  {self.role}: {{ description: random }}',
            'users': f'  {self.user}: {{ roles: [{self.role}], attributes: {{ {attributes}, teams: [{", ".join(self.teams)}] }} }}',
            'tags': f'  {self.tag}: [{", ".join(f"w.{t}.{c}" for t, c in self.tagged)}]' if self.tagged else None,
            'grants': '\n'.join(r.yaml(self.role) for r in self.rules if not r.deny),
            'denies': '\n'.join(r.yaml(self.role) for r in self.rules if r.deny and (self.tagged or not r.tags)) or None,
        }

    def resolved(self, expr):
        """The filter as SQL of its own: attributes and names as literals."""
        for name, v in self.attributes.items():
            expr = expr.replace(f"attr('{name}')", f"{literal(v)}::text")
        array = 'ARRAY[' + ', '.join(map(literal, self.teams)) + ']::text[]'
        return expr.replace("attr('teams')", array).replace("attr('missing')", 'NULL::text').replace('current_user', f"{literal(self.user)}::name")


def policy_file(policies, views=None):
    """One policy of many users. Masking is by tag, and each user's tag is excepted for all the others."""
    parts = [p.yaml() | ({'views': views.yaml(p)} if views else {}) for p in policies]
    for part in parts:
        part['grants'] = '\n'.join(g for g in (part['grants'], part.get('views')) if g)
    out = ['version: 1']
    for key in ('roles', 'users', 'tags', 'grants', 'denies'):
        found = [p[key] for p in parts if p.get(key)]
        if found:
            out += [f'{key}:'] + found
    masking = [f'  - {{ tag: {p.tag}, with: {p.tag_mask}, except: [{", ".join(q.role for q in policies if q is not p)}] }}'
               for p in policies if p.tag_mask and p.tagged]
    if masking:
        out += ['masking:'] + masking
    return '\n'.join(out) + '\n'


# ---- the rule ------------------------------------------------------------------------------------------------


class Projection:
    """What a user sees of a warehouse. `ask(sql)` gives rows of text."""

    def __init__(self, policy, ask, rows):
        self.policy = policy
        self.columns = {t: self.visible_columns(t) for t in TABLES}
        self.rows = {t: self.project(t, ask, rows[t]) for t in TABLES}

    def rules(self, table, deny):
        return [r for r in self.policy.rules if r.table == table and bool(r.deny) == deny and (not deny or not r.tags or self.policy.tagged)]

    def names(self, rule):
        """The columns that a deny takes; None: whole rows."""
        tagged = [c for t, c in self.policy.tagged if t == rule.table] if rule.tags else []
        if rule.columns is None and not rule.tags:
            return None
        return set(rule.columns or []) | set(tagged)

    def visible_columns(self, table):
        gone = set()
        for d in self.rules(table, True):
            if not d.rows:
                gone |= self.names(d)
        return [c for c, _, _ in TABLES[table]
                if c not in gone and any(g.columns is None or c in g.columns for g in self.rules(table, False))]

    def verdicts(self, table, ask):
        """Of each row by its key: what every rule's filter says, and the masks that are expressions."""
        rules = self.rules(table, False) + self.rules(table, True)
        own = sorted({(c, m) for r in rules for c, m in (r.masks or {}).items() if m in OWN.values()})
        sql = ', '.join(f'({self.policy.resolved(r.rows)})' if r.rows else 'true' for r in rules)
        sql += ''.join(', (' + m.replace('value', c) + ')' for c, m in own)
        truth = {'t': True, 'f': False, None: None}
        return {int(line[0]): ({r: truth[v] for r, v in zip(rules, line[1:])}, dict(zip(own, line[1 + len(rules):])))
                for line in ask(f'SELECT id, {sql} FROM w.{table} ORDER BY id')}

    def project(self, table, ask, rows):
        out = {}
        for i, (f, computed) in self.verdicts(table, ask).items() if rows else ():
            seen = self.row(table, rows[i], f, computed)
            if seen is not None:
                out[i] = seen
        return out

    def row(self, table, row, f, computed):
        grants, denies = self.rules(table, False), self.rules(table, True)
        if not any(f[g] is True for g in grants):
            return None
        if any(f[d] is not False for d in denies if self.names(d) is None):
            return None
        return {c: self.cell(table, c, row, f, grants, denies, computed) for c in self.columns[table]}

    def cell(self, table, c, row, f, grants, denies, computed):
        kind = {n: k for n, k, _ in TABLES[table]}[c]
        if any(f[d] is not False and c in (self.names(d) or ()) for d in denies if d.rows):
            return None
        covering = [g for g in grants if f[g] is True and (g.columns is None or c in g.columns)]
        if not covering:
            return None
        order = MASKS[kind]
        strength = {m: i + 1 for i, m in enumerate(order)}
        strength.update({None: 0, OWN.get(kind): 0.5})
        strength['redact'] = strength.get('redact', 98)
        strength['null'] = 99
        shown = min(((g.masks or {}).get(c) for g in covering), key=lambda m: strength[m])
        if self.policy.tag_mask and (table, c) in self.policy.tagged:
            shown = max([shown, self.policy.tag_mask], key=lambda m: strength[m])
        if shown is None:
            return row[c]
        if shown == OWN.get(kind):
            return computed[(c, shown)]
        return masked(shown, kind, row[c])

    def may_write(self, table, privilege, columns, f):
        """May the user do so to (or make) a row of which f says what the filters say?"""
        if any(f[d] is not False for d in self.rules(table, True) if self.names(d) is None or self.names(d) & set(columns)):
            return False
        return any(f[g] is True and privilege in (g.privileges or ()) and (g.columns is None or set(columns) <= set(g.columns))
                   for g in self.rules(table, False))

    def create(self):
        """SQL of the copy that holds only what the user sees; schema f holds fenced views of it, schema k such as say what is
        the same in all rows: PostgreSQL then knows it before it runs, as it knows that a column is hidden or masked."""
        out = ['CREATE SCHEMA f; CREATE SCHEMA k;']
        for table, columns in TABLES.items():
            names = self.columns[table]
            if not names:
                continue
            out.append(f'CREATE TABLE w.{table} (' + ', '.join(f'{c} {t.replace(" PRIMARY KEY", "")}' for c, _, t in columns if c in names) + ');')
            out.append(insert(table, names, self.rows[table].values()))
            keys = [r.get(names[0]) for r in self.rows[table].values()]
            if names[0] == TABLES[table][0][0] and None not in keys and len(set(keys)) == len(keys):
                # PostgreSQL leaves out an outer join of which it knows that it adds no row; a PRIMARY KEY would also allow more in GROUP BY.
                out.append(f'CREATE UNIQUE INDEX ON w.{table} ({names[0]});')
            out.append(f'CREATE VIEW f.{table} AS SELECT * FROM w.{table} OFFSET 0;')
            same = {c: {r[c] for r in self.rows[table].values()} for c in names}
            known = [f'CAST({literal(*same[c])} AS {t.split()[0]}) {t.partition(" ")[2].replace("PRIMARY KEY", "")} AS {c}' if len(same[c]) == 1 else c
                     for c, _, t in columns if c in names]
            out.append(f'CREATE VIEW k.{table} AS SELECT {", ".join(known)} FROM w.{table};')
        return '\n'.join(out)


def twin(rng, policy, seen, rows, evaluate, tame):
    """Other rows of which the user sees the same. `evaluate(rows)` gives their Projection. `tame`: rows that are hidden
    are not there or hold tame values, so that what fails over them fails in the one warehouse alone."""
    candidate = {t: {i: dict(r) for i, r in table.items()} for t, table in rows.items()}
    for table, columns in TABLES.items():
        for i, row in candidate[table].items():
            is_hidden = i not in seen.rows[table]
            for c, k, _ in columns:
                is_clear = not is_hidden and seen.rows[table][i].get(c, 0) == row[c] and row[c] is not None
                if c == 'id' or is_clear:
                    continue
                if tame and is_hidden and c not in TEXTS:
                    row[c] = rng.choice(TAME[k])
                elif rng.random() < 0.6:
                    row[c] = value(rng, c, k)
        if not tame:
            candidate[table].update(random_rows(rng, table, range(1000, 1000 + rng.randint(0, 12))))
    judged = evaluate(candidate)
    gone = 0.85 if tame and rng.random() < 0.5 else 0.15  # of the hidden rows
    out = {t: {} for t in TABLES}
    for table in TABLES:
        for i, row in candidate[table].items():
            if judged.rows[table].get(i) == seen.rows[table].get(i):
                if i not in seen.rows[table] and rng.random() < gone:
                    continue
                out[table][i] = row
            elif i in rows[table]:
                out[table][i] = dict(rows[table][i])
    return out
