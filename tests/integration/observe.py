"""Observe mode: everything passes unchanged, and the audit says what the policy would have done. The config decides,
a reload switches, and open sessions follow.
"""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse


def setUpModule():
    global proxy, scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     pool='mode: session, size: 50, idle: 5 }\n    mode: observe #'))


def direct(sql):
    """What the warehouse itself answers."""
    return pg.sql(sql, 'wh')


def intents(sql, p=None):
    return [r for r in (p or proxy).audit() if r['kind'] == 'intent' and r['sql'] == sql]


def judged(sql, user='alice', p=None):
    """Runs it; returns (what came back, what the audit says)."""
    with (p or proxy).wire(user) as c:
        result = c.query(sql)[-1]
    return result, gt.wait_for(lambda: intents(sql, p), 5, 'the intent')[-1]


class Passes(unittest.TestCase):
    def test_said_everywhere(self):
        self.assertIn('event=warehouse.observed warehouse=wh', proxy.log())
        self.assertEqual(json.loads(proxy.cli('status', '--json', '--config', proxy.config).stdout)['warehouses'][0]['mode'],
                         'observe')
        self.assertIn('OBSERVED', proxy.cli('status', '--config', proxy.config).stdout)
        self.assertIn('WARNING: mode observe', proxy.cli('check', '--config', proxy.config).stdout)

    def test_hidden_column_and_filtered_rows(self):
        result, record = judged('SELECT * FROM crm.customers ORDER BY id')
        self.assertEqual(len(result.rows), 30)
        self.assertIn('phone', result.names)
        self.assertEqual((record['decision'], record['mode'], record['would']), ('observed', 'observe', None))
        [touched] = record['relations']
        self.assertEqual(touched['hidden'], ['phone'])
        self.assertIn('email', touched['masked'])
        self.assertTrue(touched['row_filtered'])
        self.assertEqual(record['rewritten'], record['sql'])

    def test_relation_that_would_not_be_there(self):
        result, record = judged('SELECT secret FROM vault.keys ORDER BY 1')
        self.assertEqual(result.rows[0], ['VAULT-1'])
        self.assertEqual((record['decision'], record['would']['sqlstate']), ('observed', '42P01'))

    def test_function_write_and_ddl(self):
        for sql, code in (("SELECT pg_sleep(0) FROM crm.customers", '42501'), ('CREATE TABLE crm.made (a int)', '42501'),
                          ('INSERT INTO crm.made VALUES (1)', None), ('DROP TABLE crm.made', '42501'),
                          ('SELECT current_user', 'allowed'), ('VACUUM crm.customers', None)):
            result, record = judged(sql, 'alice')
            if result.error and sql.startswith(('CREATE', 'INSERT', 'DROP')):
                self.assertEqual(result.error['C'], '42501' if 'made' not in sql or sql.startswith('CREATE') else result.error['C'])
            self.assertEqual(record['mode'], 'observe', sql)
            if code == 'allowed':
                self.assertEqual((record['decision'], record['would']), ('allowed', None))
            else:
                self.assertEqual(record['decision'], 'observed', sql)
                self.assertIsNotNone(record['would'], sql)
                if code:
                    self.assertEqual(record['would']['sqlstate'], code, sql)

    def test_what_cannot_be_parsed_passes(self):
        """The warehouse has the last word, and its errors come as they are."""
        result, record = judged('SELEC 1')
        self.assertEqual(result.sqlstate, '42601')
        self.assertEqual(record['would']['sqlstate'], '42601')
        self.assertIn('F', result.error, 'the upstream\'s own error, with all its fields')

    def test_allowed_and_unchanged(self):
        _, record = judged('SELECT 1')
        self.assertEqual((record['decision'], record['would'], record['relations']), ('allowed', None, []))

    def test_names_as_the_client_means_them(self):
        with proxy.wire('alice', parameters={'search_path': 'vault, sales'}) as c:
            self.assertEqual(c.one('SELECT count(*) FROM keys'), [['5']])
            c.query('SET search_path = crm')
            self.assertEqual(c.one('SELECT count(*) FROM customers'), [['30']])
            self.assertEqual(c.one('SHOW search_path'), [['crm']])
            c.query('BEGIN; SET LOCAL search_path = vault')
            self.assertEqual(c.one('SELECT count(*) FROM keys'), [['5']])
            c.query('ROLLBACK')
            self.assertEqual(c.one('SELECT count(*) /* after */ FROM customers'), [['30']])
            c.query("SELECT set_config('search_path', 'hr', false)")
            self.assertEqual(c.one('SELECT count(*) FROM employees'), [['12']])
            c.query('DISCARD ALL')
            self.assertEqual(c.one('SELECT count(*) /* discarded */ FROM keys'), [['5']], 'the startup packet\'s path')
        [record] = intents('SELECT count(*) /* after */ FROM customers')
        self.assertEqual([r['name'] for r in record['relations']], ['customers'], 'judged by the same path')
        [record] = intents('SELECT count(*) FROM employees')
        self.assertEqual(record['would']['sqlstate'], '42P01')

    def test_extended_copy_cursor_and_prepare(self):
        with proxy.wire('alice') as c:
            self.assertEqual(c.extended('SELECT id, phone FROM crm.customers WHERE id = $1', ['3']).rows[0][1], '+00 555 3757')
            self.assertEqual(c.query('COPY vault.keys TO STDOUT')[-1].copied.count(b'\n'), 5)
            c.query('BEGIN')
            c.query('DECLARE c CURSOR FOR SELECT secret FROM vault.keys ORDER BY id')
            self.assertEqual(c.one('FETCH 2 FROM c'), [['VAULT-1'], ['VAULT-2']])
            c.query('COMMIT')
            c.query('PREPARE p AS SELECT count(*) FROM hr.employees')
            self.assertEqual(c.one('EXECUTE p'), [['12']])
            c.send(gt.bind_message(statement='p'), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].rows, [['12']])

    def test_user_without_any_grant(self):
        proxy.apply(warehouse.POLICY.replace('users:\n', 'users:\n  newcomer: {}\n', 1))
        proxy.cli('user', 'password', '--acl', proxy.acl, 'newcomer', stdin='hello\n')
        with gt.wait_for(lambda: self.try_login('newcomer', 'hello'), 5, 'may log in') as c:
            self.assertEqual(c.one('SELECT count(*) FROM vault.keys'), [['5']])
        login = [r for r in proxy.audit() if r['kind'] == 'login' and r['user'] == 'newcomer'][-1]
        self.assertEqual(login['would']['sqlstate'], '3D000')
        with self.assertRaises(gt.ServerError):
            proxy.wire('newcomer', password='wrong')

    def test_settings_of_the_startup_packet(self):
        with proxy.wire('alice', parameters={'geqo_seed': '0.25', 'search_path': 'crm', 'TimeZone': 'Asia/Tokyo'}) as c:
            self.assertEqual(c.one('SHOW geqo_seed'), [['0.25']])
            self.assertEqual(c.one('SHOW TimeZone'), [['Asia/Tokyo']])
            self.assertEqual(c.one('SELECT count(*) FROM customers'), [['30']])
        login = gt.wait_for(lambda: [r for r in proxy.audit() if r['kind'] == 'login' and 'geqo_seed' in str(r.get('would'))], 5)[-1]
        self.assertEqual(login['would']['sqlstate'], '42501')

    def try_login(self, user, password):
        try:
            return proxy.wire(user, password=password)
        except gt.ServerError:
            return None


