"""What Gatehouse's tests stand on; Python's standard library only.

    with Scratch() as scratch:                            # a folder, removed at the end
        certs = Certificates(scratch.path('tls'))         # a CA and what it signs
        with Postgres(scratch, certs) as pg:              # a throwaway PostgreSQL 15: TLS, SCRAM
            pg.sql('CREATE DATABASE wh')
            with Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'pw'}) as proxy:
                proxy.psql('alice', 'SELECT 1')           # the real psql
                with proxy.wire('alice') as c:            # raw protocol
                    c.query('SELECT 1')

Test programs hold unittest cases and end with `main()`, which prints a line a test and
`N passed, N failed` last. Everything listens on loopback, on ports that are free at that moment;
PostgreSQL runs as user postgres where the tests run as root. Every process is stopped by its own pid.
"""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import pwd
import select
import shlex
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get('GATEHOUSE', ROOT / 'build' / 'gatehouse'))
PG_BIN = pathlib.Path(os.environ.get('GH_PG_BIN', '/usr/lib/postgresql/15/bin'))
IS_ROOT = os.geteuid() == 0
# A sanitizer build is several times slower and larger: timeouts stretch, bounds on memory do not apply.
IS_SANITIZED = os.environ.get('GH_SANITIZED') == '1'
SLOW = 4 if IS_SANITIZED else 1


class TestError(Exception):
    """The test's own set-up failed: a fault of the machine or of the test."""


def run(*argv, check=True, stdin='', timeout=60, env=None, cwd=None):
    """Runs a program to its end; returns CompletedProcess with text stdout and stderr."""
    done = subprocess.run([str(a) for a in argv], input=stdin, text=True, capture_output=True,
                          timeout=timeout * SLOW, env=env, cwd=cwd)
    if check and done.returncode != 0:
        raise TestError(f'{shlex.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}')
    return done


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=10, what='condition', step=0.02):
    """Polls until condition() is true; returns its value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'{what}: not within {seconds * SLOW} s')
        time.sleep(step)


def can_connect(port, host='127.0.0.1'):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def rss_kb(pid, peak=False):
    """Resident memory of a process in KiB, now or at its highest."""
    key = 'VmHWM:' if peak else 'VmRSS:'
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise TestError(f'no {key} of {pid}')


def cpu_seconds(pid):
    """User and system time of a process and all its threads."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Scratch:
    """A folder that other users may traverse and that is gone afterwards."""

    def __init__(self, prefix='gatehouse-test-'):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.dir.chmod(0o755)

    def path(self, name):
        return self.dir / name

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------


