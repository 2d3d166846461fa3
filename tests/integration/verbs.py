"""Every verb of the command line by one list: what CONTRACT's section says of all of them holds for each.

--help with an example, man page, completion, exit codes, suggestions, --json with the fields that docs/cli.md lists.
"""
import functools
import json
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

ROOT = Path(__file__).resolve().parents[2]

# The contract's verbs, and `user enable`, `completion`.
VERBS = """serve; check; init; policy plan; policy apply; policy export; policy test; policy lint; policy import; policy unused;
policy history; policy rollback; user add; user list; user show; user password; user disable; user enable; user drop;
role add; role list; role show; role drop; member add; member drop; grant; deny; revoke; tag add; tag drop; tag list;
mask add; mask drop; mask list; grants; who; explain; audit tail; audit search; audit show; audit stats; audit verify;
session list; session kill; reload; status; completion""".replace('\n', ' ').split('; ')

POLICY = warehouse.POLICY + """\
masking:
  - { tag: pii, with: redact, except: [everything] }
tests:
  - { as: alice, query: "select distinct region from crm.customers", rows: [[EU]] }
"""


def setUpModule():
    global proxy, scratch
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=POLICY, users=warehouse.USERS))


def cli(*argv, stdin=''):
    return proxy.cli(*argv, check=False, stdin=stdin)


@functools.cache
def help_of(verb):
    return cli(*verb.split(), '--help').stdout


def options_of(verb):
    return re.findall(r'^  (--[a-z-]+)', help_of(verb), re.M)


