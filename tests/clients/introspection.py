"""Client programs (tests/clients/programs) that ask catalogs and read tables, each run twice: through the proxy as a
governed user, and straight at a server that holds only what that user may see. Both must say the same. Besides, each
runs as a user whose statements go as they are.

What differs for a reason is taken out of both by `but`: PostgreSQL shows sources of views and sizes, and names its own
superuser as the owner of its own objects.
"""
import difflib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import client_world
import gatehouse_test as gt

PROGRAMS = Path(__file__).with_name('programs')
PYTHON = '/usr/bin/python3' if os.access('/usr/bin/python3', os.X_OK) else sys.executable
JAR = Path('/usr/share/java/postgresql.jar')
LONG = os.environ.get('GH_LONG') == '1'

# Taken out of what any program prints.
BUT = [
    (r'\b(postgres|pg_database_owner)\b', 'gov'),  # owners of initdb's objects
    (r'HINT:  It may exist without being granted to you\.', ''),
    (r'0x[0-9a-f]{8,}', '0x'),
    (r'\d+ (bytes|kB|MB)', 'SIZE'),
    (r'(?m)^.*\bpg_toast_1[6-9]\d{3}\b.*$|^.*pg_toast_1[6-9]\d{3}_index.*$', ''),  # those of the user's tables
    (r"'ok'::public\.mood", "'ok'::mood"),  # expressions are printed by the upstream's path
]
# A source of a view, as PostgreSQL prints it in lines or in one, and what stands for it.
VIEW = (r"(?s: ?SELECT (?:orders\.)?status,\s.{,120}?(?:GROUP BY orders\.status|FROM shop\.order_totals);?)|"
        r"(?s: ?SELECT (?:date_trunc|day,).{,160}?(?:GROUP BY \(date_trunc\('day'::text, events\.at\)\)|FROM shop\.daily);?)|"
        r"(?s: ?SELECT (?:notes\.)?id,\s+(?:notes\.)?body.{,120}?(?:'sad'::(?:public\.)?mood\)|FROM public\.sad);?)")


def needs(*, module=None, program=None, path=None):
    if module and not importlib.util.find_spec(module) and subprocess.run([PYTHON, '-c', f'import {module}'], stderr=subprocess.DEVNULL).returncode:
        return unittest.skip(f'Python has no {module}')
    if program and not shutil.which(program):
        return unittest.skip(f'no {program}')
    return unittest.skipUnless(path is None or os.path.exists(path), f'no {path}')


def setUpModule():
    global world, scratch
    scratch = unittest.enterModuleContext(gt.Scratch())
    world = unittest.enterModuleContext(client_world.World(scratch))