class Certificates:
    """A test CA, made with the openssl program, and certificates that it signs."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.ca = self.dir / 'ca.crt'
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
            '-days', '30', '-subj', '/CN=Gatehouse test CA', '-addext', 'basicConstraints=critical,CA:TRUE',
            '-keyout', self.dir / 'ca.key', '-out', self.ca)
        self.issue('server', 'localhost', 'DNS:localhost,IP:127.0.0.1')

    def issue(self, name, common_name, alt_names=None):
        """Writes NAME.crt and NAME.key; returns both paths."""
        crt, key, csr, ext = (self.dir / f'{name}.{e}' for e in ('crt', 'key', 'csr', 'ext'))
        run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
            '-subj', f'/CN={common_name}', '-keyout', key, '-out', csr)
        ext.write_text(f'subjectAltName={alt_names}\n' if alt_names else 'basicConstraints=CA:FALSE\n')
        run('openssl', 'x509', '-req', '-in', csr, '-CA', self.ca, '-CAkey', self.dir / 'ca.key',
            '-CAcreateserial', '-days', '30', '-extfile', ext, '-out', crt)
        key.chmod(0o600)
        return crt, key

    @property
    def server(self):
        return self.dir / 'server.crt', self.dir / 'server.key'


class Postgres:
    """A throwaway cluster: superuser `postgres` by its Unix socket, everyone else by TCP with SCRAM."""

    def __init__(self, scratch, certs=None, bin_dir=PG_BIN, max_connections=200, extra='', name='pg'):
        self.bin = pathlib.Path(bin_dir)
        self.psql = self.bin / 'psql' if (self.bin / 'psql').exists() else PG_BIN / 'psql'
        self.dir = scratch.path(name)
        self.data = self.dir / 'data'
        self.log = self.dir / 'log'
        self.port = free_port()
        self.certs = certs
        self.settings = (f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                         f"unix_socket_directories = '{self.dir}'\nunix_socket_permissions = 0700\n"
                         f"fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
                         f"max_connections = {max_connections}\npassword_encryption = 'scram-sha-256'\n"
                         f"logging_collector = off\nautovacuum = off\nshared_buffers = 64MB\n{extra}\n")
        self.running = False

    def _as_postgres(self, *argv, check=True):
        if IS_ROOT:
            argv = ('su', 'postgres', '-s', '/bin/sh', '-c', shlex.join(map(str, argv)))
        # pg_ctl's child keeps the descriptors it is given, so that a pipe would never end.
        with tempfile.TemporaryFile('w+') as out:
            done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  timeout=120, cwd=self.dir)
            out.seek(0)
            text = out.read()
        if check and done.returncode != 0:
            log = self.log.read_text() if self.log.exists() else ''
            raise TestError(f'{shlex.join(map(str, argv))}: exit {done.returncode}\n{text}{log[-2000:]}')
        return done

    def __enter__(self):
        self.dir.mkdir()
        if IS_ROOT:
            shutil.chown(self.dir, 'postgres', 'postgres')
        self._as_postgres(self.bin / 'initdb', '-D', self.data, '-U', 'postgres', '-A', 'trust', '-N',
                          '--locale=C.UTF-8', '-E', 'UTF8')
        with open(self.data / 'postgresql.conf', 'a') as f:
            f.write(self.settings)
            if self.certs:
                f.write("ssl = on\nssl_ca_file = 'ca.crt'\n")
        if self.certs:
            for source, name in zip((*self.certs.server, self.certs.ca), ('server.crt', 'server.key', 'ca.crt')):
                shutil.copy(source, self.data / name)
                (self.data / name).chmod(0o600)
                if IS_ROOT:
                    shutil.chown(self.data / name, 'postgres', 'postgres')
        self.hba('local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n')
        self.start()
        return self

    def __exit__(self, *exc):
        if self.running:
            self.stop('immediate')

    def hba(self, text):
        """Replaces pg_hba.conf; takes effect with start() or reload()."""
        path = self.data / 'pg_hba.conf'
        path.write_text(text)
        if IS_ROOT:
            shutil.chown(path, 'postgres', 'postgres')

    def start(self):
        self._as_postgres(self.bin / 'pg_ctl', '-D', self.data, '-l', self.log, '-w', '-t', '60', 'start')
        self.running = True

    def stop(self, mode='fast'):
        self._as_postgres(self.bin / 'pg_ctl', '-D', self.data, '-m', mode, '-w', 'stop', check=False)
        self.running = False

    def reload(self):
        self._as_postgres(self.bin / 'pg_ctl', '-D', self.data, 'reload')

    def sql(self, text, database='postgres'):
        """Runs SQL as the superuser; returns the output of psql -At."""
        return run(self.psql, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', self.dir, '-p', self.port,
                   '-U', 'postgres', '-d', database, stdin=text,
                   env=dict(os.environ, PGOPTIONS='-c client_min_messages=error')).stdout

    def role(self, name, password, options=''):
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' {options}")

    def conninfo(self, database, user, tls=None):
        """What a warehouse's `conninfo` says of this cluster, without the password."""
        tls = bool(self.certs) if tls is None else tls
        mode = f'sslmode=verify-full sslrootcert={self.certs.ca}' if tls else 'sslmode=disable'
        return f'host=127.0.0.1 port={self.port} dbname={database} user={user} {mode}'


# ---------------------------------------------------------------------------------------------------


