"""Row filters and masks that make text of floats and bytes: no setting of the session changes what they give."""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

SCHEMA = r"""
CREATE SCHEMA t;
CREATE DOMAIN t.share AS float8;
CREATE DOMAIN t.image AS bytea;
CREATE TYPE t.pair AS (x float8, y integer);
CREATE FUNCTION t.half(integer, integer) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT $1 / $2::float8'; CREATE OPERATOR t.<%> (FUNCTION = t.half, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION t.plus(integer, integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2'; CREATE OPERATOR t.<+> (FUNCTION = t.plus, LEFTARG = integer, RIGHTARG = integer);
CREATE TABLE t.point (id integer PRIMARY KEY, label text, ratio float8, small float4, photo bytea, pause interval, at timestamp,
                      share t.share, image t.image, ratios float8[], place point, pair t.pair, days daterange, ids integer[]);
INSERT INTO t.point SELECT i, 'point ' || i, 1 / i::float8, 0.1::float4 * i, decode(lpad(to_hex(i), 4, '0'), 'hex'), i * interval '25 hours', '2026-01-01',
                           1 / i::float8, decode(lpad(to_hex(i), 4, '0'), 'hex'), ARRAY[1 / i::float8, i], point(1 / i::float8, i), ROW(1 / i::float8, i)::t.pair,
                           daterange('2026-01-01', '2026-02-01'), ARRAY[i, 7]
    FROM generate_series(1, 40) i;
INSERT INTO t.point (id, ratio) VALUES (98, 'NaN'), (99, NULL);
"""
FILTERS = ["ratio::text LIKE '0.0%'", "(ratio * 3)::varchar LIKE '0.3%'", "ratio || '' < '0.1'", "concat(ratio, small) LIKE '%3%'", r"photo::text = '\x0005'",
           r"left(CAST(photo AS text), 4) = '\x00'", r"format('%s', photo || photo) LIKE '\\x00%'", "length(to_json(ratio)::text) > 5",
           "CASE WHEN id > 3 THEN ratio END::text LIKE '%1%'", "coalesce(ratio, 1)::text > '0.05'", "date_part('day', at + id * interval '1 day')::text = '12'",
           "share::text LIKE '0.0%'", "concat(share) LIKE '%3%'", r"left(image::text, 5) = '\x000'", "ratios[1]::text LIKE '0.0%3%'", "place[0]::text LIKE '0.0%3%'", "(pair).x::text LIKE '0.0%'",
           "text(ratio) LIKE '0.0%'", "xmlelement(name a, ratio, photo)::text LIKE '%3%'", "ids::text LIKE '{1%' AND array_to_string(ids, '-') LIKE '%-7'",
           "sqrt(ratio)::text LIKE '0.%3%'", "(SELECT ratio)::text LIKE '%33%'", "(|/ id)::text LIKE '%6%'", "(id OPERATOR(t.<+>) 3)::text LIKE '%3%'", "((at + id * interval '1 day')::date - date '2026-01-01')::text LIKE '%3%'",
           "((id * 1000001) ^ 2)::text LIKE '%9%'",
           "(place <-> '(0,0)'::point)::text LIKE '%6%'", "(id::money / 7::money)::text LIKE '%4%'", "(to_tsvector('simple', label) @@ ('point'::tsquery <-> '7'::tsquery))::text = 'true'",
           "ratio IN (SELECT p.ratio FROM t.point p WHERE p.small::text LIKE '0._')"]
MASKS = ["left(md5(ratio::text), 8)", r"'~' || photo::text || ratio", "(SELECT max(p.ratio)::text FROM t.point p WHERE p.id > 8)", "concat_ws('/', abs(ratio), greatest(small, 2)::text)",
         "(ratio)", "photo || photo", "CASE WHEN id > 3 THEN at END"]
SESSIONS = [{}, {'extra_float_digits': '-15'}, {'extra_float_digits': '0'}, {'extra_float_digits': '3'}, {'bytea_output': 'escape'},
            {'IntervalStyle': 'sql_standard'}, {'extra_float_digits': '-8', 'bytea_output': 'escape', 'IntervalStyle': 'iso_8601'}]
