"""The key of the `hash` mask reaches the upstream with no statement: it works, survives every reset, and stands in no log."""
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """version: 1
roles: { analyst: {} }
users: { alice: { roles: [analyst] } }
grants:
  - { to: [analyst], tables: [public.people], mask: { name: hash } }
"""


def setUpModule():
    global pg, proxy
    scratch, certs, pg = gt.module_fixture(extra="log_statement = 'all'\nlog_min_error_statement = debug5\n")
    pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
    pg.sql('CREATE DATABASE wh')
    pg.sql("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (1, 'Anna'), (2, 'Ben'), (3, 'Anna')", 'wh')
    proxy = unittest.enterModuleContext(gt.Gatehouse(scratch, pg, certs, policy=POLICY, users={'alice': 'pw'}))


class HashKey(unittest.TestCase):
    def key(self):
        with sqlite3.connect(f'file:{proxy.acl}?mode=ro', uri=True) as db:
            rows = [value for (value,) in db.execute("SELECT value FROM meta WHERE key = 'hash_key'")]
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_key_is_in_no_statement(self):
        with proxy.wire('alice') as c:
            names = c.query('SELECT name FROM people ORDER BY id')[-1].rows
            self.assertEqual(names[0], names[2])
            self.assertNotEqual(names[0], names[1])
            self.assertRegex(names[0][0], '^[0-9a-f]{32}$')
            for reset in ('RESET ALL', 'DISCARD ALL'):
                c.query(reset)
                self.assertEqual(c.query('SELECT name FROM people ORDER BY id')[-1].rows, names, reset)
            for ask in ("SELECT current_setting('gatehouse.hash_key')", 'SHOW gatehouse.hash_key',
                        "SELECT set_config('gatehouse.hash_key', 'x', false)", "SET gatehouse.hash_key = 'x'"):
                self.assertIn(c.query(ask)[-1].sqlstate, ('42501', '42704'), ask)
        key = self.key()
        self.assertGreaterEqual(len(key), 32)
        log = pg.log.read_text(errors='replace')
        self.assertIn('people', log, 'the server logs statements')
        self.assertNotIn(key, log)
        self.assertNotIn(key, proxy.log())
        for file in proxy.audit_dir.glob('*.jsonl'):
            self.assertNotIn(key, file.read_text())


if __name__ == '__main__':
    gt.main()
