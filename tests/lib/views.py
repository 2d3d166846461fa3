"""Views over the tables of cells.py, granted with `through`, and what they are to a user: the same definitions over a copy
that holds only the visible cells, in which hidden columns are NULL and what is not granted has no rows.

    Views(rng)      which user is granted which view how: all of it, some columns, some rows, a mask, or not at all

In the copy    raw_w.v  the definition, over what stands in all_w
               all_w.v  what the user sees of it, hidden columns as NULL; all of it where no grant names the view
               w.v      the visible columns, for queries
"""
import json

import cells

# name -> (columns with their kinds, definition, what to replace in the definition for the copy)
VIEWS = {
    'v_plain': ('id int, grp text, owner text, n int, amount num, note text', 'SELECT id, grp, owner, n, amount, note FROM w.items'),
    'v_expr': ('id int, grp text, n int, note text, amount num, day date',
               'SELECT id, grp, 100 / n AS n, upper(note) AS note, amount * 2 AS amount, day + 1 AS day FROM w.items'),
    'v_where': ('id int, grp text, note text, q int', 'SELECT id, grp, note, 10 / n AS q FROM w.items WHERE n <> 0 AND length(note) > 0'),
    'v_join': ('id int, grp text, note text, qty int, total num, label label',
               'SELECT s.id, i.grp, i.note, s.qty, s.price * i.n AS total, s.label FROM w.sales s JOIN w.items i ON i.id = s.item_id'),
    'v_left': ('id int, name text, boss text, ratio int',
               'SELECT p.id, p.name, b.name AS boss, p.n / b.n AS ratio FROM w.people p LEFT JOIN w.people b ON b.id = p.boss'),
    'v_agg': ('grp text, n int, amount num, note text', 'SELECT grp, count(*)::int AS n, sum(amount) AS amount, min(note) AS note FROM w.items GROUP BY grp'),
    'v_key': ('id int, grp text, note text, n int',
              'SELECT i.id, i.grp, i.note, count(s.id)::int AS n FROM w.items i LEFT JOIN w.sales s ON s.item_id = i.id GROUP BY i.id',
              ('GROUP BY i.id', 'GROUP BY i.id, i.grp, i.note')),
    'v_union': ('id int, grp text, t text', 'SELECT id, grp, note AS t FROM w.items UNION ALL SELECT id, grp, name FROM w.people'),
    'v_both': ('grp text', 'SELECT grp FROM w.items INTERSECT SELECT grp FROM w.people'),
    'v_distinct': ('grp text, ok bool', 'SELECT DISTINCT grp, ok FROM w.items'),
    'v_cte': ('id int, note text, name text, grp text',
              'WITH big AS (SELECT * FROM w.items WHERE n > 1) SELECT b.id, b.note, p.name, grp FROM big b JOIN w.people p USING (grp) WHERE p.id < 9'),
    'v_window': ('id int, grp text, n int, r int',
                 'SELECT id, grp, n, row_number() OVER (PARTITION BY grp ORDER BY id)::int AS r FROM w.items'),
    'v_exists': ('id int, name text, n int',
                 'SELECT id, name, n FROM w.people p WHERE EXISTS (SELECT 1 FROM w.items i WHERE i.owner = p.name AND i.n / i.n = 1)'),
    'v_lateral': ('id int, name text, n int',
                  'SELECT p.id, p.name, l.n FROM w.people p, LATERAL (SELECT max(i.n) AS n FROM w.items i WHERE i.grp = p.grp) l'),
    'v_row': ('id int, grp text, doc json', 'SELECT i.id, i.grp, to_jsonb(i.*) AS doc FROM w.items i'),
    'v_limit': ('id int, note text, n int', 'SELECT id, note, n FROM w.items ORDER BY id LIMIT 10'),
    'v_own': ('id int, grp text, n int', 'SELECT id, grp, n FROM w.items WHERE owner = current_user', ('current_user', '%USER%')),
    'v_cast': ('id int, grp text, n int', "SELECT id, grp, CASE WHEN note ~ '^[0-9]+$' THEN note::int END AS n FROM w.items"),
    'v_mood': ('id int, mood mood, qty int', "SELECT id, mood, qty FROM w.sales WHERE mood <> 'calm'::w.mood OR mood IS NULL"),
    'v_values': ('k int, t text', "SELECT v.k, i.note AS t FROM (VALUES (1), (2), (3)) v(k) LEFT JOIN w.items i ON i.id = v.k"),
    'v_nest': ('id int, note text, total num, n int', 'SELECT j.id, j.note, j.total, e.n FROM w.v_join j LEFT JOIN w.v_expr e ON e.id = j.id'),
    'v_nest2': ('grp text, n int', 'SELECT grp, count(*)::int AS n FROM w.v_where GROUP BY grp'),
    'v_nest3': ('id int, n int, note text', 'SELECT n.id, n.n, w.note FROM w.v_nest n JOIN w.v_where w ON w.id = n.id WHERE w.q > 0'),
}
COLUMNS = {name: [tuple(c.split()) for c in view[0].split(', ')] for name, view in VIEWS.items()}
FILTERS = {'id': ['id % 2 = 0', 'id < 20'], 'n': ['n > 1', 'n IS NULL OR n <> 3'], 'grp': ["grp = 'red'", "grp = attr('grp')", 'grp IS NOT NULL'],
           'note': ["length(note) > 1", "note <> 'a'"], 'k': ['k > 1'], 'name': ["name <> 'Bob'"]}


