"""reads.py and writes.py, in small, against PostgreSQL 13, 14, 16, 17 and 18: with GH_LONG=1. Skipped where the registry cannot be reached."""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import upstreams

VERSIONS = (13, 14, 16, 17, 18)
PROGRAMS = (('reads', '7', '400'), ('writes', '5', '300'))  # seed, statements


def main():
    if os.environ.get('GH_LONG') != '1':
        print('skip versions  # a long test: GH_LONG=1')
        print('0 passed, 0 failed, 1 skipped')
        return
    passed = failed = 0
    try:
        parts = upstreams.fetch()
    except upstreams.Unavailable as e:
        print(f'skip versions  # {e}')
        print('0 passed, 0 failed, 1 skipped')
        return
    for version in VERSIONS:
        with gt.Scratch() as scratch:
            bin_dir = upstreams.postgres(parts, scratch, version)
            if not (bin_dir / 'psql').exists():
                (bin_dir / 'psql').symlink_to(gt.PG_BIN / 'psql')
            for name, seed, size in PROGRAMS:
                done = subprocess.run([sys.executable, Path(__file__).with_name(f'{name}.py'), seed, size], text=True, capture_output=True,
                                      env=dict(os.environ, GH_PG_BIN=str(bin_dir)), timeout=600)
                print(f'{"not ok" if done.returncode else "ok"} {name} of PostgreSQL {version}: {done.stdout.strip().splitlines()[-1:]}')
                if done.returncode:
                    print(done.stdout[-3000:] + done.stderr[-2000:])
                failed, passed = failed + bool(done.returncode), passed + (not done.returncode)
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