class EveryVerb(unittest.TestCase):
    def test_they_are_all_there_and_no_others(self):
        listed = re.findall(r'^  ([a-z]+(?: [a-z]+)?)(?= .*  | [A-Z\[|.{"]|   )', cli('--help').stdout, re.M)
        self.assertEqual(sorted(listed), sorted(VERBS))

    def test_help(self):
        for verb in VERBS:
            with self.subTest(verb):
                done = cli(*verb.split(), '--help')
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                self.assertTrue(done.stdout.startswith(f'Usage: gatehouse {verb}'), done.stdout)
                self.assertEqual(cli('help', *verb.split()).stdout, done.stdout)
                _, example = done.stdout.split('\nExample:\n')
                lines = example.replace('\\\n', ' ').splitlines()
                self.assertTrue(lines)
                for line in lines:
                    # of this verb, or of one to go on with, and no option that it lacks
                    words = re.match(r'  gatehouse ((?:[a-z]+ )?[a-z]+)', line)
                    named = next((v for v in sorted(VERBS, key=len, reverse=True) if line[12:].startswith(v)), None)
                    self.assertIsNotNone(words and named, line)
                    for option in re.findall(r'(?<= )--[a-z-]+', line):
                        self.assertIn(option, options_of(named), line)
                self.assertTrue(any(line.startswith(f'  gatehouse {verb}') for line in lines))
                self.assertLessEqual(max(len(line) for line in done.stdout.splitlines()), 110)

    def test_man_page(self):
        """Each verb is in a page, and each of its options stands in the page that its own verb is in."""
        pages = {p.name: re.sub(r'\\f[A-Z]|\\', '', p.read_text()).replace('" "', '').replace('"', '')
                 for p in (ROOT / 'docs' / 'man').glob('*.1')}
        flat = {name: re.sub(r'\n', ' ', re.sub(r'^\.[A-Z]+ ', '', text, flags=re.M)) for name, text in pages.items()}
        common = ('--config', '--acl', '--json', '--by', '--reason')
        for verb in VERBS:
            with self.subTest(verb):
                own = [name for name, text in flat.items()
                       if re.search(rf'(?<![a-z]){"[ |a-z]*?(?<![a-z])".join(verb.split())}(?![a-z])', text) and
                       all(re.search(rf'{o}(?![a-z-])', text) or (o in common and o in flat['gatehouse.1'])
                           for o in options_of(verb) if o != '--help')]
                self.assertTrue(own, {name: [o for o in options_of(verb) if not re.search(rf'{o}(?![a-z-])', text)]
                                      for name, text in flat.items() if verb in text})

    @unittest.skipUnless(shutil.which('man'), 'man is not installed')
    def test_man_pages_are_well_formed(self):
        for page in sorted((ROOT / 'docs' / 'man').iterdir()):
            done = subprocess.run(['man', '--warnings=w', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ''), page)

    def test_wrong_usage(self):
        for verb in VERBS:
            with self.subTest(verb):
                words = verb.split()
                for argv, word in ((['--nonsense'], '--nonsense'), (['--hepl'], 'did you mean "--help"?')):
                    done = cli(*words, *argv)
                    self.assertEqual((done.returncode, done.stdout), (2, ''))
                    self.assertIn(word, done.stderr)
                    self.assertIn(f'`gatehouse {verb} --help`', done.stderr)
                for option in options_of(verb):
                    if option not in ('--help', '--json'):
                        done = cli(*words, option[:-1] + ('x' if option[-1] != 'x' else 'y'))
                        self.assertEqual(done.returncode, 2)
                        self.assertIn(f'did you mean "{option}"?', done.stderr)
                valued = re.findall(r'^  (--[a-z-]+) [A-Z\[]', help_of(verb), re.M)
                for option in valued:
                    done = cli(*words, option)
                    self.assertEqual((done.returncode, done.stdout), (2, ''))
                    self.assertIn(f'{option} needs a value', done.stderr)
                usage = help_of(verb).splitlines()[0]
                if '...' not in usage and 'PRIVS' not in usage:
                    done = cli(*words, *['x'] * 9)
                    self.assertEqual((done.returncode, done.stdout), (2, ''))
                    self.assertIn('unexpected argument "x"', done.stderr)
                if re.match(rf'Usage: gatehouse {verb} [A-Z"]', usage):
                    done = cli(*words)
                    self.assertEqual((done.returncode, done.stdout), (2, ''), usage)

    def test_misspelt_verbs(self):
        for verb in VERBS:
            with self.subTest(verb):
                *group, last = verb.split()
                for wrong in (last[:-1] + 'q', last[1:] if len(last) > 3 else last + 'x', last[0] + last):
                    done = cli(*group, wrong)
                    self.assertEqual((done.returncode, done.stdout), (2, ''))
                    self.assertIn('unknown command', done.stderr)
                    if len(last) > 3:
                        self.assertRegex(done.stderr, r'did you mean "[a-z ]+"\?|see `gatehouse')
                done = cli(*group, last + last[-1])
                self.assertIn(f'did you mean "{verb}"?', done.stderr)
        for group in {v.split()[0] for v in VERBS if ' ' in v}:
            self.assertEqual(cli(group).returncode, 2)
            self.assertEqual(cli(group, '--help').returncode, 0)
            self.assertIn(f'did you mean "{group}"?', cli(group + group[-1]).stderr)

    def test_completion(self):
        complete = lambda *words: [l.split('\t')[0] for l in cli('complete', *words).stdout.splitlines()]
        for verb in VERBS:
            with self.subTest(verb):
                words = verb.split()
                self.assertIn(words[-1], complete(*words[:-1], words[-1][:2]))
                self.assertEqual(set(complete(*words, '--')), set(options_of(verb)))

    def test_acl_and_config(self):
        """What reads or changes the ACL takes --acl, --config; what changes it takes --by, --reason as well."""
        changing = ['policy apply', 'policy rollback', 'grant', 'deny', 'revoke'] + [
            f'{kind} {what}' for kind, all_ in (('user', 'add password disable enable drop'), ('role', 'add drop'),
                                                ('member', 'add drop'), ('tag', 'add drop'), ('mask', 'add drop'))
            for what in all_.split()]
        reading = ['policy export', 'policy plan', 'policy lint', 'policy history', 'policy unused', 'user list', 'user show', 'role list',
                   'role show', 'tag list', 'mask list', 'grants', 'who', 'explain']
        for verb in changing + reading:
            with self.subTest(verb):
                self.assertLessEqual({'--acl', '--config'}, set(options_of(verb)))
                self.assertEqual({'--by', '--reason'} <= set(options_of(verb)), verb in changing)
        missing = proxy.dir / 'none.db'
        arguments = {'user show': ['alice'], 'role show': ['analyst'], 'who': ['crm.customers'], 'explain': ['--user', 'alice', 'select 1'],
                     'policy plan': None, 'policy unused': ['--dir', proxy.audit_dir]}
        for verb in reading:
            if arguments.get(verb, []) is None:
                continue
            with self.subTest(verb):
                done = cli(*verb.split(), *arguments.get(verb, []), '--acl', missing, *(
                    ['--config', proxy.config] if verb == 'explain' else []))
                self.assertEqual((done.returncode, done.stdout), (1, ''))
                self.assertIn(f'{missing}: no such ACL file', done.stderr)
                self.assertFalse(missing.exists())


