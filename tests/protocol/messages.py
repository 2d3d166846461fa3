"""Every message of the protocol: truncated, oversized, in states to which it does not belong, and where it belongs."""
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('CREATE TABLE sales.inbox (id integer, note text); GRANT ALL ON sales.inbox TO gatehouse', 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={**warehouse.USERS, 'loader': 'loader'}, tls='prefer'))


# One user whose bytes go through as they are, to drive the parts of the protocol that statements alone reach.
POLICY = warehouse.POLICY.replace('users:\n', '  trusted: { description: unrestricted, may: [bypass] }\nusers:\n  loader: { roles: [trusted] }\n', 1)
REFUSED = "SELECT pg_read_file('/etc/passwd')"
LENGTHS = (0, 3, 2**31 - 1, 2**32 - 1)


class Case(unittest.TestCase):
    def setUp(self):
        self.c = proxy.wire('erin', tls='disable')
        self.addCleanup(self.c.close)

    def tearDown(self):
        self.assertTrue(proxy.alive())
        with proxy.wire('alice') as other:
            self.assertEqual(other.one('SELECT 1'), [['1']])

    def kinds(self):
        """Types up to ReadyForQuery, without what may come at any time."""
        got = ''
        while not got.endswith('Z'):
            kind, _ = self.c.receive()
            if kind not in 'NS':
                got += kind
        return got


class Framing(Case):
    def test_lengths(self):
        for kind in 'QPBEDCHSFdcfX':
            for length in LENGTHS:
                with self.subTest(kind=kind, length=length), proxy.wire('erin', tls='disable') as c:
                    c.send(kind.encode() + struct.pack('!I', length))
                    with self.assertRaises(gt.Closed):
                        while True:
                            k, body = c.receive()
                            self.assertEqual(gt.error_fields(body)['C'], '08P01')

    def test_unknown_types(self):
        for kind in (0, 1, ord('a'), ord('Z'), ord('R'), ord('p'), 255):
            with self.subTest(kind=kind), proxy.wire('erin', tls='disable') as c:
                c.send(bytes([kind]) + struct.pack('!I', 4))
                k, body = c.receive()
                self.assertEqual(k, 'E')
                self.assertEqual(gt.error_fields(body)['S'], 'FATAL')
                self.assertEqual(gt.error_fields(body)['C'], '08P01')
                with self.assertRaises(gt.Closed):
                    c.receive()

    def test_a_byte_at_a_time(self):
        for b in gt.query_message('SELECT 1') + gt.parse_message('SELECT 2') + gt.bind_message() + gt.execute_message() + gt.SYNC:
            self.c.send(bytes([b]))
        self.assertEqual(self.c.results()[0].rows, [['1']])
        self.assertEqual(self.kinds(), '12DCZ')

    def test_truncated_bodies(self):
        """A body cut short, with a length that fits it: an ERROR as PostgreSQL's, and the session goes on."""
        whole = [gt.query_message('SELECT 1'), gt.parse_message('SELECT $1::int', 's', (23,)),
                 gt.bind_message(['5'], 'p', '', (0,), (0,)), gt.describe_message('S', 'none'),
                 gt.execute_message('none', 1), gt.close_message('P', 'none')]
        for data in whole:
            kind, body = chr(data[0]), data[5:]
            for size in range(len(body)):
                self.c.send(gt.message(kind, body[:size]))
                if kind != 'Q':
                    self.c.send(gt.SYNC)
                error = None
                while True:
                    k, answer = self.c.receive()
                    if k == 'E':
                        error = gt.error_fields(answer)
                        self.assertEqual(error['S'], 'ERROR', (kind, size))
                    if k == 'Z':
                        break
                self.assertIsNotNone(error, (kind, size))
        self.assertEqual(self.c.one('SELECT 3'), [['3']])

    def test_trailing_bytes(self):
        for data in (gt.query_message('SELECT 1'), gt.parse_message('SELECT 1'), gt.execute_message(), gt.describe_message('S'),
                     gt.close_message('S')):
            self.c.send(gt.message(chr(data[0]), data[5:] + b'x'))
            if data[:1] != b'Q':
                self.c.send(gt.SYNC)
            self.assertEqual(self.kinds(), 'EZ')

    def test_statement_of_exactly_and_one_over_the_bound(self):
        limit = 16 << 20
        head, tail = 'SELECT 1 -- ', ''
        self.c.send(gt.query_message(head + 'x' * (limit - len(head))))
        self.assertEqual(self.c.results()[0].rows, [['1']])
        for size in (limit + 1, limit + (1 << 20)):
            self.c.send(gt.query_message(head + 'x' * (size - len(head))))
            result = self.c.results()[0]
            self.assertEqual(result.sqlstate, '54000')
            self.c.send(gt.parse_message(head + 'x' * (size - len(head))), gt.bind_message(), gt.SYNC)
            self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.c.one('SELECT 2'), [['2']])


