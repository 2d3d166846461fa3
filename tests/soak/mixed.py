"""Many clients of several drivers for minutes: connects, queries, refusals, cancels, clients and upstream connections that are
killed. At the end no descriptor, session or memory is left over and no answer was wrong. Raw protocol, psycopg2, psycopg 3
and asyncpg (where Python has them), psql and pgbench.
GH_SOAK_SECONDS (default 600) and GH_SOAK_CLIENTS (default 200) size it; it runs under --long only."""
import asyncio
import importlib.util
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

SECONDS = int(os.environ.get('GH_SOAK_SECONDS', '600'))
CLIENTS = int(os.environ.get('GH_SOAK_CLIENTS', '200'))
REGION = {'alice': 'EU', 'erin': None}
DRIVERS = ['wire'] * 3 + [d for d in ('psycopg2', 'psycopg', 'asyncpg') if importlib.util.find_spec(d)] * 2 + ['psql', 'pgbench']
# What a driver may be told when its upstream connection was killed, its cancel came late, or the servers are full.
EXPECTED = ('57', '08', '53', '25')
COUNT = 'SELECT DISTINCT region FROM sales.orders WHERE region IS NOT NULL ORDER BY 1'
SLOW_QUERY = 'SELECT count(*) FROM generate_series(1, 3000000)'


def setUpModule():
    global pg, proxy, certs
    scratch, certs, pg = gt.module_fixture(max_connections=3 * CLIENTS + 100)
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     pool=f'mode: session, size: {2 * CLIENTS}, idle: 5'))


