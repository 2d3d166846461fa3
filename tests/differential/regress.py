r"""PostgreSQL's own regression suite, from Debian's source package, through the proxy and directly.

    by the proxy, everything granted, but through a row filter that is true of every row  =  directly

Two databases start alike. What makes objects (CREATE, ALTER, SET, DO ...) goes directly to both; what reads and writes rows goes to one
directly and to the other through the proxy, as a user whose every table stands behind a fence and whose every write is
checked. Compared are the command tag, the columns' names and types, the rows (in order where the query says one), the text of COPY, and
the SQLSTATE. Each difference is in regress_expected.txt under the reason for it; one that is not there fails, and so does one
that is there and is none any more.

    regress.py [--write] [FILE...]     --write: the list anew; what nothing explains comes under `== unexplained`, which fails

The source package is fetched by apt once, into build/regress-source; without it the suite is skipped. In CI a selection of the files
runs, with GH_LONG=1 all of them.
"""
import collections
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

LONG = os.environ.get('GH_LONG') == '1'
CACHE = gt.ROOT / 'build' / 'regress-source'
# The list is of this version's statements. From another, whatever a class explains will do, and nothing is missed.
VERSION = '15.18'
LIST = Path(__file__).with_name('regress_expected.txt')
INSIDE = 'src/test/regress/'  # of the source package

# In the order of PostgreSQL's own schedule, in one database, as there. They make what the compared files read.
SETUP = 'test_setup create_misc create_operator create_procedure create_table create_type create_schema create_index create_view ' \
        'create_aggregate create_function_sql create_cast inherit'.split()
# equivclass comes last: it leaves behind operators by the name of =, beside which no operand may be of an unknown type.
FILES = """boolean char varchar text int2 int4 int8 float4 float8 bit numeric uuid enum rangetypes strings date time timetz timestamp
    timestamptz interval inet multirangetypes expressions horology regex copy copyselect copydml insert insert_conflict select
    select_into select_distinct select_distinct_on select_implicit select_having subselect union case join aggregates transactions
    portals arrays btree_index update delete tablesample groupingsets identity generated join_hash merge tsrf incremental_sort
    select_views portals_p2 combocid window xmlmap functional_deps json jsonb json_encoding jsonpath jsonb_jsonpath plancache
    limit copy2 temp domain rangefuncs prepare polymorphism rowtypes returning with xml partition_join partition_aggregate
    updatable_views name oid pg_lsn money macaddr macaddr8 point lseg line box path polygon circle geometry tstypes tsearch numerology unicode hash_func
    equivclass""".split()
# Of which CI takes these.
QUICK = """boolean int4 int8 numeric strings date interval copyselect copydml insert_conflict select select_distinct
    select_distinct_on select_having union case delete groupingsets portals_p2 limit prepare returning merge
    with subselect window json jsonb""".split()

# As pg_regress sets them.
SESSION = "SET datestyle TO 'Postgres, MDY'; SET timezone TO 'PST8PDT'; SET intervalstyle TO 'postgres_verbose'"
# Settings that both sessions follow; the others are the planner's, or nobody's business.
FOLLOWED = {'datestyle', 'timezone', 'time', 'intervalstyle', 'extra_float_digits', 'bytea_output', 'xmloption', 'xmlbinary', 'xml', 'search_path', 'session', 'transaction',
            'default_transaction_isolation', 'default_transaction_read_only', 'default_transaction_deferrable', 'local', 'constraints'}
COMPARED = {'select', 'values', 'table', 'with', 'insert', 'update', 'delete', 'merge', 'prepare', 'execute', 'deallocate', 'declare', 'fetch', 'move', 'close', 'begin',
            'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release', 'truncate', 'copy', '('}
OPENS, CLOSES = {'begin', 'start'}, {'commit', 'end', 'rollback', 'abort'}

# What is said of functions of the warehouse that name things without their schema (docs/semantics.md): give them a search_path.
PATHS = """DO $do$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = prolang
             WHERE pronamespace = 'public'::regnamespace AND lanname IN ('sql', 'plpgsql') AND proconfig IS NULL AND prokind = 'f' LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path TO public, pg_catalog', f);
    END LOOP; END $do$"""

