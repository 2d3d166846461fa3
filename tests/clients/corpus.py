"""Runs the client programs of a corpus that stands beside the checkout (CORPUS/clients/run.sh) through the proxy, twice:
as a user whose statements go as they are (`may: bypass`), with every step; and, reading only, as a governed user
whose grants give everything through a row filter that is true for all rows.

    corpus.py CORPUS CLIENT...

A client passes where at least as many steps succeed as tests/clients/corpus.floor says of it.
"""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """version: 1
roles:
  bypass: { may: [bypass] }
  all: { may: [explain] }
users:
  through: { roles: [bypass] }
  demo: { roles: [all] }
grants:
  - { to: [bypass], tables: ["*.*"] }
  - { to: [all], tables: ["*.*"], rows: "1 = 1" }
functions:
  - { to: [all], allow: ["*.*"] }
"""
# mode -> user, what the programs are told
MODES = {
    'bypass': ('through', {}),
    'governed': ('demo', {'GH_READONLY': '1', 'GH_EXPECT_DUMP_REFUSED': '1'}),
}


def floors():
    lines = Path(__file__).with_name('corpus.floor').read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith('#')]
    return {(client, mode): int(steps) for client, bypass, governed in rows
            for mode, steps in (('bypass', bypass), ('governed', governed))}


def run_mode(corpus, clients, scratch, proxy, mode):
    user, told = MODES[mode]
    env = proxy.environment(user, sslmode='require')
    work = scratch.path(f'work-{mode}')
    (work / 'postgres_fdw').mkdir(parents=True)  # its server runs as another user
    scratch_dir = work
    while scratch_dir != scratch_dir.parent and scratch_dir.stat().st_mode & 0o5 != 0o5:
        scratch_dir.chmod(scratch_dir.stat().st_mode | 0o5)
        scratch_dir = scratch_dir.parent
    env.update(told, CLIENTS_WORK=str(work), CLIENT_TIMEOUT='90')
    done = gt.run('bash', corpus / 'run.sh', *clients, env=env, check=False, timeout=900)
    print(f'# {mode}\n{done.stdout}{done.stderr}')
    return done.stdout


def main():
    corpus, clients = Path(sys.argv[1]), sys.argv[2:]
    floor = floors()
    passed = failed = 0
    with gt.Scratch() as scratch:
        certs = gt.Certificates(scratch.path('tls'))
        with gt.Postgres(scratch, certs) as pg:
            pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
            pg.sql('CREATE DATABASE demo')
            pg.sql((corpus / 'demo.sql').read_text(), 'demo')
            users = {user: 'demo-pw' for user, _ in MODES.values()}
            with gt.Gatehouse(scratch, pg, certs, policy=POLICY, users=users, warehouse='demo') as proxy:
                for mode in MODES:
                    out = run_mode(corpus, clients, scratch, proxy, mode)
                    for client in clients:
                        match = re.search(rf'^{client}\s*\|\s*(\d+)/(\d+)', out, re.M)
                        reached, least = int(match[1]) if match else 0, floor.get((client, mode), 1)
                        good = reached >= least
                        passed, failed = passed + good, failed + (not good)
                        print(f'{"ok" if good else "not ok"} {client} {mode}: {reached} steps (floor {least})')
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
