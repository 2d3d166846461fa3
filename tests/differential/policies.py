"""Random row filters and masks, in sessions of random settings, against PostgreSQL in a session of UTC, ISO and its own ways.

    tests/differential/policies.py [SEED [EXPRESSIONS]]

Each expression is the filter of one copy of a table, and a mask of another. Whatever a client sets, it must see the rows and texts that the
oracle gives: settings that change what the policy says are a way to read what it hides. An expression that PostgreSQL does not take is left
out; one that Gatehouse refuses to compile shows nothing, and is counted.
"""
import json
import os
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

LONG = os.environ.get('GH_LONG') == '1'
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 3
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 2000 if LONG else 120

SCHEMA = """
CREATE SCHEMA t;
CREATE DOMAIN t.moment AS timestamptz;
CREATE DOMAIN t.daily AS date;
CREATE DOMAIN t.share AS float8;
CREATE TYPE t.stop AS (place text, at timestamptz, share float8);
CREATE FUNCTION t.later(timestamptz) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS $$ SELECT $1 + interval '90 minutes' $$;
CREATE FUNCTION t.local(timestamp) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT to_char($1, 'YYYY-MM-DD HH24') $$;
CREATE TABLE t.x (id integer PRIMARY KEY, label text, n integer, at timestamptz, ts timestamp, day date, moment t.moment, daily t.daily, valid tstzrange,
                  days daterange, ats timestamptz[], stop t.stop, pause interval, ratio float8, share t.share, small float4, photo bytea, amount numeric(8,2), doc jsonb);
INSERT INTO t.x
SELECT i, 'label ' || i, i % 7, a, a::timestamp, a::date, a - interval '5 hours', a::date + i % 3, tstzrange(a, a + i * interval '40 minutes'), daterange(a::date, a::date + i % 9 + 1),
       ARRAY[a, a + interval '1 day'], ROW('p' || i % 5, a, 1 / i::float8)::t.stop, (i - 60) * interval '95 minutes', 1 / i::float8, 3 / i::float8, 0.1::float4 * i,
       decode(lpad(to_hex(i * 37), 4, '0'), 'hex'), i * 1.25, jsonb_build_object('n', i, 's', 'v' || i)
FROM (SELECT i, '2025-12-28 00:20+00'::timestamptz + i * interval '1 hour' AS a FROM generate_series(1, 120) i) q;
INSERT INTO t.x (id, label) VALUES (900, NULL), (901, 'label');
"""
SESSIONS = [{'TimeZone': '<x>+167', 'DateStyle': 'Postgres, MDY'}, {'TimeZone': '<x>-167', 'DateStyle': 'SQL, DMY', 'IntervalStyle': 'sql_standard'},
            {'TimeZone': 'America/New_York', 'DateStyle': 'German', 'extra_float_digits': '-15'},
            {'extra_float_digits': '3', 'bytea_output': 'escape', 'IntervalStyle': 'iso_8601', 'xmlbinary': 'hex'}]


