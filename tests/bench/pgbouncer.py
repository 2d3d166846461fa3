"""PgBouncer, for benchmarks to be held against."""
import os
import pwd
import subprocess
from pathlib import Path

import gatehouse_test as gt


class Pgbouncer:
    """Session pooling in front of one database; runs as user postgres, since it refuses root. certs: TLS on both sides."""

    def __init__(self, scratch, pg, database, users, clients, certs=None):
        self.dir = scratch.path(f'pgbouncer-{"tls" if certs else "plain"}')
        self.dir.mkdir()
        self.port = gt.free_port()
        names = {'server.crt': certs.server[0], 'server.key': certs.server[1], 'ca.crt': certs.ca} if certs else {}
        for name, source in names.items():
            (self.dir / name).write_bytes(Path(source).read_bytes())
        (self.dir / 'users.txt').write_text(''.join(f'"{user}" "{password}"\n' for user, password in users.items()))
        crypto = (f'client_tls_sslmode = require\nclient_tls_key_file = {self.dir}/server.key\n'
                  f'client_tls_cert_file = {self.dir}/server.crt\nserver_tls_sslmode = verify-full\n'
                  f'server_tls_ca_file = {self.dir}/ca.crt\n') if certs else 'server_tls_sslmode = disable\n'
        (self.dir / 'pgbouncer.ini').write_text(
            f'[databases]\n{database} = host=127.0.0.1 port={pg.port} dbname={database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n'
            f'listen_port = {self.port}\nauth_type = scram-sha-256\nauth_file = {self.dir}/users.txt\npool_mode = session\n'
            f'default_pool_size = {clients + 10}\nmax_client_conn = {clients + 100}\nlogfile = {self.dir}/log\n'
            f'unix_socket_dir =\nignore_startup_parameters = extra_float_digits\n{crypto}')
        user = 'postgres' if gt.IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
        for path in [self.dir, *self.dir.iterdir()]:
            if gt.IS_ROOT:
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            path.chmod(0o700 if path.is_dir() else 0o600)
        argv = ['pgbouncer', str(self.dir / 'pgbouncer.ini')]
        self.process = subprocess.Popen(argv + (['-u', user] if gt.IS_ROOT else []), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        gt.wait_for(lambda: gt.can_connect(self.port), 10, 'pgbouncer listens')
        self.pid = self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
