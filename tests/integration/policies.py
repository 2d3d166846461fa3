"""The example policies: each of policies/*/ is linted and tested in its own world; the demo's is the demo's warehouse."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

EXAMPLES = {'pii-tagging': 'policies/pii-tagging/world.sql', 'multi-tenant': 'policies/multi-tenant/world.sql',
            'demo': 'packaging/demo/warehouse.sql'}


def setUpModule():
    global scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    pg.role('gatehouse', 'upstream-secret')


def world(name):
    """A database of the example's world; returns its name."""
    database = name.replace('-', '_')
    pg.sql(f'CREATE DATABASE {database}')
    pg.sql((gt.ROOT / EXAMPLES[name]).read_text(), database)
    pg.sql("""DO $$ DECLARE s text; BEGIN
        FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO gatehouse', s);
            EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO gatehouse', s);
        END LOOP; END $$;""", database)
    return database


class Examples(unittest.TestCase):
    def test_examples(self):
        for name in EXAMPLES:
            with self.subTest(name):
                policy = gt.ROOT / 'policies' / name
                proxy = gt.Gatehouse(scratch, pg, certs, policy=policy, warehouse='wh', database=world(name), name=name)
                proxy.prepare()
                lint = proxy.cli('policy', 'lint', '--strict', '--config', proxy.config, policy, check=False)
                self.assertEqual((lint.returncode, lint.stdout), (0, ''), lint.stderr)
                tap = proxy.cli('policy', 'test', '--config', proxy.config, policy, check=False)
                self.assertEqual(tap.returncode, 0, tap.stdout + tap.stderr)
                plan = [line for line in tap.stdout.splitlines() if line.startswith('1..')]
                self.assertEqual(plan, [f'1..{sum(p.read_text().count("  - as: ") for p in policy.glob("*.yaml"))}'])
                self.assertEqual(tap.stdout.count('\nok '), int(plan[0][3:]))

    def test_each_example_is_here(self):
        """An example that nobody runs would rot."""
        found = {p.parent.name for p in (gt.ROOT / 'policies').glob('*/*.yaml')}
        self.assertEqual(found, set(EXAMPLES))
        for name in set(EXAMPLES) - {'demo'}:
            self.assertTrue((gt.ROOT / 'policies' / name / 'README.md').exists())


if __name__ == '__main__':
    gt.main()