class Expressions:
    """Each method gives an expression of the type that it is called by."""

    def __init__(self, rng):
        self.rng = rng
        self.depth = 0

    def of(self, kind):
        self.depth += 1
        try:
            return getattr(self, kind)(self.depth > 4 or self.rng.random() < 0.3)
        finally:
            self.depth -= 1

    def pick(self, *options):
        chosen = self.rng.choice(options)
        return chosen() if callable(chosen) else chosen

    def literal(self, kind):
        stamp = f'2026-01-0{self.rng.randint(1, 3)} {self.rng.randint(0, 23):02}:20'
        return {'at': lambda: self.pick(f"'{stamp}'", f"'{stamp}+00'", f"'{stamp}+02'", f"'{stamp[:10]}'"), 'ts': lambda: f"'{stamp}'", 'day': lambda: f"'{stamp[:10]}'",
                'pause': lambda: self.pick("'1 day'", "'-3 hours'", "'2 days 4:00'", "'-1 day 2:00'", "'90 minutes'"), 'n': lambda: str(self.rng.randint(-2, 9)),
                'text': lambda: self.pick("'2026-01-02'", "'label 5'", "'0.0'", "'1'", "''")}[kind]()

    def typed(self, kind):
        name = {'at': 'timestamptz', 'ts': 'timestamp', 'day': 'date', 'pause': 'interval'}[kind]
        text = self.literal(kind)
        return self.pick(f'{text}::{name}', f'{name} {text}', f'CAST({text} AS {name})')

    def at(self, leaf):
        simple = lambda: self.pick('at', 'at', 'moment', 'lower(valid)', 'upper(valid)', 'ats[1]', '(stop).at', "'2026-01-01 12:00+00'::timestamptz")
        if leaf:
            return self.pick(simple, simple, lambda: self.typed('at'))
        return self.pick(simple, lambda: f"{self.of('at')} {self.pick('+', '-')} {self.of('pause')}", lambda: f"t.later({self.of('at')})",
                         lambda: f"coalesce({self.of('at')}, {self.of('at')})", lambda: f"greatest({self.of('at')}, {self.literal('at')})",
                         lambda: f"CASE WHEN {self.of('boolean')} THEN {self.of('at')} ELSE {self.of('at')} END",
                         lambda: f"date_trunc('{self.pick('day', 'hour', 'month')}', {self.of('at')})", lambda: f"({self.of('ts')}) AT TIME ZONE 'Europe/Berlin'",
                         lambda: f"({self.of('day')})::timestamptz", lambda: f"({self.of('ts')})::timestamptz", lambda: f"nullif({self.of('at')}, {self.literal('at')})",
                         lambda: f"(SELECT max(y.at) FROM t.x AS y WHERE y.n = {self.literal('n')})")

    def ts(self, leaf):
        if leaf:
            return self.pick('ts', lambda: self.typed('ts'))
        return self.pick(lambda: f"({self.of('at')}) AT TIME ZONE 'Asia/Tokyo'", lambda: f"({self.of('at')})::timestamp", lambda: f"ts {self.pick('+', '-')} {self.of('pause')}",
                         lambda: f"timezone('Europe/Berlin', {self.of('at')})", lambda: f"coalesce({self.of('ts')}, {self.literal('ts')})")

    def day(self, leaf):
        if leaf:
            return self.pick('day', 'daily', 'lower(days)', lambda: self.typed('day'))
        return self.pick(lambda: f"({self.of('at')})::date", lambda: f"date({self.of('at')})", lambda: f"date({self.of('ts')})", lambda: f"{self.of('day')} + {self.literal('n')}",
                         lambda: f"to_date('{self.pick('2026-01-02', '2025-12-30')}', 'YYYY-MM-DD')", lambda: 'make_date(2026, 1, n + 1)',
                         lambda: f"CASE WHEN {self.of('boolean')} THEN NULL ELSE {self.of('day')} END")

    def pause(self, leaf):
        if leaf:
            return self.pick('pause', lambda: self.typed('pause'))
        return self.pick(lambda: f"({self.of('at')} - {self.of('at')})", lambda: f"pause * {self.literal('n')}", lambda: f"make_interval(hours => n)", lambda: f"age({self.of('at')}, {self.of('ts')})",
                         lambda: f"({self.of('ts')} - {self.of('ts')})", lambda: f"(n || ' hours')::interval")

    def n(self, leaf):
        if leaf:
            return self.pick('n', 'id', lambda: self.literal('n'))
        return self.pick(lambda: f"extract({self.pick('hour', 'day', 'dow', 'epoch')} FROM {self.of('at')})", lambda: f"date_part('hour', {self.of(self.pick('at', 'ts'))})",
                         lambda: f"extract(day FROM {self.of('pause')})", lambda: f"({self.of('day')} - {self.of('day')})", lambda: f"length({self.of('text')})",
                         lambda: 'amount', lambda: "(doc->>'n')::integer", lambda: f"(n + {self.of('n')})")

    def text(self, leaf):
        if leaf:
            return self.pick('label', "doc->>'s'", '(stop).place', lambda: self.literal('text'))
        shown = lambda: self.of(self.pick('at', 'ts', 'day', 'number', 'n', 'text', 'bytes'))
        return self.pick(lambda: f"({shown()})::{self.pick('text', 'varchar', 'text')}", lambda: f"to_char({self.of(self.pick('at', 'ts', 'day'))}, 'YYYY-MM-DD HH24')",
                         lambda: f"concat({shown()}, '/', {shown()})", lambda: f"left({self.of('text')}, {self.rng.randint(1, 14)})", lambda: f"('~' || ({shown()}))",
                         lambda: f"format('%s', {shown()})", lambda: f"md5({self.of('text')})", lambda: f"t.local({self.of('ts')})", lambda: f"upper({self.of('text')})",
                         lambda: f"to_json({shown()})::text", lambda: f"jsonb_build_object('a', {shown()})->>'a'", lambda: f"quote_literal({shown()})",
                         lambda: f"xmlelement(name a, {shown()})::text", lambda: f"coalesce({self.of('text')}, {self.literal('text')})",
                         lambda: f"{self.pick('ats', 'stop', 'valid', 'days', 'pause')}::text", lambda: f"text({shown()})")

    def number(self, leaf):
        return self.pick('ratio', 'share', 'small', '(stop).share', lambda: f"(ratio * {self.literal('n')})", 'sqrt(ratio)', 'abs(share)')

    def bytes(self, leaf):
        return self.pick('photo', 'photo || photo', "decode('00ff', 'hex')")

    def boolean(self, leaf):
        compare = lambda kind: f"{self.of(kind)} {self.pick('<', '<=', '>', '>=', '=', '<>')} {self.pick(lambda: self.of(kind), lambda: self.literal(kind))}"
        simple = lambda: self.pick(lambda: compare('at'), lambda: compare('at'), lambda: compare('day'), lambda: compare('ts'), lambda: compare('n'), lambda: compare('text'),
                                   lambda: compare('pause'), lambda: f"{self.of('at')} {self.pick('<', '>')} {self.of(self.pick('ts', 'day'))}")
        if leaf:
            return simple()
        return self.pick(simple, simple, lambda: f"{self.of('at')} BETWEEN {self.literal('at')} AND {self.of(self.pick('at', 'ts', 'day'))}",
                         lambda: f"{self.of('at')} IN ({self.literal('at')}, {self.of('at')})", lambda: f"NOT ({self.of('boolean')})",
                         lambda: f"({self.of('boolean')} {self.pick('AND', 'OR')} {self.of('boolean')})", lambda: f"{self.of('at')} IS DISTINCT FROM {self.literal('at')}",
                         lambda: f"{self.of('text')} LIKE '{self.pick('%2026-01-0%', '%3%', '0.%', '~%')}'", lambda: f"valid @> {self.of('at')}",
                         lambda: f"valid && tstzrange({self.of('at')}, NULL)", lambda: f"valid && tstzrange({self.literal('at')}, NULL)",
                         lambda: f"{self.of('at')} = ANY (ats)", lambda: f"{self.literal('at')} = ANY (ats)", lambda: f"{self.of('at')} = ANY (ARRAY[{self.literal('at')}]::timestamptz[])",
                         lambda: f"days @> {self.of('day')}", lambda: f"({self.of('at')}, n) > ({self.literal('at')}, 3)", lambda: f"isfinite({self.of('at')})",
                         lambda: f"({self.of('at')}, {self.of('at')}) OVERLAPS ({self.literal('at')}, interval '3 hours')",
                         lambda: f"EXISTS (SELECT 1 FROM t.x AS y WHERE y.at > day AND y.n = {self.literal('n')})")


