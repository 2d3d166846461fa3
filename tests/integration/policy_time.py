"""Row filters and masks over dates and times: the session's own TimeZone and DateStyle change nothing of what they give.
The oracle is PostgreSQL with the same expression in a session whose time zone is UTC and whose style is ISO."""
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

SCHEMA = """
CREATE SCHEMA t;
CREATE DOMAIN t.moment AS timestamptz;
CREATE TYPE t.stop AS (place text, at timestamptz);
CREATE TABLE t.visit (id integer PRIMARY KEY, at timestamptz, day date, ts timestamp, valid tstzrange, zone text,
                      moment t.moment, tz timetz, ats timestamptz[], stop t.stop, pause interval);
INSERT INTO t.visit
SELECT i, '2025-12-28 00:00+00'::timestamptz + i * interval '1 hour', '2025-12-20'::date + i % 30,
       '2025-12-28 00:00'::timestamp + i * interval '1 hour',
       tstzrange('2025-12-28 00:00+00'::timestamptz + i * interval '1 hour', '2026-01-08 00:00+00'), 'Europe/Berlin'
FROM generate_series(0, 200) i;
INSERT INTO t.visit (id, at, day, ts)
SELECT 1000 + i, date_trunc('hour', now()) + i * interval '1 hour', current_date + i / 10, date_trunc('hour', now()::timestamp)
FROM generate_series(-60, 60) i;
INSERT INTO t.visit (id, at, day, ts) VALUES (2000, 'infinity', 'infinity', 'infinity'), (2001, '-infinity', '-infinity', '-infinity'), (2002, NULL, NULL, NULL);
UPDATE t.visit SET moment = at, tz = at::timetz, ats = ARRAY[at, at + '1 day'], stop = ROW('p' || id, at)::t.stop, pause = id * interval '1 hour';
CREATE TABLE t.edges (name text, at timestamptz, moment t.moment);
INSERT INTO t.edges VALUES ('start', '2025-12-31 12:00+00', '2025-12-31 12:00+00');
CREATE FUNCTION t.later(timestamptz) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS $$ SELECT $1 + interval '1 hour' $$;
CREATE FUNCTION t.is_late(timestamptz) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1 > '2026-01-01 05:00+00' $$;
"""