HOLDING = ["ratios::text = ''", "array_to_string(ratios, ',') = ''", "place::text = ''", "concat(place) = ''", "pair::text = ''", "ROW(ratio)::text = ''", "days::text = ''",
           "row_to_json(pair)::text = ''", "to_jsonb(ratios)::text = ''", "array_append(ratios, 1)::text = ''", "xmlforest(ratios)::text = ''", "range_merge(days, days)::text = ''", "ratios::text[] = '{}'", "ARRAY(SELECT ratio)::text = ''", "concat(ARRAY(SELECT ratio * 2)) = ''",
           "ARRAY[ratio * 2]::text = ''", "ARRAY[[-ratio]]::text = ''", "(ratios || ratio)::text = ''", "concat(ratio || ratios) = ''", "ARRAY[at + pause]::text = ''", "ROW(1, ratio * 2)::text = ''",
           "ARRAY(SELECT at - pause)::text = ''", "concat(ARRAY[NULL, ratio]) = ''", "(ratios[1:2])::text = ''", "array_cat(ratios, ratios)::text = ''", "(ARRAY[ratio * 2] || ids)::text = ''",
           "(id OPERATOR(t.<%>) 7)::text = ''", "ARRAY(SELECT p.photo FROM t.point p)::text[] = '{}'"]
REFUSED = ["pause::text = '1 day'", "concat(pause) > ''", "(pause * 2)::text > ''", "(at - at)::text = ''", "pause || '' = ''", "age(at, at)::text > ''", "(SELECT pause)::text > ''"]
UNKNOWN = ["(VALUES (ratio))::text LIKE '%33%'", "concat((VALUES (1), (pause) OFFSET 1)) = ''", "id IN (VALUES (1), (2))", "1 = ANY (VALUES (id))", "id IN (SELECT id FROM t.point UNION VALUES (1))"]


def setUpModule():
    global proxy, pg
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql(SCHEMA, 'wh')
    for i in range(len(FILTERS)):
        pg.sql(f'CREATE SCHEMA f{i}; CREATE VIEW f{i}.point AS TABLE t.point', 'wh')
    for i in range(len(MASKS)):
        pg.sql(f'CREATE SCHEMA m{i}; CREATE VIEW m{i}.point AS TABLE t.point', 'wh')
    grants = [f'  - {{ to: [user:ann], tables: [f{i}.point], rows: {json.dumps(f)} }}' for i, f in enumerate(FILTERS)]
    grants += [f'  - {{ to: [user:ann], tables: [m{i}.point], mask: {{ label: {json.dumps(m)} }} }}' for i, m in enumerate(MASKS)]
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy='version: 1\nusers: { ann: {} }\ngrants:\n' + '\n'.join(grants) + '\n',
                                                     users={'ann': 'a'}))


class Print(unittest.TestCase):
    def all_sessions(self, sql):
        answers = []
        for session in SESSIONS:
            with proxy.wire('ann', parameters=session) as c:
                result = c.query(sql)[-1]
                answers.append(result.error or result.rows)
        for session, answer in zip(SESSIONS, answers):
            self.assertEqual(answer, answers[0], session)
        self.assertIsInstance(answers[0], list)
        return answers[0]

    def test_filters(self):
        for i, text in enumerate(FILTERS):
            with self.subTest(text):
                shown = [r[0] for r in self.all_sessions(f'SELECT id FROM f{i}.point ORDER BY id')]
                self.assertTrue(0 < len(shown) < 42, shown)

    def test_filter_of_bytes_means_hexadecimal(self):
        self.assertEqual(self.all_sessions(f'SELECT id FROM f{FILTERS.index(REFER)}.point'), [['5']])

    def test_masks(self):
        for i, text in enumerate(MASKS):
            with self.subTest(text):
                shown = [r[0] for r in self.all_sessions(f'SELECT label FROM m{i}.point WHERE id < 50 ORDER BY id')]
                self.assertEqual(len(shown), 40)
                self.assertNotIn('point 1', shown)

    def test_text_of_intervals_and_of_what_holds_such_is_refused(self):
        path = proxy.dir / 'refused.yaml'
        path.write_text('version: 1\nusers: { ann: {} }\ngrants:\n' +
                        ''.join(f'  - {{ to: [user:ann], tables: [t.point], rows: {json.dumps(text)} }}\n' for text in REFUSED + HOLDING + UNKNOWN))
        done = proxy.cli('policy', 'lint', '--config', proxy.config, path, check=False)
        for i, text in enumerate(REFUSED + HOLDING + UNKNOWN, 4):
            with self.subTest(text):
                why = 'IntervalStyle would decide' if text in REFUSED else 'sub-select is more than' if text in UNKNOWN else 'the session would decide'
                self.assertRegex(done.stdout + done.stderr, f'refused.yaml:{i}:.*{why}')


REFER = r"photo::text = '\x0005'"

if __name__ == '__main__':
    gt.main()