class PolicyKeys(unittest.TestCase):
    """Every key of the policy file: misspelt, it is suggested; unknown, all are named; and the guide tells of it."""
    PLACES = {'': '{}: x', 'roles': 'roles: {{ r: {{ {}: x }} }}', 'users': 'users: {{ u: {{ {}: x }} }}', 'grants': 'grants: [{{ {}: x }}]',
              'valid': 'grants: [{{ to: [r], tables: [s.t], valid: {{ {}: x }} }}]',
              'columns': 'grants: [{{ to: [r], tables: [s.t], columns: {{ {}: x }} }}]', 'denies': 'denies: [{{ {}: x }}]',
              'masking': 'masking: [{{ {}: x }}]', 'functions': 'functions: [{{ {}: x }}]', 'tests': 'tests: [{{ {}: x }}]'}

    def faults(self, place, key):
        path = proxy.dir / 'keys.yaml'
        text = 'version: 1\n' + place.format(key) + '\n'
        path.write_text(text)
        done = cli('policy', 'apply', '--acl', proxy.dir / 'keys.db', path)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        line, = [l for l in done.stderr.splitlines() if f'{key}: unknown key; ' in l]
        number, column = map(int, re.match(r'.*?:(\d+):(\d+): ', line).groups())
        self.assertTrue(text.splitlines()[number - 1][column - 1:].startswith(key), line)
        return line

    def test_keys(self):
        guide = (ROOT / 'docs' / 'policy-guide.md').read_text()
        seen = 0
        for name, place in self.PLACES.items():
            keys = re.search(r'expected one of (.*)|expected (\w+)$', self.faults(place, 'zzzzzz'))
            for key in (keys[1] or keys[2]).split(', '):
                with self.subTest(f'{name}.{key}'):
                    self.assertIn(f'did you mean "{key}"?', self.faults(place, key + key[-1]))
                    self.assertTrue(re.search(rf'`{key}`|`{key}: |\b{key}:\s', guide))
                    seen += 1
        self.assertGreater(seen, 40)


# verb, arguments, exit code: each with a result, in this order
JSON = (
    ('check', [], 0),
    ('role add', ['tester', '--member-of', 'analyst'], 0),
    ('user add', ['tina', '--role', 'tester', '--attribute', 'region=EU'], 0),
    ('user password', ['tina'], 0),
    ('user disable', ['tina'], 0),
    ('user enable', ['tina'], 0),
    ('member add', ['dave', 'tester'], 0),
    ('member drop', ['dave', 'tester'], 0),
    ('user list', [], 0),
    ('user show', ['alice'], 0),
    ('role list', [], 0),
    ('role show', ['analyst'], 0),
    ('grant', ['select', 'on', 'hr.employees', 'to', 'tester', '--columns', 'id'], 0),
    ('deny', ['select', 'on', 'hr.employees', 'to', 'tester', '--columns', 'name'], 0),
    ('grants', [], 0),
    ('who', ['crm.customers'], 0),
    ('who', ['crm.customers.email', '--rows'], 0),
    ('explain', ['--user', 'alice', 'select * from crm.customers'], 0),
    ('explain', ['--user', 'alice', 'select ssn from hr.employees'], 1),
    ('revoke', ['select', 'on', 'hr.employees', 'from', 'tester', '--columns', 'id'], 0),
    ('tag add', ['secret', 'vault.keys.secret'], 0),
    ('tag list', [], 0),
    ('tag drop', ['secret'], 0),
    ('mask add', ['first', 'left(value, 1)'], 0),
    ('mask list', [], 0),
    ('mask drop', ['first'], 0),
    ('policy history', ['5'], 0),
    ('policy lint', ['CHANGED'], 0),
    ('policy plan', ['CHANGED', '--witness'], 0),
    ('policy test', ['CHANGED'], 0),
    ('policy apply', ['CHANGED'], 0),
    ('policy unused', ['--days', '7'], 0),
    ('user drop', ['tina'], 0),
    ('role drop', ['tester', '--cascade'], 0),
    ('policy rollback', ['1'], 0),
    ('audit tail', ['--limit', '5'], 0),
    ('audit search', ['--user', 'alice'], 0),
    ('audit show', ['1'], 0),
    ('audit stats', ['--would-deny'], 0),
    ('audit verify', [], 0),
    ('session list', [], 0),
    ('session kill', ['SESSION'], 0),
    ('status', [], 0),
    ('reload', [], 0),
)


