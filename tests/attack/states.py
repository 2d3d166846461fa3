"""Attacks that are no single statement: the protocol's states, floods and bombs, and the proxy's own surface
(cases/ holds the others). The world is that of tests/lib/attack_world.py."""
import re
import socket
import stat
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import attack_world as world

REGCLASS, REGPROC, REGTYPE, OID = 2205, 24, 2206, 26


def setUpModule():
    global scratch, certs, pg, proxy, observed
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wha')
    pg.sql(world.SCHEMA, 'wha')
    pg.sql(world.DATA.format(**world.WORLDS['wha']), 'wha')
    pg.sql('CREATE EXTENSION citext; CREATE EXTENSION hstore', 'wha')
    proxy = unittest.enterModuleContext(a_proxy('proxy'))
    observing = f'wha:\n  conninfo: "{pg.conninfo("wha", "gatehouse")}"\n  password_file: wh.pass\n  mode: observe'
    observed = unittest.enterModuleContext(a_proxy('observed', warehouses=observing))


def a_proxy(name, **more):
    return gt.Gatehouse(scratch, pg, certs, policy=world.POLICY, users=world.USERS, warehouse='wha', name=name, **more)


class Case(unittest.TestCase):
    def assertNoCanary(self, c):
        self.assertEqual(re.findall(world.CANARY, c.received_bytes()), [])

    def mallory(self, **more):
        c = proxy.wire('mallory', **more)
        self.addCleanup(c.close)
        return c