FILTERS = [
    "at >= '2026-01-01'",
    "'2026-01-01' <= at",
    "at < '2026-01-01 06:00:00+02'",
    "at < timestamptz '2026-01-01 06:00:00 Europe/Berlin'",
    "at >= timestamp with time zone '2026-01-01'",
    "at >= timestamp '2026-01-01'",
    "at >= '2026-01-01'::timestamptz(3)",
    "at >= CAST('2026-01-01' AS timestamptz) AND at < 'infinity'",
    "at BETWEEN '2025-12-31' AND '2026-01-02 12:00'",
    "at NOT BETWEEN '2025-12-31' AND '2026-01-02 12:00'",
    "at IN ('2026-01-01', '2026-01-02 00:00+00')",
    "at IS DISTINCT FROM '2026-01-01'",
    "at = ANY (ARRAY['2026-01-01', '2026-01-02']::timestamptz[])",
    "at > now() - interval '36 hours'",
    "at > (now() - '2 days'::interval) AND at <= current_timestamp + interval '1 day'",
    "at >= attr('zoned')::timestamptz",
    "at >= CAST(attr('plain') AS timestamp with time zone)",
    "day >= attr('plain')::date AND at IS NOT NULL",
    "at::date = '2026-01-01'",
    "at::date = current_date",
    "cast(at AS date) >= date '2026-01-01'",
    "date_trunc('month', at) = '2026-01-01'",
    "date_trunc('day', at) = date_trunc('day', now())",
    "date_trunc('day', at, 'Europe/Berlin') = '2025-12-31 23:00+00'",
    "extract(year FROM at) = 2026",
    "date_part('hour', at) BETWEEN 8 AND 17",
    "extract(epoch FROM at) > 1767225600",
    "to_char(at, 'YYYY-MM-DD') = '2026-01-01'",
    "to_char(day, 'YYYY') = '2026'",
    "(at AT TIME ZONE 'Europe/Berlin')::date = '2026-01-01'",
    "at AT TIME ZONE zone >= '2026-01-01'",
    "timezone('Europe/Berlin', at) >= '2026-01-01'",
    "ts AT TIME ZONE 'Europe/Berlin' >= '2026-01-01'",
    "ts >= '2026-01-01' AND ts < current_timestamp",
    "ts::date = localtimestamp::date OR ts::timestamptz > '2026-01-03'",
    "at = ts",
    "at >= day",
    "day >= current_date - 3",
    "day = now()::date",
    "day::timestamptz >= '2026-01-01'",
    "at + interval '1 day' >= '2026-01-01'",
    "at - interval '1 day' > ts - interval '3 days'",
    "at > (SELECT max(e.at) FROM t.edges AS e)",
    "EXISTS (SELECT 1 FROM t.edges AS e WHERE e.at < day AND name = 'start')",
    "at IN (SELECT e.at + interval '1 hour' FROM t.edges AS e)",
    "valid @> timestamptz '2026-01-01 00:00+00'",
    "valid @> at + interval '1 hour'",
    "valid @> now() OR lower(valid) < '2025-12-30 00:00+00'",
    "tstzrange('2026-01-01 00:00+00', '2026-01-02 00:00+00') @> at",
    "upper(valid) > at",
    "t.is_late(at)",
    "coalesce(at, now()) >= '2026-01-01'",
    "CASE WHEN at >= '2026-01-01' THEN at < '2026-01-02' ELSE false END",
    "greatest(at, '2026-01-01') = '2026-01-01'",
    "(at, at) OVERLAPS ('2026-01-01', '2026-01-02')",
    "to_timestamp(1767225600) < at",
    "to_timestamp('2026-01-01', 'YYYY-MM-DD') <= at",
    "make_timestamptz(2026, 1, 1, 0, 0, 0) <= at",
    "make_timestamptz(2026, 1, 1, 0, 0, 0, 'Europe/Berlin') <= at",
    "age(at) < interval '2 days' AND isfinite(at)",
    "day::text LIKE '2026-%'",
    "left(at::text, 10) = '2026-01-01'",
    "ts::varchar LIKE '2026-01-01 0%'",
    "'d' || day = 'd2026-01-01'",
    "concat(day, '/', id) LIKE '2026-01-0%'",
    "format('%s', day) = '2026-01-02'",
    "at IS NULL OR day > '2026-06-01'",
    "NOT (at < '2026-01-01')",
    # A domain is what it is over.
    "moment >= '2026-01-01' AND moment::date < '2026-01-03'",
    "to_char(moment, 'HH24') = '12' OR extract(hour FROM moment) = 7",
    "moment > (SELECT e.moment FROM t.edges AS e) AND moment < day + 1",
    "coalesce(moment, now()) BETWEEN '2026-01-01' AND '2026-01-02'",
    "(moment, id) > ('2026-01-01', 0)",
    "moment = ANY ('{2026-01-01,2026-01-02}'::timestamptz[])",
    # What a range, an array or a row holds is as it is by itself.
    "lower(valid) > '2026-01-01'",
    "lower(valid)::date = '2026-01-01' OR date_trunc('day', lower(valid)) = '2026-01-02'",
    "valid @> '2026-01-01'::timestamptz",
    "valid && '[2026-01-01 00:00+00,2026-01-02 00:00+00)' AND at <@ '[2025-12-31 00:00+00,)'::tstzrange",
    "tstzrange(day, NULL) @> at",
    "ats[1] > '2026-01-01' AND ats[1]::date < '2026-01-03'",
    "(stop).at > '2026-01-01' AND to_char((stop).at, 'DD') = '02'",
    "at = ANY (ats) AND '2026-01-01 00:00+00' = ANY (ats)",
    "tz > '12:00+00'",
    # Functions that would ask for the zone, or give an instant.
    "date(at) = '2026-01-01' OR date(moment) = '2026-01-02'",
    '"time"(at) > \'12:00\'',
    "at >= make_date(2026, 1, 1) AND at < to_date('2026-01-03', 'YYYY-MM-DD')",
    "t.later(at) > '2026-01-01' AND t.later(ts AT TIME ZONE 'UTC') < '2026-01-03'",
    "timezone('Europe/Berlin', '2026-01-01') < at",
    "CASE WHEN at IS NULL THEN NULL ELSE day END < at AND at < '2026-01-02'",
    "CASE WHEN isfinite(at) THEN at - '2026-01-01' > interval '1 day' END",
    # As text.
    "left(to_json(at)::text, 11) = '\"2026-01-01'",
    "left(jsonb_build_object('a', moment) ->> 'a', 10) = '2026-01-01'",
    "length(quote_literal(day)) > 12 OR text(day) = '2026-01-02'",
    "left(xmlelement(name a, CASE WHEN isfinite(at) THEN at END)::text, 13) = '<a>2026-01-01'",
    "pause > '-1 day' AND pause < interval '3 days 2:00'",
]
ATTRIBUTES = {'zoned': '2026-01-01 02:00:00+02', 'plain': '2026-01-01'}
# The column, and the mask over it.
MASKS = [
    ('at', "date_trunc('day', value)"),
    ('at', "value - interval '1 day'"),
    ('at', "least(value, '2026-01-01')"),
    ('at', "'2026-01-01'"),
    ('at', "date_trunc('day', value, 'Europe/Berlin')"),
    ('day', "date_trunc('month', value)::date"),
    ('day', "(left(value::text, 7) || '-01')::date"),
    ('ts', "date_trunc('hour', value)"),
    ('zone', "left(day::text, 4)"),
    ('zone', "'since ' || at::date"),
    ('moment', "date_trunc('day', value)"),
    ('moment', "lower(valid)"),
]
SESSIONS = [
    {},
    {'TimeZone': 'Pacific/Kiritimati', 'DateStyle': 'SQL, DMY'},
    {'TimeZone': 'America/New_York', 'DateStyle': 'German'},
    {'TimeZone': '<x>+167', 'DateStyle': 'Postgres, MDY'},
    {'TimeZone': '<x>-167'},
]


