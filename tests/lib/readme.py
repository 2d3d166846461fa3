"""Runs the tour of README.md against a throwaway PostgreSQL: the sh blocks between the tour marks, as one shell.
The lines of a text block must appear, in order, in what the sh block before it printed."""
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gatehouse_test as gt

MARK = '--- block {} ---'


def main():
    text = (gt.ROOT / 'README.md').read_text()
    tour = text.split('<!-- tour -->')[1].split('<!-- /tour -->')[0]
    blocks = re.findall(r'^```(sh|text)\n(.*?)^```$', tour, re.S | re.M)
    port = gt.free_port()
    script, expected = 'set -eu\nset -m\n', {}
    number = 0
    for kind, body in blocks:
        if kind == 'sh':
            number += 1
            script += f'echo "{MARK.format(number)}"\n{body}'
        else:
            expected[number] = [l.rstrip() for l in body.splitlines()]
    script = script.replace('6432', str(port))
    passed = failed = 0
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        env = {k: v for k, v in os.environ.items() if not k.startswith('PG')}
        env.update(ADMIN=f'host={pg.dir} port={pg.port} user=postgres dbname=postgres', PGCONNECT_TIMEOUT='20',
                   WAREHOUSE=f'host=127.0.0.1 port={pg.port} user=gatehouse dbname=shop',
                   PATH=f'{gt.BINARY.parent}:{gt.PG_BIN}:{os.environ["PATH"]}')
        process = subprocess.Popen(['bash', '-c', script], cwd=scratch.dir, env=env, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            # only the tour's own processes are in this session
            subprocess.run(['pkill', '-KILL', '-s', str(process.pid)])
            out, _ = process.communicate()
            out += '\n(stopped: it took more than a minute)'
        print(out)
    parts = re.split(r'^--- block (\d+) ---\n', out, flags=re.M)
    printed = {int(n): [l.rstrip() for l in t.splitlines()] for n, t in zip(parts[1::2], parts[2::2])}
    for n in range(1, number + 1):
        remaining = iter(printed.get(n, []))
        missing = [line for line in expected.get(n, []) if not any(line == seen for seen in remaining)]
        if n not in printed or missing:
            failed += 1
            print(f'not ok block {n} of the tour: ' + ('it was not reached' if n not in printed else f'it did not print {missing}'))
        else:
            passed += 1
    if process.returncode != 0:
        failed += 1
        print(f'not ok the tour ended with {process.returncode}')
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
