"""Valid sessions with bytes changed, lost, repeated or cut off, on either side of the proxy: it must not die, must show nothing
hidden, and must go on serving others.

    client ──changed──▶ proxy ──────────▶ PostgreSQL
    client ──────────▶ proxy ◀──changed── relay ◀── PostgreSQL        a server that lies
    HTTP, control ──changed──▶ proxy

    mutations.py [SEED [SESSIONS]]
"""
import os
import random
import re
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import attack_world as world
import gatehouse_test as gt
from lying_relay import Relay

LONG = os.environ.get('GH_LONG') == '1'
BIG = "SELECT repeat('x', 300000), g FROM generate_series(1, 30) g"
COPY_ROWS = gt.message('d', b'901\tEU\t5\n') + gt.message('d', b'902\tEU\t6\n')
# What valid clients send after they logged in; each entry is a list of whole messages.
SESSIONS = [
    [gt.query_message('SELECT id, region, card FROM shop.orders ORDER BY id')],
    [gt.query_message('SELECT 1; SELECT 2; SELECT salary FROM staff.people; SELECT nothing'), gt.query_message('SELECT 3')],
    [gt.parse_message('SELECT id, card FROM shop.orders WHERE id > $1 ORDER BY id', 's', (23,)), gt.describe_message('S', 's'), gt.bind_message(['2'], 'p', 's'),
     gt.describe_message('P', 'p'), gt.execute_message('p', 2), gt.FLUSH, gt.execute_message('p', 0), gt.SYNC, gt.close_message('P', 'p'), gt.close_message('S', 's'), gt.SYNC],
    [gt.parse_message('SELECT $1::int4, $2::text', '', (23, 25)), gt.bind_message([struct.pack('!i', 7), 'x'], '', '', (1, 0), (1,)), gt.execute_message(), gt.SYNC] * 3,
    [gt.query_message('BEGIN'), gt.query_message('DECLARE c CURSOR FOR SELECT * FROM shop.orders'), gt.query_message('FETCH 2 FROM c'), gt.query_message('ROLLBACK')],
    [gt.query_message('COPY shop.orders (id, card) TO STDOUT'), gt.query_message('SELECT 1')],
    [gt.query_message('BEGIN'), gt.query_message('COPY shop.orders (id, region, amount) FROM STDIN'), COPY_ROWS, gt.COPY_DONE, gt.query_message('ROLLBACK')],
    [gt.query_message('BEGIN'), gt.parse_message('COPY shop.orders (id, region, amount) FROM STDIN'), gt.bind_message(), gt.execute_message(), COPY_ROWS, gt.message('f', b'no\0'), gt.SYNC],
    [gt.query_message("PREPARE q (int) AS SELECT id FROM shop.orders WHERE id = $1"), gt.query_message('EXECUTE q (3)'), gt.bind_message(['6'], '', 'q'), gt.execute_message(), gt.SYNC],
    [gt.query_message("SET search_path = shop; SET client_encoding = 'LATIN1'; SHOW search_path"), gt.query_message('SELECT count(*) FROM orders')],
    [gt.query_message('SELECT note FROM shop.orders'), gt.query_message('SELECT 1 / (amount - 30) FROM shop.orders'), gt.query_message('SELECT 1')],
    [gt.message('F', struct.pack('!IHHH', 44, 0, 0, 0)), gt.query_message('SELECT 1')],
    [gt.query_message(BIG), gt.query_message('SELECT 1')],
    [gt.query_message('BEGIN; UPDATE shop.orders SET amount = 1 WHERE id = 3; ROLLBACK'), gt.query_message('LISTEN x')],
    [gt.TERMINATE],
]
USERS = ('mallory', 'wanda', 'tina')


def changed(rng, data, count=4):
    """The bytes with up to `count` faults in them; lengths are hit more often than chance would."""
    out = bytearray(data)
    for _ in range(rng.randint(1, count)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(9)
        if not out:
            break
        if kind < 3:
            out[at % len(out)] = rng.choice((0, 1, 4, 0x7f, 0x80, 0xff, rng.randrange(256)))
        elif kind == 3:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif kind == 4:
            del out[at:at + rng.choice((1, 2, 4, 5, 100))]
        elif kind == 5:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 5, 40))))
        elif kind == 6:
            end = at + rng.choice((1, 5, 9, 60))
            out[at:at] = out[at:end]
        elif kind == 7:
            value = rng.choice((0, 3, 4, 5, 8, 65535, 65536, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1))
            out[at:at + 4] = struct.pack('!I', value)
        else:
            del out[at:]
    return bytes(out)


def drained(c, seconds=0.05):
    """All that comes within a moment of silence."""
    c.socket.settimeout(seconds * gt.SLOW)
    got = b''
    try:
        while len(got) < 1 << 26:
            data = c.socket.recv(1 << 16)
            if not data:
                break
            got += data
    except OSError:
        pass
    return got


