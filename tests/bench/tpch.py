"""TPC-H's queries, lookups and joins through row filters, these ways side by side on one PostgreSQL in one run:

    proxy   through Gatehouse, whose policy has a row filter on seven of the eight tables
    sent    what Gatehouse sends, sent without it: what the rewriting alone costs the server
    views   hand-written views with the same filters, as a DBA would write them without Gatehouse (no security_barrier)
    bouncer those views through PgBouncer: another process is on the way as well; lookups and joins by key only
    RLS     PostgreSQL's row-level security with the same filters

    tpch.py [--scale 0.1] [--rounds 7] [--queries 17 20 ...] [--write] [--smoke]
    --write    puts the tables into docs/benchmarks.md
    --smoke    a tiny scale, once: shows that it works, that all answer alike, that no query needs a fence and that PostgreSQL
               plans what is sent as it plans the views; nothing about speed

They take turns within each round, after one that only warms, and each round begins with another; figures are medians. All must give the
same rows. "Server" is the processor time of the backend alone, which neither the way to it nor other processes are in: the least of rounds
of its own, in which PostgreSQL starts no parallel workers, so that the backend does all of the same plan.
"""
import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import pgbouncer
import tpch_data

WAYS = ('proxy', 'sent', 'views', 'RLS')
SERVER_RATIOS = (('sent', 'views'), ('sent', 'RLS'), ('proxy', 'sent'))
PLAN_KEYS = ('Node Type', 'Relation Name', 'Index Name', 'Join Type', 'Parallel Aware', 'Workers Planned', 'Plan Rows', 'Startup Cost', 'Total Cost')
LOOKUP_WAYS = ('proxy', 'sent', 'views', 'bouncer', 'RLS')
# What the user may see: most rows of each table, so that the queries still have something to find.
FILTERS = {
    'nation': "n_name <> 'KENYA'",
    'supplier': 's_acctbal > -500',
    'part': 'p_size <= 45',
    'partsupp': 'ps_availqty > 500',
    'customer': "c_mktsegment = ANY ('{AUTOMOBILE,BUILDING,FURNITURE,HOUSEHOLD}'::text[])",
    'orders': "o_orderpriority <> '5-LOW'",
    'lineitem': "l_shipmode = ANY ('{REG AIR,AIR,RAIL,SHIP,TRUCK,MAIL}'::text[])",
}
# Texts over a key.
LOOKUPS = {
    'lookup by key': 'select o_totalprice, o_orderdate from orders where o_orderkey = {}',
    'lookup by key and a condition that may fail': 'select o_totalprice, o_orderdate from orders where o_orderkey = {} and 1 / o_custkey >= 0',
    'join by key': 'select c_name, o_orderdate, l_linenumber, l_extendedprice * (1 - l_discount) from customer join orders on o_custkey = c_custkey '
                   'join lineitem on l_orderkey = o_orderkey where o_orderkey = {}',
    'join by key, computed condition': 'select c_name, o_orderdate, l_linenumber from customer join orders on o_custkey = c_custkey '
                                       'join lineitem on l_orderkey = o_orderkey where o_orderkey = {} and l_extendedprice * (1 - l_discount) > 1000',
    'newest of a customer': 'select o_orderkey, o_totalprice from orders where o_custkey = {} order by o_orderdate desc limit 5',
}
KEY = 424242  # stands for the key where only the text is asked for


def ratios(ways):
    return [(a, b) for b in ways if b not in ('proxy', 'sent') for a in (('proxy',) if b == 'bouncer' else ('proxy', 'sent'))]


def policy():
    grants = ''.join(f'  - to: [reader]\n    tables: [public.{t}]\n    rows: {json.dumps(f)}\n' for t, f in FILTERS.items())
    return ('version: 1\nroles: { reader: { description: the benchmark } }\nusers: { bench: { roles: [reader] } }\ngrants:\n'
            '  - to: [reader]\n    tables: [public.region]\n' + grants)