def documented():
    """verb -> the sets of fields that docs/cli.md lists; None: it says where else."""
    text = (ROOT / 'docs' / 'cli.md').read_text().split('## What `--json` says')[1]
    found = {}
    for verbs, fields in re.findall(r'^\| (`.*?) \| (.*) \|$', text, re.M):
        kinds = [set(re.findall(r'`([a-z_]+)`', re.sub(r'\([^)]*\)', '', part))) for part in fields.split(';')]
        for verb in re.findall(r'`([^`]+)`', verbs):
            found[verb] = None if 'audit-format.md' in fields else kinds
    return found


class Json(unittest.TestCase):
    def test_fields(self):
        known = documented()
        without = {'serve', 'init', 'completion', 'policy export', 'policy import'}
        self.assertEqual(set(known) | without, set(VERBS))
        self.assertEqual({v for v in VERBS if '--json' not in options_of(v)}, without)
        changed = proxy.dir / 'changed.yaml'
        changed.write_text(POLICY.replace('dave: { kind: human }', 'dave: { roles: [people] }'))
        met = {}
        with proxy.wire('alice') as c:
            c.one('SELECT 1')
            for verb, argv, code in JSON:
                with self.subTest(verb):
                    if 'SESSION' in argv:
                        argv = [json.loads(cli('session', 'list', '--config', proxy.config, '--json').stdout)['id']]
                    done = cli(*verb.split(), *[changed if a == 'CHANGED' else a for a in argv], '--config', proxy.config, '--json',
                               stdin='a password\n')
                    self.assertEqual(done.returncode, code, done.stderr)
                    objects = [json.loads(line) for line in done.stdout.splitlines()]
                    self.assertTrue(all(type(o) is dict for o in objects))
                    self.assertTrue(objects or verb == 'audit stats', done.stderr)
                    for o in objects:
                        self.assertTrue(known[verb] is None or any(set(o) <= kind for kind in known[verb]), (verb, o, known[verb]))
                        met.setdefault(verb, set()).update(o)
        self.assertEqual({v for v, _, _ in JSON}, set(known), 'each is tried')
        for verb, kinds in known.items():
            # what only a fault or another mode brings
            rare = {'reload': {'needs_restart', 'warehouse', 'mode', 'fault'}, 'audit stats': kinds and set().union(*kinds)}
            if kinds is not None:
                self.assertEqual(set().union(*kinds) - met.get(verb, set()) - rare.get(verb, {'id'} - met.get(verb, set())), set(), verb)

    def test_a_failure_is_no_json(self):
        for argv in (['user', 'show', 'nobody'], ['policy', 'history', '--acl', proxy.dir / 'none.db'], ['status', '--control', 'none']):
            done = cli(*argv, '--config', proxy.config, '--json')
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            self.assertTrue(done.stderr.startswith('gatehouse: '))


if __name__ == '__main__':
    gt.main()