class Run:
    def __init__(self, rng, pg, proxy, relay):
        self.rng, self.pg, self.proxy, self.relay = rng, pg, proxy, relay
        self.failed, self.count, self.broken = [], 0, 0

    def check(self, what, got, is_lying=False):
        """A lying server may say what it likes; what it knows only the true one may tell."""
        self.count += 1
        if not self.proxy.alive():
            raise gt.TestError(f'{what}: the proxy died\n{self.proxy.log()[-6000:]}')
        leaks = re.findall(world.CANARY, got)
        if leaks and not is_lying:
            self.failed.append(f'{what}: {leaks[:3]} came back')

    def serves(self):
        """A healthy session of another user gets its right answer."""
        with self.proxy.wire('olga') as c:
            assert c.one('SELECT count(*) FROM shop.regions') == [['2']]

    def client(self, number):
        rng, session = self.rng, self.rng.choice(SESSIONS)
        c = self.proxy.wire(rng.choice(USERS))
        try:
            data = b''.join(session)
            bad = changed(rng, data) if rng.random() < 0.8 else b''.join(rng.sample(session, len(session)))
            if rng.random() < 0.3:
                bad = data + bad
            for part in (bad[:len(bad) // 2], bad[len(bad) // 2:]) if rng.random() < 0.3 else (bad,):
                c.send(part)
            got = drained(c) if rng.random() < 0.9 else b''
        except OSError:
            got = b''
        finally:
            c.socket.close()
        self.check(f'client {number}', got)

    def startup(self, number):
        """Before anybody logged in: startup packets and SASL messages."""
        rng = self.rng
        first = gt.startup_message({'user': 'mallory', 'database': 'wha', 'client_encoding': 'UTF8', 'options': '-c search_path=shop'})
        sasl = gt.message('p', gt.cstring('SCRAM-SHA-256') + struct.pack('!I', 20) + b'n,,n=,r=abcdefghijkl')
        data = rng.choice([first, first + sasl, gt.SSL_REQUEST, gt.GSS_REQUEST + first, struct.pack('!IIII', 16, 80877102, 1, 2), gt.SSL_REQUEST + b'\x16\x03\x01\x02\x00\x01' + bytes(60)])
        with socket.create_connection(('127.0.0.1', self.proxy.port), 10) as s:
            c = gt.Wire.__new__(gt.Wire)
            c.socket = s
            try:
                s.sendall(changed(rng, data))
                s.shutdown(socket.SHUT_WR)
                got = drained(c, 0.02)
            except OSError:
                got = b''
        self.check(f'startup {number}', got)

    def beside(self, number):
        """The admin address and the control socket."""
        rng = self.rng
        where, data = rng.choice([(('127.0.0.1', self.proxy.admin_port), b'GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n'),
                                  (('127.0.0.1', self.proxy.admin_port), b'HEAD /healthz HTTP/1.0\r\n\r\n'),
                                  (str(self.proxy.dir / 'gatehouse.sock'), b'status\n'), (str(self.proxy.dir / 'gatehouse.sock'), b'sessions\n'),
                                  (str(self.proxy.dir / 'gatehouse.sock'), b'kill\t123\tme\n'), (str(self.proxy.dir / 'gatehouse.sock'), b'reload\tme\n')])
        c = gt.Wire.__new__(gt.Wire)
        with socket.socket(socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX) as c.socket:
            try:
                c.socket.connect(where)
                c.socket.sendall(changed(rng, data))
                got = drained(c, 0.02)
            except OSError:
                got = b''
        self.check(f'beside {number}', got)

    def server(self, number):
        rng, session = self.rng, self.rng.choice(SESSIONS)
        budget = [rng.randint(1, 3)]
        begin = rng.choice((0, 0, 1, 2, 5))
        seed = rng.random()
        own = random.Random(seed)
        seen = [0]

        def lie(data):
            seen[0] += 1
            if seen[0] <= begin or budget[0] == 0 or own.random() < 0.3:
                return data
            budget[0] -= 1
            return changed(own, data, 3)
        try:
            early = rng.random() < 0.15
            if early:
                self.relay.lie = lie
            c = self.proxy.wire(rng.choice(USERS), database='lie', timeout=5)
        except (gt.ServerError, gt.Closed, OSError):
            self.relay.lie = None
            self.check(f'server {number}', b'')
            return
        try:
            c.send(gt.query_message('SELECT 1'))
            self.relay.lie = lie
            c.send(*session)
            got = drained(c)
        except OSError:
            got = b''
        finally:
            self.relay.lie = None
            c.socket.close()
        self.check(f'server {number}', got, True)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 5
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 8000 if LONG else 120
    print(f'seed {seed}, {size} sessions')
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        pg.sql('CREATE DATABASE wha')
        pg.sql(world.SCHEMA, 'wha')
        pg.sql(world.DATA.format(**world.WORLDS['wha']), 'wha')
        relay = Relay(pg.port)
        conninfo = pg.conninfo('wha', 'gatehouse', tls=False)
        lying = conninfo.replace(f'port={pg.port}', f'port={relay.address}')
        pool = 'pool: { mode: session, size: 20, idle: 5 }'
        warehouses = ''.join(f'{name}:\n  conninfo: "{info}"\n  password_file: wh.pass\n  {pool}\n' for name, info in (('wha', conninfo), ('lie', lying)))
        admin_port = gt.free_port()
        with gt.Gatehouse(scratch, pg, policy=world.POLICY, users=world.USERS, warehouse='wha', warehouses=warehouses,
                          extra=f'admin: {{ address: "127.0.0.1:{admin_port}" }}\n') as proxy:
            proxy.admin_port = admin_port
            run = Run(random.Random(seed), pg, proxy, relay)
            for i in range(size):
                (run.client, run.startup, run.server, run.beside)[i % 4](i)
                if i % 50 == 49:
                    run.serves()
            run.serves()
            relay.close()
            gt.check_chain(proxy.audit_dir)
    for line in run.failed[:20]:
        print(f'not ok {line}')
    print(f'{run.count - len(run.failed)} passed, {len(run.failed)} failed')
    sys.exit(bool(run.failed))


if __name__ == '__main__':
    main()
