"""The benchmark behind run.sh. Contenders take turns within each round, so that a machine whose speed drifts
slows all alike; figures are medians of the rounds. Gatehouse enforces a row filter and a mask on the table that
is read, audits every statement (durability: write), and asks for the same TLS and SCRAM as PgBouncer."""
import argparse
import glob
import os
import platform
import re
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import pgbouncer

POLICY = """\
version: 1
roles: { reader: { description: the benchmark } }
users: { bench: { roles: [reader], attributes: { least: "1" } } }
grants:
  - to: [reader]
    tables: [public.pgbench_accounts]
    rows: "bid >= 1"
    mask: { abalance: round(10) }
  - to: [reader]
    tables: [public.pgbench_branches, public.wide]
"""
SCRIPT = '\\set aid random(1, 100000 * :scale)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n'
TARGETS = ('direct', 'pgbouncer', 'gatehouse')
PARTS = ('throughput', 'stream', 'idle', 'plan')
TPCH = """
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25), c_address varchar(40), c_nationkey int,
    c_phone char(15), c_acctbal numeric(15,2), c_mktsegment char(10), c_comment varchar(117));
CREATE TABLE orders (o_orderkey bigint PRIMARY KEY, o_custkey int, o_orderstatus char(1), o_totalprice numeric(15,2),
    o_orderdate date, o_orderpriority char(15), o_clerk char(15), o_shippriority int, o_comment varchar(79));
CREATE TABLE lineitem (l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2),
    l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1),
    l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25),
    l_shipmode char(10), l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber))"""