class Gatehouse:
    """The proxy under test: its config, ACL and audit folder in a folder of their own."""

    def __init__(self, scratch, postgres, certs=None, policy='version: 1\n', users=None, warehouse='wh',
                 database=None, upstream_user='gatehouse', upstream_password='upstream-secret', tls='require',
                 workers=2, limits=None, extra='', audit_dir=None, name='proxy', pool='mode: session, size: 50, idle: 5',
                 warehouses=None, expect_exit=0, wrapper=(), durability='write', env=None, client_tls=''):
        self.dir = scratch.path(name)
        self.pg = postgres
        self.certs = certs
        self.policy = policy
        self.users = users or {}
        self.warehouse = warehouse
        self.database = database or warehouse
        self.upstream = (upstream_user, upstream_password)
        self.tls = tls if certs else 'disable'
        self.workers = workers
        self.limits = limits
        self.extra = extra
        self.audit_dir = pathlib.Path(audit_dir) if audit_dir else self.dir / 'audit'
        self.pool = pool
        self.warehouses = warehouses
        self.expect_exit = expect_exit
        self.wrapper = list(wrapper)
        self.durability = durability
        self.env = env
        self.client_tls = client_tls  # more keys of `tls:`, as YAML
        self.port = free_port()
        self.config = self.dir / 'gatehouse.yaml'
        self.acl = self.dir / 'acl.db'
        self.log_path = self.dir / 'log'
        self.process = None

    # -- set-up

    def write_config(self):
        lines = ['listen:', f'  - address: 127.0.0.1:{self.port}']
        if self.certs and self.tls != 'disable':
            crt, key = self.certs.server
            more = f', {self.client_tls}' if self.client_tls else ''
            lines.append(f'tls: {{ mode: {self.tls}, cert: {crt}, key: {key}{more} }}')
        else:
            lines.append('tls: { mode: disable }')
        lines += ['acl: acl.db', f'audit: {{ dir: {self.audit_dir}, durability: {self.durability}, statements: full }}',
                  'warehouses:']
        if self.warehouses:
            lines += ['  ' + l for l in self.warehouses.strip().splitlines()]
        else:
            lines += [f'  {self.warehouse}:',
                      f'    conninfo: "{self.pg.conninfo(self.database, self.upstream[0])}"',
                      '    password_file: wh.pass', f'    pool: {{ {self.pool} }}']
        lines += [f'workers: {self.workers}', 'control: gatehouse.sock']
        if self.limits:
            lines.append(f'limits: {{ {self.limits} }}')
        self.config.write_text('\n'.join(lines) + '\n' + self.extra)

    def prepare(self):
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o700)
        password = self.dir / 'wh.pass'
        password.write_text(self.upstream[1] + '\n')
        password.chmod(0o600)
        self.write_config()
        self.apply(self.policy)
        for user, word in self.users.items():
            self.cli('user', 'password', '--acl', self.acl, user, stdin=word + '\n')

    def apply(self, policy):
        """Makes `policy` (YAML text, or a path) the policy; works while the proxy runs."""
        if isinstance(policy, str):
            path = self.dir / 'policy.yaml'
            path.write_text(policy)
        else:
            path = policy
        return self.cli('policy', 'apply', '--acl', self.acl, path)

    def obey(self, policy):
        """Makes it the policy, and waits until every worker has it."""
        self.apply(policy)
        self.settle()

    def settle(self):
        """Waits until every worker has the ACL as it is: each answers `status` behind what it was told before."""
        with contextlib.closing(sqlite3.connect(self.acl)) as db:
            version = int(db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])
        socket_path = self.dir / 'gatehouse.sock'
        has_it = lambda: json.loads(self.cli('status', '--json', '--control', socket_path).stdout)['policy']['version'] == version
        wait_for(lambda: has_it() and has_it(), 10, 'the policy is obeyed')  # the first may have been asked before

    def cli(self, *argv, check=True, stdin='', timeout=60):
        return run(BINARY, *argv, check=check, stdin=stdin, timeout=timeout, env=self._environment())

    def _environment(self):
        env = dict(os.environ)
        env.update(self.env or {})
        return env

    # -- life

    def __enter__(self):
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise
            print(self.log()[-4000:], file=sys.stderr)

    def start(self, wait=True):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen([*self.wrapper, str(BINARY), 'serve', '--config', str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self._environment())
        if wait:
            wait_for(lambda: self.process.poll() is not None or can_connect(self.port), 20, 'proxy listens')
            if self.process.poll() is not None:
                raise TestError(f'the proxy ended with {self.process.returncode}:\n{self.log()[-4000:]}')

    def stop(self, seconds=15):
        """SIGTERM; the proxy must drain and end with its expected code."""
        if self.process is None:
            return
        process, self.process = self.process, None
        early = process.poll()
        if early is not None:
            raise AssertionError(f'the proxy had ended with {early} before it was stopped:\n{self.log()[-4000:]}')
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f'the proxy did not stop within {seconds * SLOW} s of SIGTERM:\n{self.log()[-4000:]}')
        if code != self.expect_exit:
            raise AssertionError(f'the proxy ended with {code}:\n{self.log()[-6000:]}')

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors='replace') if self.log_path.exists() else ''

    # -- clients

    def environment(self, user, database=None, password=None, sslmode=None):
        """PG* variables for a libpq client."""
        env = {k: v for k, v in os.environ.items() if not k.startswith('PG')}
        mode = sslmode or ('verify-full' if self.tls != 'disable' else 'disable')
        env.update(PGHOST='localhost' if mode == 'verify-full' else '127.0.0.1', PGPORT=str(self.port), PGUSER=user,
                   PGDATABASE=database or self.warehouse, PGSSLMODE=mode, PGCONNECT_TIMEOUT='20', LC_ALL='C.UTF-8',
                   PGPASSWORD=self.users.get(user, '') if password is None else password,
                   PGGSSENCMODE='disable')
        if self.certs:
            env['PGSSLROOTCERT'] = str(self.certs.ca)
        return env

    def psql(self, user, sql=None, *args, check=True, database=None, password=None, sslmode=None, timeout=60,
             program=PG_BIN / 'psql'):
        """Runs psql -XAt (a `|` between columns, `\\N` for NULL); the statement comes on stdin."""
        env = self.environment(user, database, password, sslmode)
        return run(program, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-P', r'null=\N', *args, check=check,
                   stdin=sql or '', env=env, timeout=timeout)

    def dsn(self, user, **more):
        """keyword=value string for libpq drivers."""
        env = self.environment(user)
        words = dict(host=env['PGHOST'], port=env['PGPORT'], dbname=env['PGDATABASE'], user=user,
                     password=env['PGPASSWORD'], sslmode=env['PGSSLMODE'])
        if self.certs:
            words['sslrootcert'] = env['PGSSLROOTCERT']
        words.update(more)
        return ' '.join(f"{k}='{v}'" for k, v in words.items())

    def wire(self, user, password=None, **more):
        more.setdefault('tls', 'disable' if self.tls == 'disable' else 'sslrequest')
        return Wire(self.port, user, more.pop('database', self.warehouse),
                    self.users.get(user, '') if password is None else password, **more)

    # -- audit

    def audit(self):
        """All audit records, oldest first."""
        return read_audit(self.audit_dir)


