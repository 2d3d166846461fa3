r"""Queries of sqlsmith, which knows PostgreSQL's types, operators and functions but nothing of Gatehouse, as users of random policies:

    by the proxy over the whole warehouse  =  directly over a copy that holds only the visible cells (same rows, same SQLSTATE)
    by the proxy over the whole warehouse  =  by the proxy over its twin, whose hidden cells differ (the same bytes)

sqlsmith reads the copy's catalog and prints statements; none of its own is run before the proxy let it through. What picks rows at
will (LIMIT without an order, TABLESAMPLE) is taken out or ordered, so that there is one answer. A function that Gatehouse allows
nobody is 42501, which is no difference.

    smith.py [SEED [QUERIES]]
"""
import collections
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import copies
import gatehouse_test as gt
import reads

ALLOWED = {line.split('(')[0].split()[0] for line in (gt.ROOT / 'tests' / 'golden' / 'allowed_functions_15.txt').read_text().splitlines() if line.strip() and line[0] != '#'}
LONG = os.environ.get('GH_LONG') == '1'
USERS = 4
ROWS = 8
# Several rows as one value, in whatever order they come; a window over ties; what the time, the server or the session is.
UNSTABLE = re.compile(r'(?i)\b(\w*_agg|xmlagg|first_value|last_value|nth_value|lag|lead|row_number|ntile|mode|now|\w*timestamp|timeofday|current_\w+|local\w+|random|lastval|'
                      r'version|pg_(?!catalog\b)\w+|txid\w+|inet_(?:client|server)_\w+|corr|covar_\w+|regr_\w+|stddev\w*|variance|var_\w+)\b')

# sqlsmith casts NULL to types of which no value can be, or which no client names.
TYPES = {'anymultirange': 'int4multirange', 'anyrange': 'int4range', 'cstring': 'text', '_cstring': '_text', 'anyarray': '_int4', 'anyelement': 'int4', 'anynonarray': 'int4',
         'anyenum': 'w.mood', 'anycompatible': 'int4', 'anycompatiblearray': '_int4', 'anycompatiblerange': 'int4range', 'pg_lsn': 'int8', 'aclitem': 'text', '_aclitem': '_text',
         'xid': 'int8', 'xid8': 'int8', 'cid': 'int8', 'tid': 'point', 'oid': 'int8', 'regclass': 'int8', 'regproc': 'int8', 'refcursor': 'text', 'pg_snapshot': 'text',
         'pg_node_tree': 'text', 'internal': 'int8'}
# ...and to others, of which it never has one.
VALUES = {'text': "'ab'", 'varchar': "'a'", 'bpchar': "'red'", 'name': "'blue'", 'int2': '1', 'int4': '3', 'int8': '40', 'numeric': '1.5', 'float4': '0.5', 'float8': '2.5',
          'bool': 'true', 'date': "'2020-01-31'", 'timestamp': "'2020-01-31 10:00'", 'timestamptz': "'2020-01-31 10:00+00'", 'time': "'10:00'", 'interval': "'1 day'",
          'jsonb': '\'{"k": 1}\'', 'json': '\'{"k": 1}\'', '_int4': "'{1,2}'", '_text': "'{a,b}'", 'int4range': "'[1,5)'", 'int4multirange': "'{[1,5)}'", 'inet': "'10.0.0.1'",
          'uuid': "'00000000-0000-0000-0000-000000000001'", 'bytea': "'abc'", 'point': "'(1,2)'", 'box': "'(1,2),(0,0)'", 'circle': "'<(1,2),3>'", 'tsvector': "'a b'",
          'tsquery': "'a & b'", 'money': "'1.50'", 'bit': "'1'", 'varbit': "'101'"}


def database(pg, user):
    """The copy's catalog for sqlsmith to read, in which functions that Gatehouse allows nobody look like triggers, which it leaves out."""
    name = f'smith_{user}'
    allowed = ', '.join(f"'{f}'" for f in sorted(ALLOWED | {'version'}) if f == 'version' or not UNSTABLE.fullmatch(f))
    pg.sql(f'CREATE DATABASE {name} TEMPLATE seen_{user}')
    pg.sql(f"UPDATE pg_proc SET prorettype = 'trigger'::regtype WHERE NOT proretset AND proname NOT IN ({allowed})", name)
    return name


