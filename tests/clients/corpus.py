"""Runs the client programs of a corpus that stands beside the checkout (CORPUS/clients/run.sh) through the proxy,
reading only, as a user whose grants give everything.

    corpus.py CORPUS CLIENT...

Each client must at least connect and pass as many steps as tests/clients/corpus.floor says of it.
"""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = 'version: 1\nroles: { all: {} }\nusers: { demo: { roles: [all] } }\ngrants:\n  - { to: [all], tables: ["*.*"] }\n'


def main():
    corpus, clients = Path(sys.argv[1]), sys.argv[2:]
    floor = dict(line.split() for line in Path(__file__).with_name('corpus.floor').read_text().splitlines()
                 if line and not line.startswith('#'))
    passed = failed = 0
    with gt.Scratch() as scratch:
        certs = gt.Certificates(scratch.path('tls'))
        with gt.Postgres(scratch, certs) as pg:
            pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
            pg.sql('CREATE DATABASE demo')
            pg.sql((corpus / 'demo.sql').read_text(), 'demo')
            with gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'demo': 'demo-pw'}, warehouse='demo') as proxy:
                env = proxy.environment('demo', sslmode='require')
                env.update(GH_READONLY='1', GH_EXPECT_DUMP_REFUSED='1', CLIENTS_WORK=str(scratch.path('work')),
                           CLIENT_TIMEOUT='60')
                done = gt.run('bash', corpus / 'run.sh', *clients, env=env, check=False, timeout=600)
                print(done.stdout + done.stderr)
    for client in clients:
        match = re.search(rf'^{client}\s*\|\s*(\d+)/(\d+)', done.stdout, re.M)
        reached, least = int(match[1]) if match else 0, int(floor.get(client, 1))
        if reached >= least:
            passed += 1
            print(f'ok {client}: {reached} steps (floor {least})')
        else:
            failed += 1
            print(f'not ok {client}: {reached} steps, fewer than its floor {least}')
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