class Stats(unittest.TestCase):
    def stats(self, *argv):
        out = proxy.cli('audit', 'stats', '--would-deny', '--json', '--config', proxy.config, *argv).stdout
        return [json.loads(line) for line in out.splitlines()]

    def test_summary(self):
        with proxy.wire('bob') as c:
            for _ in range(3):
                c.query('SELECT secret FROM vault.keys')
            c.query('SELECT id, email, phone FROM crm.customers')
            c.query('SELECT * FROM crm.customers')
            c.query('SELECT 1')
        gt.wait_for(lambda: intents('SELECT 1'), 5)
        lines = [x for x in self.stats('--user', 'bob')]
        self.assertTrue(all(x['user'] == 'bob' and x['warehouse'] == 'wh' for x in lines))
        refused = [x for x in lines if x['sqlstate'] == '42P01']
        self.assertEqual([(x['effect'], x['relation'], x['count']) for x in refused], [('refused', 'vault.keys', 3)])
        ids = {r['statement'] for r in intents('SELECT secret FROM vault.keys')}
        self.assertIn(refused[0]['example'], ids)
        effects = {(x['effect'], x['relation'], x['column']) for x in lines}
        expected = {r['name'] for x in intents('SELECT * FROM crm.customers') for r in x['relations']}
        self.assertEqual(expected, {'customers'})
        self.assertTrue(any(effect in ('hidden', 'masked', 'filtered') for effect, _, _ in effects), effects)
        text = proxy.cli('audit', 'stats', '--would-deny', '--config', proxy.config, '--user', 'bob').stdout
        self.assertIn('vault.keys', text)
        self.assertEqual(self.stats('--user', 'nobody'), [])

    def test_counts_are_those_of_the_records(self):
        """Against a count of the same records in Python."""
        wanted = {}
        for r in proxy.audit():
            if r.get('mode') != 'observe':
                continue
            if r['would']:
                wanted[(r['user'], 'refused', r['would']['sqlstate'])] = wanted.get((r['user'], 'refused', r['would']['sqlstate']), 0) + 1
                continue
            for t in r.get('relations', []):
                for effect, n in (('masked', len(t['masked'])), ('hidden', len(t['hidden'])), ('filtered', int(t['row_filtered']))):
                    if n:
                        wanted[(r['user'], effect, '')] = wanted.get((r['user'], effect, ''), 0) + n
        found = {}
        for x in self.stats():
            key = (x['user'], x['effect'], x['sqlstate'])
            found[key] = found.get(key, 0) + x['count']
        self.assertEqual(found, wanted)
        self.assertEqual(proxy.cli('audit', 'stats', '--config', proxy.config, check=False).returncode, 2)