def read_audit(folder):
    """Every record of every segment in order; a line that is no JSON object is an error of the test's subject."""
    records = []
    for segment in sorted(pathlib.Path(folder).glob('audit-*.jsonl')):
        for line in segment.read_text().splitlines():
            record = json.loads(line)
            assert isinstance(record, dict), line
            records.append(record)
    return records


def check_chain(folder):
    """Recomputes the hash chain with nothing of the product's code; returns the number of records."""
    count, previous = 0, '0' * 64
    for segment in sorted(pathlib.Path(folder).glob('audit-*.jsonl')):
        for line in segment.read_bytes().splitlines():
            record = json.loads(line)
            count += 1
            assert record['seq'] == count, f'record {count} says seq {record["seq"]}'
            assert record['prev'] == previous, f'record {count} does not follow its predecessor'
            previous = hashlib.sha256(line[:line.rindex(b',"hash":')]).hexdigest()
            assert record['hash'] == previous, f'record {count} was altered'
    return count


def module_fixture(extra='', max_connections=200):
    """For setUpModule: (scratch, certificates, PostgreSQL), all gone after the module's last test."""
    scratch = unittest.enterModuleContext(Scratch())
    certs = Certificates(scratch.path('tls'))
    return scratch, certs, unittest.enterModuleContext(Postgres(scratch, certs, extra=extra,
                                                                max_connections=max_connections))


