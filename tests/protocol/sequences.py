"""Random sequences of messages, the same bytes to Gatehouse and to PostgreSQL: statements and portals of several names by protocol and
by SQL, transactions, savepoints, cursors, COPY, errors in the middle, Flush and Sync anywhere, sent in random pieces. The answers must be
equal: kinds, rows, tags, descriptions, SQLSTATEs, the transaction status, and whether the connection ends.

GH_SEED sets the seed (fixed otherwise), GH_LONG=1 asks ten times as many.
"""
import os
import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

LONG = os.environ.get('GH_LONG') == '1'
SEED = int(os.environ.get('GH_SEED', '4'))
COUNT = (3000 if LONG else 300) // gt.SLOW
POLICY = warehouse.POLICY.replace('''    tables: ["*.*"]
denies:''', '''    tables: ["*.*"]
    privileges: [select, insert, update, delete]
denies:''')
NAMES = ['', 'a', 'b']
STATEMENTS = ['SELECT 1', 'SELECT $1::int + 1 AS n', 'SELECT generate_series(1, 5) AS g', "SELECT 'x'::text, NULL::date", 'SELECT 1/0',
              'SELECT id, region FROM sales.orders WHERE id < $1 ORDER BY id', 'INSERT INTO sales.inbox VALUES ($1, $2) RETURNING id', 'UPDATE sales.inbox SET note = note WHERE id = $1',
              'DELETE FROM sales.inbox', 'COPY sales.inbox FROM STDIN', 'COPY (SELECT 1, 2) TO STDOUT', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s',
              'ROLLBACK TO s', 'RELEASE s', 'SET LOCAL statement_timeout = 12345', 'SHOW statement_timeout', '', 'SELEC', 'SELECT * FROM no.such', 'VALUES (1), (2)',
              'SELECT 7 WHERE false', 'SELECT $1', 'SELECT $1::int, $2::int']
QUERIES = STATEMENTS[:5:2] + ['BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s', 'ROLLBACK TO s', 'SELECT 1; SELECT 1/0; SELECT 2', 'BEGIN; SELECT 3', 'SELECT 4; COMMIT',
                              'COPY sales.inbox FROM STDIN', 'COPY (SELECT 1) TO STDOUT', 'PREPARE a AS SELECT 10', 'PREPARE b (int) AS SELECT $1', 'EXECUTE a', 'EXECUTE b (5)',
                              'DEALLOCATE a', 'DEALLOCATE ALL', 'DECLARE a CURSOR FOR SELECT generate_series(1, 9)', 'DECLARE b CURSOR WITH HOLD FOR SELECT generate_series(1, 3)',
                              'FETCH 2 FROM a', 'FETCH b', 'MOVE 1 IN a', 'CLOSE a', 'CLOSE ALL', 'DISCARD ALL', 'SELECT name FROM pg_cursors ORDER BY name',
                              'SET statement_timeout = 4321', 'SHOW statement_timeout', 'INSERT INTO sales.inbox VALUES (1, NULL)',
                              'SELECT count(*) FROM sales.inbox', 'SET TRANSACTION READ ONLY', 'ROLLBACK AND CHAIN', 'COMMIT AND CHAIN', '']
# Gets out of every state, to an answer that nothing else gives.
LEAVE = gt.message('f', b'end\0') + gt.SYNC + gt.query_message('SELECT 42') + gt.query_message('ROLLBACK') + gt.query_message('SELECT 4343')


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('CREATE TABLE sales.inbox (id integer, note text); GRANT ALL ON sales.inbox TO gatehouse; '
           "CREATE ROLE erin LOGIN SUPERUSER PASSWORD 'erin-password'", 'wh')
    pg.sql('CREATE DATABASE direct TEMPLATE wh')  # OIDs are the same
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=POLICY, users=warehouse.USERS, tls='prefer'))


def parameters(rng):
    return [rng.choice([None, '1', '2', '15', 'x']) for _ in range(rng.choice([0, 0, 1, 1, 2]))]


def one(rng):
    name = rng.choice(NAMES)
    kind = rng.choices('QPBDECSHdcf', [5, 6, 6, 3, 7, 2, 6, 2, 1, 1, 0.5])[0]
    if kind == 'Q':
        return gt.query_message(rng.choice(QUERIES))
    if kind == 'P':
        types = rng.choice([(), (), (23,), (23, 25), (25,)])
        return gt.parse_message(rng.choice(STATEMENTS), name, types)
    if kind == 'B':
        return gt.bind_message(parameters(rng), name, rng.choice(NAMES), rng.choice([(), (0,), (0, 0)]), rng.choice([(), (), (0,), (1,), (0, 1)]))
    if kind == 'D':
        return gt.describe_message(rng.choice('SP'), name)
    if kind == 'E':
        return gt.execute_message(name, rng.choice([0, 0, 1, 2, 100]))
    if kind == 'C':
        return gt.close_message(rng.choice('SP'), name)
    if kind == 'd':
        return gt.message('d', rng.choice([b'7\tseven\n', b'8\t', b'x\n', b'\\.\n']))
    return {'S': gt.SYNC, 'H': gt.FLUSH, 'c': gt.COPY_DONE, 'f': gt.message('f', b'because\0')}[kind]


def whole(rng):
    """A statement as drivers send it."""
    s, p = rng.choice(NAMES), rng.choice(NAMES)
    return [gt.parse_message(rng.choice(STATEMENTS), s), gt.bind_message(parameters(rng), p, s), gt.describe_message('P', p),
            gt.execute_message(p, rng.choice([0, 0, 2])), rng.choice([gt.SYNC, gt.SYNC, gt.FLUSH, b''])]


def sequence(rng):
    out = []
    while len(out) < rng.randint(4, 40):
        out += whole(rng) if rng.random() < 0.25 else [one(rng)]
    return out


def normal(kind, body):
    if kind == 'E':
        fields = gt.error_fields(body)
        return f"E {fields['S']} {fields['C']}"
    return f'{kind} {body!r}' if kind in 'ZDCdtTGHI' else kind


def answers(port, database, pieces):
    out = []
    c = gt.Wire(port, 'erin', database, 'erin-password')
    try:
        try:
            for piece in pieces:
                c.send(piece)
        except OSError:  # the other side has hung up; what it said before is still to be read
            pass
        while True:
            kind, body = c.receive()
            if kind not in 'NSA':
                out.append(normal(kind, body))
            if kind == 'D' and gt.data_row(body, None) == ['4343']:
                return out
    except TimeoutError:
        return out + ['silence']
    except (gt.Closed, OSError):
        return out + ['closed']
    finally:
        c.close()


class Sequences(unittest.TestCase):
    maxDiff = None

    def test_random_sequences(self):
        seen = set()
        for number in range(COUNT):
            rng = random.Random(SEED * 1000003 + number)
            messages = sequence(rng) + [LEAVE]
            pieces = []
            for m in messages:
                if not pieces or rng.random() < 0.4:
                    pieces.append(b'')
                pieces[-1] += m
            with self.subTest(number=number, seed=SEED, messages=messages):
                wanted, got = answers(pg.port, 'direct', pieces), answers(proxy.port, 'wh', pieces)
                self.assertEqual(got, wanted)
                seen.update(word.split(' ')[-1] for word in wanted if word.startswith('E'))
        # What is compared must be worth it.
        self.assertGreaterEqual(seen, {'26000', '34000', '22012', '25P02', '42601', '08P01', '42P05'} | ({'42P03'} if COUNT >= 300 else set()))


if __name__ == '__main__':
    gt.main()