POLICY = """version: 1
roles: { all: { may: [explain] } }
users: { reader: { roles: [all], attributes: { everything: "yes" } } }
grants:
  - { to: [all], tables: ["*.*"], privileges: [select, insert, update, delete], rows: "attr('everything') = 'yes'" }
  - { to: [all], tables: ["*.*"], privileges: [truncate] }
functions:
  - { to: [all], allow: ["public.*"] }
"""

# (class, reason, what of `SQLSTATE message | statement` tells it); a difference that none of them tells is put into its class by hand.
CLASSES = [(name, reason, re.compile(pattern, re.I | re.S)) for name, reason, pattern in (
    ('text search settings', 'What text search goes by unless it is told is not to be set, since row filters may go by it.', r'\| *select (to_tsvector|(plain)?to_tsquery)\(\'SKIES'),
    ('system columns', 'System columns of filtered relations do not exist, but for tableoid, xmin where nothing is hidden, and ctid where it is compared.', r'^42703 column \S*(tableoid|ctid|xmin|cmin|xmax|cmax)'),
    ('cursors', 'UPDATE and DELETE take no WHERE CURRENT OF: the row of a cursor cannot be told in a rewritten query.', r'WHERE CURRENT OF is not allowed'),
    ('xmltable', 'XMLTABLE is refused.', r'XMLTABLE in FROM is not allowed'),
    ('samples', 'SYSTEM and REPEATABLE samples of a filtered table tell of hidden rows.', r'^42501 .*TABLESAMPLE'),
    ('row locks', 'Rows are locked in one filtered table, not through joins and sub-selects.', r'^42501 row locks'),
    ('views', 'A condition that can fail is not sent to a view that is no security barrier.', r'no security barrier'),
    ('kinds', 'Kinds of statements that are refused.', r'^42501 (SELECT INTO|COPY of this|PREPARE of|this statement in WITH|EXPLAIN of)|^0A000 WITH query'),
    ('merge', 'MERGE cannot be checked where a trigger may change the row, and is of tables alone.', r'^42501 (this MERGE of|permission denied for table [^|]*\| *(with .*)?merge)'),
    ('constraints by name', 'ON CONFLICT ON CONSTRAINT names what a user may not know of.', r'ON CONFLICT ON CONSTRAINT is not allowed'),
    ('partial indexes', 'What only implies the condition of a partial unique index does not find it: that would tell what it compares with.', r'^42P10 '),
    ('copy of a query', 'COPY of a view, and of generated columns, is COPY of a query: it works.', r'^ *\| *copy .*\| (cannot copy from view|column "\w+" is a generated column)'),
    ('copy options', 'COPY options that are refused.', r'^42501 COPY option'),
    ('copy checks', 'COPY FROM cannot be checked where a trigger may change the row.', r'^42501 permission denied for table .*\| *copy'),
    ('rules', 'The check of a written row stands in RETURNING, which a relation with a rule does not have.', r'^0A000 feature not supported'),
    ('functions', 'Functions that are not on the list, since they change or tell something.', r'^42501 function \S+ is not allowed'),
    ('found first', 'Where pg_catalog has a function of the name, it is that one.', r'\| select concat'),
    ('temporary functions', 'A function of pg_temp is nothing that the policy allows.', r'^42(883|704) .*pg_temp|temporary'),
    ('follows', 'What follows from a refusal before it.', r'^(26000|34000|3B001) |\| (SELECT \* FROM q5_prep|MOVE BACKWARD ALL IN xc)'),
    ('functions without a path', "Functions of the warehouse that name things without their schema, and have no search_path of their own: the upstream's finds none.",
     r'^(42P01 relation( "\w+")?|42704 object|42883 function or operator) does not exist'),
    ('catalog writes', 'Nobody writes the catalogs.', r'^42501 permission denied for table pg_'),
    ('catalogs', 'Catalogs show no sources, figures, sessions or other databases, and types and relations in the final result with their schema.',
     r'\b(pg_get_viewdef|pg_cursors|pg_prepared_statements|pg_views|information_schema|pg_stats|pg_statistic|pg_database|pg_relation_size|pg_class|pg_attribute|pg_typeof|current_schema|tableoid::regclass|gtest_tableoid|cprep|q2)\b'),
    ('changed', 'What was prepared by SQL is refused where its tables have changed since.', r'the policy changed since'),
    ('row types', "A table's row type is no type to cast to: its hidden columns would be in it.", r'^42704 type "'),
    ('rows as values', 'A whole row is a record of the visible columns, by the names they have in the query.', r'^42703 column|\| (select row_to_json\(i\)|select last\(f\))'),
    ('operators', 'Operators that pg_catalog does not have.', r'^42883 operator'),
    ('inlining', "SQL functions that this test gives a search_path are not inlined: all their arguments are computed.", r'\| select f1, sql_if'),
    ('settings', 'A setting that clients may not change.', r"unsafe use of string|stack depth|\| select u&'"),
)]


