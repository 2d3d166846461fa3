"""Clocks that jump, against the validity of grants: time goes forward only, for as long as a proxy runs.

The proxy under test runs with a clock_gettime() whose wall clock is off by what a file says.
"""
import ctypes
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("TEST_CLOCK"), O_RDONLY);
    void *p = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);

    offset_s = p == MAP_FAILED ? NULL : p;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ts);

    if (rc == 0 && clock == CLOCK_REALTIME && offset_s != NULL)
        ts->tv_sec += *offset_s;
    return rc;
}
"""
POLICY = """version: 1
roles: { reader: { description: reads } }
users: { alice: { roles: [reader] }, bob: { roles: [reader] } }
grants:
  - { to: [reader], tables: [sales.orders] }
"""
HOUR = 3600


def setUpModule():
    global proxy, clock, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    source, shim, clock = (scratch.path(n) for n in ('shim.c', 'shim.so', 'offset'))
    source.write_text(SHIM)
    subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-o', shim, source], check=True)
    set_clock(0)
    # A sanitizer wants to be the first library; here it may be the second.
    proxy = unittest.enterModuleContext(gt.Gatehouse(
        scratch, pg, certs, policy=POLICY, users={'alice': 'a', 'bob': 'b'},
        wrapper=['env', f'LD_PRELOAD={shim}', f'TEST_CLOCK={clock}', 'ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0']))


def set_clock(offset):
    with open(clock, 'r+b' if clock.exists() else 'wb') as f:
        f.write(struct.pack('q', offset))


class Clock(unittest.TestCase):
    def setUp(self):
        proxy.stop()
        set_clock(0)
        proxy.start()

    def grant(self, *more):
        out = proxy.cli('grant', 'select', 'on', 'crm.customers', 'to', 'reader', '--acl', proxy.acl, *more).stdout
        self.addCleanup(proxy.cli, 'revoke', out.split()[2].rstrip(':'), '--acl', proxy.acl)

    def at(self, seconds):
        return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + seconds))

    def sees(self, c):
        result = c.query('SELECT count(*) FROM crm.customers')[-1]
        self.assertIn(result.sqlstate, (None, '42P01', '42501'))
        return result.sqlstate is None

    def test_what_ended_stays_ended(self):
        self.grant('--until', self.at(HOUR))
        with proxy.wire('alice') as c:
            gt.wait_for(lambda: self.sees(c), 10, 'the grant')
            set_clock(HOUR + 1)
            gt.wait_for(lambda: not self.sees(c), 10, 'its end')
            set_clock(0)
            time.sleep(1.2)
            self.assertFalse(self.sees(c), 'an open session')
            with proxy.wire('bob') as new:
                self.assertFalse(self.sees(new), 'who was not here before')
            self.assertTrue(c.one('SELECT count(*) FROM sales.orders'), 'what has no end')
        self.assertIn('event=clock.set_back', proxy.log())

    def test_what_is_to_end_ends_on_time(self):
        """Set back by an hour, two seconds before the end."""
        with proxy.wire('alice') as c:
            self.grant('--until', self.at(3))
            gt.wait_for(lambda: self.sees(c), 2, 'the grant')
            set_clock(-HOUR)
            gt.wait_for(lambda: not self.sees(c), 10, 'the end')
            with proxy.wire('alice') as new:
                self.assertFalse(self.sees(new))

    def test_what_begins_later_begins_when_the_clock_says_so(self):
        self.grant('--from', self.at(HOUR))
        with proxy.wire('alice') as c:
            time.sleep(0.3)
            self.assertFalse(self.sees(c))
            set_clock(HOUR + 1)
            gt.wait_for(lambda: self.sees(c), 10, 'the beginning')

    def test_the_catalog_is_read_by_no_wall_clock(self):
        """Neither again and again, nor not at all: every five seconds."""
        with proxy.wire('alice') as c:
            set_clock(-HOUR)
            self.assertEqual(c.query('SELECT 1 FROM nothing.here')[-1].sqlstate, '42P01')  # reads the catalog once more
            reads, begin = set(), time.monotonic()
            for _ in range(4):
                time.sleep(0.3)
                reads.add(pg.sql("SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'gatehouse' AND query LIKE '%pg_proc%'"))
            self.assertEqual(len(reads - {''}), len(reads))
            self.assertLessEqual(len(reads), 2 + (time.monotonic() - begin) / 5)

    def test_a_restart_believes_the_clock(self):
        self.grant('--until', self.at(HOUR))
        with proxy.wire('alice') as c:
            set_clock(HOUR + 1)
            gt.wait_for(lambda: not self.sees(c), 10, 'its end')
        proxy.stop()
        set_clock(0)
        proxy.start()
        with proxy.wire('alice') as c:
            self.assertTrue(self.sees(c))


if __name__ == '__main__':
    gt.main()