# What shows a value whatever the session prints.
PLAIN = {'at': 'extract(epoch FROM at)', 'moment': 'extract(epoch FROM moment)', 'ts': 'extract(epoch FROM ts)', 'day': "day - date '2000-01-01'", 'zone': 'zone'}
COLUMN_TYPES = {'at': 'timestamptz', 'moment': 'timestamptz', 'ts': 'timestamp', 'day': 'date', 'zone': 'text'}
HIDE_INFINITE = 'WHERE id < 2000 ORDER BY id'


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def setUpModule():
    global PG, PROXY
    scratch, certs, PG = gt.module_fixture()
    PG.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    PG.sql('CREATE DATABASE wh')
    PG.sql(SCHEMA, 'wh')
    rules = copies = ''
    for i, text in enumerate(FILTERS):
        copies += f'CREATE SCHEMA f{i}; CREATE TABLE f{i}.visit AS TABLE t.visit;\n'
        rules += f'  - {{ to: [user:ann], tables: [f{i}.visit], rows: {quoted(text)} }}\n'
    for i, (column, text) in enumerate(MASKS):
        copies += f'CREATE SCHEMA m{i}; CREATE TABLE m{i}.visit AS TABLE t.visit;\n'
        rules += f'  - {{ to: [user:ann], tables: [m{i}.visit], mask: {{ {column}: {quoted(text)} }} }}\n'
    PG.sql(copies, 'wh')
    PROXY = unittest.enterModuleContext(gt.Gatehouse(
        scratch, PG, certs, policy=f'version: 1\nusers:\n  ann: {{ attributes: {ATTRIBUTES!r} }}\ngrants:\n{rules}',
        users={'ann': 'pw'}))