class Order(Case):
    def test_bind_describe_execute_of_nothing(self):
        for data, state in ((gt.bind_message(statement='no'), '26000'), (gt.bind_message(), '26000'),
                            (gt.describe_message('S', 'no'), '26000'), (gt.describe_message('P', 'no'), '34000'),
                            (gt.execute_message('no'), '34000')):
            self.c.send(data, gt.SYNC)
            kind, body = self.c.receive()
            self.assertEqual((kind, gt.error_fields(body)['C']), ('E', state))
            self.assertEqual(self.kinds(), 'Z')

    def test_close_of_nothing_is_no_error(self):
        self.c.send(gt.close_message('S', 'no'), gt.close_message('P', 'no'), gt.SYNC)
        self.assertEqual(self.kinds(), '33Z')

    def test_copy_messages_outside_of_copy_are_ignored(self):
        self.c.send(gt.message('d', b'x'), gt.COPY_DONE, gt.message('f', b'why\0'), gt.message('d', b'y' * 300000),
                    gt.query_message('SELECT 1'))
        self.assertEqual(self.c.results()[0].rows, [['1']])

    def test_function_call_is_refused(self):
        body = struct.pack('!IHHIIH', 1598, 0, 1, 4, 0, 0)
        self.c.send(gt.message('F', body))
        result = self.c.results()[0]
        self.assertEqual(result.sqlstate, '42501')
        self.assertEqual(self.c.status, 'I')
        self.c.query('BEGIN')
        self.c.send(gt.message('F', body))
        self.c.results()
        self.assertEqual(self.c.status, 'E')
        self.c.query('ROLLBACK')

    def test_flush_without_sync(self):
        self.c.send(gt.parse_message('SELECT 5'), gt.bind_message(), gt.describe_message('P'), gt.execute_message(), gt.FLUSH)
        self.assertEqual([self.c.receive()[0] for _ in range(5)], ['1', '2', 'T', 'D', 'C'])
        self.c.send(gt.SYNC)
        self.assertEqual(self.kinds(), 'Z')

    def test_sync_alone(self):
        self.c.send(gt.SYNC, gt.SYNC, gt.FLUSH, gt.SYNC)
        self.assertEqual([self.kinds() for _ in range(3)], ['Z', 'Z', 'Z'])

    def test_terminate_lets_what_runs_end(self):
        self.c = proxy.wire('loader', tls='disable')
        self.c.send(gt.query_message("INSERT INTO sales.inbox SELECT 1, 'terminate' FROM sales.orders LIMIT 1"), gt.TERMINATE)
        gt.wait_for(lambda: pg.sql("SELECT count(*) FROM sales.inbox WHERE note = 'terminate'", 'wh') == '1\n', 5, 'the insert')


