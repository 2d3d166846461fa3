"""Statements that another thread judges: the same answers, in order, by the policy that holds when they are sent."""
import socket
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """version: 1
roles: { analyst: {} }
users: { alice: { roles: [analyst] }, bob: { roles: [analyst] } }
grants:
  - { to: [analyst], tables: [public.people], columns: [id, name], rows: "id < 3" }
"""
REVOKED = POLICY.replace('public.people', 'public.pets')
INLINE = 16384  # GH_SQL_INLINE_MAX


def long_list(size):
    """Numbers that no id is, written as a list of about `size` bytes."""
    return ','.join(str(10000000 + i) for i in range(size // 9))


def long_select(size, columns='id, name', last='1, 3'):
    return f'SELECT {columns} FROM people WHERE id IN ({long_list(size)}, {last}) ORDER BY id'


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql("CREATE TABLE people (id int, name text, secret text); CREATE TABLE pets (id int, name text);"
           "INSERT INTO people VALUES (1, 'Anna', 'x'), (2, 'Ben', 'y'), (3, 'Carla', 'z')", 'wh')
    # One worker: whoever waits, waits for the same thread.
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'pw', 'bob': 'pw'}, workers=1))


class LongStatements(unittest.TestCase):
    def test_answers_are_those_of_short_statements(self):
        with proxy.wire('alice') as c:
            for size in (INLINE - 200, INLINE + 200, 400000):
                self.assertEqual(c.one(long_select(size)), [['1', 'Anna']], size)
                self.assertEqual(c.extended(long_select(size)).rows, [['1', 'Anna']], size)
                hidden = c.query(long_select(size, 'id, secret'))[-1]
                self.assertEqual((hidden.sqlstate, hidden.error['P']), ('42703', '12'), size)
                text = long_select(size) + ' broken here'
                wrong = c.query(text)[-1]
                self.assertEqual(wrong.sqlstate, '42601', size)
                self.assertEqual(wrong.error['P'], str(text.index('broken') + 1), size)
            self.assertEqual(c.one('SELECT count(*) FROM people'), [['2']])

    def test_pipeline_keeps_its_order(self):
        with proxy.wire('alice') as c:
            c.send(gt.query_message('SELECT 1'), gt.query_message(long_select(300000)), gt.query_message('SELECT 2'),
                   gt.parse_message(long_select(300000)), gt.bind_message(), gt.execute_message(), gt.SYNC,
                   gt.query_message('SELECT 3'))
            self.assertEqual([r.rows for _ in range(5) for r in c.results()],
                             [[['1']], [['1', 'Anna']], [['2']], [['1', 'Anna']], [['3']]])

    def test_what_follows_an_error_is_skipped(self):
        with proxy.wire('alice') as c:
            c.send(gt.parse_message('SELECT nothing'), gt.parse_message(long_select(300000)), gt.bind_message(),
                   gt.execute_message(), gt.SYNC)
            self.assertEqual([r.sqlstate for r in c.results()], ['42703'])
            self.assertEqual(c.one(long_select(300000)), [['1', 'Anna']])

    def test_others_are_served_meanwhile(self):
        with proxy.wire('alice', timeout=120) as long, proxy.wire('bob') as short:
            message = gt.query_message(long_select(4000000) + ' broken here')
            long.send(message[:-1])
            for _ in range(500):  # each is a turn of the loop, in which the proxy reads what there is of the long one
                short.one('SELECT 1')
            long.send(message[-1:])
            long.socket.settimeout(0)
            served = 0
            while True:
                try:
                    long.pending += long.socket.recv(65536)
                    break
                except (BlockingIOError, gt.ssl.SSLWantReadError):
                    self.assertEqual(short.one('SELECT count(*) FROM people'), [['2']])
                    served += 1
            long.socket.settimeout(120)
            self.assertEqual(long.results()[-1].sqlstate, '42601')
            self.assertGreater(served, 8)

    def test_policy_that_changes_meanwhile_holds(self):
        self.addCleanup(proxy.apply, POLICY)
        with proxy.wire('alice', timeout=120) as c:
            for _ in range(10):  # until the change comes while the statement is judged
                before = len(proxy.audit())
                c.send(gt.query_message(long_select(3000000)))
                proxy.apply(REVOKED)
                answer = c.results()[-1]
                mine = [r['kind'] for r in proxy.audit()[before:] if 'IN (10000000' in r.get('sql', '')]
                if mine == ['refused']:
                    break
                # It was sent before the change, which then cancelled it, or came after its end.
                self.assertIn(answer.sqlstate, (None, '42501'))
                proxy.apply(POLICY)
                gt.wait_for(lambda: c.query('SELECT count(*) FROM people')[-1].error is None)
            self.assertEqual((mine, answer.sqlstate), (['refused'], '42P01'))

    def test_clients_that_leave(self):
        for _ in range(5):
            c = proxy.wire('alice')
            c.send(gt.query_message(long_select(2000000)))
            c.socket.shutdown(socket.SHUT_RDWR)
            c.close()
        with proxy.wire('bob') as c:
            self.assertEqual(c.one(long_select(50000)), [['1', 'Anna']])

    def test_stop_in_the_middle(self):
        c = proxy.wire('alice', timeout=120)
        c.send(gt.query_message(long_select(4000000)))
        proxy.stop(60 * gt.SLOW)
        proxy.start()
        with proxy.wire('bob') as again:
            self.assertEqual(again.one(long_select(50000)), [['1', 'Anna']])
        c.close()


if __name__ == '__main__':
    gt.main()