class ProtocolState(Case):
    """THREATS: one namespace of prepared statements and portals, skipping to Sync, state of others."""

    def test_bind_of_a_refused_statement(self):
        c = self.mallory()
        c.send(gt.parse_message('SELECT * FROM lockbox.ledger', 's'), gt.SYNC)
        self.assertEqual(c.results()[-1].sqlstate, '42P01')
        c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC)
        self.assertEqual(c.results()[-1].sqlstate, '26000')
        c.send(gt.describe_message('S', 's'), gt.SYNC)
        self.assertEqual(c.results()[-1].sqlstate, '26000')
        self.assertNoCanary(c)

    def test_execute_of_sql_by_protocol_and_back(self):
        c = self.mallory()
        c.query('PREPARE p AS SELECT * FROM lockbox.ledger')
        c.send(gt.bind_message(statement='p'), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
        self.assertIsNotNone(c.results()[-1].error)
        c.send(gt.parse_message('SELECT 1', 'q'), gt.SYNC)
        c.results()
        c.query('EXECUTE q')
        c.query('DEALLOCATE q')
        c.query('PREPARE q AS SELECT * FROM lockbox.ledger')
        c.send(gt.bind_message(statement='q'), gt.execute_message(), gt.SYNC)
        c.results()
        self.assertNoCanary(c)

    def test_names_of_the_proxy_upstream(self):
        """Statements and cursors of the proxy's own cannot be named, nor those of other sessions."""
        other = proxy.wire('olga')
        self.addCleanup(other.close)
        other.extended('SELECT * FROM lockbox.ledger', name='mine')
        c = self.mallory()
        for name in ('mine', 'gh_1', 'gh1', 'gatehouse_1', 's1', 'S_1', '__gatehouse', 'gh_s1', 'gh_0'):
            c.send(gt.bind_message(statement=name), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '26000', name)
            c.send(gt.execute_message(name), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '34000', name)
        self.assertNoCanary(c)

    def test_two_statements_in_one_parse(self):
        c = self.mallory()
        for sql in ('SELECT 1; SELECT * FROM lockbox.ledger', 'SELECT 1; SELECT 2', ';; SELECT * FROM lockbox.ledger'):
            self.assertIsNotNone(c.extended(sql).error)
        self.assertNoCanary(c)

    def test_parameters_of_reg_types_are_no_oracle(self):
        for oid in (REGCLASS, REGPROC, REGTYPE):
            answers = []
            for name in ('lockbox.ledger', 'lockbox.xedger'):
                c = self.mallory()
                begin = len(c.log)
                c.send(gt.parse_message('SELECT $1 IS NULL', types=(oid,)), gt.bind_message([name]), gt.execute_message(), gt.SYNC)
                c.results()
                answers.append(b''.join(k.encode() + b for k, b in c.log[begin:]).replace(name.encode(), b'?'))
            self.assertEqual(*answers)

    def test_messages_behind_a_refused_one_are_skipped(self):
        c = self.mallory()
        c.send(gt.parse_message('SELECT * FROM lockbox.ledger'), gt.query_message('SELECT 1'),
               gt.parse_message('SELECT 2'), gt.bind_message(), gt.execute_message(), gt.SYNC)
        kinds = []
        while kinds[-1:] != ['Z']:
            kinds.append(c.receive()[0])
        self.assertEqual(kinds, ['E', 'Z'])
        self.assertEqual(c.one('SELECT 3'), [['3']])

    def test_copy_messages_outside_copy(self):
        c = self.mallory()
        c.send(gt.message('d', b'1\tx\n'), gt.COPY_DONE, gt.message('f', b'no\0'))
        self.assertEqual(c.one('SELECT 1'), [['1']])

    def test_pooled_connection_carries_nothing_over(self):
        with a_proxy('pooled', workers=1, pool='mode: session, size: 1, idle: 1') as p:
            with p.wire('olga', parameters={'application_name': 'olgas'}) as c:
                c.query('SET search_path = lockbox')
                c.query("SET TimeZone = 'Asia/Tokyo'")
                c.extended('SELECT * FROM lockbox.ledger', name='carry')
                c.query('PREPARE written AS SELECT * FROM lockbox.ledger')
                upstream = c.one('SELECT pg_backend_pid()')
                c.query('BEGIN')
                c.query('DECLARE k CURSOR WITH HOLD FOR SELECT * FROM lockbox.ledger')
                c.query('COMMIT')

            def login():
                try:
                    return p.wire('mallory')
                except gt.ServerError:
                    return None
            c = gt.wait_for(login, 10, 'the only upstream connection is free again')
            with c:
                self.assertEqual(c.one('SELECT pg_backend_pid()'), upstream, 'another connection carries nothing anyway')
                self.assertEqual(c.query('EXECUTE written')[-1].sqlstate, '26000')
                self.assertEqual(c.query('SELECT count(*) FROM ledger')[-1].sqlstate, '42P01')
                self.assertNotEqual(c.one('SHOW timezone'), [['Asia/Tokyo']])
                self.assertNotIn('olga', repr(c.one('SELECT current_user')))
                c.send(gt.bind_message(statement='carry'), gt.execute_message(), gt.SYNC)
                self.assertEqual(c.results()[-1].sqlstate, '26000')
                self.assertIsNotNone(c.query('FETCH ALL FROM k')[-1].error)
                self.assertNoCanary(c)

    def test_lengths_that_lie(self):
        for raw in (struct.pack('!cI', b'Q', 3), struct.pack('!cI', b'Q', 0), struct.pack('!cI', b'Q', 0x7fffffff),
                    struct.pack('!cI', b'Q', 0xffffffff), b'\0\0\0\0\0', gt.message('~', b'x'), gt.message('B', b'\0'),
                    gt.message('P', b'\0SELECT 1\0\x7f\xff'), gt.message('Q', b'SELECT 1')):
            c = proxy.wire('mallory')
            c.send(raw)
            try:
                c.socket.settimeout(1)
                while True:
                    kind, _ = c.receive()
                    self.assertNotEqual(kind, 'D')
            except (gt.Closed, OSError):
                pass
            c.close()
        self.assertEqual(self.mallory().one('SELECT 1'), [['1']])


class Floods(Case):
    """THREATS: every limit has a clear error; the session and the proxy live on."""

    def survives(self, sql, extended=False, codes=None):
        c = self.mallory(timeout=60)
        begin = time.monotonic()
        result = c.extended(sql) if extended else (c.query(sql) or [None])[-1]
        self.assertLess(time.monotonic() - begin, 20 * gt.SLOW)
        if codes:
            self.assertIn(result.sqlstate, codes)
        self.assertTrue(proxy.alive())
        self.assertEqual(c.one('SELECT 1'), [['1']], 'the session goes on')
        return result

    TOO_COMPLEX = ('54001', '54000', '53200', '54023', '42501', '42601')

    def test_long_sums(self):
        self.survives('SELECT ' + '+'.join(['1'] * 4500), codes=(None, *self.TOO_COMPLEX))
        self.survives('SELECT ' + '+'.join(['1'] * 200_000), codes=self.TOO_COMPLEX)

    def test_deep_nesting(self):
        for opening, closing in (('(', ')'), ('(SELECT ', ')'), ('ARRAY[', ']'), ('NOT (', ')'), ('- (', ')'),
                                 ('CASE WHEN true THEN ', ' END')):
            with self.subTest(opening=opening):
                n = 20_000
                middle = 'true' if opening == 'NOT (' else '1'
                self.survives('SELECT ' + opening * n + middle + closing * n, codes=(None, *self.TOO_COMPLEX))
        self.survives('SELECT * FROM ' + '(SELECT * FROM ' * 3000 + 'shop.regions' + ') x' * 3000, codes=self.TOO_COMPLEX)
        self.survives(' UNION '.join(['SELECT 1'] * 5000), codes=(None, *self.TOO_COMPLEX))

    @unittest.skipIf(gt.IS_SANITIZED, 'memory of a sanitizer build says nothing')
    def test_long_lists(self):
        """What is put together of a list's items takes memory for each, not for all before it as well: 80 KB took 2 GB."""
        n = 30_000
        before = gt.rss_kb(proxy.pid)
        for sql in ('SET datestyle = ' + ','.join(['a'] * n),
                    'SET search_path = ' + ','.join(['a'] * n),
                    'DROP TABLE IF EXISTS ' + ','.join(['pg_temp.a'] * n),
                    "SELECT 1 WHERE 1 = ANY ('{" + ','.join(['pg_class'] * n) + "}'::regclass[]::oid[])",
                    'COPY shop.regions (' + ','.join(['code'] * n) + ') TO STDOUT',
                    'UPDATE shop.orders SET (' + ','.join(['amount'] * n) + ') = (' + ','.join(['1'] * n) + ')'):
            with self.subTest(sql=sql[:30]):
                self.survives(sql)
                self.assertLess(gt.rss_kb(proxy.pid) - before, 256 << 10)

    def test_nested_comments(self):
        self.survives('/*' * 40_000 + '*/' * 40_000 + 'SELECT 1', codes=self.TOO_COMPLEX)
        self.survives('/*' * 33 + '*/' * 33 + 'SELECT 1', codes=self.TOO_COMPLEX)
        self.assertEqual(self.survives('/*' * 32 + '*/' * 32 + 'SELECT 1').rows, [['1']])
        self.survives('/*' * 40_000, codes=self.TOO_COMPLEX)

    def test_runs_of_operators(self):
        """What the lexer reads again for each token of a row costs the square of the row's length."""
        for piece in ('+', '-+', '/**/', '/*/**/*/'):
            for size in (16_000, 2_000_000):
                self.survives('SELECT 1 ' + piece * (size // len(piece)) + ' 1', codes=self.TOO_COMPLEX)
            few = '1' + piece * 10 + (' 1' if '/' not in piece else '')
            self.assertEqual(self.survives('SELECT ' + few).rows, [['1' if '/' in piece else '2']])
        self.assertEqual(self.survives('/' + '*' * 1_000_000 + '/ SELECT 1 --' + '-+' * 1_000_000).rows, [['1']])

    def test_short_texts_that_grow(self):
        """A few bytes that rewriting makes long are judged where others need not wait; the answer is the same."""
        stars = ', '.join(['*'] * 250)
        write = f'UPDATE shop.orders SET amount = amount WHERE id = 3 RETURNING {stars}'
        for c in (proxy.wire('wanda'), observed.wire('wanda')):
            self.addCleanup(c.close)
            c.query('BEGIN')
            wanted = c.one('UPDATE shop.orders SET amount = amount WHERE id = 3 RETURNING *')[0] * 250
            self.assertEqual(c.one(write), [wanted])
            c.send(gt.query_message(write), gt.query_message('SELECT 5'))
            self.assertEqual([r.rows for r in c.results() + c.results()], [[wanted], [['5']]])
            self.assertEqual(c.extended(write.replace('= 3', '= $1'), ['3']).rows, [wanted])
            many = 'SELECT 1 FROM pg_class a, pg_class b LIMIT 1; ' * 40
            self.assertEqual([r.rows for r in c.query(many)], [[['1']]] * 40)
            self.assertEqual(c.query(f'SELECT nothing, {", ".join(["o.*"] * 10)} FROM ' + ', '.join(f'pg_attribute a{i}' for i in range(50)))[-1].sqlstate,
                             '42703')
            c.query('ROLLBACK')

    def test_types_of_nested_queries(self):
        """With operators of extensions around the types of operands are found out, which must not double with each level."""
        def nested(step, first):
            query = first
            for i in range(40):
                query = step.format(q=query, i=i)
            return query
        queries = [nested('SELECT x || x AS x FROM ({q}) q{i}', "SELECT 'a'::text AS x"),
                   nested('SELECT CASE WHEN x = x THEN x ELSE coalesce(x, x || x) END AS x FROM ({q}) q{i}', "SELECT 'a'::text AS x"),
                   nested('SELECT ARRAY[x[1], x[1] || x[1]] AS x FROM ({q}) q{i}', "SELECT ARRAY['a'::text] AS x")]
        ctes = ', '.join(f'c{i} AS (SELECT x FROM c{i - 1} UNION ALL SELECT x FROM c{i - 1})' for i in range(1, 40))
        queries.append(f"WITH c0 AS (SELECT 'a'::text AS x), {ctes} SELECT x || x FROM c39")
        stars = ', '.join(f'c{i} AS (SELECT a.*, b.* FROM c{i - 1} a, c{i - 1} b)' for i in range(1, 25))
        queries.append(f"WITH c0 AS (SELECT 'a'::text AS x), {stars} SELECT x || x FROM c24")
        for query in queries:  # refused when all else of it was judged: PostgreSQL's planner doubles as well
            self.survives(query + ' ORDER BY (SELECT pg_sleep(1) FROM pg_class)', codes=('42501',))
        operands = ' OR '.join(['x = x'] * 20_000)
        self.survives(f'SELECT 1 FROM (VALUES (1)) v (x) WHERE {operands} ORDER BY (SELECT pg_sleep(1) FROM pg_class)', codes=self.TOO_COMPLEX)

    def test_group_by_of_many_relations(self):
        """A grouped key lets each of a relation's columns be named: looked for once in the list, not for each column again."""
        tables = [f'o{i}' for i in range(150)]
        keys = ', '.join(f'{tables[i % 150]}.id' for i in range(90_000))
        wanted = ', '.join(f'count({t})' for t in tables)
        query = f"SELECT {wanted} FROM {', '.join(f'shop.orders {t}' for t in tables)} WHERE 'x' = 1 GROUP BY {keys}"
        self.survives(query, codes=('22P02',))  # PostgreSQL says so before it plans

    def test_natural_joins_of_many_relations(self):
        joins = ' '.join(f'NATURAL JOIN pg_class c{i}' for i in range(180))
        self.survives(f"SELECT 1 FROM pg_class {joins} WHERE 'x' = 1", codes=('22P02',))

    def test_huge_lists(self):
        ids = ','.join(str(i) for i in range(50_000))
        self.assertEqual(self.survives(f'SELECT count(*) FROM shop.orders WHERE id IN ({ids})').rows, [['10']])
        self.survives('SELECT ' + ','.join(['1'] * 1665), codes=('54011',))
        self.survives('SELECT 1 FROM ' + ','.join(f'shop.regions r{i}' for i in range(300)) + ' LIMIT 1',
                      codes=(None, *self.TOO_COMPLEX))

    def test_statement_bytes(self):
        limit = 16 << 20
        head, tail = b"SELECT length('", b"')"
        for extra, codes in ((0, (None,)), (1, ('54000', '53400', '54001'))):
            with self.subTest(extra=extra):
                text = head + b'x' * (limit + extra - len(head) - len(tail)) + tail
                c = self.mallory(timeout=60)
                try:
                    result = c.query(text.decode())[-1]
                    self.assertIn(result.sqlstate, codes)
                    self.assertEqual(c.one('SELECT 1'), [['1']])
                except gt.Closed:
                    self.assertEqual(extra, 1)

    def test_many_statements_in_one_query(self):
        self.survives('SELECT 1;' * 10_001, codes=('54000', '54001', '54023'))

    def test_half_open_connections_do_not_starve_others(self):
        sockets = [socket.create_connection(('127.0.0.1', proxy.port), 10) for _ in range(300)]
        try:
            for i, s in enumerate(sockets):
                if i % 3 == 0:
                    s.sendall(b'\0\0\0')
                elif i % 3 == 1:
                    s.sendall(gt.SSL_REQUEST)
            begin = time.monotonic()
            self.assertEqual(self.mallory().one('SELECT 1'), [['1']])
            self.assertLess(time.monotonic() - begin, 5 * gt.SLOW)
        finally:
            for s in sockets:
                s.close()

    def test_startup_packets_of_every_length(self):
        for size in (0, 1, 4, 7, 8, 9, 10_000, 10_001, 0x7fffffff, 0xffffffff):
            with socket.create_connection(('127.0.0.1', proxy.port), 10) as s:
                s.sendall(struct.pack('!I', size) + b'\0\3\0\0' + b'a' * min(max(size - 8, 0), 20_000))
                s.settimeout(2)
                try:
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(1000):
                        pass
                except OSError:
                    pass
        self.assertTrue(proxy.alive())
        self.assertEqual(self.mallory().one('SELECT 1'), [['1']])


class Surface(Case):
    """THREATS: the proxy's own files, sockets, logs and inputs."""

    def test_files_are_private(self):
        for path in (proxy.acl, proxy.dir / 'gatehouse.sock', *proxy.acl.parent.glob('acl.db-*')):
            if path.exists():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)
        self.assertTrue(proxy.acl.exists())

    def test_no_secret_in_the_process_list_or_log(self):
        text = Path(f'/proc/{proxy.pid}/cmdline').read_text() + proxy.log()
        for secret in ('upstream-secret', *world.USERS.values()):
            self.assertNotIn(secret, text)

    def test_no_core_is_dumped(self):
        """Memory holds what people asked and got, and keys."""
        with a_proxy('dumps', wrapper=('bash', '-c', 'ulimit -Sc hard; exec "$@"', 'bash')) as p:
            limits = Path(f'/proc/{p.pid}/limits').read_text()
            self.assertRegex(limits, r'Max core file size +0 +0 ')

    def test_passwords_are_kept_as_verifiers(self):
        data = proxy.acl.read_bytes()
        self.assertIn(b'SCRAM-SHA-256$', data)
        for secret in world.USERS.values():
            self.assertNotIn(secret.encode(), data)

    def test_password_is_not_taken_from_argv(self):
        done = proxy.cli('user', 'password', '--acl', proxy.acl, 'mallory', 'secret-in-argv', check=False)
        self.assertEqual(done.returncode, 2)

    def test_yaml_bomb(self):
        lines = ['version: 1', 'a0: &a0 [x, x, x, x, x, x, x, x, x]']
        lines += [f'a{i}: &a{i} [' + ', '.join([f'*a{i - 1}'] * 9) + ']' for i in range(1, 30)]
        path = proxy.dir / 'bomb.yaml'
        path.write_text('\n'.join(lines))
        begin = time.monotonic()
        done = proxy.cli('policy', 'apply', '--acl', proxy.acl, path, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertLess(time.monotonic() - begin, 5 * gt.SLOW)
        path.write_text('roles: ' + '[' * 100_000)
        self.assertEqual(proxy.cli('policy', 'apply', '--acl', proxy.acl, path, check=False).returncode, 1)

    def test_acl_that_others_may_read_or_that_is_damaged(self):
        for name, spoil in (('loose', lambda p: p.acl.chmod(0o644)), ('damaged', lambda p: p.acl.write_bytes(b'not an ACL' * 500)),
                            ('missing', lambda p: p.acl.unlink())):
            with self.subTest(name=name):
                p = a_proxy(f'acl-{name}', expect_exit=1)
                p.prepare()
                for extra in p.dir.glob('acl.db-*'):
                    extra.unlink()
                spoil(p)
                p.start(wait=False)
                try:
                    self.assertEqual(p.process.wait(15 * gt.SLOW), 1, 'it does not serve without a policy')
                finally:
                    p.kill()
                self.assertIn('acl', p.log())

    def test_names_that_carry_sql_or_control_characters(self):
        for user in ("mallory'--", 'mallory"', 'mal\x1b[2Jlory', 'x' * 5000, "'; DROP TABLE users; --"):
            with self.assertRaises((gt.ServerError, gt.Closed)) as caught:
                proxy.wire(user, password='x')
            if isinstance(caught.exception, gt.ServerError):
                self.assertEqual(caught.exception.sqlstate, '28P01')
        self.assertNotIn('\x1b', proxy.log())
        self.assertEqual(self.mallory().one('SELECT 1'), [['1']])


if __name__ == '__main__':
    gt.main()