class Simple(Case):
    def test_empty(self):
        for sql in ('', ' ', ';', '-- nothing', '/* nothing */;;'):
            self.c.send(gt.query_message(sql))
            self.assertEqual(self.kinds(), 'IZ', sql)

    def test_several_statements(self):
        self.c.send(gt.query_message('SELECT 1; SELECT 2, 3; SELECT 4'))
        self.assertEqual(self.kinds(), 'TDCTDCTDCZ')

    def test_the_kth_is_refused(self):
        results = self.c.query(f'SELECT 1; SELECT 2; {REFUSED}; SELECT 4')
        self.assertEqual([r.sqlstate for r in results], [None, None, '42501'])
        self.assertEqual(self.c.status, 'I')

    def test_what_does_not_parse_runs_nothing(self):
        results = self.c.query('SELECT 1; SELEC 2')
        self.assertEqual([r.sqlstate for r in results], ['42601'])
        self.assertEqual(results[0].error['P'], '11')

    def test_refusal_fails_the_transaction(self):
        self.c.query('BEGIN')
        self.assertEqual(self.c.query(REFUSED)[0].sqlstate, '42501')
        self.assertEqual(self.c.status, 'E')
        self.assertEqual(self.c.query('SELECT 1')[0].sqlstate, '25P02')
        self.assertEqual(self.c.query(REFUSED)[0].sqlstate, '25P02')
        self.assertEqual(self.c.query('SELEC')[0].sqlstate, '42601')
        self.assertEqual(self.c.query('ROLLBACK')[0].tag, 'ROLLBACK')
        self.assertEqual(self.c.status, 'I')

    def test_savepoints(self):
        for sql in ('BEGIN', 'SAVEPOINT a'):
            self.c.query(sql)
        self.c.query(REFUSED)
        self.assertEqual(self.c.status, 'E')
        self.c.query('ROLLBACK TO a')
        self.assertEqual(self.c.status, 'T')
        self.assertEqual(self.c.one('SELECT 1'), [['1']])
        self.c.query('COMMIT')

    def test_pipelined_queries(self):
        self.c.send(*[gt.query_message(f'SELECT {i}') for i in range(500)])
        for i in range(500):
            self.assertEqual(self.c.results()[0].rows, [[str(i)]])

    def test_search_path_follows_the_transaction(self):
        self.c.query('SET search_path = sales')
        self.assertIsNone(self.c.query('SELECT count(*) FROM orders')[0].sqlstate)
        self.c.query('BEGIN')
        self.c.query('SET search_path = crm')
        self.assertIsNone(self.c.query('SELECT count(*) FROM customers')[0].sqlstate)
        self.c.query('ROLLBACK')
        self.assertIsNone(self.c.query('SELECT count(*) FROM orders')[0].sqlstate)
        self.assertEqual(self.c.query('SELECT count(*) FROM customers')[0].sqlstate, '42P01')

    def test_pipelined_set_counts_for_what_follows(self):
        self.c.send(gt.query_message('SET search_path = crm'), gt.query_message('SELECT count(*) FROM customers'),
                    gt.query_message('SET search_path = sales'), gt.query_message('SELECT count(*) FROM orders'))
        self.assertEqual([self.c.results()[0].sqlstate for _ in range(4)], [None] * 4)