def cleaned(text, but):
    for pattern, with_ in [(VIEW, 'VIEW'), *BUT, *but]:
        text = re.sub(pattern, with_, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


class Programs(unittest.TestCase):
    maxDiff = 4000

    def run_as(self, env, command, stdin=None):
        with open(stdin or os.devnull, 'rb') as given:
            done = subprocess.run([str(a) for a in command], env=env | {'LC_ALL': 'C.UTF-8', 'PYTHONHASHSEED': '0', 'SSL_CERT_FILE': str(world.certs.ca)}, stdin=given,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300 * gt.SLOW, cwd=scratch.dir)
        return done.stdout.decode('utf-8', 'replace')

    def setUp(self):
        self.begin = time.monotonic()
        self.addCleanup(lambda: print(f'# {self.id()}: {time.monotonic() - self.begin:.1f} s'))

    def both(self, *command, but=(), stdin=None, ends='done', any_order=False):
        seen = cleaned(self.run_as(world.proxied(), command, stdin), but)
        wanted = cleaned(self.run_as(world.copied(), command, stdin), but)
        self.assertEqual(wanted[-1], ends, 'the program ends as it should without the proxy')
        if any_order:
            seen, wanted = sorted(seen), sorted(wanted)
        difference = [line for line in difflib.unified_diff(wanted, seen, 'the copy', 'the proxy', lineterm='', n=0)]
        self.assertEqual(difference, [], '\n'.join(difference[:60]))
        told = [line for line in seen if re.search(r'zzvalue|zz-555|zznote \d|zzsecret|zzhidden|zzpolicy|zzrule|zztrigger|zzrole', line)]
        self.assertEqual(told, [])
        through = self.run_as(world.proxied('through'), command, stdin).splitlines()
        self.assertEqual(through[-1], ends, '\n'.join(through[-20:]))

    def test_psql(self):
        self.both(gt.PG_BIN / 'psql', '-XqA', '-P', 'pager=off', stdin=PROGRAMS / 'psql_commands.sql', but=[
            (r'(?s)== \\l\+?\n.*?(?=\n== )', ''), (r'(?s)== \\db\+?\n.*?(?=\n== )', ''), (r'(?s)== \\dconfig\n.*?(?=\n== )', ''),
            (r'(?m)^gov\|\|default_transaction_read_only=on$', ''), (r'TABLE "public\.', 'TABLE "'),
            (r'(?s)== \\sf\+? (lower|shop.zzpeek)\n.*?(?=\n== )', ''), (r'(?s)== \\sv.*?(?=\n== )', ''), (r'(?m)^pg_toast\|.*$', ''),
            (r'(?s)== \\dn\+\n.*?(?=\n== )', ''),  # the right to create is nobody's
            (r'SIZE', ''), (r'\(\d+ rows?\)', ''), (r'(?s)== \\do\+ @>\n.*?(?=\n== )', ''), (r'\|(330|bthandler)\|', '||')])

    def test_answers(self):
        self.both(gt.PG_BIN / 'psql', '-XqAt', stdin=PROGRAMS / 'answers.sql', ends='"$user", public', but=[
            (r'(?m)^LINE 1: .*\n *\^$', '')])

    def test_sessions_of_tools(self):
        """What browsers and tools of business intelligence send that do not run here: every statement succeeds."""
        for session in sorted(Path(__file__).with_name('sessions').glob('*.sql')):
            statements = [line.strip() for line in session.read_text().splitlines() if line.strip() and not line.startswith('--')]
            script = scratch.path('session.sql')
            script.write_text('\n'.join(f'{line};' for line in statements) + '\n\\echo done\n')
            for env in (world.proxied(), world.proxied('through'), world.copied()):
                with self.subTest(session.stem, port=env['PGPORT'], user=env['PGUSER']):
                    out = self.run_as(env, [gt.PG_BIN / 'psql', '-XqAt'], script)
                    self.assertEqual([line for line in out.splitlines() if line.startswith(('ERROR', 'FATAL', 'psql:'))], [])
                    self.assertEqual(out.splitlines()[-1], 'done')
                    if env['PGUSER'] == 'gov' and env['PGPORT'] == str(world.proxy.port):
                        self.assertNotIn('zz', out)

    @needs(path='/usr/share/postgresql/15/extension/postgres_fdw.control')
    def test_postgres_fdw(self):
        """Another PostgreSQL imports the schema and reads through foreign tables: of the proxy what it gets straight."""
        copy = world.copy
        copy.sql('CREATE DATABASE elsewhere')
        copy.sql("""CREATE EXTENSION postgres_fdw; CREATE SCHEMA shop; CREATE TYPE shop.status AS ENUM ('new', 'paid', 'sent');
            CREATE DOMAIN shop.mail AS text; CREATE TYPE shop.address AS (street text, city text);""", 'elsewhere')
        said = {}
        for name, env in (('straight', world.copied()), ('proxied', world.proxied())):
            copy.sql(f"""CREATE SCHEMA {name}; CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw
                OPTIONS (host '127.0.0.1', port '{env['PGPORT']}', dbname 'wh', sslmode 'require', fetch_size '7');
                CREATE USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS (user 'gov', password '{env['PGPASSWORD']}');
                IMPORT FOREIGN SCHEMA shop FROM SERVER {name} INTO {name};
                ALTER SERVER {name} OPTIONS (ADD async_capable 'true');""", 'elsewhere')
            said[name] = [copy.sql(sql.replace('NAME', name), 'elsewhere') for sql in (
                """SELECT c.relname, a.attname, format_type(atttypid, atttypmod), attnotnull, attfdwoptions FROM pg_class c JOIN pg_attribute a
                   ON attrelid = c.oid WHERE relnamespace = 'NAME'::regnamespace AND attnum > 0 ORDER BY 1, attnum""",
                "SELECT count(*), sum(total) FROM NAME.orders WHERE status = 'paid' AND placed > '2024-01-05'",
                'SELECT c.name, count(*) FROM NAME.customers c JOIN NAME.orders o ON o.customer_id = c.id GROUP BY 1 ORDER BY 1 LIMIT 5',
                'SELECT tags, attrs, born, home, contact FROM NAME.customers WHERE id = 3', 'SELECT * FROM NAME.products ORDER BY id LIMIT 3',
                'SELECT count(*) FROM (SELECT id FROM NAME.events UNION ALL SELECT id FROM NAME.orders OFFSET 0) x',
                """BEGIN; SELECT count(*) FROM NAME.items; SAVEPOINT a; SELECT count(*) FROM NAME.daily; ROLLBACK TO a;
                   SELECT count(*) FROM NAME.order_totals; COMMIT""")]
        self.assertGreater(len(said['straight'][0].splitlines()), 40)
        self.assertEqual(said['proxied'], said['straight'])

    @needs(module='psycopg2')
    def test_oids(self):
        self.both(PYTHON, PROGRAMS / 'oids.py')

    @needs(module='sqlalchemy')
    def test_sqlalchemy(self):
        for driver in ('psycopg2', 'asyncpg'):
            with self.subTest(driver):
                self.both(PYTHON, PROGRAMS / 'sqlalchemy_inspector.py', driver)

    @needs(module='django')
    def test_django(self):
        self.both(PYTHON, PROGRAMS / 'django_inspect.py')

    @needs(module='pgcli')
    def test_pgcli(self):
        self.both(PYTHON, PROGRAMS / 'pgcli_completion.py', but=[
            (r"""(?m)^    ["']?\(?'(gov|template.)'.*$""", ''), (r"arg_defaults=\(.*?\)\)", ''), (r'(?s)\n\\du =.*?(?=\n\S)', ''), (r"(?m)^sql: .*|^traceback: .*", '')])

    @needs(module='pyodbc')
    def test_odbc(self):
        self.both(PYTHON, PROGRAMS / 'odbc_catalog.py')

    @needs(program='javac', path=JAR)
    def test_jdbc(self):
        classes = scratch.path('classes')
        if not classes.exists():
            gt.run('javac', '-nowarn', '-d', classes, '-cp', JAR, PROGRAMS / 'Metadata.java')
        self.both('java', '-Xmx256m', '-cp', f'{JAR}:{classes}', 'Metadata', but=[
            (r'(\|[AD]\|)(-1\.0\|0|\d+\.\d\|\d+)\|', r'\1|')])  # an index's size

    @needs(program='perl', path='/usr/share/perl5/DBD' if os.path.exists('/usr/share/perl5/DBD/Pg.pm') else '/usr/lib/x86_64-linux-gnu/perl5/5.36/DBD/Pg.pm')
    def test_perl(self):
        self.both('perl', PROGRAMS / 'perl_dbd.pl', but=[
            (r'(?m)Use of uninitialized value \$count.*\n', ''), (r'(\|[AD]|\|table\|NULL\|NULL\|NULL)\|(-1\|0|\d+\|\d+)\|', r'\1|')])

    @needs(program='php', path='/usr/share/php8.2-pgsql')
    def test_php(self):
        self.both('php', PROGRAMS / 'php_pgsql.php')

    @needs(path='/usr/share/rubygems-integration/all/gems/activerecord-6.1.7.10')
    def test_active_record(self):
        self.both('/usr/bin/ruby', PROGRAMS / 'active_record.rb', but=[
            (r'(?m)^enum_types.*$', ''), (r'(?m) serial_sequence = .*$', ''), (r'column (customers.zzphone )?does', 'column does')])

    @needs(path='/usr/lib/R/site-library/RPostgreSQL')
    def test_r(self):
        self.both('Rscript', PROGRAMS / 'r_postgresql.R', but=[(r'(?s)(fields =\n).*?(?=rows =)', r'\1')])  # it shows dropped columns


if __name__ == '__main__':
    gt.main()