# ---------------------------------------------------------------------------------------------------


class ServerError(Exception):
    """An ErrorResponse; `fields` maps the protocol's letters to text."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.sqlstate = fields.get('C')


class Closed(Exception):
    """The other side closed the connection."""


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode()) + b'\0'


def message(kind, body=b''):
    return kind.encode() + struct.pack('!I', len(body) + 4) + body


def query_message(sql):
    return message('Q', cstring(sql))


def parse_message(sql, name='', types=()):
    return message('P', cstring(name) + cstring(sql) + struct.pack(f'!H{len(types)}I', len(types), *types))


def bind_message(parameters=(), portal='', statement='', formats=(), result_formats=()):
    body = cstring(portal) + cstring(statement) + struct.pack(f'!H{len(formats)}H', len(formats), *formats)
    body += struct.pack('!H', len(parameters))
    for value in parameters:
        if value is None:
            body += struct.pack('!i', -1)
        else:
            data = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack('!i', len(data)) + data
    return message('B', body + struct.pack(f'!H{len(result_formats)}H', len(result_formats), *result_formats))


def describe_message(kind, name=''):
    return message('D', kind.encode() + cstring(name))


def execute_message(portal='', rows=0):
    return message('E', cstring(portal) + struct.pack('!i', rows))


def close_message(kind, name=''):
    return message('C', kind.encode() + cstring(name))


SYNC, FLUSH, TERMINATE, COPY_DONE = message('S'), message('H'), message('X'), message('c')
SSL_REQUEST = struct.pack('!II', 8, 80877103)
GSS_REQUEST = struct.pack('!II', 8, 80877104)


def unverified_context():
    """TLS that takes any certificate; without loading the system's CAs, which takes longer than a login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def startup_message(parameters, version=196608):
    body = struct.pack('!I', version)
    for key, value in parameters.items():
        body += cstring(key) + cstring(value)
    return struct.pack('!I', len(body) + 5) + body + b'\0'


def error_fields(body):
    return {chr(p[0]): p[1:].decode('utf-8', 'replace') for p in body.split(b'\0') if p}


class Result:
    """What one statement answered. Values are text, or bytes where the column's format is binary."""

    def __init__(self):
        self.columns = None  # [(name, table oid, attribute number, type oid, format)]
        self.rows = []
        self.tag = None
        self.error = None    # fields
        self.copied = b''

    @property
    def sqlstate(self):
        return self.error['C'] if self.error else None

    @property
    def names(self):
        return [c[0] for c in self.columns or []]