class Extended(Case):
    def test_errors_skip_to_sync(self):
        self.c.send(gt.parse_message(REFUSED), gt.bind_message(), gt.describe_message('P'), gt.execute_message(),
                    gt.parse_message('SELECT 1', 'never'), gt.query_message('SELECT 9'), gt.SYNC,
                    gt.bind_message(statement='never'), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.kinds(), 'EZ')  # 'never' was not made

    def test_upstream_error_undoes_what_was_skipped(self):
        self.c.send(gt.parse_message('SELECT 1', 'kept'), gt.SYNC)
        self.assertEqual(self.kinds(), '1Z')
        self.c.send(gt.parse_message('SELECT 1 / $1::int'), gt.bind_message(['0']), gt.execute_message(),
                    gt.parse_message('SELECT 1', 'never'), gt.close_message('S', 'kept'), gt.SYNC)
        self.assertIn(self.kinds(), ('12EZ', '1EZ'))
        self.c.send(gt.bind_message(statement='never'), gt.SYNC, gt.bind_message(statement='kept'), gt.execute_message(), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.kinds(), '2DCZ')

    def test_pipeline_of_transactions(self):
        n = 300
        for i in range(n):
            self.c.send(gt.parse_message('SELECT $1::int', types=(23,)), gt.bind_message([str(i)]), gt.execute_message(), gt.SYNC)
        for i in range(n):
            self.assertEqual(self.c.results()[0].rows, [[str(i)]])

    def test_pipeline_without_sync(self):
        """More answers outstanding than are tracked at once: must not stall."""
        n = 3000
        self.c.send(gt.parse_message('SELECT 1', 's'), *[gt.bind_message(statement='s') + gt.execute_message() for _ in range(n)],
                    gt.SYNC)
        self.assertEqual(self.kinds(), '1' + '2DC' * n + 'Z')

    def test_portals_suspend(self):
        self.c.send(gt.query_message('BEGIN'))
        self.kinds()
        self.c.send(gt.parse_message('SELECT id FROM crm.customers ORDER BY id'), gt.bind_message(portal='p'),
                    gt.execute_message('p', 2), gt.execute_message('p', 2), gt.SYNC)
        self.assertEqual(self.kinds(), '12DDsDDsZ')
        self.c.send(gt.execute_message('p', 0), gt.SYNC)
        self.assertEqual(self.kinds(), 'D' * 26 + 'CZ')
        self.c.send(gt.query_message('COMMIT'))
        self.kinds()
        self.c.send(gt.execute_message('p', 0), gt.SYNC)
        self.assertEqual(self.kinds(), 'EZ')

    def test_named_statements_are_reused_and_closed(self):
        self.c.send(gt.parse_message('SELECT $1::text', 's'), gt.SYNC)
        self.kinds()
        for i in range(3):
            self.c.send(gt.bind_message([f'v{i}'], statement='s'), gt.execute_message(), gt.SYNC)
            self.assertEqual(self.c.results()[0].rows, [[f'v{i}']])
        self.c.send(gt.parse_message('SELECT 1', 's'), gt.SYNC)
        kind, body = self.c.receive()
        self.assertEqual(gt.error_fields(body)['C'], '42P05')
        self.kinds()
        self.c.send(gt.close_message('S', 's'), gt.parse_message('SELECT 1', 's'), gt.SYNC)
        self.assertEqual(self.kinds(), '31Z')

    def test_names_are_cut_at_63_bytes(self):
        a, b = 'x' * 63 + 'a', 'x' * 63 + 'b'
        self.c.send(gt.parse_message('SELECT 1', a), gt.SYNC)
        self.kinds()
        self.c.send(gt.bind_message(statement=b), gt.execute_message(), gt.SYNC)
        self.assertEqual(self.kinds(), '2DCZ')

    def test_many_statements(self):
        for i in range(1200):
            self.c.send(gt.parse_message(f'SELECT {i}', f's{i}'))
        self.c.send(gt.SYNC)
        self.assertEqual(self.kinds(), '1' * 1200 + 'Z')
        self.c.send(gt.bind_message(statement='s777'), gt.execute_message(), gt.SYNC)
        self.assertEqual(self.c.results()[0].rows, [['777']])

    def test_a_large_bind(self):
        value = 'x' * (3 << 20)
        self.c.send(gt.parse_message('SELECT length($1::text)', 's'), gt.bind_message([value], '', 's'), gt.execute_message(), gt.SYNC)
        self.assertEqual(self.c.results()[0].rows, [[str(3 << 20)]])

    def test_65535_parameters(self):
        sql = 'SELECT 1 WHERE 0 NOT IN (' + ','.join(f'${i + 1}' for i in range(65535)) + ')'
        self.c.send(gt.parse_message(sql), gt.bind_message(['1'] * 65535), gt.execute_message(), gt.SYNC)
        result = self.c.results()[-1]
        self.assertEqual(result.rows, [['1']], result.error)

    def test_several_statements_in_one_parse(self):
        self.c.send(gt.parse_message('SELECT 1; SELECT 2'), gt.SYNC)
        kind, body = self.c.receive()
        self.assertEqual(gt.error_fields(body)['C'], '42601')
        self.kinds()

    def test_empty_statement(self):
        self.c.send(gt.parse_message(''), gt.bind_message(), gt.execute_message(), gt.SYNC)
        self.assertEqual(self.kinds(), '12IZ')