class Tpch:
    def __init__(self, options):
        self.options = options
        self.lines = []
        self.wrong = 0

    def say(self, text=''):
        self.lines.append(text)
        print(text, flush=True)

    def run(self):
        if not gt.BINARY.exists():
            sys.exit(f'tpch: there is no {gt.BINARY}; build it first')
        o = self.options
        with gt.Scratch('gatehouse-tpch-') as scratch:
            with gt.Postgres(scratch, extra='shared_buffers = 512MB\nwork_mem = 64MB\nmax_wal_size = 4GB\njit = off') as pg:
                self.load(pg)
                with gt.Gatehouse(scratch, pg, policy=policy(), users={'bench': 'bench-password'}, database='tpch') as proxy:
                    bouncer = pgbouncer.Pgbouncer(scratch, pg, 'tpch', {'viewer': 'viewer-password'}, 5)
                    connect = lambda port, user, database: gt.Wire(port, user, database, f'{user}-password', timeout=o.timeout + 60)
                    self.pg, self.proxy = pg, proxy
                    self.wires = {'proxy': connect(proxy.port, 'bench', 'wh'), 'sent': connect(pg.port, 'sent', 'tpch'),
                                  'views': connect(pg.port, 'viewer', 'tpch'), 'bouncer': connect(bouncer.port, 'viewer', 'tpch'),
                                  'RLS': connect(pg.port, 'rls', 'tpch')}
                    self.backends = {w: int(self.wires[w].one('SELECT pg_backend_pid()')[0][0]) for w in WAYS}
                    cpu = next((l.split(':', 1)[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.machine())
                    self.say(f'{os.cpu_count()} × {cpu}; PostgreSQL 15; scale {o.scale}, {o.rounds} rounds; everything on one machine. '
                             f'{time.strftime("%Y-%m-%d")}, load average {os.getloadavg()[0]:.1f}.')
                    self.queries()
                    if not o.queries:
                        self.lookups()
                    for wire in self.wires.values():
                        wire.close()
                    bouncer.stop()
        if o.write:
            self.write()

    def load(self, pg):
        for user in ('bench', 'sent', 'viewer', 'rls'):
            pg.role(user, f'{user}-password')
        pg.role('gatehouse', 'upstream-secret', 'BYPASSRLS')
        pg.sql(f"CREATE DATABASE tpch; ALTER ROLE sent BYPASSRLS; ALTER ROLE viewer SET search_path = filtered;"
               f"ALTER DATABASE tpch SET statement_timeout = '{self.options.timeout}s'; ALTER ROLE postgres SET statement_timeout = 0")
        pg.sql(tpch_data.SCHEMA, 'tpch')
        begin = time.monotonic()
        for name, rows in tpch_data.tables(self.options.scale):
            pg.sql(f'COPY {name} FROM STDIN;\n{"".join(rows)}\\.\n', 'tpch')
        views = ''.join(f'CREATE VIEW filtered.{t} AS SELECT * FROM public.{t}{" WHERE " + FILTERS[t] if t in FILTERS else ""};' for t in tpch_data.NAMES)
        rules = ''.join(f'ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON {t} FOR SELECT TO rls USING ({f});' for t, f in FILTERS.items())
        pg.sql(f'{tpch_data.INDEXES} CREATE SCHEMA filtered; {views} {rules}'
               'GRANT USAGE ON SCHEMA filtered TO viewer; GRANT SELECT ON ALL TABLES IN SCHEMA filtered TO viewer;'
               'GRANT SELECT ON ALL TABLES IN SCHEMA public TO gatehouse, sent, rls; VACUUM ANALYZE', 'tpch')
        print(f'loaded in {time.monotonic() - begin:.0f} s', flush=True)

    def sent(self, sql):
        done = self.proxy.cli('explain', '--config', self.proxy.config, '--user', 'bench', '--json', sql)
        return json.loads(done.stdout)['sql']

    def server_seconds(self, way):
        """Processor time of the way's backend so far."""
        return int(Path(f'/proc/{self.backends[way]}/schedstat').read_text().split()[0]) / 1e9

    def shape(self, way, sql):
        """What PostgreSQL would do, with its estimates, without the names that the text gives."""
        def of(node):
            return [node.get(k) for k in PLAN_KEYS], [of(n) for n in node.get('Plans', ())]
        return of(json.loads(self.wires[way].one('EXPLAIN (FORMAT JSON) ' + sql)[0][0])[0]['Plan'])

    def parallel_workers(self, count):
        self.pg.sql(f'ALTER SYSTEM SET max_parallel_workers = {count}')
        self.pg.sql('SELECT pg_reload_conf()')
        time.sleep(0.2)

    # -- one statement

    def answer(self, way, sql):
        """(seconds, rows sorted; or None where it took too long)"""
        wire = self.wires[way]
        begin = time.perf_counter()
        wire.send(gt.query_message(sql))
        rows, error = [], None
        while True:
            kind, body = wire.receive()
            if kind == 'D':
                rows.append(body)
            elif kind == 'E':
                error = gt.error_fields(body)
            elif kind == 'Z':
                break
        took = time.perf_counter() - begin
        wire.log.clear()
        if error and error['C'] != '57014':
            raise SystemExit(f'tpch: {way}: {error}\n{sql}')
        return took, None if error else sorted(rows)

    def measured(self, name, texts):
        """Median seconds by way, rows; texts: by way, a list of statements that count as one."""
        times, rows, too_slow = {w: [] for w in texts}, {}, set()
        ways = list(texts)
        begin = time.monotonic()
        for i in range(self.options.rounds + 1):
            for way in ways[i % len(ways):] + ways[:i % len(ways)]:
                if way in too_slow:
                    continue
                answers = [self.answer(way, sql) for sql in texts[way]]
                rows[way] = [a[1] for a in answers]
                if None in rows[way]:
                    too_slow.add(way)
                if i > 0 or self.options.rounds == 0:
                    times[way].append(sum(a[0] for a in answers))
            if time.monotonic() - begin > self.options.seconds and i >= min(3, self.options.rounds):
                break
        known = [rows[w] for w in texts if w not in too_slow]
        if any(r != known[0] for r in known):
            print(f'not ok {name}: not all answer alike: { {w: sum(map(len, rows[w])) for w in texts if w not in too_slow} }')
            self.wrong += 1
        medians = {w: statistics.median(times[w]) if w not in too_slow else None for w in texts}
        return medians, self.server({w: texts[w] for w in self.backends if w not in too_slow}), sum(map(len, known[0])) if known else 0

    def server(self, texts):
        """Least seconds of each way's backend, which works alone."""
        least = dict.fromkeys(texts, float('inf'))
        if self.options.rounds == 0:
            return {}
        begin = time.monotonic()
        self.parallel_workers(0)
        for i in range(self.options.rounds):
            for way in texts:
                before = self.server_seconds(way)
                for sql in texts[way]:
                    self.answer(way, sql)
                least[way] = min(least[way], self.server_seconds(way) - before)
            if time.monotonic() - begin > self.options.seconds and i >= 2:
                break
        self.parallel_workers(8)
        return least

    def row(self, name, seconds, server, count, unit, form):
        value = lambda w: form.format(seconds[w] * unit) if seconds[w] is not None else f'> {self.options.timeout} s'
        ratio = lambda a, b: f'{seconds[a] / seconds[b]:.2f}' if None not in (seconds[a], seconds[b]) else 'slow' if seconds[a] is None else 'fast'
        of_server = [f'{server[a] / server[b]:.2f}' if a in server and b in server else '' for a, b in SERVER_RATIOS]
        self.say(f'| {name} | {count:,} | {" | ".join([*map(value, seconds), *(ratio(*pair) for pair in ratios(seconds)), *of_server])} |')

    def head(self, what, ways, unit):
        cells = [*(f'{w} {unit}' for w in ways), *(f'{a} / {b}' for a, b in ratios(ways)), *(f'server: {a} / {b}' for a, b in SERVER_RATIOS)]
        self.say(f'\n| {what} | rows | {" | ".join(cells)} |')
        self.say('| --- |' + ' ---: |' * (1 + len(cells)))

    def queries(self):
        total = dict.fromkeys(WAYS, 0.0)
        self.head('TPC-H', WAYS, 'ms')
        for number, sql in tpch_data.queries().items():
            if self.options.queries and number not in self.options.queries:
                continue
            sent = self.sent(sql)
            if 'OFFSET 0' in sent:
                print(f'not ok Q{number}: there is a fence around what it reads')
                self.wrong += 1
            if self.shape('sent', sent) != self.shape('views', sql):
                print(f'not ok Q{number}: what is sent is planned otherwise than the views are')
                self.wrong += 1
            seconds, server, count = self.measured(f'Q{number}', {w: [sent if w == 'sent' else sql] for w in WAYS})
            self.row(f'Q{number}', seconds, server, count, 1e3, '{:.1f}')
            for w in WAYS:
                total[w] = None if None in (total[w], seconds[w]) else total[w] + seconds[w]
        if not self.options.queries:
            self.row('all', total, {}, 0, 1e3, '{:,.0f}')

    def lookups(self):
        n = tpch_data.sizes(self.options.scale)
        keys = {'o_custkey = {}': [1 + i * 7919 % n['customer'] for i in range(self.options.keys)],
                '': [(i * 7919 % (n['orders'] // 8)) * 32 + i % 8 + 1 for i in range(self.options.keys)]}
        self.head(f'{self.options.keys} statements, each', LOOKUP_WAYS, 'µs')
        for name, text in LOOKUPS.items():
            of = next(v for k, v in keys.items() if k in text)
            sent = self.sent(text.format(KEY))
            texts = {w: [(sent.replace(str(KEY), str(k)) if w == 'sent' else text.format(k)) for k in of] for w in LOOKUP_WAYS}
            seconds, server, count = self.measured(name, texts)
            self.row(name, seconds, server, count, 1e6 / len(of), '{:.0f}')

    def write(self):
        path = gt.ROOT / 'docs' / 'benchmarks.md'
        begin, end = '<!-- tpch: begin -->\n', '<!-- tpch: end -->'
        head, rest = path.read_text().split(begin)
        path.write_text(head + begin + '\n' + '\n'.join(self.lines).strip() + '\n\n' + end + rest.split(end)[1])
        print(f'tpch: written to {path}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--scale', type=float, default=0.1)
    p.add_argument('--rounds', type=int, default=7)
    p.add_argument('--seconds', type=float, default=20, help='for a query, after which no further round begins (but three)')
    p.add_argument('--timeout', type=int, default=60, help='for a statement, in seconds')
    p.add_argument('--keys', type=int, default=300, help='statements of a lookup')
    p.add_argument('--queries', type=int, nargs='+')
    p.add_argument('--write', action='store_true')
    p.add_argument('--smoke', action='store_true')
    o = p.parse_args()
    if o.smoke:
        o.scale, o.rounds, o.keys = 0.001, 0, 5
    t = Tpch(o)
    t.run()
    if o.smoke:
        print(f'{len(tpch_data.QUERIES) + len(LOOKUPS) - t.wrong} passed, {t.wrong} failed')
    sys.exit(t.wrong > 0)


main()