class Switch(unittest.TestCase):
    """`mode` changes with a reload; sessions that are open follow."""

    def setUp(self):
        self.mode('observe')

    def mode(self, mode):
        other = 'enforce' if mode == 'observe' else 'observe'
        text = proxy.config.read_text()
        if f'mode: {other}' in text:
            proxy.config.write_text(text.replace(f'mode: {other}', f'mode: {mode}'))
            done = proxy.cli('reload', '--config', proxy.config)
            self.assertIn(f'warehouse wh: mode {mode}', done.stdout)

    def follows(self, c, sql, code):
        return gt.wait_for(lambda: (r := c.query(sql)[-1]).sqlstate == code and r, 5, f'{sql}: {code}')

    def test_open_session_follows(self):
        with proxy.wire('alice', parameters={'search_path': 'vault', 'TimeZone': 'Asia/Tokyo'}) as c:
            self.assertEqual(c.one('SELECT count(*) FROM keys'), [['5']])
            c.query("SET DateStyle = 'German'")
            self.mode('enforce')
            self.follows(c, 'SELECT count(*) FROM keys', '42P01')
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])
            self.assertEqual(c.one('SHOW TimeZone'), [['Asia/Tokyo']])
            self.assertEqual(c.one("SELECT '2024-01-31'::date"), [['31.01.2024']], 'what drivers remember goes along')
            self.assertEqual(c.one('SELECT current_user'), [['alice']])
            self.mode('observe')
            self.follows(c, 'SELECT count(*) FROM keys', None)
            self.assertEqual(c.one("SELECT '2024-01-31'::date"), [['31.01.2024']])

    def test_statement_prepared_under_observe(self):
        with proxy.wire('alice') as c:
            self.assertEqual(c.extended('SELECT secret FROM vault.keys', name='s').error, None)
            self.assertEqual(len(c.extended('SELECT * FROM crm.customers', name='t').rows), 30)
            self.mode('enforce')
            gt.wait_for(lambda: c.query('SELECT 1 FROM vault.keys')[-1].error, 5)
            c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC)
            self.assertEqual(c.results()[-1].sqlstate, '42P01')
            c.send(gt.bind_message(statement='t'), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
            result = c.results()[-1]
            self.assertEqual(len(result.rows), 10)
            self.assertNotIn('phone', result.names)
            self.mode('observe')
            gt.wait_for(lambda: c.query('SELECT 1 FROM vault.keys')[-1].error is None, 5)
            c.send(gt.bind_message(statement='t'), gt.describe_message('P'), gt.execute_message(), gt.SYNC)
            self.assertEqual(len(c.results()[-1].rows), 30)

    def test_transaction_is_let_end(self):
        with proxy.wire('alice') as c:
            c.query('BEGIN')
            self.assertEqual(c.one('SELECT count(*) FROM vault.keys'), [['5']])
            self.mode('enforce')
            self.follows(c, 'SELECT 1', '42501')
            self.assertEqual(c.status, 'E')
            self.assertEqual(c.query('ROLLBACK')[-1].tag, 'ROLLBACK')
            self.follows(c, 'SELECT count(*) FROM vault.keys', '42P01')
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])

    def test_commit_of_what_was_done(self):
        pg.sql('CREATE TABLE crm.scratch (a int); GRANT ALL ON crm.scratch TO gatehouse', 'wh')
        with proxy.wire('alice') as c:
            c.query('BEGIN; INSERT INTO crm.scratch VALUES (1)')
            self.mode('enforce')
            gt.wait_for(lambda: json.loads(proxy.cli('status', '--json', '--config', proxy.config).stdout)
                        ['warehouses'][0]['mode'] == 'enforce', 5)
            self.assertEqual(c.query('COMMIT')[-1].tag, 'COMMIT')
            self.follows(c, 'SELECT * FROM vault.keys', '42P01')
        self.assertEqual(direct('SELECT count(*) FROM crm.scratch').strip(), '1')

    def test_into_observe_within_a_transaction(self):
        self.mode('enforce')
        with proxy.wire('alice') as c:
            c.query('BEGIN')
            self.mode('observe')
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']], 'enforced to its end')
            c.query('COMMIT')
            self.follows(c, 'SELECT count(*) FROM vault.keys', None)

    def test_no_session_lost_while_it_switches(self):
        """Sessions that query meanwhile see one mode or the other, and none is ended."""
        import threading
        stop, bad = threading.Event(), []

        def ask(user):
            with proxy.wire(user) as c:
                while not stop.is_set():
                    r = c.query('SELECT count(*) FROM crm.customers')[-1]
                    if r.error and r.sqlstate != '42501' or not r.error and r.rows[0][0] not in ('10', '30'):
                        bad.append((r.error, r.rows))
        threads = [threading.Thread(target=ask, args=('alice',)) for _ in range(6)]
        for t in threads:
            t.start()
        for _ in range(4):
            self.mode('enforce')
            self.mode('observe')
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(bad, [])


if __name__ == '__main__':
    gt.main()