def statements(port, name, seed, count):
    """What sqlsmith makes of the catalog: SELECTs alone, each with one answer."""
    done = subprocess.run(['sqlsmith', f'--target=host=127.0.0.1 port={port} dbname={name} user=gatehouse password=upstream-secret', '--exclude-catalog', '--dry-run',
                           f'--seed={seed}', f'--max-queries={count}'], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise gt.TestError(f'sqlsmith: exit {done.returncode}\n{done.stderr[-2000:]}')
    rng = random.Random(seed)
    for sql in done.stdout.split(';\n'):
        sql = re.sub(r'\s+', ' ', sql).strip()
        if not re.match(r'(?i)(with|select)\b', sql) or re.search(r'(?i)\b(insert into|update w|delete from|merge into)\b', sql):
            continue
        sql = re.sub(r'\b[fk]\.(?=\w+\b)', 'w.', sql)  # the copy's views: the same columns
        sql = re.sub(r'(?i) tablesample (system|bernoulli) ?\([0-9.]+\)', '', sql)
        sql = re.sub(r'(?i)\(select (\w+) from (\S+) limit 1 offset (\d+)\)', r'(select \1 from \2 order by 1 limit 1 offset \3)', sql)
        sql = re.sub(r'\b(?:as) ("?)(\w+)\1\)', lambda m: f'as {TYPES.get(m[2], m[1] + m[2] + m[1])})', sql)
        sql = re.sub(r'(?i)cast\(null as ("?)(\w+)\1\)', lambda m: f'cast({VALUES[m[2]]} as {m[2]})' if m[2] in VALUES and rng.random() < 0.6 else m[0], sql)
        yield re.sub(r'(?i)(?<!order by 1) limit \d+', '', sql)


reasons = collections.Counter()


def is_refused(answer):
    """A function, type or construct that is not on the lists."""
    return answer.sqlstate == '42501' or (answer.sqlstate == '42704' and 'type "' in answer.error['M'])


def compare(world, user, sql, count):
    full = copies.ask(world.proxied(user), sql)
    if is_refused(full):
        twin = copies.ask(world.proxied(user, world.twin_of(user)), sql)
        count['all'] += 1
        count['refused'] += 1
        reasons[full.error['M']] += 1
        if full.raw != twin.raw:
            count['wrong'] += 1
            reads.show('LEAK: hidden cells change the refusal', user, sql, None, ('proxy', full), ('twin', twin))
        return
    if UNSTABLE.search(sql):  # whether and how it fails
        seen = copies.ask(world.direct(f'seen_{user}'), sql)
        count['all'] += 1
        count['unstable'] += 1
        if full.sqlstate != seen.sqlstate and '57014' not in (full.sqlstate, seen.sqlstate) and not copies.both_fail(full.outcome, seen.outcome) and \
                not world.plans(user, sql, None, full.outcome):
            count['wrong'] += 1
            reads.show('the visible cells answer otherwise', user, sql, None, ('visible', seen), ('proxy', full))
        return
    reads.compare(world, user, sql, None, count)


def main():
    if shutil.which('sqlsmith') is None:
        print('skip smith  # sqlsmith is not installed (packaging/setup.sh --test)')
        print('0 passed, 0 failed, 1 skipped')
        return
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 11
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 4000 if LONG else 400
    print(f'seed {seed}, {size} statements')
    count = dict.fromkeys(('all', 'answering', 'empty', 'failing', 'slow', 'refused', 'unstable', 'explained', 'wrong'), 0)
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        with copies.Copies(scratch, pg, seed, USERS, rows_each=ROWS) as world:
            users = [u for u in world.policies if world.tables(u)]
            for i, user in enumerate(users):
                for sql in statements(pg.port, database(pg, user), seed + i, size // len(users)):
                    compare(world, user, sql, count)
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    print('refused most: ' + '; '.join(f'{n} {m}' for m, n in reasons.most_common(40)))
    if count['all'] < size / 4 or count['refused'] > count['all'] * 0.7:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


if __name__ == '__main__':
    main()
