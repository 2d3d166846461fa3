"""What writes by psycopg 3: COPY in binary, executemany and pipelines with an error in their middle, cached plans."""
import datetime

import psycopg

AT = datetime.datetime(2024, 5, 5, tzinfo=datetime.timezone.utc)
GOOD = [(i, f'n{i}') for i in range(5)]
ROWS = {'good': GOOD, 'check': [*GOOD[:2], (2, 'bad'), *GOOD[3:]], 'twice': [*GOOD, (1, 'x')], 'type': [*GOOD[:2], ('zz', 'x')]}


def text(e):
    return type(e).__name__, getattr(e, 'sqlstate', None)


def copied(c, fmt, rows):
    with c.cursor() as cursor:
        with cursor.copy(f'COPY play.s (id, name, at) FROM STDIN (FORMAT {fmt})') as copy:
            if fmt == 'binary':
                copy.set_types(['int4', 'text', 'timestamptz'])
            for row in rows:
                copy.write_row(row)
        return cursor.rowcount, cursor.execute('SELECT id, name, at AT TIME ZONE \'UTC\' FROM play.s ORDER BY id').fetchall()


def step(name, f):
    with psycopg.connect('', prepare_threshold=2) as c:
        try:
            print(name, '=', f(c), flush=True)
        except psycopg.Error as e:
            print(name, '= ERROR', text(e), c.info.transaction_status.name, flush=True)
        c.rollback()


def many(c, rows, returning):
    with c.cursor() as cursor:
        cursor.executemany('INSERT INTO play.s (id, name) VALUES (%s, %s)' + ' RETURNING id' * returning, rows, returning=returning)
        seen = [cursor.rowcount]
        while returning:
            seen.append(cursor.fetchone())
            if not cursor.nextset():
                break
        return seen, c.execute('SELECT id, name FROM play.s ORDER BY id').fetchall()


def pipeline(c):
    c.autocommit = True
    try:  # by which call the error is told, and so which of them are sent, depends on when it comes
        with c.pipeline() as p:
            cursors = [c.execute('SELECT %s::int', (i,)) for i in range(4)]
            c.execute('SELECT 1 / %s', (0,))
            c.execute("INSERT INTO play.s (id, name) VALUES (1, 'skipped')")
            p.sync()
    except psycopg.Error as e:
        seen = text(e), [cursor.fetchone() for cursor in cursors]
    return seen, c.execute('SELECT count(*) FROM play.s').fetchone()


def nested(c):
    try:
        with c.pipeline(), c.transaction():
            c.execute("INSERT INTO play.s (id, name) VALUES (1, 'a')")
            with c.transaction():
                c.execute("INSERT INTO play.s (id, name) VALUES (2, 'bad')")
    except psycopg.Error as e:
        return text(e), c.execute('SELECT count(*) FROM play.s').fetchone()


def replaced(c):
    """The columns of a prepared statement's result change below it."""
    c.autocommit = True
    seen = []
    for sql in ('CREATE TEMP TABLE z (a int)', 'INSERT INTO z VALUES (1)', *['SELECT * FROM z'] * 4, 'ALTER TABLE z ADD COLUMN b text',
                *['SELECT * FROM z'] * 3, 'DEALLOCATE ALL', 'SELECT * FROM z', 'DISCARD ALL', 'SELECT 1'):
        try:
            cursor = c.execute(sql)
            seen.append(cursor.fetchall() if cursor.description else cursor.statusmessage)
        except psycopg.Error as e:
            seen.append(text(e))
    return seen


for fmt in ('binary', 'text'):
    for name, rows in ROWS.items():
        if name != 'type':
            step(f'copy {fmt} {name}', lambda c: copied(c, fmt, [(*row, AT) for row in rows]))
    step(f'copy {fmt} null', lambda c: copied(c, fmt, [(None, 'x', AT)]))
for name, rows in ROWS.items():
    for returning in (False, True):
        step(f'executemany {name} {returning}', lambda c: many(c, rows, returning))
step('pipeline', pipeline)
step('nested transactions in a pipeline', nested)
step('replaced', replaced)
step('binary', lambda c: c.execute('SELECT id, a, b, c AT TIME ZONE \'UTC\', d, e, f, h FROM play.t WHERE id = %s', (3,), binary=True).fetchone())
step('notices', lambda c: [c.add_notice_handler(lambda d: print('notice', d.sqlstate, d.message_primary)),
                           c.execute('CREATE TEMP TABLE q (a int)') and c.execute('CREATE TEMP TABLE IF NOT EXISTS q (a int)').statusmessage][1])
for attributes in ('any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'):
    try:
        with psycopg.connect('', target_session_attrs=attributes, options='-c statement_timeout=7s --search_path=play,public -c TimeZone=Asia/Tokyo') as c:
            print(attributes, [c.execute(f'SHOW {name}').fetchone()[0] for name in ('statement_timeout', 'search_path', 'timezone', 'transaction_read_only')],
                  c.execute('SELECT count(*) FROM t').fetchone(), c.execute('SELECT pg_is_in_recovery()').fetchone())
    except psycopg.OperationalError as e:
        print(attributes, '= ERROR', str(e).splitlines()[0].rpartition(': ')[2])
print('done')