class Errors(Case):
    def test_error_fields(self):
        """S V C M P and nothing else; no constraint, no key, no place in the server's source."""
        for sql in ('SELECT 1/0', "SELECT 'x'::int", 'SELECT 1 +', REFUSED, 'SELECT nope FROM crm.customers'):
            error = self.c.query(sql)[0].error
            self.assertLessEqual(set(error), set('SVCMPH'), sql)
            if 'P' in error:
                self.assertTrue(1 <= int(error['P']) <= len(sql) + 1)

    def test_position_is_the_clients(self):
        self.assertEqual(self.c.query("SELECT 'é', 'x'::int")[0].error.get('P'), '13')


class CopyIn(Case):
    """COPY FROM STDIN as a user who may; and what ends it."""

    def count(self):
        return pg.sql('SELECT count(*) FROM sales.inbox', 'wh').strip()

    def setUp(self):
        self.c = proxy.wire('loader', tls='disable')
        self.addCleanup(self.c.close)
        pg.sql('TRUNCATE sales.inbox', 'wh')

    def begin(self, sql='COPY sales.inbox FROM STDIN'):
        self.c.send(gt.query_message(sql))
        self.assertEqual(self.c.receive()[0], 'G')

    def test_done(self):
        self.begin()
        for i in range(1000):
            self.c.send(gt.message('d', f'{i}\tx\n'.encode()))
        self.c.send(gt.COPY_DONE)
        self.assertEqual(self.kinds(), 'CZ')
        self.assertEqual(self.count(), '1000')

    def test_fail(self):
        self.begin()
        self.c.send(gt.message('d', b'1\tx\n'), gt.message('f', b'secret reason\0'))
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.count(), '0')

    def test_bad_data_ends_it(self):
        self.begin()
        self.c.send(gt.message('d', b'not a number\tx\n'))
        self.c.send(*[gt.message('d', b'1\tx\n') for _ in range(100)], gt.COPY_DONE)
        self.assertEqual(self.kinds(), 'EZ')
        self.assertEqual(self.c.one('SELECT 1'), [['1']])

    def test_flush_and_sync_are_ignored(self):
        self.begin()
        self.c.send(gt.FLUSH, gt.SYNC, gt.message('d', b'1\tx\n'), gt.SYNC, gt.COPY_DONE)
        self.assertEqual(self.kinds(), 'CZ')
        self.assertEqual(self.c.one('SELECT 1'), [['1']])

    def test_another_message_in_the_middle(self):
        for data in (gt.query_message('SELECT 1'), gt.parse_message('SELECT 1'), gt.bind_message(), gt.execute_message(),
                     gt.message('F', b'xxxx')):
            with proxy.wire('loader', tls='disable') as self.c:
                self.begin()
                self.c.send(data)
                kind, body = self.c.receive()
                self.assertEqual(kind, 'E')
        self.assertEqual(self.count(), '0')

    def test_extended(self):
        self.c.send(gt.parse_message('COPY sales.inbox FROM STDIN'), gt.bind_message(), gt.execute_message(), gt.SYNC)
        got = ''
        while not got.endswith(('G', 'E')):
            got += self.c.receive()[0]
        self.assertEqual(got, '12G')
        self.c.send(gt.message('d', b'1\tx\n'), gt.COPY_DONE, gt.SYNC)
        self.assertEqual(self.kinds(), 'CZ')
        self.assertEqual(self.count(), '1')

    def test_large(self):
        self.begin()
        row = b'1\t' + b'x' * 999 + b'\n'
        for _ in range(50):
            self.c.send(gt.message('d', row * 1000))
        self.c.send(gt.COPY_DONE)
        self.assertEqual(self.kinds(), 'CZ')
        self.assertEqual(self.count(), '50000')


class CopyOut(Case):
    def test_copy_to(self):
        self.c.send(gt.query_message('COPY (SELECT id FROM crm.customers ORDER BY id) TO STDOUT'))
        self.assertEqual(self.kinds(), 'H' + 'd' * 30 + 'cCZ')


if __name__ == '__main__':
    gt.main()
