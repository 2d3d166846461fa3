"""Observe mode reaches no warehouse that is enforced, and nothing that was begun under it outlives it."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

LONG = ', '.join(f'crm.customers c{i}' for i in range(12))


def setUpModule():
    global proxy, scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    entry = f'conninfo: "{pg.conninfo("wh", "gatehouse")}", password_file: wh.pass, pool: {{ size: 40, idle: 5 }}'
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                     warehouses=f'wh: {{ {entry}, mode: observe }}\nstrict: {{ {entry} }}'))


def mode(wanted):
    text = proxy.config.read_text()
    other = 'enforce' if wanted == 'observe' else 'observe'
    if f'mode: {other}' in text:
        proxy.config.write_text(text.replace(f'mode: {other}', f'mode: {wanted}'))
        proxy.cli('reload', '--config', proxy.config)


def is_enforced(c):
    return gt.wait_for(lambda: c.query('SELECT secret FROM vault.keys /* ? */')[-1].sqlstate == '42P01', 5, 'it is enforced')


class Observe(unittest.TestCase):
    def setUp(self):
        mode('observe')

    def test_other_warehouse_is_enforced(self):
        """One server behind both: what the one lets through the other does not, before, between and after."""
        with proxy.wire('alice', database='strict') as strict, proxy.wire('alice') as open_:
            for _ in range(3):
                self.assertEqual(open_.one('SELECT count(*) FROM vault.keys'), [['5']])
                self.assertEqual(strict.query('SELECT count(*) FROM vault.keys')[-1].sqlstate, '42P01')
                self.assertEqual(strict.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])
                mode('enforce')
                is_enforced(open_)
                self.assertEqual(strict.query('SELECT count(*) FROM vault.keys')[-1].sqlstate, '42P01')
                mode('observe')
                gt.wait_for(lambda: open_.query('SELECT 1 FROM vault.keys')[-1].error is None, 5)
        with self.assertRaises(gt.ServerError):
            proxy.wire('dave', database='strict')

    def test_reload_of_one_changes_no_other(self):
        with proxy.wire('alice', database='strict') as c:
            for wanted in ('enforce', 'observe'):
                mode(wanted)
                for _ in range(20):
                    self.assertEqual(c.query('SELECT count(*) FROM vault.keys')[-1].sqlstate, '42P01')

    def test_no_key(self):
        """No observed session holds the key of the hash mask, however it came about."""
        mode('enforce')
        with proxy.wire('alice') as was_enforced, proxy.wire('alice') as in_transaction:
            is_enforced(was_enforced)
            in_transaction.query('BEGIN')
            pooled = [proxy.wire('bob') for _ in range(4)]
            for c in pooled:
                c.close()
            mode('observe')
            self.assertEqual(in_transaction.query('SHOW gatehouse.hash_key')[-1].sqlstate, '42704', 'it is there, and shown to nobody')
            in_transaction.query('ROLLBACK')
            sessions = [was_enforced, in_transaction] + [proxy.wire('bob') for _ in range(6)]
            for c in sessions:
                gt.wait_for(lambda: c.query('SELECT 1 FROM vault.keys')[-1].error is None, 5)
                for sql in ("SELECT current_setting('gatehouse.hash_key', true)",
                            "SELECT setting FROM pg_settings WHERE name LIKE '%hash_key%'",
                            "SELECT reset_val FROM pg_settings WHERE name LIKE '%hash_key%'"):
                    rows = c.one(sql)
                    self.assertTrue(rows in ([], [[None]], [['']]), sql)
                self.assertEqual(c.query('SHOW gatehouse.hash_key')[-1].sqlstate, '42704')

    def test_masks_have_the_key_again(self):
        policy = warehouse.POLICY.replace('mask: { email: email }', 'mask: { email: email, name: hash }')
        proxy.apply(policy)
        self.addCleanup(proxy.apply, warehouse.POLICY)
        sql = 'SELECT name FROM crm.customers ORDER BY id LIMIT 1'
        with proxy.wire('alice') as c, proxy.wire('alice', database='strict') as strict:
            pseudonym = gt.wait_for(lambda: (r := strict.one(sql)[0][0]) and len(r) == 32 and r, 5)
            mode('enforce')
            is_enforced(c)
            self.assertEqual(c.one(sql), [[pseudonym]])

    def poison(self, c):
        """Everything that an observed client can leave in its session upstream."""
        for sql in ("SET standard_conforming_strings = off", "SET search_path = vault, crm", "SET row_security = off",
                    "PREPARE stolen AS SELECT secret FROM vault.keys", "CREATE TEMP VIEW customers AS SELECT * FROM vault.keys",
                    "CREATE TEMP VIEW loot AS SELECT * FROM vault.keys", "CREATE TEMP TABLE copied AS SELECT * FROM vault.keys",
                    "BEGIN", "DECLARE held CURSOR WITH HOLD FOR SELECT secret FROM vault.keys", "COMMIT", "LISTEN gossip",
                    "SELECT pg_advisory_lock(4711)"):
            self.assertIsNone(c.query(sql)[-1].error, sql)
        self.assertIsNone(c.extended('SELECT secret FROM vault.keys', name='taken').error)

    def test_nothing_is_left(self):
        with proxy.wire('alice') as c:
            self.poison(c)
            c.log.clear()
            mode('enforce')
            is_enforced(c)
            for sql in ('EXECUTE stolen', 'FETCH ALL FROM held', 'SELECT * FROM loot', 'SELECT * FROM pg_temp.loot',
                        'SELECT * FROM copied', 'SELECT * FROM pg_temp.copied', "SELECT '\\' || secret || '' FROM vault.keys",
                        'TABLE keys', "SELECT 'a\\'; SELECT secret FROM vault.keys --'"):
                c.query(sql)
            for portal in ('held', ''):
                c.send(gt.execute_message(portal), gt.SYNC)
                self.assertIsNotNone(c.results()[-1].error)
            for statement in ('taken', 'stolen'):
                c.send(gt.describe_message('S', statement), gt.bind_message(statement=statement), gt.execute_message(), gt.SYNC)
                self.assertIsNotNone(c.results()[-1].error)
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])
            self.assertEqual(c.one('SHOW standard_conforming_strings'), [['on']])
            self.assertNotIn(b'VAULT-', c.received_bytes())
        self.assertEqual(pg.sql('SELECT count(*) FROM pg_locks WHERE locktype = \'advisory\'').strip(), '0')

    def test_open_portal_and_cursor(self):
        with proxy.wire('alice') as c:
            c.query('BEGIN')
            c.query('DECLARE cur CURSOR FOR SELECT secret FROM vault.keys')
            c.send(gt.parse_message('SELECT secret FROM vault.keys ORDER BY id', 's'), gt.bind_message(portal='p', statement='s'),
                   gt.execute_message('p', 1), gt.FLUSH)
            while c.receive()[0] != 's':
                pass
            c.log.clear()
            mode('enforce')
            gt.wait_for(lambda: 'event=warehouse.enforced' in proxy.log(), 5)
            self.assertEqual(self.settled_portal(c), '42501')
            for sql in ('FETCH ALL FROM cur', 'SELECT secret FROM vault.keys', 'EXECUTE s'):
                self.assertIn(c.query(sql)[-1].sqlstate, ('42501', '25P02'))
            self.assertNotIn(b'VAULT-', c.received_bytes())
            c.query('ROLLBACK')
            is_enforced(c)
            self.assertNotIn(b'VAULT-', c.received_bytes())

    def settled_portal(self, c):
        c.send(gt.execute_message('p', 1), gt.SYNC)
        return c.results()[-1].sqlstate

    def test_running_statement_is_cancelled(self):
        with proxy.wire('alice') as c:
            c.send(gt.query_message(f'SELECT count(*) FROM {LONG}'))
            gt.wait_for(lambda: pg.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%c11%' "
                                       'AND pid <> pg_backend_pid()').strip() == '1', 10)
            mode('enforce')
            self.assertEqual(c.results()[-1].sqlstate, '42501')
            is_enforced(c)

    def test_copy_in_under_way(self):
        pg.sql('CREATE TABLE IF NOT EXISTS vault.inbox (a text); GRANT ALL ON vault.inbox TO gatehouse', 'wh')
        with proxy.wire('alice') as c:
            c.send(gt.query_message('COPY vault.inbox FROM STDIN'))
            self.assertEqual(c.receive()[0], 'G')
            c.send(gt.message('d', b'one\n'))
            mode('enforce')
            kind, body = c.receive()
            self.assertEqual((kind, gt.error_fields(body)['C']), ('E', '42501'))
            c.send(gt.message('d', b'two\n'), gt.COPY_DONE)
            kind = c.receive()[0]
            while kind == 'S':  # PostgreSQL 18 tells of search_path, which is the session's own again
                kind = c.receive()[0]
            self.assertEqual(kind, 'Z')
            is_enforced(c)
        self.assertEqual(pg.sql('SELECT count(*) FROM vault.inbox', 'wh').strip(), '0')

    def test_pipeline_across_the_switch(self):
        """Whatever is sent ahead while the mode changes: from the first enforced answer on, no more is shown."""
        for _ in range(5):
            mode('observe')
            with proxy.wire('alice') as c:
                gt.wait_for(lambda: c.query('SELECT 1 FROM vault.keys')[-1].error is None, 5)
                c.send(gt.parse_message('SELECT secret FROM vault.keys', 's'), gt.SYNC)
                c.results()
                for _ in range(30):
                    c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC,
                           gt.query_message('SELECT secret FROM vault.keys'))
                mode('enforce')
                for _ in range(30):
                    c.send(gt.bind_message(statement='s'), gt.execute_message(), gt.SYNC,
                           gt.query_message('SELECT secret FROM vault.keys'))
                answers = [c.results()[-1] for _ in range(120)]
                self.assertTrue(all(a.error for a in answers[60:]), [a.sqlstate for a in answers[60:]])
                is_enforced(c)

    def test_by_no_accident(self):
        """Only the word makes it so; everything else enforces, or is a fault."""
        for value in ('Observe', 'OBSERVE', 'true', 'yes', '1', '[observe]', '{ observe: true }', 'observ', '""', 'off'):
            p = gt.Gatehouse(scratch, pg, certs, name='typo', policy='version: 1\n',
                             pool='size: 5 }\n    mode: ' + value + '\n    #')
            p.prepare()
            done = p.cli('check', '--config', p.config, check=False)
            self.assertEqual(done.returncode, 1, value)
            self.assertIn('mode', done.stderr)
        for more in ('', '\n    mode: enforce', '\n    mode: "enforce"'):
            p = gt.Gatehouse(scratch, pg, certs, name='enforced', policy='version: 1\n', pool='size: 5 }' + more + '\n    #')
            p.prepare()
            self.assertNotIn('observe', p.cli('check', '--config', p.config).stdout, more)

    def test_bypass_taken_away(self):
        """The same of a session whose user may bypass no more."""
        granted = warehouse.POLICY.replace('  analyst: { description: reads governed tables }',
                                           '  analyst: { description: reads governed tables, may: [bypass] }')
        proxy.apply(granted)
        self.addCleanup(proxy.apply, warehouse.POLICY)
        with proxy.wire('alice', database='strict') as c:
            gt.wait_for(lambda: c.query('SELECT 1 FROM vault.keys')[-1].error is None, 5)
            self.poison(c)
            proxy.apply(warehouse.POLICY)
            is_enforced(c)
            c.log.clear()
            for sql in ('EXECUTE stolen', 'FETCH ALL FROM held', 'SELECT * FROM loot', 'SELECT * FROM pg_temp.loot', 'TABLE keys'):
                self.assertIsNotNone(c.query(sql)[-1].error, sql)
            self.assertEqual(c.one('SELECT DISTINCT region FROM crm.customers'), [['EU']])
            self.assertNotIn(b'VAULT-', c.received_bytes())


if __name__ == '__main__':
    gt.main()