class Wire:
    """A client of the raw protocol. tls: disable | sslrequest | direct (with ALPN)."""

    def __init__(self, port, user, database, password='', tls='disable', parameters=None, startup=True, timeout=20,
                 host='127.0.0.1', version=196608, certificate=None, source=None):
        self.user, self.password = user, password
        self.socket = socket.create_connection((host, port), timeout * SLOW, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = bytearray()  # grows and shrinks in place, whatever the size of a message
        self.log = []             # every (type, body) received, in order
        self.parameters = {}      # ParameterStatus
        self.key = None           # BackendKeyData
        self.status = None        # of the last ReadyForQuery
        self.notices = []
        if tls != 'disable':
            self.start_tls(direct=tls == 'direct', certificate=certificate)
        if startup:
            words = {'user': user, 'database': database, 'client_encoding': 'UTF8', 'application_name': 'wire'}
            words.update(parameters or {})
            self.send(startup_message({k: v for k, v in words.items() if v is not None}, version))
            self.authenticate()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def start_tls(self, direct=False, certificate=None):
        context = unverified_context()
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        if direct:
            context.set_alpn_protocols(['postgresql'])
        else:
            self.socket.sendall(SSL_REQUEST)
            answer = self.socket.recv(1)
            if answer != b'S':
                raise Closed(f'TLS refused: {answer!r}')
        self.socket = context.wrap_socket(self.socket, server_hostname='localhost')

    # -- bytes

    def send(self, *messages):
        self.socket.sendall(b''.join(messages))

    def receive(self):
        """The next message as (type, body). Raises Closed, or TimeoutError where nothing comes."""
        while len(self.pending) < 5 or len(self.pending) < 1 + struct.unpack('!I', self.pending[1:5])[0]:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError) as e:
                raise Closed(str(e))
            if not data:
                raise Closed('connection closed')
            self.pending += data
        size = 1 + struct.unpack('!I', self.pending[1:5])[0]
        data = bytes(self.pending[:size])
        del self.pending[:size]
        kind, body = chr(data[0]), data[5:]
        self.log.append((kind, body))
        if kind == 'S':
            name, value = body[:-1].split(b'\0')
            self.parameters[name.decode()] = value.decode()
        elif kind == 'K':
            self.key = struct.unpack('!II', body[:8])
        elif kind == 'Z':
            self.status = body.decode()
        elif kind == 'N':
            self.notices.append(error_fields(body))
        return kind, body

    def received_bytes(self):
        """Everything received so far but BackendKeyData, for leak and equality checks."""
        return b''.join(kind.encode() + body for kind, body in self.log if kind not in 'KR')

    # -- authentication

    def authenticate(self):
        while True:
            kind, body = self.receive()
            if kind == 'E':
                raise ServerError(error_fields(body))
            if kind == 'Z':
                return
            if kind == 'R':
                code = struct.unpack('!I', body[:4])[0]
                if code == 10:
                    self.scram()
                elif code not in (0, 12):
                    raise TestError(f'authentication method {code} is not for this client')

    def scram(self):
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f'n=,r={nonce}'
        first = f'n,,{bare}'.encode()
        self.send(message('p', cstring('SCRAM-SHA-256') + struct.pack('!I', len(first)) + first))
        kind, body = self.receive()
        if kind == 'E':
            raise ServerError(error_fields(body))
        server_first = body[4:].decode()
        words = dict(w.split('=', 1) for w in server_first.split(','))
        assert words['r'].startswith(nonce) and len(words['r']) > len(nonce), 'the nonce must be extended'
        salted = hashlib.pbkdf2_hmac('sha256', self.password.encode(), base64.b64decode(words['s']), int(words['i']))
        client_key = hmac.digest(salted, b'Client Key', 'sha256')
        without_proof = f"c=biws,r={words['r']}"
        signed = f'{bare},{server_first},{without_proof}'.encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, 'sha256')
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        self.send(message('p', f'{without_proof},p={proof}'.encode()))
        kind, body = self.receive()
        if kind == 'E':
            raise ServerError(error_fields(body))
        expected = base64.b64encode(hmac.digest(hmac.digest(salted, b'Server Key', 'sha256'), signed, 'sha256'))
        assert body[4:].split(b',')[0] == b'v=' + expected, 'the server must prove that it knows the verifier'

    # -- conversations

    def results(self, copy_data=None):
        """Reads to ReadyForQuery; a list of Result."""
        out, current, described = [], None, None
        while True:
            kind, body = self.receive()
            if kind == 'Z':
                if current is not None:
                    out.append(current)
                return out
            if kind == 'T':
                described = row_description(body)
            elif kind == 'n':
                described = None
            if kind in 'DTHGd' and current is None:
                current = Result()
            if kind == 'T':
                current.columns = described
            elif kind == 'D':
                current.columns = current.columns or described
                current.rows.append(data_row(body, current.columns))
            elif kind == 'd':
                current.copied += body
            elif kind in 'CIsE':
                current = current or Result()
                current.columns = current.columns or described
                if kind == 'E':
                    current.error = error_fields(body)
                else:
                    current.tag = {'I': '', 's': 'SUSPENDED'}.get(kind, body[:-1].decode())
                out.append(current)
                current = None
            elif kind == 'G':
                self.send(message('d', copy_data), COPY_DONE) if copy_data is not None else \
                    self.send(message('f', cstring('no data')))

    def query(self, sql, copy_data=None):
        """Simple protocol; a list of Result."""
        self.send(query_message(sql))
        return self.results(copy_data)

    def one(self, sql):
        """Simple protocol, one statement; its rows, or ServerError."""
        result = self.query(sql)[-1]
        if result.error:
            raise ServerError(result.error)
        return result.rows

    def extended(self, sql, parameters=(), types=(), result_formats=(), name='', rows=0):
        """Parse, Bind, Describe, Execute, Sync; one Result."""
        self.send(parse_message(sql, name, types), bind_message(parameters, '', name, (), result_formats),
                  describe_message('P'), execute_message('', rows), SYNC)
        return self.results()[-1]

    def close(self):
        with contextlib.suppress(OSError):
            self.send(TERMINATE)
        with contextlib.suppress(OSError):
            self.socket.close()