class Unavailable(Exception):
    """There is no source package to be had."""


# ---- the source package ------------------------------------------------------------------------------------


def apt(*argv):
    """apt with sources and caches of its own: nothing of the machine's changes."""
    folder = CACHE / 'apt'
    for name in ('lists/partial', 'cache/archives/partial'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / 'sources.list').write_text(''.join(
        f'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/{place} main\n'
        for place in ('debian bookworm', 'debian-security bookworm-security')))
    options = {'Dir::Etc::sourcelist': folder / 'sources.list', 'Dir::Etc::sourceparts': '/dev/null', 'Dir::State::lists': folder / 'lists',
               'Dir::Cache': folder / 'cache', 'APT::Update::Post-Invoke-Success::': 'true', 'Acquire::http::Timeout': 20, 'Acquire::Retries': 1,
               'APT::Sandbox::User': 'root'}
    try:
        done = subprocess.run([argv[0], *(f'-o{k}={v}' for k, v in options.items()), *argv[1:]], capture_output=True, text=True, timeout=120,
                              cwd=CACHE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unavailable(f'{argv[0]}: {e}')
    return done.stdout if done.returncode == 0 else None


def source():
    """The folder that holds sql/ and data/."""
    folder = CACHE / 'regress'
    if (folder / 'version').exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    archives = sorted(CACHE.glob('postgresql-15_*.orig.tar.*'))
    if not archives:
        if not shutil.which('apt-get') or not Path('/usr/share/keyrings/debian-archive-keyring.gpg').exists():
            raise Unavailable('this is no Debian')
        apt('apt-get', 'update')
        known = re.findall(r'(?m)^Version: (15\S+)', apt('apt-cache', 'showsrc', '--only-source', 'postgresql-15') or '')
        for version in sorted(set(known), key=lambda v: (v.startswith(VERSION), v), reverse=True):  # a mirror may lack the newest
            if apt('apt-get', 'source', '--download-only', f'postgresql-15={version}') is not None:
                break
        archives = sorted(CACHE.glob('postgresql-15_*.orig.tar.*'))
    if not archives:
        raise Unavailable("apt could not fetch the source package postgresql-15")
    unpacked = CACHE / 'unpacked'
    with tarfile.open(archives[-1]) as tar:
        for member in tar:
            name = member.name.split('/', 1)[-1]
            if member.isfile() and name.startswith((INSIDE + 'sql/', INSIDE + 'data/')):
                member.name = name.removeprefix(INSIDE)
                tar.extract(member, unpacked)
    (unpacked / 'version').write_text(archives[-1].name.split('_')[1].split('.orig')[0])
    unpacked.rename(folder)
    return folder


# ---- psql's scripts ----------------------------------------------------------------------------------------


class Statement:
    def __init__(self, sql, data=None):
        self.sql, self.data = sql, data  # data: what COPY FROM STDIN is fed
        words = re.findall(r'[a-z_]+|\(|\S', sql.lower()[:200])
        self.word = words[0] if words else ''
        self.second = words[1] if len(words) > 1 else ''
        self.is_direct_block = False
        self.undo = None  # of what would end with the session

    @property
    def is_setting(self):
        return self.word in ('set', 'reset')

    @property
    def is_compared(self):
        text = self.sql.lower()
        if self.word not in COMPARED or self.word == 'copy' and not re.search(r'\b(stdin|stdout)\b', text):
            return False
        if self.word in ('select', 'with', '(', 'values', 'table', 'prepare', 'execute') and re.search(r'\binto\s+(temp|table|unlogged|[a-z_.0-9]+\s+from)', without_strings(text)) \
                and not re.search(r'\b(insert|merge)\s+into', text):
            return False  # SELECT INTO
        return not re.search(r'^\s*(commit|rollback)\s+prepared|^\s*prepare\s+transaction', text)

    @property
    def is_ordered(self):
        """Does its outermost query say an order?"""
        text, depth, last = without_strings(self.sql.lower()), 0, False
        for token in re.findall(r'[()]|order\s+by', text):
            depth += {'(': 1, ')': -1}.get(token, 0)
            last = last or (depth == 0 and token[0] == 'o')
        return last


def without_strings(text):
    return re.sub(r"(?s)'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", "''", text)


TEMPORARY = re.compile(r'(?i)^(create\s+(?:or\s+replace\s+)?)(?:(?:local|global)\s+)?temp(?:orary)?\s+((?:recursive\s+)?(view|table|sequence)\s+(?:if\s+not\s+exists\s+)?(\w+|"[^"]*"))')


def plain_names(sql):
    """Temporary tables as permanent ones: another session makes them than the one that reads them."""
    sql = re.sub(r'(?i)(\binto\s+)temp(?:orary)?\s+', r'\1', sql)
    return re.sub(r'(?i)\s+on\s+commit\s+(?:preserve\s+rows|drop)', '', TEMPORARY.sub(r'\1\2', sql))


TOKEN = re.compile(r"""(?isx)
    (?P<comment> --[^\n]* | /\*.*?\*/ ) | (?P<string> \be'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | (?P<dollar>\$[a-z_]*\$).*?(?P=dollar) ) |
    (?P<end> ; | \\[a-z!?]+[^\n]* ) | (?P<bracket> [()] ) | (?P<word> [a-z_0-9$.]+ ) | (?P<other> . )""")


def split(text, variables):
    """The statements of a script, as psql would send them one by one."""
    out, at, begin, depth, body = [], 0, 0, 0, 0
    while at < len(text):
        m = TOKEN.match(text, at)
        at = m.end()
        if m['bracket']:
            depth += 1 if m[0] == '(' else -1
        elif m['word'] and re.match(r'(?is)\s*create\s', text[begin:at]):  # BEGIN ATOMIC ... END
            body += 1 if m[0].lower() in ('atomic',) or (body and m[0].lower() == 'case') else -1 if body and m[0].lower() == 'end' else 0
        elif m['end'] and depth <= 0 and body <= 0:
            sql, depth, body = re.sub(r'(?s)^(\s+|--[^\n]*\n|/\*.*?\*/)*', '', text[begin:m.start()] + '\n').strip(), 0, 0
            is_command = m[0][0] == '\\'
            if is_command:
                command(m[0], variables)
            begin = at
            if not sql:
                continue
            if is_command and not m[0].startswith('\\g'):
                continue  # \crosstabview, \gset's kin: what they print is psql's
            if sql.startswith(':'):
                out += split(variables.get(sql[1:].strip(), '') + ';', variables)
                continue
            sql = re.sub(r":'(\w+)'", lambda v: "'" + variables.get(v[1], v[0]) + "'", sql)
            statement = Statement(plain_names(sql))
            temporary = TEMPORARY.match(sql)
            if temporary:
                statement.undo = f'DROP {temporary[3]} IF EXISTS {temporary[4]} CASCADE'
            for _ in re.findall(r'(?i)\bcopy\s[^;]*\bfrom\s+stdin\b', sql):
                end = re.compile(r'(?m)^\\\.$').search(text, at)
                if not end or re.search(r'(?im)^(copy|select|create|drop|insert|--)\b', text[at:end.start()]):
                    break  # it fails before it reads anything
                statement.data = text[text.index('\n', at) + 1:end.start()].encode()
                at = begin = end.end()
            if '\\;' not in sql:  # several in one: psql's own tests have the few
                out.append(statement)
    return out


def command(line, variables):
    m = re.match(r'\\set\s+(\w+)\s+(.*)', line)
    if m:
        parts = re.findall(r":(\w+)|'((?:[^']|'')*)'|(\S+)", m[2])
        variables[m[1]] = ''.join(variables.get(name, '') if name else quoted.replace("''", "'") or word for name, quoted, word in parts)


def mark_blocks(statements):
    """A transaction in which something is made runs directly, the whole of it: the session that makes things is another one."""
    block = None
    for s in statements:
        if block is None and s.word in OPENS:
            block = []
        if block is not None:
            block.append(s)
            if s.word in CLOSES and s.second != 'prepared' and ' to ' not in s.sql.lower() and 'chain' not in s.sql.lower():
                for b in block:
                    b.is_direct_block = any(not (x.is_compared or x.is_setting or x.word == 'explain') for x in block)
                block = None


# ---- answers -----------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, result):
        self.sqlstate, self.message = result.sqlstate, (result.error or {}).get('M', '')
        self.tag, self.names, self.rows, self.copied = result.tag, result.names, result.rows, result.copied
        self.types = [c[3] if c[3] < 16384 else None for c in result.columns or []]

    def differs(self, other, is_ordered):
        """What of it, in a word; None: nothing."""
        if self.sqlstate or other.sqlstate:
            return None if self.sqlstate == other.sqlstate else other.sqlstate or 'succeeds'
        if self.names != other.names:
            return 'names'
        if self.types != other.types:
            return 'types'
        if sorted(map(repr, self.rows)) != sorted(map(repr, other.rows)) or sorted(self.copied.splitlines()) != sorted(other.copied.splitlines()):
            return 'rows'
        if self.tag != other.tag:
            return 'tag'
        return 'order' if is_ordered and self.rows != other.rows else None

    def __str__(self):
        return f'{self.sqlstate} {self.message}' if self.sqlstate else f'{self.tag} {self.names} {self.rows[:5]} {self.copied[:200]}'


def ask(c, statement):
    try:
        results = c.query(statement.sql, statement.data if statement.data is not None else b'')
    except (OSError, gt.Closed) as e:
        raise gt.TestError(f'{e!r}: {statement.sql[:500]}')
    return Answer(results[-1] if results else gt.Result())


# ---- the comparison ----------------------------------------------------------------------------------------


def key_of(name, statement, seen):
    text = ' '.join(statement.sql.split())
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    seen[digest] += 1
    return f'{name} {digest}' + (f'.{seen[digest]}' if seen[digest] > 1 else '')


class World:
    def __init__(self, scratch, pg, proxy):
        self.pg, self.proxy = pg, proxy
        self.differences = {}  # key -> (what, statement, direct, proxied)
        self.count = collections.Counter()
        self.seconds = {}

    def connect(self, through, database='proxied'):
        c = self.proxy.wire('reader', timeout=150) if through else gt.Wire(self.pg.port, 'gatehouse', database, 'upstream-secret', timeout=150)
        for setting in (SESSION + ("; SET statement_timeout TO '120s'" if through else "; SET statement_timeout TO '120s'; SET lock_timeout TO '3s'")).split('; '):
            c.query(setting)
        return c

    def run_file(self, name, path):
        variables = {'abs_srcdir': str(path.parents[1]), 'abs_builddir': str(path.parents[1])}
        statements = split(path.read_text(), variables)
        mark_blocks(statements)
        self.direct, self.owner, self.reader = self.connect(False, 'direct'), self.connect(False), self.connect(True)
        self.is_stale, self.is_behind, self.block, seen, begin = True, False, [], collections.Counter(), time.monotonic()
        for s in statements:
            if not self.proxy.alive():
                raise gt.TestError(f'the proxy died at {s.sql}:\n{self.proxy.log()[-3000:]}')
            key = key_of(name, s, seen)
            if re.match(r'(?i)(re)?set\s+(session\s+|local\s+)?(authorization|role)\b', s.sql):
                pass  # the rights of PostgreSQL's own roles are another matter: the owner does it all
            elif s.is_setting:
                self.set(s)
            elif s.word == 'explain' and not re.search(r'(?i)\banalyze\b', s.sql):
                pass
            elif s.is_compared and not s.is_direct_block:
                self.compare(key, s)
            else:
                self.is_stale = self.is_stale or not s.is_direct_block or not s.is_compared
                for c in (self.direct, self.owner):
                    ask(c, s)
                if s.word == 'create' and self.owner.status == 'I' and re.search(r'(?i)\bfunction\b', s.sql):
                    self.owner.query(PATHS)
        self.reader.close()
        for c in (self.direct, self.owner):
            if c.status != 'I':
                c.query('ROLLBACK')
            for s in statements:
                if s.undo:
                    c.query(s.undo)
            c.close()
        self.seconds[name] = time.monotonic() - begin

    def set(self, s):
        is_followed = (s.second if s.second != 'session' else 'session') in FOLLOWED and not s.is_direct_block
        if s.second == 'local':
            is_followed = is_followed and re.split(r'\W+', s.sql.strip().lower())[2] in FOLLOWED
        for c in (self.direct, self.owner) + ((self.reader,) if is_followed else ()):
            if not (c is self.owner and s.second in ('local', 'transaction')):
                ask(c, s)

    def compare(self, key, s):
        if self.is_stale:  # a name that is not there has the catalog read, and the statement wait for it
            if self.reader.status == 'I':
                self.reader.query('SELECT FROM public.gh_no_such_table')
            self.is_stale = False
        if self.direct.status == 'I':
            self.block, self.is_behind = [], False
        self.block.append(s)
        a, b = ask(self.direct, s), ask(self.reader, s)
        what = a.differs(b, s.is_ordered)
        self.count['all'] += 1
        if self.is_behind:  # a refusal failed the transaction
            self.count['behind a refusal'] += 1
        elif what is not None:
            self.differences[key] = (what, s, a, b)
        self.count['failing' if a.sqlstate else 'answering'] += not self.is_behind
        self.is_behind = self.is_behind or (self.reader.status == 'E' and self.direct.status == 'T')
        if self.direct.status == 'I' and (self.is_behind or (what is not None and b.sqlstate and not a.sqlstate)):
            if self.reader.status != 'I':
                self.reader.query('ROLLBACK')
            for statement in self.block:  # so that what follows finds the same
                ask(self.owner, statement)


def class_of(what, statement, directly, proxied):
    if what in ('order', 'types'):
        return 'ties' if what == 'order' else 'rows as values' if 'pg_' not in statement.sql else 'catalogs'
    text = f"{proxied.sqlstate or ''} {proxied.message} | {statement.sql} | {directly.message}"
    return next((name for name, _, pattern in CLASSES if pattern.search(text)), 'unexplained')


# ---- the list ----------------------------------------------------------------------------------------------


def read_list():
    """{key: (class, what)}, and {class: reason}."""
    entries, reasons, current = {}, {}, None
    for line in LIST.read_text().splitlines() if LIST.exists() else ():
        if line.startswith('== '):
            current, reason = line[3:].split(': ', 1) if ': ' in line else (line[3:], '')
            reasons[current] = reason
        elif line.strip() and line[0] != '#':
            name, digest, what = line.split()[:3]
            entries[f'{name} {digest}'] = (current, what)
    return entries, reasons


def write_list(world, ran, entries, reasons):
    sections = collections.defaultdict(list)
    reasons = {'ties': 'Rows that the query leaves in any order.'} | {name: reason for name, reason, _ in CLASSES} | {k: r for k, r in reasons.items() if r}
    for key, (kind, what) in entries.items():
        if key.split()[0] not in ran:
            sections[kind].append(f'{key} {what}')
    for key, (what, s, a, b) in world.differences.items():
        kind = entries[key][0] if key in entries and entries[key] == (entries[key][0], what) else class_of(what, s, a, b)
        sections[kind].append(f'{key} {what} {" ".join(s.sql.split())[:90]}')
    texts = {k: line for k, line in ((' '.join(l.split()[:2]), l) for l in LIST.read_text().splitlines() if l and l[0] not in '#=') } if LIST.exists() else {}
    lines = ['# What PostgreSQL\'s regression suite answers otherwise through the proxy, and why: regress.py.', '# file, statement, what differs, how the statement begins']
    for kind in sorted(sections, key=lambda k: (k == 'unexplained', k)):
        lines += ['', f'== {kind}: {reasons.get(kind, "")}'.rstrip(': ')]
        lines += [texts.get(' '.join(l.split()[:2]), l) if len(l.split()) == 3 else l for l in sorted(sections[kind])]
    LIST.write_text('\n'.join(lines) + '\n')


def judge(world, ran, is_version):
    entries, reasons = read_list()
    failed = 0
    for key, (what, s, a, b) in world.differences.items():
        kind, listed = entries.get(key, ('unexplained', None))
        if not is_version and listed != what:
            kind, listed = class_of(what, s, a, b), what
        if kind == 'unexplained' or not reasons.get(kind) or listed != what:
            failed += 1
            print(f'not ok {key}: {what}, which the list does not explain\n    {" ".join(s.sql.split())[:300]}\n    directly {str(a)[:300]}\n    proxy    {str(b)[:300]}')
    for key in entries:
        if is_version and key.split()[0] in ran and key not in world.differences:
            failed += 1
            print(f'not ok {key}: is listed, and no difference any more')
    return failed


def main():
    arguments = sys.argv[1:]
    is_writing = '--write' in arguments
    names = [a for a in arguments if a[0] != '-'] or [f for f in FILES if LONG or f in QUICK]
    try:
        folder = source()
    except Unavailable as e:
        print(f'skip regress  # PostgreSQL\'s source package: {e}')
        print('0 passed, 0 failed, 1 skipped')
        return
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        shutil.copytree(folder, scratch.path('regress'))
        (scratch.path('regress') / 'results').mkdir(mode=0o777)
        (scratch.path('regress') / 'results').chmod(0o777)
        here = scratch.path('regress') / 'sql'
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        pg.sql('CREATE DATABASE direct')
        env = dict(os.environ, PG_ABS_SRCDIR=str(here.parent), PG_LIBDIR='/nowhere', PG_DLSUFFIX='.so', PG_ABS_BUILDDIR=str(here.parent))
        for name in SETUP:
            gt.run(pg.psql, '-XAtq', '-h', pg.dir, '-p', pg.port, '-U', 'postgres', '-d', 'direct', '-f', here / f'{name}.sql', check=False, env=env)
        pg.sql('CREATE DATABASE proxied TEMPLATE direct')
        pg.sql(PATHS, 'proxied')
        with gt.Gatehouse(scratch, pg, policy=POLICY, users={'reader': 'pw'}, database='proxied') as proxy:
            world = World(scratch, pg, proxy)
            for name in names:
                world.run_file(name, here / f'{name}.sql')
        entries, reasons = read_list()
        if is_writing:
            write_list(world, names, entries, reasons)
        failed = judge(world, names, (folder / 'version').read_text() == VERSION)
    print(', '.join(f'{v} {k}' for k, v in world.count.items()) + f', {len(world.differences)} differ')
    if not is_writing and not [a for a in arguments if a[0] != '-'] and world.count['answering'] < 1000:
        print('not ok too few statements were compared')
        failed += 1
    print('slowest: ' + ', '.join(f'{n} {s:.1f} s' for n, s in sorted(world.seconds.items(), key=lambda x: -x[1])[:8]))
    print(f'{world.count["all"] - len(world.differences)} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