class Soak(unittest.TestCase):
    def setUp(self):
        self.wrong, self.asked, self.broken, self.used = [], 0, 0, {}
        self.end = time.monotonic() + SECONDS

    def work(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            user, driver = rng.choice(list(REGION)), rng.choice(DRIVERS)
            self.used[driver] = self.used.get(driver, 0) + 1
            if driver != 'wire':
                try:
                    getattr(self, driver)(rng, user)
                except Exception as e:  # nothing that a driver does not say as its own error
                    self.wrong.append((user, driver, repr(e)))
                time.sleep(rng.random() * 0.5)
                continue
            try:
                c = proxy.wire(user)
                for _ in range(rng.randint(1, 60)):
                    if time.monotonic() > self.end:
                        break
                    self.step(rng, c, user)
                    time.sleep(rng.random() * 0.2)
                if rng.random() < 0.2:  # gone without a word
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                    c.socket.close()
                else:
                    c.close()
            except (gt.Closed, OSError):
                self.broken += 1  # its upstream connection was killed
            except gt.ServerError as e:
                if e.sqlstate[:2] not in ('57', '08', '53'):
                    self.wrong.append((user, str(e)))
                self.broken += 1

    def check(self, user, rows):
        self.asked += 1
        wanted = [REGION[user]] if REGION[user] else ['APAC', 'EU', 'US']
        if [r[0] for r in rows] != wanted:
            self.wrong.append((user, rows))

    def excuse(self, user, error):
        """An error of a driver's: `sqlstate` is None where the connection went."""
        state = getattr(error, 'sqlstate', None) or getattr(error, 'pgcode', None)
        if state is not None and not state.startswith(EXPECTED):
            self.wrong.append((user, repr(error)))
        self.broken += 1

    def psycopg2(self, rng, user):
        import psycopg2
        try:
            c = psycopg2.connect(proxy.dsn(user))
        except psycopg2.OperationalError as e:
            return self.excuse(user, e)
        try:
            for _ in range(rng.randint(1, 30)):
                with c.cursor(rng.choice([None, 'cur'])) as cur:
                    cur.execute(COUNT)
                    self.check(user, cur.fetchall())
                try:
                    c.cursor().execute('SELECT * FROM no.such')
                except psycopg2.errors.UndefinedTable:
                    c.rollback()
                if rng.random() < 0.1:
                    threading.Timer(0.05, c.cancel).start()
                    try:
                        c.cursor().execute(SLOW_QUERY)
                    except psycopg2.errors.QueryCanceled:
                        pass
                    time.sleep(0.2)  # a cancel that comes late hits what runs then
                    c.rollback()
                if rng.random() < 0.05:
                    os.close(os.dup(c.fileno()))
                    socket.socket(fileno=os.dup(c.fileno())).shutdown(socket.SHUT_RDWR)
        except psycopg2.Error as e:
            self.excuse(user, e)
        finally:
            c.close()

    def psycopg(self, rng, user):
        import psycopg
        try:
            with psycopg.connect(proxy.dsn(user), autocommit=True, prepare_threshold=rng.choice([0, 5, None])) as c:
                for i in range(rng.randint(1, 30)):
                    self.check(user, c.execute(COUNT, binary=rng.random() < 0.5).fetchall())
                    if c.execute('SELECT %s::int + 1', (i,)).fetchone() != (i + 1,):
                        self.wrong.append((user, i))
                    if rng.random() < 0.3 and psycopg.Pipeline.is_supported():
                        with c.pipeline():
                            cursors = [c.execute('SELECT %s::int', (k,)) for k in range(20)]
                        if [cur.fetchone()[0] for cur in cursors] != list(range(20)):
                            self.wrong.append((user, 'pipeline'))
                    if rng.random() < 0.3:
                        with c.cursor() as cur, cur.copy(f'COPY ({COUNT}) TO STDOUT') as copy:
                            self.check(user, list(copy.rows()))
        except psycopg.Error as e:
            self.excuse(user, e)

    def asyncpg(self, rng, user):
        import asyncpg

        async def run():
            c = await asyncpg.connect(host='localhost', port=proxy.port, user=user, password=warehouse.USERS[user], database='wh', timeout=60 * gt.SLOW,
                                      ssl=ssl.create_default_context(cafile=str(certs.ca)))
            try:
                for i in range(rng.randint(1, 30)):
                    self.check(user, await c.fetch(COUNT))
                    if await c.fetchval('SELECT $1::int + 1', i) != i + 1:
                        self.wrong.append((user, i))
                    if rng.random() < 0.1:
                        try:
                            await c.fetchval(SLOW_QUERY, timeout=0.05)
                        except asyncio.TimeoutError:
                            pass
            except asyncpg.InternalClientError:
                # What the driver says of a connection that got FATAL while it was idle, until it sees the end of it.
                end = time.monotonic() + 20 * gt.SLOW
                while not c.is_closed():
                    if time.monotonic() > end:
                        raise
                    await asyncio.sleep(0.1)
                raise OSError('the connection ended')
            finally:
                if rng.random() < 0.3:
                    c.terminate()
                else:
                    await c.close(timeout=20 * gt.SLOW)
        try:
            # the driver itself may wait for ever where a cancel and a lost connection meet
            asyncio.run(asyncio.wait_for(run(), 120 * gt.SLOW))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.TimeoutError) as e:
            self.excuse(user, e)

    def psql(self, rng, user):
        """Killed in the middle, at times."""
        p = subprocess.Popen([str(gt.PG_BIN / 'psql'), '-XAtq', '-c', COUNT, '-c', rng.choice(['\\d sales.orders', SLOW_QUERY, COUNT])],
                             env=proxy.environment(user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if rng.random() < 0.3:
            time.sleep(rng.random() * 0.3)
            p.send_signal(rng.choice([signal.SIGKILL, signal.SIGINT]))
            p.communicate()
            return
        out, _ = p.communicate()
        if p.returncode == 0:
            self.check(user, [[line] for line in out.split('\n')[:1 if REGION[user] else 3]])

    def pgbench(self, rng, user):
        script = proxy.dir / f'{rng.random()}.sql'
        script.write_text('\\set id random(1, 30)\nSELECT name FROM crm.customers WHERE id = :id;\n')
        gt.run(gt.PG_BIN / 'pgbench', '-n', '-c', '3', '-t', '20', '-M', rng.choice(['simple', 'extended', 'prepared']), '-f', script,
               env=proxy.environment(user), check=False, timeout=300)
        script.unlink()
        self.asked += 60

    def step(self, rng, c, user):
        self.asked += 1
        kind = rng.randint(0, 5)
        number = rng.randint(0, 10 ** 6)
        if kind == 0:
            rows = c.one(f'SELECT DISTINCT region, {number} FROM sales.orders WHERE region IS NOT NULL ORDER BY 1')
            wanted = [REGION[user]] if REGION[user] else ['APAC', 'EU', 'US']
            if rows != [[r, str(number)] for r in wanted]:
                self.wrong.append((user, rows))
        elif kind == 1:
            result = c.extended('SELECT $1::int + 1', [number], name=rng.choice(['', f's{number}']))
            if result.error:
                raise gt.ServerError(result.error)
            if result.rows != [[str(number + 1)]]:
                self.wrong.append((user, result.rows))
        elif kind == 2:
            result = c.query('SELECT * FROM no.such')[-1]
            if result.sqlstate != '42P01' and result.sqlstate[:2] != '57':
                self.wrong.append((user, result.error))
        elif kind == 3:
            c.send(gt.query_message('SELECT count(*) FROM generate_series(1, 3000000)'))
            time.sleep(0.05)
            gt.cancel(proxy.port, c.key, rng.choice(['disable', 'sslrequest']))
            result = c.results()[-1]
            if result.sqlstate not in (None, '57014', '57P01'):
                self.wrong.append((user, result.error))
        elif kind == 4:
            c.query('BEGIN')
            c.query('SELECT 1/0')
            c.query('ROLLBACK')
        else:
            if user == 'alice' and c.query('SELECT phone FROM crm.customers')[-1].sqlstate not in ('42703', '57P01'):
                self.wrong.append((user, 'a hidden column answered'))
        c.log.clear()

    @staticmethod
    def sessions():
        return int(pg.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse'"))

    def test_mixed(self):
        with proxy.wire('alice') as c:
            c.one('SELECT 1')
        time.sleep(1)
        fds = len(os.listdir(f'/proc/{proxy.pid}/fd'))
        threads = [threading.Thread(target=self.work, args=(i,)) for i in range(CLIENTS)]
        for t in threads:
            t.start()
        early = None
        while time.monotonic() < self.end:
            time.sleep(5)
            pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gatehouse' ORDER BY random() LIMIT 1")
            if early is None and time.monotonic() > self.end - SECONDS * 0.7:
                early = gt.rss_kb(proxy.pid)
            self.assertTrue(proxy.alive())
        late = gt.rss_kb(proxy.pid)
        for t in threads:
            t.join()
        print(f'# connections by driver: {self.used}')
        print(f'# {self.asked} statements, {self.broken} connections lost on purpose; resident {early} KiB early, {late} KiB late')
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.asked, SECONDS)
        gt.wait_for(lambda: len(os.listdir(f'/proc/{proxy.pid}/fd')) <= fds + 20, 30, 'descriptors are closed again')
        gt.wait_for(lambda: self.sessions() <= 2 * 5 + 1, 60, 'upstream has no more sessions than idle ones and the catalog reader')
        if not gt.IS_SANITIZED and SECONDS >= 60:
            self.assertLess(late, early * 1.2 + 4096, 'resident memory does not grow')
        gt.check_chain(proxy.audit_dir)


if __name__ == '__main__':
    gt.main()
