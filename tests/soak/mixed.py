"""Many clients of several kinds for minutes: connects, queries, refusals, cancels, clients and upstream connections that are
killed. At the end no descriptor, session or memory is left over and no answer was wrong.
GH_SOAK_SECONDS (default 600) and GH_SOAK_CLIENTS (default 200) size it; it runs under --long only."""
import os
import random
import socket
import struct
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


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture(max_connections=CLIENTS + 100)
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     pool=f'mode: session, size: {CLIENTS + 50}, idle: 5'))


class Soak(unittest.TestCase):
    def setUp(self):
        self.wrong, self.asked, self.broken = [], 0, 0
        self.end = time.monotonic() + SECONDS

    def work(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            user = rng.choice(list(REGION))
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
        print(f'{self.asked} statements, {self.broken} connections lost on purpose; resident {early} KiB early, {late} KiB late')
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.asked, SECONDS)
        gt.wait_for(lambda: len(os.listdir(f'/proc/{proxy.pid}/fd')) <= fds + 20, 30, 'descriptors are closed again')
        if not gt.IS_SANITIZED and SECONDS >= 60:
            self.assertLess(late, early * 1.2 + 4096, 'resident memory does not grow')
        gt.check_chain(proxy.audit_dir)


if __name__ == '__main__':
    gt.main()