class Bench:
    def __init__(self, options):
        self.options = options
        self.lines = []

    def say(self, text=''):
        self.lines.append(text)
        print(text, flush=True)

    def run(self):
        o = self.options
        if not gt.BINARY.exists():
            sys.exit(f'bench: there is no {gt.BINARY}; build it first')
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        clients = max(o.clients, o.idle)
        with gt.Scratch('gatehouse-bench-') as scratch:
            certs = gt.Certificates(scratch.path('tls'))
            with gt.Postgres(scratch, certs, max_connections=clients + 60,
                             extra='shared_buffers = 256MB\nmax_wal_size = 4GB') as pg:
                self.load(pg)
                self.scratch, self.pg, self.certs, self.clients = scratch, pg, certs, clients
                self.servers, bouncers = {}, []
                try:
                    with self.gatehouse(False) as plain, self.gatehouse(True) as tls:
                        for is_tls, proxy in ((False, plain), (True, tls)):
                            bouncer = pgbouncer.Pgbouncer(scratch, pg, 'bench', {'bench': 'bench-password'}, clients, certs if is_tls else None)
                            bouncers.append(bouncer)
                            self.servers[is_tls] = {'direct': (pg.port, None), 'pgbouncer': (bouncer.port, bouncer.pid),
                                                    'gatehouse': (proxy.port, proxy.pid)}
                        self.machine()
                        for part in o.only:
                            getattr(self, part)()
                finally:
                    for bouncer in bouncers:
                        bouncer.stop()
        if o.write:
            self.write()

    def load(self, pg):
        pg.role('bench', 'bench-password')
        pg.role('gatehouse', 'upstream-secret')
        pg.sql('CREATE DATABASE bench')
        gt.run(gt.PG_BIN / 'pgbench', '-i', '-q', '-s', self.options.scale, '-h', pg.dir, '-p', pg.port, '-U', 'postgres',
               'bench', timeout=600)
        pg.sql("CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 32) AS filler FROM generate_series(1, 10240) i;"
               "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bench, gatehouse; VACUUM ANALYZE", 'bench')

    # Upstream sessions are kept between cells, as PgBouncer keeps its own: a new one faults in its share of shared_buffers first.
    def gatehouse(self, tls):
        return gt.Gatehouse(self.scratch, self.pg, self.certs, policy=POLICY, users={'bench': 'bench-password'}, warehouse='bench',
                            name=f'proxy-{"tls" if tls else "plain"}', tls='require' if tls else 'disable',
                            workers=self.options.workers,
                            limits=f'clients: {self.clients + 100}',
                            warehouses=f'bench:\n  conninfo: "{self.pg.conninfo("bench", "gatehouse", tls)}"\n  password_file: wh.pass\n'
                                       f'  pool: {{ mode: session, size: {self.clients + 20}, idle: {2 * self.options.clients} }}')

    def machine(self):
        o = self.options
        cpu = next((l.split(':', 1)[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.machine())
        version = gt.run('pgbouncer', '--version').stdout.split()[1]
        self.say(f'{os.cpu_count()} × {cpu}; PostgreSQL 15, PgBouncer {version}, Gatehouse with {o.workers} workers; scale {o.scale}, '
                 f'{o.clients} clients, {o.rounds} rounds of {o.seconds} s a cell; everything on one machine. {time.strftime("%Y-%m-%d")}.')

    # -- pgbench -S

    def once(self, target, tls, mode):
        """(transactions per second, proxy µs of CPU a transaction or None, p50 and p99 in µs)"""
        o = self.options
        port, pid = self.servers[tls][target]
        script = self.scratch.path('select.sql')
        script.write_text(SCRIPT)
        prefix = self.scratch.path('latency')
        env = {k: v for k, v in os.environ.items() if not k.startswith('PG')}
        env.update(PGHOST='127.0.0.1', PGPORT=str(port), PGUSER='bench', PGPASSWORD='bench-password', PGDATABASE='bench',
                   PGSSLMODE='require' if tls else 'disable')
        before = gt.cpu_seconds(pid) if pid else 0
        done = gt.run(gt.PG_BIN / 'pgbench', '-n', '-c', o.clients, '-j', 2, '-T', o.seconds, '-M', mode, '-s', o.scale, '-f', script,
                      '-l', '--log-prefix', prefix, '--sampling-rate', 0.25, env=env, timeout=o.seconds + 60)
        cpu = gt.cpu_seconds(pid) - before if pid else None
        count = int(re.search(r'transactions actually processed: (\d+)', done.stdout)[1])
        tps = float(re.search(r'tps = ([\d.]+)', done.stdout)[1])
        failed = re.search(r'failed transactions: (\d+)', done.stdout)
        if count == 0 or (failed and int(failed[1])):
            raise SystemExit(f'bench: {target} failed transactions:\n{done.stdout}{done.stderr}')
        latencies = []
        for path in glob.glob(f'{prefix}.*'):
            with open(path) as f:
                latencies += [int(line.split()[2]) for line in f]
            os.unlink(path)
        latencies.sort()
        at = lambda q: latencies[min(int(len(latencies) * q), len(latencies) - 1)]
        return tps, cpu / count * 1e6 if pid else None, at(0.5), at(0.99)

    def throughput(self):
        o = self.options
        cells = {}
        for _ in range(o.rounds):
            for tls in (False, True):
                for mode in ('simple', 'extended', 'prepared'):
                    for target in TARGETS:
                        cells.setdefault((tls, mode, target), []).append(self.once(target, tls, mode))
        median = {k: [statistics.median(r[i] for r in v) if v[0][i] is not None else None for i in range(4)]
                  for k, v in cells.items()}
        self.say('\n| pgbench -S | tps direct | tps PgBouncer | tps Gatehouse | Gatehouse / PgBouncer | proxy CPU µs/tx PgBouncer | Gatehouse | ratio'
                 ' | added p50 µs PgBouncer | Gatehouse | added p99 µs PgBouncer | Gatehouse |')
        self.say('| --- |' + ' ---: |' * 11)
        for tls in (False, True):
            for mode in ('simple', 'extended', 'prepared'):
                d, b, g = (median[tls, mode, t] for t in TARGETS)
                self.say(f'| {mode}, {"TLS" if tls else "plain"} | {d[0]:,.0f} | {b[0]:,.0f} | {g[0]:,.0f} | {g[0] / b[0]:.2f} | {b[1]:.1f} | '
                         f'{g[1]:.1f} | {g[1] / b[1]:.2f} | {b[2] - d[2]:,.0f} | {g[2] - d[2]:,.0f} | {b[3] - d[3]:,.0f} | {g[3] - d[3]:,.0f} |')

    # -- one large result

    def stream(self):
        o = self.options
        copies = max(1, o.stream_mb // 10)
        # 10 MiB of rows for each branch and copy; a plain SELECT, read off the socket as fast as it comes.
        sql = 'SELECT w.filler FROM wide w, (VALUES ' + ', '.join(f'({i})' for i in range(copies)) + ') AS n (i)'
        cells = {}
        for _ in range(max(1, o.rounds)):
            for tls in (False, True):
                for target in TARGETS:
                    port, _ = self.servers[tls][target]
                    with gt.Wire(port, 'bench', 'bench', 'bench-password', tls='sslrequest' if tls else 'disable', timeout=300) as c:
                        buffer = bytearray(1 << 20)
                        view, total, tail = memoryview(buffer), 0, b''
                        begin = time.perf_counter()
                        c.send(gt.query_message(sql))
                        while not tail.endswith(b'Z\0\0\0\5I'):
                            n = c.socket.recv_into(buffer)
                            if n == 0:
                                raise SystemExit(f'bench: {target} closed the connection')
                            total += n
                            tail = (tail + bytes(view[max(0, n - 16):n]))[-16:]
                        cells.setdefault((tls, target), []).append(total / (time.perf_counter() - begin) / 1e6)
        self.say(f'\n| one result of {copies * 10 / 1024:.2g} GiB | direct MB/s | PgBouncer MB/s | Gatehouse MB/s | Gatehouse / direct |')
        self.say('| --- | ---: | ---: | ---: | ---: |')
        for tls in (False, True):
            d, b, g = (statistics.median(cells[tls, t]) for t in TARGETS)
            self.say(f'| {"TLS" if tls else "plain"} | {d:,.0f} | {b:,.0f} | {g:,.0f} | {g / d:.2f} |')

    # -- clients that do nothing

    def idle(self):
        n = self.options.idle
        self.say(f'\n| {n:,} idle clients | KiB a client PgBouncer | Gatehouse |')
        self.say('| --- | ---: | ---: |')
        for tls in (False, True):
            row = []
            for target in ('pgbouncer', 'gatehouse'):
                port, pid = self.servers[tls][target]
                connect = lambda: gt.Wire(port, 'bench', 'bench', 'bench-password', tls='sslrequest' if tls else 'disable', timeout=60)
                warm = [connect() for _ in range(5)]
                before = gt.rss_kb(pid)
                held = [connect() for _ in range(n)]
                time.sleep(1)
                row.append((gt.rss_kb(pid) - before) / n)
                for c in held + warm:
                    c.close()
                time.sleep(1)
            self.say(f'| {"TLS" if tls else "plain"} | {row[0]:.1f} | {row[1]:.1f} |')

    # -- planning, without a proxy

    def plan(self):
        build = gt.BINARY.resolve().parent
        gt.run('cmake', '--build', build, '--target', 'bench_plan', timeout=900)
        self.pg.sql(TPCH, 'bench')
        done = gt.run(build / 'bench_plan', f'host={self.pg.dir} port={self.pg.port} user=postgres dbname=bench',
                      20 if self.options.smoke else 2000, timeout=600)
        self.say('\n| planning, a row filter and a mask on each table | µs of CPU |')
        self.say('| --- | ---: |')
        for line in done.stdout.splitlines():
            kind, us = line.rsplit(':', 1)
            self.say(f'| {kind} | {us.split()[0]} |')

    def write(self):
        path = gt.ROOT / 'docs' / 'benchmarks.md'
        text = path.read_text()
        begin, end = '<!-- figures: begin -->\n', '<!-- figures: end -->'
        head, rest = text.split(begin)
        path.write_text(head + begin + '\n' + '\n'.join(self.lines).strip() + '\n\n' + end + rest.split(end)[1])
        print(f'bench: written to {path}')


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--seconds', type=int, default=5)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--scale', type=int, default=10)
    p.add_argument('--clients', type=int, default=8)
    p.add_argument('--workers', type=int, default=os.cpu_count())
    p.add_argument('--stream-mb', type=int, default=1024)
    p.add_argument('--idle', type=int, default=500)
    p.add_argument('--only', nargs='+', default=PARTS, choices=PARTS)
    p.add_argument('--write', action='store_true')
    p.add_argument('--smoke', action='store_true')
    o = p.parse_args()
    if o.smoke:
        o.seconds, o.rounds, o.scale, o.clients, o.stream_mb, o.idle = 1, 1, 1, 4, 20, 30
    Bench(o).run()
    if o.smoke:
        print('1 passed, 0 failed')


main()
