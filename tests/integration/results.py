"""Results on their way: large ones, slow readers, COPY, several statements, portals that wait."""
import socket
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql("CREATE TABLE app.blob (id int PRIMARY KEY, filler text);"
           "INSERT INTO app.blob SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, 2000) i;"
           "GRANT SELECT ON app.blob TO gatehouse", 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


class Large(unittest.TestCase):
    # 1024 bytes a row; 2,000 rows of a times 1,000 of b: 2 GB
    TWO_GB = 'SELECT a.filler FROM app.blob a, app.blob b WHERE b.id <= 1000'

    @unittest.skipIf(gt.IS_SANITIZED, 'a sanitizer changes how much memory is used')
    def test_slow_client_keeps_memory_bounded(self):
        """2 GB are waiting upstream; a client that reads slowly, then stops, must not make the proxy hold them."""
        with proxy.wire('erin') as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            c.send(gt.query_message(self.TWO_GB))
            peak, read, end = 0, 0, time.monotonic() + 6
            while time.monotonic() < end:
                read += len(c.socket.recv(65536))
                peak = max(peak, gt.rss_kb(proxy.pid))
                time.sleep(0.01)
            self.assertGreater(read, 1 << 20)
            time.sleep(1)
            peak = max(peak, gt.rss_kb(proxy.pid))
            self.assertLess(peak, 64 << 10, 'KiB resident')
            with proxy.wire('alice') as other:
                self.assertEqual(other.one('SELECT 1'), [['1']], 'others are served meanwhile')

    @unittest.skipIf(gt.IS_SANITIZED, 'takes minutes under a sanitizer')
    def test_two_gigabytes_arrive_whole(self):
        with proxy.wire('erin', timeout=60) as c:
            c.send(gt.query_message(self.TWO_GB))
            total, tail = 0, b''
            while not tail.endswith(b'Z\0\0\0\5I'):
                data = c.socket.recv(1 << 20)
                self.assertTrue(data, 'closed early')
                total += len(data)
                tail = (tail + data)[-64:]
            # DataRow: 5 + 2 + 4 + 1024 bytes each
            self.assertGreaterEqual(total, 2_000_000 * 1035)
            self.assertIn(b'SELECT 2000000\0', tail)
            self.assertLess(gt.rss_kb(proxy.pid, peak=True), 64 << 10)

    def test_wide_rows_and_long_values(self):
        with proxy.wire('erin') as c:
            value, = c.one("SELECT repeat('x', 5000000)")[0]
            self.assertEqual(len(value), 5_000_000)
            columns = ', '.join(str(i) for i in range(1600))
            self.assertEqual(len(c.one(f'SELECT {columns}')[0]), 1600)

    def test_long_statement(self):
        with proxy.wire('erin') as c:
            text = 'y' * 1_500_000
            self.assertEqual(c.one(f"SELECT length('{text}')"), [['1500000']])
            self.assertEqual(c.extended('SELECT length($1)', [text], types=(25,)).rows, [['1500000']])


class Copy(unittest.TestCase):
    def test_copy_out(self):
        with proxy.wire('alice') as c:
            rows = c.one('SELECT id, email FROM crm.customers ORDER BY id')
            expected = ''.join(f"{i}\t{e if e is not None else chr(92) + 'N'}\n" for i, e in rows).encode()
            result, = c.query('COPY (SELECT id, email FROM crm.customers ORDER BY id) TO STDOUT')
            self.assertEqual(result.copied, expected)
            self.assertEqual(result.tag, f'COPY {len(rows)}')

    def test_copy_of_what_is_hidden(self):
        with proxy.wire('alice') as c:
            for sql in ('COPY (SELECT phone FROM crm.customers) TO STDOUT', 'COPY vault.keys TO STDOUT',
                        'COPY (SELECT * FROM vault.keys) TO STDOUT', "COPY crm.customers TO '/tmp/x'",
                        "COPY crm.customers TO PROGRAM 'cat'", "COPY (SELECT 1) TO PROGRAM 'cat'"):
                with self.subTest(sql=sql):
                    result = c.query(sql)[-1]
                    self.assertIsNotNone(result.error)
                    self.assertEqual(result.copied, b'')

    def test_psql_copy(self):
        out = proxy.psql('alice', '\\copy (SELECT id FROM crm.customers ORDER BY id) TO STDOUT CSV HEADER').stdout
        self.assertTrue(out.startswith('id\n'))
        self.assertEqual(len(out.splitlines()), 1 + int(proxy.psql('alice', 'SELECT count(*) FROM crm.customers').stdout))


class Protocol(unittest.TestCase):
    def test_several_statements(self):
        with proxy.wire('alice') as c:
            results = c.query('SELECT 1; SELECT 2; ; SELECT 3')
            self.assertEqual([r.rows for r in results], [[['1']], [['2']], [['3']]])

    def test_stops_at_the_first_error(self):
        with proxy.wire('alice') as c:
            for bad in ('SELECT * FROM vault.keys', 'SELECT 1/0', 'DROP TABLE crm.customers'):
                results = c.query(f'SELECT 1; {bad}; SELECT 3')
                self.assertEqual([r.rows for r in results if not r.error], [[['1']]], bad)
                self.assertIsNotNone(results[-1].error)
                self.assertEqual(c.status, 'I')

    def test_empty_queries(self):
        with proxy.wire('alice') as c:
            for sql in ('', ';', '-- nothing', '/* nothing */', '  ;;  '):
                with self.subTest(sql=sql):
                    c.send(gt.query_message(sql))
                    kinds = []
                    while not kinds or kinds[-1] != 'Z':
                        kinds.append(c.receive()[0])
                    self.assertEqual(kinds, ['I', 'Z'])

    def test_transaction_status(self):
        with proxy.wire('alice') as c:
            c.query('BEGIN')
            self.assertEqual(c.status, 'T')
            c.query('SELECT 1/0')
            self.assertEqual(c.status, 'E')
            self.assertEqual(c.query('SELECT 1')[-1].sqlstate, '25P02')
            c.query('ROLLBACK')
            self.assertEqual(c.status, 'I')

    def test_refusal_fails_the_transaction(self):
        with proxy.wire('alice') as c:
            c.query('BEGIN')
            self.assertEqual(c.query('SELECT * FROM vault.keys')[-1].sqlstate, '42P01')
            self.assertEqual(c.status, 'E')
            self.assertEqual(c.query('SELECT 1')[-1].sqlstate, '25P02')
            self.assertEqual(c.query('ROLLBACK')[-1].tag, 'ROLLBACK')
            c.query('BEGIN')
            self.assertEqual(c.extended('SELECT * FROM vault.keys').sqlstate, '42P01')
            self.assertEqual(c.status, 'E')
            c.query('ROLLBACK')
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_pipeline_skips_to_sync(self):
        with proxy.wire('alice') as c:
            c.send(gt.parse_message('SELECT 1'), gt.bind_message(), gt.execute_message(),
                   gt.parse_message('SELECT * FROM vault.keys'), gt.bind_message(), gt.execute_message(),
                   gt.parse_message('SELECT 3'), gt.bind_message(), gt.execute_message(), gt.SYNC,
                   gt.parse_message('SELECT 4'), gt.bind_message(), gt.execute_message(), gt.SYNC)
            first, second = c.results(), c.results()
            self.assertEqual([r.rows for r in first if r.rows], [[['1']]])
            self.assertEqual(first[-1].sqlstate, '42P01')
            self.assertEqual([r.rows for r in second if r.rows], [[['4']]])

    def test_refused_messages_never_reach_a_portal(self):
        """A Bind or Execute behind a refused Parse must not run what an earlier statement left behind."""
        with proxy.wire('alice') as c:
            self.assertEqual(c.extended('SELECT 7').rows, [['7']])
            c.send(gt.parse_message('SELECT * FROM vault.keys'), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '42P01')
            c.send(gt.bind_message(), gt.execute_message(), gt.SYNC)
            rows = [r for result in c.results() for r in result.rows]
            self.assertNotIn('VAULT', repr(rows))

    def test_suspended_portal(self):
        with proxy.wire('alice') as c:
            total = int(c.one('SELECT count(*) FROM crm.customers')[0][0])
            c.send(gt.parse_message('SELECT id FROM crm.customers ORDER BY id'), gt.bind_message(portal='p'),
                   gt.execute_message('p', 4), gt.execute_message('p', 3), gt.execute_message('p', 0), gt.SYNC)
            results = [r for r in c.results() if r.tag is not None]
            self.assertEqual([len(r.rows) for r in results], [4, 3, total - 7])
            self.assertEqual([r.tag for r in results][:2], ['SUSPENDED', 'SUSPENDED'])

    def test_flush_without_sync(self):
        with proxy.wire('alice') as c:
            c.send(gt.parse_message('SELECT $1::int + 1', 'f'), gt.describe_message('S', 'f'), gt.FLUSH)
            self.assertEqual([c.receive()[0] for _ in range(3)], ['1', 't', 'T'])
            c.send(gt.bind_message([41], statement='f'), gt.execute_message(), gt.FLUSH)
            self.assertEqual([c.receive()[0] for _ in range(3)], ['2', 'D', 'C'])
            c.send(gt.close_message('S', 'f'), gt.SYNC)
            self.assertEqual([c.receive()[0] for _ in range(2)], ['3', 'Z'])

    def test_binary_results_and_descriptions(self):
        with proxy.wire('alice') as c:
            result = c.extended('SELECT id, email FROM crm.customers WHERE id = 3', result_formats=(1,))
            self.assertEqual(result.rows[0][0], b'\0\0\0\3')
            self.assertEqual([col[3] for col in result.columns], [23, 25])

    def test_unknown_statement_and_portal(self):
        with proxy.wire('alice') as c:
            c.send(gt.bind_message(statement='nope'), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '26000')
            c.send(gt.execute_message('nope'), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '34000')

    def test_function_call_message_is_refused(self):
        import struct
        with proxy.wire('erin') as c:
            c.send(gt.message('F', struct.pack('!IHHIH', 2078, 0, 0, 0xffffffff, 0)))
            self.assertIn(c.results()[-1].sqlstate, ('42501', '0A000', '08P01'))
            self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_error_position_is_in_the_clients_text(self):
        with proxy.wire('alice') as c:
            for sql, word in (('SELECT id, wrong FROM crm.customers', 'wrong'), ('SELECT 1 FROM   crm.wrong', 'crm.wrong'),
                              ('SELECT FROM WHERE', 'WHERE'), ("/* \u00e9\u00e8 */ SELECT wrong FROM crm.customers", 'wrong')):
                with self.subTest(sql=sql):
                    error = c.query(sql)[-1].error
                    self.assertEqual(error.get('P'), str(sql.index(word) + 1), error)

    def test_many_sessions_at_once(self):
        errors = []

        def work(user, region):
            try:
                with proxy.wire(user) as c:
                    for i in range(30):
                        rows = c.extended('SELECT region, $1::int FROM sales.orders LIMIT 3', [i]).rows if i % 2 else \
                            c.one(f'SELECT region, {i} FROM sales.orders LIMIT 3')
                        if rows != [[region, str(i)]] * 3:
                            errors.append((user, rows))
            except Exception as e:
                errors.append((user, repr(e)))
        threads = [threading.Thread(target=work, args=('alice', 'EU')) for _ in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])


if __name__ == '__main__':
    gt.main()
