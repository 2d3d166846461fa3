r"""Runs tests/attack/cases/*.txt: one file an idea of how such proxies are broken, one attack a line.

    safe SQL               may answer or fail, but leaks nothing
    deny SQL               must fail
    deny CODE SQL          must fail with this SQLSTATE
    allow SQL              a legitimate query: must succeed
    allow SQL => JSON      and give these rows
    @USER                  the lines below run as USER (mallory at the start of a file)
    # ...                  a comment

` ;; ` between statements: one session, a Query each. `\n`, `\0`, `\xNN` and `\\` in SQL are escapes where the line begins with
`e` (esafe, edeny). A leak is a canary in any byte that came back, or any difference between the answers of two warehouses that
differ in hidden cells and rows only. Every line runs by the simple protocol and, where it is one statement, by the extended one.
Afterwards no table may have changed.

    run.py [--direct] [--version N] [FILE...]      --direct: against PostgreSQL itself, to see that the attacks do leak there

With GH_LONG=1 all of it runs against PostgreSQL 13, 14, 16, 17 and 18, too.
"""
import json
import os
import re
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import attack_world as world
import upstreams

HERE = Path(__file__).parent
LINE = re.compile(r'(?P<escaped>e?)(?P<verb>safe|deny|allow) (?:(?P<code>[0-9][0-9A-Z]{4}) )?(?P<sql>.*?)(?: => (?P<rows>[\[{].*))?$')


class Case:
    def __init__(self, path, number, user, line):
        match = LINE.match(line)
        if not match:
            raise SystemExit(f'{path.name}:{number}: not a case: {line}')
        self.name = f'{path.stem}:{number}'
        self.user, self.verb, self.code = user, match['verb'], match['code']
        sql = match['sql']
        if match['escaped']:
            sql = re.sub(r'\\(?:x([0-9a-f]{2})|(.))',
                         lambda m: chr(int(m[1], 16)) if m[1] else {'n': '\n', '0': '\0', '\\': '\\'}.get(m[2], m[0]), sql)
        # One byte a character: hostile bytes are written as \xNN; other characters are sent as UTF-8.
        encode = (lambda s: s.encode('latin-1')) if match['escaped'] else (lambda s: s.encode())
        self.steps = [encode(s) for s in sql.split(' ;; ')]
        self.rows = json.loads(match['rows']) if match['rows'] else None


def load(names):
    cases = []
    for path in sorted((HERE / 'cases').glob('*.txt')):
        if names and path.stem not in names and path.name not in names:
            continue
        user = 'mallory'
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith('@'):
                user = line[1:].strip()
            elif line.strip() and not line.startswith('#'):
                cases.append(Case(path, number, user, line.rstrip()))
    return cases


class Answer:
    """What came back: bytes for comparison, and the last statement's outcome."""

    def __init__(self):
        self.raw = b''
        self.sqlstate = None
        self.rows = []
        self.closed = False


made_since = 2**32  # OIDs from here on are of objects that the attacks themselves made: they differ by chance


def without_made_oids(kind, body):
    if kind != 'T':
        return body
    out, at = body[:2], 2
    while at < len(body):
        end = body.index(b'\0', at) + 1
        table, number, kind_of, rest = *struct.unpack('!IhI', body[end:end + 10]), body[end + 10:end + 18]
        out += body[at:end] + struct.pack('!IhI', min(table, made_since), number, min(kind_of, made_since)) + rest
        at = end + 18
    return out


class Sessions:
    """Open sessions, used again for cases of one statement that leave nothing behind."""

    def __init__(self, connect):
        self.connect = connect
        self.idle = {}

    def take(self, key, case):
        if len(case.steps) == 1 and key in self.idle:
            return self.idle.pop(key)
        return self.connect(*key)

    def give(self, key, case, c, answer):
        leaves_state = re.match(rb'(?i)\s*(set|reset|begin|prepare|declare|discard|savepoint|create|alter|drop|select .* into)', case.steps[0])
        if answer.closed or len(case.steps) > 1 or c.status != 'I' or leaves_state or key in self.idle:
            c.close()
        else:
            c.log.clear()
            self.idle[key] = c

    def close(self):
        while self.idle:
            self.idle.popitem()[1].close()


def ask(sessions, warehouse, case, extended):
    answer = Answer()
    key = (case.user, warehouse)
    try:
        c = sessions.take(key, case)
    except gt.ServerError as e:
        answer.sqlstate, answer.raw = e.sqlstate, repr(sorted(e.fields.items())).encode()
        return answer
    except (gt.Closed, OSError) as e:
        answer.closed, answer.raw = True, repr(type(e)).encode()
        return answer
    begin = len(c.log)
    try:
        for step in case.steps:
            if extended:
                c.send(gt.parse_message(step), gt.bind_message(), gt.describe_message('P'), gt.execute_message('', 0), gt.SYNC)
            else:
                c.send(gt.query_message(step))
            results = c.results()
            if results:
                answer.sqlstate, answer.rows = results[-1].sqlstate, results[-1].rows
    except (gt.Closed, OSError) as e:
        answer.closed = True
        answer.raw += repr(type(e)).encode()
    answer.raw += b''.join(kind.encode() + without_made_oids(kind, body) for kind, body in c.log[begin:] if kind != 'K')
    sessions.give(key, case, c, answer)
    return answer


