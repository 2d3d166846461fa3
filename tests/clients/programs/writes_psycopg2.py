"""What writes by psycopg2: statements of mappers one by one, large objects, two-phase commit, LISTEN."""
import io
import select

import psycopg2
import psycopg2.extras

# Among them what counts the rows that a condition was computed for: those that are visible.
SEQUENCES = """
SELECT nextval('play.numbers')
SELECT nextval('play.numbers'::regclass) IS NOT NULL
SELECT pg_catalog.nextval('"play"."numbers"') > 0
SELECT currval('play.numbers') > 0
SELECT currval(pg_get_serial_sequence('play.s', 'id'))
SELECT setval('play.numbers', 500, false)
SELECT nextval('play.numbers')
SELECT nextval('play.zznumbers')
SELECT setval('play.zznumbers', 1)
SELECT nextval('play.t')
INSERT INTO play.s (id, name) VALUES (nextval('play.s_id_seq'), 'x') RETURNING name
INSERT INTO play.s (id, name) SELECT nextval('play.s_id_seq'), a FROM play.t WHERE id < 3 RETURNING name
UPDATE play.s SET id = nextval('play.numbers') WHERE name = 'x' RETURNING id
SELECT currval(pg_get_serial_sequence('play.s', 'id')) = max(id) FROM play.s WHERE name <> 'x'
SELECT setval(pg_get_serial_sequence('"play"."s"', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM play.s
SELECT nextval('play.numbers'), a FROM play.t WHERE id IN (4, 5) ORDER BY id
WITH n AS (SELECT nextval('play.numbers') AS n) INSERT INTO play.s (id, name) SELECT n, 'w' FROM n RETURNING id
DELETE FROM play.s
SELECT setval('play.s_id_seq', 1, false)
SELECT count(*) FROM shop.orders WHERE nextval('play.s_id_seq') > 0
SELECT count(*) FROM shop.orders o JOIN shop.items i ON i.order_id = o.id AND nextval('play.s_id_seq') > 0 WHERE o.id = 4
SELECT count(*) FROM (SELECT id, nextval('play.s_id_seq') AS n FROM shop.orders) x WHERE n > 0
SELECT last_value FROM play.s_id_seq
PREPARE ids AS SELECT nextval('play.numbers')
EXECUTE ids
EXECUTE ids
DEALLOCATE ids
""".strip().splitlines()
UPSERTS = """
INSERT INTO play.u (id, name) VALUES (1, 'a') ON CONFLICT (name) DO UPDATE SET n = excluded.n + 1 RETURNING id, name, n
INSERT INTO play.u (id, name) VALUES (2, 'a') ON CONFLICT (name) DO UPDATE SET n = excluded.n + 1 RETURNING id, name, n
INSERT INTO play.u (id, name) VALUES (3, 'a') ON CONFLICT DO NOTHING RETURNING id
INSERT INTO play.u (id, name, n) VALUES (4, 'b', DEFAULT), (5, 'c', 9) RETURNING *
INSERT INTO play.u (id, name) OVERRIDING SYSTEM VALUE VALUES (6, 'd')
INSERT INTO play.u DEFAULT VALUES
INSERT INTO play.u (id, name, t) VALUES (7, 'e', 999)
UPDATE play.u SET (n, name) = (SELECT 5, 'zz') WHERE name = 'a' RETURNING *
UPDATE play.u u SET n = t.id FROM play.t t WHERE t.id = u.n RETURNING u.*, t.a
DELETE FROM play.u USING play.t t WHERE t.id = u.n RETURNING u.name
MERGE INTO play.s s USING (VALUES (77, 'm')) v (id, name) ON s.id = v.id WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.name)
WITH d AS (DELETE FROM play.s RETURNING *) SELECT count(*) FROM d
SELECT id, a FROM play.t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
DELETE FROM play.u
""".strip().splitlines()


def connect():
    c = psycopg2.connect('')
    c.autocommit = True
    return c


def step(name, f):
    try:
        print(name, '=', f(), flush=True)
    except psycopg2.Error as e:
        print(name, '= ERROR', e.pgcode, str(e).splitlines()[0], flush=True)


def ask(c, sql, *args):
    with c.cursor() as cursor:
        cursor.execute(sql, *args)
        return cursor.statusmessage, cursor.fetchall() if cursor.description else None


c = connect()
for sql in SEQUENCES + UPSERTS:
    step(sql[:70], lambda: ask(c, sql))

other = connect()
step('listen', lambda: ask(c, 'LISTEN "Ch x"') and ask(c, 'LISTEN other') and ask(c, 'SELECT * FROM pg_listening_channels()'))
step('notify', lambda: ask(other, "NOTIFY \"Ch x\", 'é'") and ask(other, 'SELECT pg_notify(%s, %s)', ('other', 'two')))
while len(c.notifies) < 2 and select.select([c], [], [], 20)[0]:
    c.poll()
print('notified', [(n.channel, n.payload, n.pid == other.info.backend_pid) for n in c.notifies])
step('unlisten', lambda: ask(c, 'UNLISTEN *') and ask(c, 'SELECT * FROM pg_listening_channels()'))

for fmt, data in (('text', '100\tx\n101\t\\N\n'), ('csv', '102,"a,b"\n103,\n')):
    step(f'copy {fmt}', lambda: c.cursor().copy_expert(f'COPY play.s (id, name) FROM STDIN WITH (FORMAT {fmt})', io.StringIO(data)))
step('copy refused by a check', lambda: c.cursor().copy_expert('COPY play.s (id, name) FROM STDIN', io.StringIO('1\tgood\n2\tbad\n')))
step('copied', lambda: ask(c, 'SELECT id, name FROM play.s ORDER BY id'))
with c.cursor() as cursor:
    step('execute_values', lambda: psycopg2.extras.execute_values(cursor, 'INSERT INTO play.s (id, name) VALUES %s RETURNING id', [(i, 'v') for i in range(250)], fetch=True)[-1])
    step('execute_batch', lambda: psycopg2.extras.execute_batch(cursor, 'UPDATE play.s SET name = %s WHERE id = %s', [('w', i) for i in range(250)]))
step('batch', lambda: ask(c, "SELECT count(*), count(*) FILTER (WHERE name = 'w') FROM play.s"))
step('clear', lambda: ask(c, 'DELETE FROM play.s'))
c.autocommit = False
for options in ({}, {'scrollable': True}, {'withhold': True}):
    with c.cursor('a "cursor"', **options) as cursor:
        cursor.execute('SELECT id FROM play.t ORDER BY id')
        seen = cursor.fetchmany(3)
        if 'scrollable' in options:
            cursor.scroll(-2)
            seen += cursor.fetchmany(2)
        if 'withhold' in options:
            c.commit()
        print('cursor', options, seen, len(cursor.fetchall()))
c.rollback()
step('two-phase', lambda: (c.tpc_begin(c.xid(1, 'g', 'b')), c.tpc_recover())[1])
print('done')