# schema -> what keeps PostgreSQL from looking into a view; s: it computes every column too, wanted or not
FENCES = {'w': lambda q: q, 'f': lambda q: f'{q} OFFSET 0',
          's': lambda q: f'SELECT * FROM ({q}) q UNION ALL SELECT * FROM ({q}) q WHERE false OFFSET 0'}


class Grant:
    def __init__(self, rng, name):
        columns = COLUMNS[name]
        self.columns = [c for c, _ in columns] if rng.random() < 0.6 else [c for i, (c, _) in enumerate(columns) if i == 0 or rng.random() < 0.7]
        self.rows = rng.choice([f for c, _ in columns for f in FILTERS.get(c, ['true'])]) if rng.random() < 0.35 else None
        texts = [c for c, k in columns if k == 'text' and c in self.columns and c != 'grp']
        self.mask = rng.choice(texts) if texts and rng.random() < 0.15 else None


class Plain:
    """A grant without `through` beside one that gives more: a column that this one lacks."""

    def __init__(self, rng, grant, name):
        left_out = rng.choice(grant.columns)
        self.columns = [c for c in grant.columns if c != left_out and rng.random() < 0.8]
        self.rows = rng.choice([f for c, _ in COLUMNS[name] for f in FILTERS.get(c, ['true'])]) if rng.random() < 0.7 else None


class Views:
    def __init__(self, rng, users):
        self.grants = {u: {v: Grant(rng, v) for v in VIEWS if rng.random() < 0.8} for u in users}
        self.plain = {u: {v: Plain(rng, g, v) for v, g in views.items() if rng.random() < 0.4} for u, views in self.grants.items()}

    @staticmethod
    def create():
        return '\n'.join(f'CREATE VIEW w.{name} AS {view[1]};' for name, view in VIEWS.items())

    def yaml(self, policy):
        out = []
        for name, g in self.grants[policy.user].items():
            words = [f'to: [{policy.role}]', f'tables: [w.{name}]', f'columns: [{", ".join(g.columns)}]', 'through: true']
            words += [f'rows: {json.dumps(g.rows)}'] if g.rows else []
            words += [f'mask: {{ {g.mask}: redact }}'] if g.mask else []
            out.append('  - { ' + ', '.join(words) + ' }')
            p = self.plain[policy.user].get(name)
            if p and p.columns:
                out.append(f'  - {{ to: [{policy.role}], tables: [w.{name}], columns: [{", ".join(p.columns)}]' + (f', rows: {json.dumps(p.rows)}' if p.rows else '') + ' }')
        return '\n'.join(out)

    def tables(self, policy):
        return {name: [(c, k) for c, k in COLUMNS[name] if c in g.columns] for name, g in self.grants[policy.user].items()}

    def seen(self, policy, projection):
        """The same twice more with a fence around everything, for schemas f and s: see copies.plans."""
        return 'CREATE SCHEMA s;' + ''.join(self.stage(policy, projection, f'all_{k}', f'raw_{k}', k, fence) for k, fence in FENCES.items())

    def stage(self, policy, projection, all_, raw, shown_in, fence):
        out = [f'CREATE SCHEMA {raw}; CREATE SCHEMA {all_};']
        for table, columns in cells.TABLES.items():
            seen = projection.columns[table]
            padded = ', '.join(c if c in seen else f'NULL::{t.replace(" PRIMARY KEY", "").split(" COLLATE")[0]} AS {c}' for c, _, t in columns)
            out.append(f'CREATE VIEW {all_}.{table} AS ' + fence(f'SELECT {padded} ' + (f'FROM w.{table}' if seen else 'WHERE false')) + ';')
        for name, view in VIEWS.items():
            text = view[1] + ' '
            for old, new in view[2:]:
                text = text.replace(old, new.replace('%USER%', cells.literal(policy.user) + '::name'))
            for other in (*cells.TABLES, *VIEWS):
                text = text.replace(f'w.{other} ', f'{all_}.{other} ')
            out.append(f'CREATE VIEW {raw}.{name} AS {text};')
            g = self.grants[policy.user].get(name)
            shown = {c: c if g is None or c in g.columns else 'NULL' for c, _ in COLUMNS[name]}
            if g and g.mask:
                shown[g.mask] = "'***'::text"
            where = f' WHERE {policy.resolved(g.rows)}' if g and g.rows else ''
            p = self.plain[policy.user].get(name)
            if p and p.columns:  # cell by cell, of what the tables inside show, whichever grant gives it
                own, plain = (f'({policy.resolved(x.rows) if x.rows else "true"}) IS TRUE' for x in (g, p))
                where = f' WHERE {own} OR {plain}'
                shown = {c: f'CASE WHEN {plain if c in p.columns else "false"} THEN {c} WHEN {own} THEN {s} END' if c in g.columns else s for c, s in shown.items()}
            typed = ', '.join(c if s == c else f'CASE WHEN false THEN {c} ELSE {s} END AS {c}' for c, s in shown.items())
            out.append(f'CREATE VIEW {all_}.{name} AS {fence(f"SELECT {typed} FROM {raw}.{name}{where}")};')
            if g:
                out.append(f'CREATE VIEW {shown_in}.{name} AS SELECT {", ".join(c for c in shown if c in g.columns)} FROM {all_}.{name};')
        return '\n'.join(out)