def judge(case, a, b):
    """A list of what is wrong with the answers of the two warehouses."""
    wrong = []
    sent = b'\n'.join(case.steps)
    for answer in (a, b):
        for found in set(re.findall(world.CANARY, answer.raw)):
            if found not in sent:
                wrong.append(f'LEAK: {found.decode()} came back in {answer.raw[:300]!r}')
    if re.sub(rb'\bwha\b', b'wh?', a.raw) != re.sub(rb'\bwhb\b', b'wh?', b.raw):
        wrong.append(f'LEAK: hidden data changes the answer:\n      {a.raw[:300]!r}\n      {b.raw[:300]!r}')
    if case.verb == 'deny':
        if a.sqlstate is None and not a.closed:
            wrong.append(f'it must fail, but answers {a.rows[:3]}')
        elif case.code and a.sqlstate != case.code:
            wrong.append(f'it must fail with {case.code}, but fails with {a.sqlstate}: {a.raw[:200]!r}')
    if case.verb == 'allow':
        if a.sqlstate or a.closed:
            wrong.append(f'a legitimate query failed with {a.sqlstate}: {a.raw[:300]!r}')
        elif case.rows is not None and a.rows != case.rows:
            wrong.append(f'it must give {case.rows}, but gives {a.rows[:10]}')
    return wrong


def checksums(pg):
    return [pg.sql("SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM shop.orders t), (SELECT count(*) FROM staff.people),"
                   " (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM lockbox.ledger t), (SELECT count(*) FROM pg_class"
                   " WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg_toast%' OR nspname LIKE 'pg_temp%'))",
                   w) for w in world.WORLDS]


def set_up(pg):
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wha')
    pg.sql(world.SCHEMA, 'wha')
    pg.sql('CREATE DATABASE whb TEMPLATE wha')
    for name, values in world.WORLDS.items():
        pg.sql(world.DATA.format(**values), name)


def is_of_version(case, version):
    """MERGE is younger than 13 and 14: there it is an error, and no leak."""
    return version >= 15 or case.verb == 'safe' or not any(b'MERGE' in step for step in case.steps)


def run(cases, version, bin_dir, direct):
    """(passed, failed)"""
    global made_since
    passed = failed = 0
    with gt.Scratch() as scratch:
        certs = gt.Certificates(scratch.path('tls'))
        with gt.Postgres(scratch, certs, bin_dir=bin_dir(scratch)) as pg:
            set_up(pg)
            before = checksums(pg)
            made_since = max(int(pg.sql('SELECT max(oid) FROM pg_class', w)) for w in world.WORLDS) + 1
            if direct:
                leaks = 0
                sessions = Sessions(lambda user, w: gt.Wire(pg.port, 'gatehouse', w, 'upstream-secret', tls='sslrequest'))
                for case in cases:
                    if case.verb == 'allow':
                        continue
                    answers = [ask(sessions, w, case, False) for w in world.WORLDS]
                    leaks += bool(judge(case, *answers))
                print(f'{leaks} of {sum(c.verb != "allow" for c in cases)} attacks work against PostgreSQL itself')
                return 0, 0
            warehouses = '\n'.join(f'{w}:\n  conninfo: "{pg.conninfo(w, "gatehouse")}"\n  password_file: wh.pass\n  pool: {{ mode: session, '
                                   f'size: 50, idle: 5 }}' for w in world.WORLDS)
            proxy = gt.Gatehouse(scratch, pg, certs, policy=world.POLICY, users=world.USERS, warehouses=warehouses)
            with proxy:
                sessions = Sessions(lambda user, w: proxy.wire(user, database=w))
                for case in cases:
                    if not is_of_version(case, version):
                        continue
                    ways = ['simple'] + (['extended'] if len(case.steps) == 1 and b'\0' not in case.steps[0] else [])
                    for way in ways:
                        answers = [ask(sessions, w, case, way == 'extended') for w in world.WORLDS]
                        wrong = judge(case, *answers)
                        if not proxy.alive():
                            wrong.append('the proxy died')
                        if wrong:
                            failed += 1
                            print(f'not ok {case.name} of {version} {case.user} {way}: {b" ;; ".join(case.steps)[:200]!r}')
                            print('\n'.join('    ' + w for w in wrong), flush=True)
                        else:
                            passed += 1
                        if not proxy.alive():
                            print(proxy.log()[-3000:])
                            sessions.idle.clear()
                            proxy.process = None
                            proxy.start()
                sessions.close()
            if checksums(pg) == before:
                passed += 1
            else:
                failed += 1
                print(f'not ok an attack changed the warehouse of {version}\n    {before}\n    {checksums(pg)}')
    return passed, failed


def main():
    arguments = sys.argv[1:]
    versions = [15] + [13, 14, 16, 17, 18] * (os.environ.get('GH_LONG') == '1')
    if '--version' in arguments:
        versions = [int(arguments.pop(arguments.index('--version') + 1))]
    cases = load([a for a in arguments if not a.startswith('-')])
    passed = failed = skipped = 0
    for version in versions:
        try:
            parts = upstreams.fetch() if version != 15 else None
        except upstreams.Unavailable as e:
            print(f'skip PostgreSQL {version}  # {e}')
            skipped += 1
            continue
        more = run(cases, version, lambda scratch: gt.PG_BIN if version == 15 else upstreams.postgres(parts, scratch, version), '--direct' in arguments)
        passed, failed = passed + more[0], failed + more[1]
        print(f'PostgreSQL {version}: {more[0]} passed, {more[1]} failed', flush=True)
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    sys.exit(failed > 0)


main()