def cancel(port, key, tls='disable', host='127.0.0.1'):
    """Sends a CancelRequest as libpq (plain) or asyncpg (TLS) do."""
    s = socket.create_connection((host, port), 10)
    if tls == 'sslrequest':
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b'S'
        s = unverified_context().wrap_socket(s)
    with s:
        s.sendall(struct.pack('!IIII', 16, 80877102, *key))
        with contextlib.suppress(OSError):
            s.recv(1)


def row_description(body):
    count, at, columns = struct.unpack('!H', body[:2])[0], 2, []
    for _ in range(count):
        end = body.index(b'\0', at)
        table, number, kind, _, _, form = struct.unpack('!IhIhih', body[end + 1:end + 19])
        columns.append((body[at:end].decode(), table, number, kind, form))
        at = end + 19
    return columns


def data_row(body, columns):
    count, at, row = struct.unpack('!H', body[:2])[0], 2, []
    for i in range(count):
        size = struct.unpack('!i', body[at:at + 4])[0]
        at += 4
        if size < 0:
            row.append(None)
            continue
        value = body[at:at + size]
        at += size
        row.append(value if columns and columns[i][4] == 1 else value.decode('utf-8', 'replace'))
    return row


# ---------------------------------------------------------------------------------------------------


class _Lines(unittest.TestResult):
    """A line a test; details of failures at once."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.passed = 0
        self.bad = 0
        self.subtest_failed = False
        self.began = 0

    def _line(self, word, test, more=''):
        self.stream.write(f'{word} {test.id().removeprefix("__main__.")}{more}\n')
        self.stream.flush()

    def startTest(self, test):
        super().startTest(test)
        self.subtest_failed = False
        self.began = time.monotonic()

    def addSuccess(self, test):
        if not self.subtest_failed:
            self.passed += 1
            self._line('ok', test, f'  # {time.monotonic() - self.began:.2f} s')

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.subtest_failed = True
            self._fail(subtest, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line('skip', test, f'  # {reason}')

    def _fail(self, test, err):
        self.bad += 1
        self._line('not ok', test)
        text = self._exc_info_to_string(err, test)  # without unittest's own frames
        self.stream.write(''.join('    ' + l + '\n' for l in text[-4000:].splitlines()))
        self.stream.flush()

    def addFailure(self, test, err):
        self._fail(test, err)

    def addError(self, test, err):
        self._fail(test, err)


def main(module='__main__'):
    """Runs the module's cases (or those named on the command line) and prints the sums."""
    import warnings
    warnings.simplefilter('ignore', ResourceWarning)
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    source = sys.modules[module]
    suite = loader.loadTestsFromNames(names, source) if names else loader.loadTestsFromModule(source)
    result = _Lines(sys.stdout)
    suite.run(result)
    skipped = f', {len(result.skipped)} skipped' if result.skipped else ''
    print(f'{result.passed} passed, {result.bad} failed{skipped}')
    if result.passed + result.bad + len(result.skipped) == 0:
        print('no test was found', file=sys.stderr)
        sys.exit(1)
    sys.exit(1 if result.bad else 0)
