"""The audit: who did what, written before it happens, chained, and a condition of any answer."""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS))


def other_proxy(name, **more):
    return gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS, name=name, **more)


def of_text(text, kinds=('intent', 'refused'), count=1):
    """The records of statements that hold `text`. Those of refusals may be a moment late: nothing was answered but an error."""
    find = lambda: [r for r in proxy.audit() if r['kind'] in kinds and text in (r.get('sql') or '')]
    gt.wait_for(lambda: len(find()) >= count, 5, f'{count} records of {text}')
    return find()


class Records(unittest.TestCase):
    def test_sequences(self):
        """Those that a statement names are among its relations; what they are asked for makes it no other command."""
        pg.sql('CREATE SEQUENCE sales.numbers; CREATE SEQUENCE sales.others; CREATE TABLE sales.numbered (id int); GRANT ALL ON sales.numbers, sales.others, sales.numbered TO gatehouse', 'wh')
        self.addCleanup(pg.sql, 'DROP TABLE sales.numbered; DROP SEQUENCE sales.numbers, sales.others', 'wh')
        for privilege in ('update', 'select,delete'):
            proxy.cli('grant', privilege, 'on', 'sales.num*' if privilege != 'update' else 'sales.numbers,sales.others', 'to', 'user:alice', '--acl', proxy.acl)
        grants = json.loads(proxy.cli('grants', '--on', 'sales.others', '--json', '--acl', proxy.acl).stdout.splitlines()[-1])['id']
        with proxy.wire('alice') as c:
            gt.wait_for(lambda: c.query("SELECT nextval('sales.others')")[-1].sqlstate is None, 10, 'the grants')
            for sql, command, relations in (("SELECT nextval('sales.numbers'), setval('sales.numbers'::regclass, 7), nextval('numbers') /* seq-1 */", 'select', [('numbers', ['update'])]),
                                            ("SELECT currval('sales.numbers'), nextval('sales.others') /* seq-2 */", 'select', [('numbers', ['select']), ('others', ['update'])]),
                                            ("SELECT currval('sales.numbers'), setval('sales.numbers', 9), id FROM sales.numbered /* seq-3 */", 'select', [('numbered', ['select']), ('numbers', ['select', 'update'])]),
                                            ("DELETE FROM sales.numbered WHERE id = nextval('sales.others') /* seq-4 */", 'delete', [('numbered', ['delete']), ('others', ['update'])])):
                with self.subTest(sql=sql):
                    c.query('SET search_path = sales')
                    self.assertIsNone(c.query(sql)[-1].sqlstate)
                    intent, = of_text(sql[-8:-3].strip())
                    self.assertEqual((intent['command'], [(r['name'], sorted(r['privileges'])) for r in intent['relations']]), (command, relations))
                    self.assertEqual({(r['schema'], tuple(r['clear']), tuple(r['masked']), r['row_filtered']) for r in intent['relations'] if r['name'] != 'numbered'}, {('sales', (), (), False)})
                    self.assertIn(grants, intent['grants'])
            c.query("SELECT nextval('sales.' || 'others') /* seq-5 */")
        self.assertEqual(of_text('seq-5')[0]['relations'], [])

    def outcome(self, statement):
        return gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'outcome' and r['statement'] == statement],
                           5, 'the outcome record')[0]

    def test_statement(self):
        with proxy.wire('alice', parameters={'application_name': 'audit-test'}) as c:
            rows = c.one("SELECT id, email /* mark-1 */ FROM crm.customers WHERE name <> 'x'")
        intent, = of_text('mark-1')
        self.assertEqual(intent['kind'], 'intent')
        self.assertEqual(intent['user'], 'alice')
        self.assertEqual(intent['warehouse'], 'wh')
        self.assertIn('analyst', intent['roles'])
        self.assertEqual(intent['application'], 'audit-test')
        self.assertIn('127.0.0.1', intent['client'])
        self.assertIn('TLS', json.dumps(intent))
        self.assertIn("region", intent['rewritten'])
        self.assertIn("'EU'", intent['rewritten'], 'what was sent, with the attribute in it')
        text = json.dumps(intent)
        self.assertIn('customers', text)
        self.assertTrue(intent['grants'], 'the grants that allowed it')
        outcome = self.outcome(intent['statement'])
        self.assertGreater(outcome['seq'], intent['seq'], 'the intent comes first')
        self.assertEqual(outcome['rows'], len(rows))
        self.assertGreater(outcome['bytes'], 0)
        self.assertEqual(outcome['user'], 'alice')

    def test_refusal(self):
        with proxy.wire('alice') as c:
            c.query('SELECT secret /* mark-2 */ FROM vault.keys')
        refused, = of_text('mark-2')
        self.assertEqual(refused['kind'], 'refused')
        self.assertEqual(refused['sqlstate'], '42P01')
        self.assertEqual(refused['user'], 'alice')

    def test_refused_kinds_and_broken_text(self):
        with proxy.wire('erin') as c:
            c.query('DROP TABLE crm.customers /* mark-3 */')
            c.query('SELEC /* mark-4 */ 1')
        self.assertEqual([r['sqlstate'] for r in of_text('mark-3')], ['42501'])
        self.assertEqual([r['sqlstate'] for r in of_text('mark-4')], ['42601'])

    def test_extended_protocol_runs_are_recorded_each(self):
        with proxy.wire('alice') as c:
            c.extended('SELECT id /* mark-5 */ FROM crm.customers WHERE id = $1', [3], name='m')
            for value in (6, 9):
                c.send(gt.bind_message([value], statement='m'), gt.execute_message(), gt.SYNC)
                c.results()
        self.assertEqual(len(of_text('mark-5', ('intent',), 3)), 3)

    def test_what_a_name_stands_for_is_recorded_where_it_runs(self):
        """Who reads by EXECUTE and FETCH reads the relations of what was prepared, whoever shares the plan."""
        with proxy.wire('alice') as c, proxy.wire('alice') as other:
            c.query('PREPARE p AS SELECT id, email FROM crm.customers WHERE id > 0')
            other.query('PREPARE p AS SELECT 1')
            for session in (c, other):
                session.query('EXECUTE p /* mark-exec */')
            c.query('BEGIN; DECLARE cur CURSOR FOR SELECT id FROM crm.customers')
            c.query('FETCH 2 FROM cur /* mark-fetch */')
        first, second = of_text('mark-exec', ('intent',), 2)
        self.assertEqual([r['name'] for r in first['relations']], ['customers'])
        self.assertIn('id', first['relations'][0]['clear'] + first['relations'][0]['masked'])
        self.assertTrue(first['grants'])
        self.assertEqual(second['relations'], [])
        fetched, = of_text('mark-fetch', ('intent',))
        self.assertEqual([r['name'] for r in fetched['relations']], ['customers'])

    def test_error_of_the_upstream(self):
        with proxy.wire('alice') as c:
            self.assertEqual(c.query('SELECT 1 / (id - 3) /* mark-6 */ FROM crm.customers')[-1].sqlstate, '22012')
        intent, = of_text('mark-6')
        self.assertEqual(self.outcome(intent['statement'])['sqlstate'], '22012')

    def test_login_and_failure(self):
        proxy.wire('bob').close()
        with self.assertRaises(gt.ServerError):
            proxy.wire('bob', password='wrong-secret-word')
        with self.assertRaises(gt.ServerError):
            proxy.wire('nobody-at-all', password='wrong-secret-word')
        gt.wait_for(lambda: any(r['kind'] == 'logout' and r.get('user') == 'bob' for r in proxy.audit()), 5, 'the logout')
        gt.wait_for(lambda: any(r.get('user') == 'nobody-at-all' for r in proxy.audit()), 5, 'the record of the failed login')
        records = proxy.audit()
        self.assertTrue([r for r in records if r['kind'] == 'login' and r.get('user') == 'bob'])
        failed = [r for r in records if r['kind'] == 'login_failed']
        self.assertEqual({r.get('user') for r in failed} & {'bob', 'nobody-at-all'}, {'bob', 'nobody-at-all'})
        self.assertTrue(all(r['sqlstate'] == '28P01' for r in failed if r.get('user') in ('bob', 'nobody-at-all')))

    def test_nothing_secret_is_written(self):
        text = ''.join(json.dumps(r) for r in proxy.audit()) + proxy.log()
        for secret in ('upstream-secret', 'wrong-secret-word', *warehouse.USERS.values()):
            self.assertNotIn(secret, text)

    def test_fingerprints_hold_no_literal(self):
        """Nor do messages about statements that could not be read, or that name something in a literal."""
        literal = 'hush7071'
        config = lambda p: p.config.write_text(p.config.read_text().replace('statements: full', 'statements: fingerprint'))
        other = other_proxy('fingerprint')
        other.write_config = lambda write=other.write_config: (write(), config(other))
        statements = [s.format(literal) for s in (
            "SELECT '{0}'", "SELECT '{0}' FROM WHERE", "SELECT $${0}$$, $a${0}$a$", "SELECT E'{0}\\'{0}'", "SELECT '{0}'::int", "SELECT '{0}", "SELECT E'{0}", "SELECT $${0}", "SELECT 1 '{0}'",
            "SELECT '{0}'::regclass", "SELECT '{0}'::regtype", "SELECT '{0}'::nothing", "SET client_encoding = '{0}'", "SET search_path = '{0}'", "SELECT set_config('{0}', 'x', false)",
            "SELECT current_setting('{0}')", "SHOW nothing; SELECT '{0}'", "SELECT name'\\' , name'{0}'", "SELECT 1 /* /* */ {0} */", "SELECT 1 -- {0}", "ALTER USER x PASSWORD '{0}'", "DO '{0}'",
            "SELECT to_tsvector('{0}', 'x')", "COPY (SELECT '{0}') TO '{0}'", "PREPARE p AS SELECT '{0}'", "EXECUTE p('{0}')", "EXPLAIN SELECT '{0}'", "SELECT U&'{0}\\00zz'")]
        with other:
            with other.wire('erin') as c:
                for sql in statements:
                    c.query(sql)
                c.extended('SELECT $1::int', [literal])
            records = gt.wait_for(lambda: [r for r in other.audit() if r['kind'] == 'logout'] and other.audit(), 5, 'the end of the session')
        told = [r for r in records if literal in json.dumps(r)]
        self.assertEqual(told, [])
        self.assertGreaterEqual(sum(r['kind'] in ('intent', 'refused') for r in records), len(statements))
        self.assertIn('type "?" does not exist', [r.get('message') for r in records])

    def test_several_statements_in_one_query(self):
        with proxy.wire('alice') as c:
            c.query("SELECT 'mark-7a'; SELECT 'mark-7b'; SELECT * FROM vault.keys; SELECT 'mark-7d'")
        self.assertTrue(of_text('mark-7a'))
        self.assertTrue(of_text('mark-7b'))

    def test_hostile_bytes_stay_json(self):
        with proxy.wire('alice') as c:
            c.query("SELECT 'mark-8 \x01\x1b[2J\u2028\"\\'")
        record, = of_text('mark-8')
        self.assertIn('\x1b[2J', record['sql'])

    def test_tail_and_search(self):
        with proxy.wire('carol') as c:
            c.one("SELECT count(*) /* mark-9 */ FROM hr.employees")
        out = proxy.cli('audit', 'tail', '--config', proxy.config).stdout
        self.assertIn('mark-9', out)
        self.assertIn('carol', out)
        found = proxy.cli('audit', 'search', '--config', proxy.config, '--user', 'carol', '--json').stdout.splitlines()
        self.assertTrue(found)
        self.assertTrue(all(json.loads(line)['user'] == 'carol' for line in found))

    def show(self, identity, *options):
        return proxy.cli('audit', 'show', identity, '--config', proxy.config, *options).stdout

    def test_show(self):
        with proxy.wire('alice', parameters={'application_name': 'x\n user mallory\x1b[2J'}) as c:
            c.one("SELECT id, email\n/* mark-show */\tFROM crm.customers WHERE name <> 'x'")
        intent, = of_text('mark-show')
        outcome = self.outcome(intent['statement'])
        gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'logout' and r['session'] == intent['session']], 5,
                    'the logout')

        text = self.show(intent['statement'])
        first, second = text.split('\n\n')
        self.assertNotIn('\x1b', text)
        fields = re.findall(r'^(\S+) +(.*)$', first, re.M)
        self.assertEqual([k for k, _ in fields if k != 'relation'], [k for k in intent if k != 'relations'])
        fields = dict(fields)
        for key in ('kind', 'time', 'statement', 'session', 'user', 'decision', 'policy_version', 'seq', 'hash'):
            self.assertEqual(fields[key], str(intent[key]))
        self.assertEqual(fields['grants'], ', '.join(map(str, intent['grants'])))
        self.assertIn('crm.customers: ', fields['relation'])
        self.assertIn('row_filtered', fields['relation'])
        self.assertIn('SELECT id, email\n' + 17 * ' ' + '/* mark-show */ FROM', first)
        self.assertNotIn('mallory', fields['user'])
        self.assertEqual(second, ''.join(f'{k:17}{"-" if v is None else v}\n' for k, v in outcome.items()))

        same = lambda text: [json.loads(line) for line in text.splitlines()]
        self.assertEqual(same(self.show(intent['statement'], '--json')), [intent, outcome])
        self.assertEqual(same(self.show(str(outcome['seq']), '--json')), [outcome])
        session = same(self.show(intent['session'], '--json'))
        self.assertEqual([r['kind'] for r in session], ['login', 'intent', 'outcome', 'logout'])

    def test_show_of_what_is_not_there(self):
        boot, worker, _ = proxy.audit()[-1].get('session', proxy.audit()[1].get('session')).split('.')
        for identity in ('999999999', f'{boot}.{worker}.99999999'):
            done = proxy.cli('audit', 'show', identity, '--config', proxy.config, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (1, '', f'gatehouse: no record of "{identity}" in {proxy.audit_dir}\n'))
        for identity in ('0', '-1', '1x', 'alice', f'{boot}.{worker}', f'{boot}.{worker}.', f'{boot}..1', f'{boot}.1.1.1'):
            done = proxy.cli('audit', 'show', '--config', proxy.config, '--', identity, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ''), done.stderr)
            self.assertIn(f'found "{identity}"', done.stderr)

    def test_chain(self):
        with proxy.wire('alice') as c:
            for _ in range(3):
                c.one('SELECT 1')
        self.assertGreater(gt.check_chain(proxy.audit_dir), 5)

    def verify(self, folder, *options):
        done = proxy.cli('audit', 'verify', '--dir', folder, *options, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_verify(self):
        """While the proxy writes, and of a copy that is then cut, changed and written anew."""
        with proxy.wire('alice') as c:
            c.one('SELECT 1')
            self.assertRegex(proxy.cli('audit', 'verify', '--config', proxy.config).stdout,
                             r'\A(\d+) records, 1 to \1: the chain holds\n\1:[0-9a-f]{64}\n\Z')
        copy = scratch.dir / 'verified'
        shutil.copytree(proxy.audit_dir, copy)
        self.addCleanup(shutil.rmtree, copy)
        segment, = copy.glob('audit-*.jsonl')
        lines = segment.read_bytes().splitlines(True)
        end, before = json.loads(lines[-1]), json.loads(lines[-2])
        known = f'{end["seq"]}:{end["hash"]}'
        self.assertEqual(self.verify(copy, '--json', '--known', known),
                         (0, f'{{"records":{end["seq"]},"first":1,"last":{end["seq"]},"hash":"{end["hash"]}"}}\n', ''))
        segment.write_bytes(b''.join(lines[:-1]))
        self.assertEqual(self.verify(copy)[0], 0)
        self.assertEqual(self.verify(copy, '--known', known), (1, '', f'gatehouse: record {end["seq"]}, which is known, is not here: the log ends with {before["seq"]}\n'))
        segment.write_bytes(b''.join(lines[:1] + lines[2:]))
        self.assertEqual(self.verify(copy), (1, '', f'gatehouse: record 3 follows record 1 ({segment.name}, line 2)\n'))
        for wrong in ('', '1', '1:', f'0:{end["hash"]}', known + '0', known[:-1], known.upper(), f'{end["seq"]}:{"+f" * 32}', f'x{known}'):
            self.assertEqual(self.verify(copy, f'--known={wrong}')[:2], (2, ''), wrong)
        self.assertEqual(self.verify(copy / 'none')[0], 1)

    def test_permissions(self):
        self.assertEqual(proxy.audit_dir.stat().st_mode & 0o777, 0o700)
        for segment in proxy.audit_dir.glob('audit-*.jsonl'):
            self.assertEqual(segment.stat().st_mode & 0o777, 0o600)


class Unwritable(unittest.TestCase):
    """No answer without its record."""

    def mounted(self, options):
        folder = scratch.path(f'mount-{time.monotonic_ns()}')
        folder.mkdir()
        if not gt.IS_ROOT or subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'none', str(folder)],
                                            capture_output=True).returncode != 0:
            self.skipTest('mounting a small file system needs privileges that this machine does not give')
        self.addCleanup(subprocess.run, ['umount', '-l', str(folder)])
        return folder

    def test_full_disk(self):
        folder = self.mounted('size=8m')
        with other_proxy('full', audit_dir=folder / 'audit') as p, p.wire('alice') as c:
            self.assertIsNone(c.query('SELECT 1')[-1].sqlstate)
            filler = folder / 'filler'
            with open(filler, 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(b'x' * 4096)
                        f.flush()
                except OSError:
                    pass
            # What is left of the segment's last page may still take some records.
            begin = len(c.log)
            result = gt.wait_for(lambda: [r for r in c.query('SELECT id FROM crm.customers') if r.error], 20,
                                 'a statement is refused')[0]
            self.assertEqual(result.sqlstate, '58030')
            self.assertEqual(result.rows, [], 'no byte of a result')
            for _ in range(5):
                self.assertEqual(c.query('SELECT id FROM crm.customers')[-1].rows, [])
            extended = c.extended('SELECT id FROM crm.customers')
            self.assertEqual((extended.sqlstate, extended.rows), ('58030', []))
            with self.assertRaises(gt.ServerError):
                p.wire('bob')
            filler.unlink()
            gt.wait_for(lambda: c.query('SELECT id FROM crm.customers')[-1].error is None, 10, 'it goes on again')
            self.assertTrue(p.alive())
        # No record of the answered statements is missing and the chain holds over the gap.
        gt.check_chain(folder / 'audit')
        self.assertTrue([r for r in gt.read_audit(folder / 'audit') if r['kind'] == 'gap'])

    def test_read_only_folder(self):
        folder = self.mounted('size=4m')
        (folder / 'audit').mkdir(mode=0o700)
        subprocess.run(['mount', '-o', 'remount,ro', str(folder)], check=True)
        p = other_proxy('readonly', audit_dir=folder / 'audit', expect_exit=1)
        p.prepare()
        p.start(wait=False)
        try:
            self.assertEqual(p.process.wait(20 * gt.SLOW), 1, 'it does not serve without an audit')
        finally:
            p.kill()
        self.assertIn('audit', p.log())

    def test_folder_in_use_by_another(self):
        p = other_proxy('second', audit_dir=proxy.audit_dir, expect_exit=1)
        p.prepare()
        p.start(wait=False)
        try:
            self.assertEqual(p.process.wait(20 * gt.SLOW), 1)
        finally:
            p.kill()
        self.assertTrue(proxy.alive())


class Killed(unittest.TestCase):
    def test_kill_9_keeps_every_intent(self):
        """Every row that a client got has its intent record on disk, and the chain goes on after a restart."""
        p = other_proxy('killed')
        p.prepare()
        p.start()
        answered = []
        try:
            with p.wire('alice') as c:
                for i in range(200):
                    c.one(f"SELECT 'kill-{i}'")
                    answered.append(i)
                p.kill()
            written = {int(m) for r in p.audit() if r['kind'] == 'intent'
                       for m in re.findall(r"kill-(\d+)'", r.get('sql') or '')}
            self.assertLessEqual(set(answered), written)
            # A torn last line is what a crash in the middle of a write leaves.
            segment = sorted(p.audit_dir.glob('audit-*.jsonl'))[-1]
            with open(segment, 'ab') as f:
                f.write(b'{"kind":"intent","sql":"torn')
            p.start()
            p.wire('alice').close()
        finally:
            p.stop() if p.process else None
        gt.check_chain(p.audit_dir)


if __name__ == '__main__':
    gt.main()