# Text is in other forms than PostgreSQL's own: without zones, with fewer digits.
PRINTS = re.compile(r"::(text|varchar)|text\(|concat|format|json|xml|quote|'~'|md5")


def answer(c, sql):
    result = c.query(sql)[-1]
    return result.sqlstate or [tuple(r) for r in result.rows]


def main():
    rng = random.Random(SEED)
    failures = refused = 0
    with gt.Scratch() as scratch:
        certs = gt.Certificates(scratch.path('tls'))
        with gt.Postgres(scratch, certs) as pg:
            pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
            pg.sql('CREATE DATABASE wh')
            pg.sql(SCHEMA, 'wh')
            with gt.Wire(pg.port, 'gatehouse', 'wh', 'upstream-secret', tls='sslrequest', parameters={'TimeZone': 'UTC', 'DateStyle': 'ISO, YMD'}) as oracle:
                cases = []
                while len(cases) < COUNT:
                    kind = rng.choice(['boolean', 'boolean', 'text'])
                    text = Expressions(rng).of(kind)
                    sql = f'SELECT id FROM t.x WHERE {text} ORDER BY id' if kind == 'boolean' else f'SELECT id, ({text})::text FROM t.x ORDER BY id'
                    want = answer(oracle, sql)
                    if not isinstance(want, str) and len(text) < 2000:
                        cases.append((kind, text, want))
            pg.sql(''.join(f'CREATE SCHEMA s{i}; CREATE VIEW s{i}.x AS TABLE t.x;' for i in range(COUNT)), 'wh')
            grants = [f'  - {{ to: [user:ann], tables: [s{i}.x], ' + (f'rows: {json.dumps(text)} }}' if kind == 'boolean' else f'mask: {{ label: {json.dumps("(" + text + ")")} }} }}')
                      for i, (kind, text, _) in enumerate(cases)]
            with gt.Gatehouse(scratch, pg, certs, policy='version: 1\nusers: { ann: {} }\ngrants:\n' + '\n'.join(grants) + '\n', users={'ann': 'a'}) as proxy:
                plain = []
                for session in [{}] + SESSIONS:
                    with proxy.wire('ann', parameters=session) as c:
                        for i, (kind, text, want) in enumerate(cases):
                            got = answer(c, f'SELECT id FROM s{i}.x ORDER BY id' if kind == 'boolean' else f'SELECT id, label FROM s{i}.x ORDER BY id')
                            refused += got == '42501'
                            if session == {}:
                                plain.append(got)
                            if got == plain[i] and (session != {} or got == want or got == '42501' or PRINTS.search(text)):
                                continue
                            failures += 1
                            other = want if session == {} else plain[i]
                            if isinstance(got, list) and isinstance(other, list):
                                got, other = [x for x in got if x not in other], [x for x in other if x not in got]
                            print(f'not ok {session} {kind} {text}: {str(got)[:150]} for {str(other)[:150]}', flush=True)
    print(f'# seed {SEED}: {len(cases)} expressions, {refused // (len(SESSIONS) + 1)} refused')
    print(f'{len(cases) * (len(SESSIONS) + 1) - failures} passed, {failures} failed')
    return failures > 0


if __name__ == '__main__':
    sys.exit(main())