def rows_of(session, statement):
    """What ann gets in a session with these settings."""
    with PROXY.wire('ann', parameters=session) as c:
        c.send(gt.query_message(statement))
        result = c.results()[-1]
        return result.error or [row[0] for row in result.rows]


class Time(unittest.TestCase):
    def test_filters_mean_utc_whatever_the_session_says(self):
        for i, text in enumerate(FILTERS):
            plain = re.sub(r"attr\('(\w+)'\)", lambda m: f"'{ATTRIBUTES[m[1]]}'::text", text)
            want = PG.sql(f"SET TimeZone = 'UTC'; SELECT id FROM t.visit WHERE {plain} ORDER BY id", 'wh').split()
            self.assertTrue(0 < len(want) < 325, f'{text} chooses nothing')
            for session in SESSIONS:
                with self.subTest(text, **session):
                    self.assertEqual(rows_of(session, f'SELECT id FROM f{i}.visit ORDER BY id'), want)

    def test_masks_show_what_they_show_in_utc(self):
        for i, (column, text) in enumerate(MASKS):
            shown = text.replace('value', column)
            inner = f'SELECT id, ({shown})::{COLUMN_TYPES[column]} AS {column} FROM t.visit'
            want = PG.sql(f"SET TimeZone = 'UTC'; SELECT coalesce(({PLAIN[column]})::text, '-') FROM ({inner}) s {HIDE_INFINITE}",
                          'wh').split('\n')[:-1]
            for session in SESSIONS:
                with self.subTest(text, **session):
                    self.assertEqual(
                        rows_of(session, f"SELECT coalesce(({PLAIN[column]})::text, '-') FROM m{i}.visit {HIDE_INFINITE}"), want)

    def test_what_the_session_would_decide_is_refused(self):
        rules = 'version: 1\nusers: { ann: {} }\ngrants:\n'
        texts = []
        for text in ("day > '01/02/2026'", "at >= '1.2.2026 12:00'", "ts BETWEEN '2026-01-01' AND '31-12-2026'", "day = 'today'",
                     "day > date '01/02/2026'", "at < 'tomorrow'", "ts < 'now'", "day <@ daterange('01/02/2026', NULL)", "date('1.2.2026') = day",
                     "valid && '[2026-01-01,)'", "valid && tstzrange('2026-01-01', NULL)", "at <@ '[2026-01-01,)'::tstzrange", "ats @> '{2026-01-01}'",
                     "'2026-01-01' = ANY (ats)", "moment >= '2026-01-01'::t.moment", "at::t.moment > now()", "tz > '12:00'", "tz > ts::time", "tz > current_time",
                     "t.is_late('2026-01-01')", "timestamptz(day) > now()", "timetz(at) > '12:00+00'", "pause > '-1 2:00'", "at > now() - '-1 day 2:00'::interval",
                     "jsonb_path_exists_tz(to_jsonb(id), '$')"):
            rules += f'  - {{ to: [user:ann], tables: [t.visit], rows: {quoted(text)} }}\n'
            texts.append(text)
        path = PROXY.dir / 'refused.yaml'
        path.write_text(rules)
        done = PROXY.cli('policy', 'lint', '--config', PROXY.config, path, check=False)
        for i, text in enumerate(texts, 4):
            with self.subTest(text):
                self.assertRegex(done.stdout + done.stderr, rf"refused.yaml:{i}:.*((DateStyle|TimeZone|IntervalStyle) would decide|the session's|cast to timestamptz)")

    def test_an_index_serves_a_filter_by_time(self):
        """The column stays bare where it is compared with what does not depend on the row."""
        explained = PROXY.cli('explain', '--config', PROXY.config, '--user', 'ann', 'SELECT id FROM f0.visit').stdout
        self.assertRegex(' '.join(explained.split()), r'"visit"\."?at"? >= "pg_catalog"\."timezone"\(\'UTC\', ?CAST\(')


if __name__ == '__main__':
    gt.main()
