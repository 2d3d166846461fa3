"""Every mask's SQL, run by a real PostgreSQL over ordinary, extreme and hostile values."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

PRINTER = gt.BINARY.parent / 'test_policy'
KEY = '00112233445566778899aabbccddeeff' * 2
OTHER_KEY = 'ff' * 32

# Objects with the names of what the masks call, in a schema that the session searches before pg_catalog:
# whatever is looked up by a bare name finds these and fails.
TRAPS = r"""
CREATE SCHEMA trap;
CREATE FUNCTION trap.boom() RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
DO $$
DECLARE f record; o record;
BEGIN
  FOR f IN SELECT DISTINCT proname, pg_get_function_identity_arguments(oid) AS args, prorettype::regtype AS result
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset
    AND proname IN ('left', 'right', 'length', 'repeat', 'strpos', 'reverse', 'date_trunc', 'timezone', 'isfinite',
                    'make_date', 'sign', 'div', 'abs', 'encode', 'decode', 'substr', 'sha256', 'int8send',
                    'uuid_send', 'convert_to', 'current_setting', 'getdatabaseencoding')
  LOOP
    EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql AS
                    ''BEGIN RAISE EXCEPTION $q$trapped$q$; END''', f.proname, f.args, f.result);
  END LOOP;
  FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result
    FROM pg_operator WHERE oprname IN ('=', '<', '>', '>=', '<=', '<>', '||', '-', '+', '*', '#', '&', '|', '<<', '>>')
    AND oprleft <> 0 AND oprleft IN (21, 23, 20, 25, 17, 1700, 700, 701, 1082, 1114, 1184) AND oprright <> 0
    AND oprresult <> 0 AND oprleft::regtype::text NOT LIKE '%any%' AND oprright::regtype::text NOT LIKE '%any%'
  LOOP
    EXECUTE format('CREATE FUNCTION trap.op_%s(a %s, b %s) RETURNS %s LANGUAGE plpgsql AS
                    ''BEGIN RAISE EXCEPTION $q$trapped$q$; END''',
                   md5(o.oprname || o.l || o.r), o.l, o.r, o.result);
    EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.op_%s)',
                   o.oprname, o.l, o.r, md5(o.oprname || o.l || o.r));
  END LOOP;
END $$;
CREATE DOMAIN trap.text AS pg_catalog.int4;
CREATE DOMAIN trap.date AS pg_catalog.int4;
CREATE DOMAIN trap.uuid AS pg_catalog.int4;
"""


def setUpModule():
    global SCRATCH, PG
    if not PRINTER.exists():
        raise gt.TestError(f'{PRINTER} is not built')
    SCRATCH = gt.Scratch().__enter__()
    PG = gt.Postgres(SCRATCH)
    PG.__enter__()
    PG.sql('CREATE EXTENSION citext; CREATE DOMAIN positive AS int4 CHECK (VALUE > 0) NOT NULL; '
           "CREATE DOMAIN address AS text CHECK (VALUE ~ '^[a-z]+@'); CREATE TYPE mood AS ENUM ('sad', 'ok');"
           "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    PG.sql(TRAPS)
    global TYPES
    TYPES = PG.sql("SELECT concat_ws(E'\\t', 'type', t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typbasetype)"
                   " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname IN ('pg_catalog', 'public')")


def tearDownModule():
    PG.__exit__(None, None, None)
    SCRATCH.__exit__(None, None, None)


def mask_sql(mask, type_name, value='v'):
    """The SQL of a mask over a column `v` of the type; raises ValueError with what gh_mask_sql says."""
    oid, typmod, text = PG.sql(
        f"CREATE TEMP TABLE probe (v {type_name}); SELECT atttypid || '|' || atttypmod || '|' || "
        "format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'probe'::regclass AND attnum = 1"
    ).strip().split('|')
    if type_name in ('citext', 'positive', 'address', 'mood'):
        text = 'public.' + text
    out = gt.run(PRINTER, '--mask-sql', stdin=f'{TYPES}mask\t{mask}\t{oid}\t{typmod}\t{text}\t{value}\n').stdout.strip()
    if out.startswith('error:'):
        raise ValueError(out)
    return out


def masked(mask, type_name, values, key=KEY, settings='', collation=''):
    """What the mask shows for each value (an SQL literal); '<null>' for NULL. Runs with the traps set."""
    rows = ', '.join(f'({i}, CAST({v} AS {type_name}){collation})' for i, v in enumerate(values))
    out = PG.sql(f"SET gatehouse.hash_key = '{key}'; {settings}"
                 f"CREATE TEMP TABLE t AS SELECT * FROM (VALUES {rows}) AS x (i, v);"
                 "SET search_path = trap, pg_catalog, public;"
                 f"SELECT coalesce(CAST(m AS pg_catalog.text), '<null>') FROM (SELECT i, {mask_sql(mask, type_name)} AS m "
                 "FROM t) AS x ORDER BY i USING OPERATOR(pg_catalog.<)")
    return out.split('\n')[:-1]


class Types(unittest.TestCase):
    def test_the_traps_catch(self):
        for bare in ("pg_catalog.length(left('ab', 1))", '1 + 1', "'a'::pg_catalog.text || 'b'::pg_catalog.text",
                     "nullif('a'::pg_catalog.text, '')", "strpos('a', 'b')"):
            with self.subTest(bare), self.assertRaisesRegex(gt.TestError, 'trapped'):
                PG.sql(f'SET search_path = trap, pg_catalog; SELECT {bare}')

    def test_the_type_stays(self):
        for mask, types in {
            'null': ['text', 'int4', 'mood', 'int4[]', 'jsonb', 'numeric(5,2)', 'positive', 'address', 'citext'],
            'redact': ['text', 'varchar(10)', 'char(3)', 'name', 'int8', 'bytea', 'mood', 'citext', 'bool', 'date'],
            "constant('7')": ['text', 'int2', 'numeric(5,2)', 'varchar(3)', 'float8'],
            'hash': ['text', 'varchar', 'varchar(32)', 'char(40)', 'name', 'int2', 'int4', 'int8', 'uuid'],
            'email': ['text', 'varchar(30)', 'char(20)', 'name', 'citext'],
            'partial(1,1)': ['text', 'varchar(30)', 'char(20)', 'name', 'citext'],
            'year': ['date', 'timestamp', 'timestamp(3)', 'timestamptz', 'timestamptz(0)'],
            'month': ['date', 'timestamp', 'timestamptz'],
            'round(10)': ['int2', 'int4', 'int8', 'numeric', 'numeric(5,2)', 'float4', 'float8'],
        }.items():
            for name in types:
                with self.subTest(mask=mask, type=name):
                    sql = mask_sql(mask, name)
                    got = PG.sql(f"SET gatehouse.hash_key = '{KEY}'; CREATE TEMP TABLE t (v {name}); "
                                 f'CREATE TEMP VIEW m AS SELECT v, {sql} AS m FROM t; SELECT string_agg('
                                 "format_type(atttypid, atttypmod), '|' ORDER BY attnum) FROM pg_attribute "
                                 "WHERE attrelid = 'm'::regclass").strip().split('|')
                    self.assertEqual({'positive': 'integer', 'address': 'text'}.get(got[0], got[0]), got[1])

    def test_a_mask_that_does_not_fit_is_refused(self):
        for mask, name in [('hash', 'date'), ('hash', 'varchar(31)'), ('hash', 'char(8)'), ('hash', 'citext'),
                           ('hash', 'numeric'), ('email', 'int4'), ('partial(1,1)', 'bytea'), ('year', 'text'),
                           ('month', 'time'), ('month', 'interval'), ('round(10)', 'text'), ('round(0.5)', 'int4'),
                           ('round(10)', 'money'), ("lower(value)", 'text')]:
            with self.subTest(mask=mask, type=name), self.assertRaises(ValueError):
                mask_sql(mask, name)


class Text(unittest.TestCase):
    def test_partial(self):
        self.assertEqual(masked('partial(2,3)', 'text', ["'abcdefgh'", "'abcdef'", "'abcde'", "'a'", "''", 'NULL', "'äöüßéèêñ'"]),
                         ['ab***fgh', 'ab*def', '*****', '*', '', '<null>', 'äö***èêñ'])
        self.assertEqual(masked('partial(0,0)', 'text', ["'abc'"]), ['***'])
        self.assertEqual(masked('partial(0,2)', 'char(8)', ["'abcd'"]), ['**cd'])
        self.assertEqual(masked('partial(1,1)', 'name', ["'abcd'"]), ['a**d'])
        self.assertEqual(masked('partial(1,1)', 'varchar(6)', ["'abcdef'"]), ['a****f'])

    def test_email(self):
        self.assertEqual(masked('email', 'text', ["'alice@x.org'", "'@x.org'", "'a@'", "'none'", "''", 'NULL',
                                                  "'\"a@b\"@x.org'", "'ä@x.org'", "'@'"]),
                         ['a***@x.org', '***@x.org', 'a***@', '***', '***', '<null>', '"***@x.org', 'ä***@x.org', '***@'])
        self.assertEqual(masked('email', 'citext', ["'Alice@X.org'"]), ['A***@X.org'])

    def test_constants(self):
        self.assertEqual(masked('redact', 'text', ["'x'", 'NULL']), ['***', '***'])
        self.assertEqual(masked('redact', 'varchar(2)', ["'x'"]), ['**'])
        self.assertEqual(masked('redact', 'int4', ['1', 'NULL']), ['<null>', '<null>'])
        self.assertEqual(masked('null', 'text', ["'x'", 'NULL']), ['<null>', '<null>'])
        self.assertEqual(masked("constant('it''s \\')", 'text', ["'x'", 'NULL']), ["it's \\", "it's \\"])
        self.assertEqual(masked("constant('1999-12-31')", 'date', ["'2024-02-29'", 'NULL']), ['1999-12-31'] * 2)
        self.assertEqual(masked("constant('')", 'text', ["'x'"]), [''])

    def test_collation_that_is_not_deterministic(self):
        """strpos() fails under one; and the mask keeps it, so that a later comparison uses it."""
        self.assertEqual(masked('email', 'text', ["'bob@X.org'"], collation=' COLLATE folded'), ['b***@X.org'])
        for mask in ('email', 'partial(1,1)', 'hash'):
            got = PG.sql(f"SET gatehouse.hash_key = '{KEY}'; CREATE TEMP TABLE t (v text COLLATE folded); "
                         f'CREATE TEMP VIEW m AS SELECT {mask_sql(mask, "text")} AS m FROM t;'
                         "SELECT attcollation::regcollation FROM pg_attribute WHERE attrelid = 'm'::regclass")
            self.assertEqual(got.strip(), 'folded', mask)


class Times(unittest.TestCase):
    def test_month_and_year(self):
        self.assertEqual(masked('month', 'date', ["'2024-02-29'", "'2024-03-01'", 'NULL', "'0044-03-15 BC'"]),
                         ['2024-02-01', '2024-03-01', '<null>', '0044-03-01 BC'])
        self.assertEqual(masked('year', 'date', ["'2024-02-29'", "'1999-12-31'"]), ['2024-01-01', '1999-01-01'])
        self.assertEqual(masked('month', 'timestamp', ["'2024-02-29 23:59:59.999999'", 'NULL']),
                         ['2024-02-01 00:00:00', '<null>'])
        self.assertEqual(masked('year', 'timestamptz', ["'2024-12-31 23:30:00Z'"], settings="SET TimeZone = 'UTC';"),
                         ['2024-01-01 00:00:00+00'])

    def test_no_value_makes_it_fail(self):
        self.assertEqual(masked('month', 'date', ["'infinity'", "'-infinity'", "'5874897-12-31'", "'4714-11-24 BC'"]),
                         ['infinity', '-infinity', '<null>', '<null>'])
        self.assertEqual(masked('year', 'timestamp', ["'infinity'", "'-infinity'", "'294276-12-31'", "'4714-11-24 BC'"]),
                         ['infinity', '-infinity', '<null>', '<null>'])
        self.assertEqual(masked('year', 'timestamptz', ["'infinity'", "'-infinity'", "'294276-12-31Z'", "'4714-11-24 00:00Z BC'"]),
                         ['infinity', '-infinity', '<null>', '<null>'])

    def test_time_zone_moves_nothing(self):
        """A zone of the client's choice must not move the month's edge past the value."""
        sql = mask_sql('month', 'timestamptz')
        shown = {PG.sql(f"SET TimeZone = '{zone}'; SELECT extract(epoch FROM {sql}) FROM "
                        "(SELECT timestamptz '2024-03-03 12:00Z' AS v) AS x").strip()
                 for zone in ('UTC', 'Pacific/Kiritimati', 'Etc/GMT+12', '<x>-167', '<x>+167')}
        self.assertEqual(shown, {'1709251200.000000'})


class Numbers(unittest.TestCase):
    def test_halves_go_away_from_zero(self):
        self.assertEqual(masked('round(10)', 'int4', ['4', '5', '14', '15', '-5', '-4', '-15', '0', 'NULL']),
                         ['0', '10', '10', '20', '-10', '0', '-20', '0', '<null>'])
        self.assertEqual(masked('round(0.25)', 'numeric', ['1.124', '1.125', '-1.125', '7']),
                         ['1.00', '1.25', '-1.25', '7.00'])
        self.assertEqual(masked('round(10)', 'float8', ['4.999999999', '5', '-5']), ['0', '10', '-10'])
        self.assertEqual(masked('round(3)', 'int8', ['1', '2', '4', '5', '-1', '-2']), ['0', '3', '3', '6', '0', '-3'])

    def test_the_whole_type(self):
        """Every int2, against exact arithmetic here."""
        for n in (1, 7, 10, 100, 32767, 32768, 65536, 100000):
            sql = mask_sql(f'round({n})', 'int2')
            out = PG.sql(f'SELECT {sql} FROM (SELECT g::int2 AS v FROM generate_series(-32768, 32767) AS g) AS x').split()
            low, high = -(32768 // n) * n, 32767 // n * n
            for v, got in zip(range(-32768, 32768), out, strict=True):
                want = (2 * abs(v) + n) // (2 * n) * n * (1 if v >= 0 else -1)
                self.assertEqual(int(got), max(low, min(high, want)), (n, v))

    def test_the_ends_of_the_type(self):
        """int4 and int8 near both ends and around zero, where adding half of n would overflow."""
        for name, bits in (('int4', 31), ('int8', 63)):
            end = 1 << bits
            for n in (1, 2, 3, 10, 1000, 1 << 30, (1 << 31) - 1, 1 << 31, 999999999999999):
                near = [d * s + e for d in (0, 1, 2, n // 2, n // 2 + 1, n, n + n // 2) for s in (1, -1) for e in (0, -end, end - 1)]
                values = [v for v in dict.fromkeys(near) if -end <= v < end]
                low, high = -(end // n) * n, (end - 1) // n * n
                want = [(2 * abs(v) + n) // (2 * n) * n * (1 if v >= 0 else -1) for v in values]
                self.assertEqual(masked(f'round({n})', name, [f"'{v}'" for v in values]),
                                 [str(max(low, min(high, w))) for w in want], (name, n))

    def test_no_value_makes_it_fail(self):
        self.assertEqual(masked('round(1000)', 'int8', ['9223372036854775807', '-9223372036854775808']),
                         ['9223372036854775000', '-9223372036854775000'])
        self.assertEqual(masked('round(1)', 'int8', ['9223372036854775807', '-9223372036854775808']),
                         ['9223372036854775807', '-9223372036854775808'])
        self.assertEqual(masked('round(100)', 'numeric(3,0)', ['999', '-999', '50', "'NaN'"]), ['900', '-900', '100', 'NaN'])
        self.assertEqual(masked('round(1)', 'numeric(2,2)', ['0.99', '0.49']), ['0.00', '0.00'])
        self.assertEqual(masked('round(10)', 'numeric(2,-2)', ['9900', '100']), ['9900', '100'])
        self.assertEqual(masked('round(10)', 'numeric', ["'NaN'", "'Infinity'", "'-Infinity'"]), ['NaN', 'Infinity', '-Infinity'])
        for name, big in (('float8', '1.7976931348623157e308'), ('float4', '3.4028235e38')):
            out = masked('round(10)', name, ["'NaN'", "'Infinity'", "'-Infinity'", f"'{big}'", f"'-{big}'", "'1e-30'"])
            self.assertEqual(out[:3] + out[5:], ['NaN', 'Infinity', '-Infinity', '0'])

    def test_domain_check_tells_nothing(self):
        """CHECK (VALUE > 0): round(1000) of 3 is 0; a cast to the domain would fail for small values only."""
        self.assertEqual(masked('round(1000)', 'positive', ['3', '1500']), ['0', '2000'])
        self.assertEqual(masked('null', 'positive', ['3']), ['<null>'])
        self.assertEqual(masked('redact', 'address', ["'a@b'"]), ['***'])
        self.assertEqual(masked('email', 'address', ["'abc@x'"]), ['a***@x'])


class Hash(unittest.TestCase):
    def test_text(self):
        out = masked('hash', 'text', ["'alice'", "'alice'", "'bob'", "''", 'NULL', "'älice'"])
        self.assertEqual(out[0], out[1])
        self.assertEqual(out[4], '<null>')
        self.assertEqual(len(set(out)), 5)
        for one in out[:4]:
            self.assertRegex(one, '^[0-9a-f]{32}$')
        self.assertEqual(out[0], PG.sql(
            f"SELECT left(encode(sha256('\\x{KEY}'::bytea || '\\x01'::bytea || 'alice'::bytea || '\\x{KEY}'::bytea), 'hex'), 32)"
        ).strip())
        self.assertNotEqual(out[0], masked('hash', 'text', ["'alice'"], key=OTHER_KEY)[0])
        self.assertEqual(out[0], masked('hash', 'varchar(40)', ["'alice'"])[0])
        self.assertEqual(out[0], masked('hash', 'char(40)', ["'alice'"])[0].strip())

    def test_client_encoding_changes_nothing(self):
        self.assertEqual(masked('hash', 'text', ["'älice'"]),
                         masked('hash', 'text', ["chr(228) || 'lice'"], settings="SET client_encoding = 'LATIN1';"))

    def test_uuid(self):
        out = masked('hash', 'uuid', ["'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'", 'NULL'])
        self.assertRegex(out[0], '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
        self.assertNotEqual(out[0], out[1])
        self.assertEqual(out[2], '<null>')

    def test_int2_is_a_permutation(self):
        """Every value of the type exactly once; and not in an order that anyone could see."""
        sql = mask_sql('hash', 'int2')
        out = [int(v) for v in PG.sql(f"SET gatehouse.hash_key = '{KEY}'; SELECT {sql} FROM (SELECT g::int2 AS v FROM "
                                      'generate_series(-32768, 32767) AS g) AS x').split()]
        self.assertEqual(sorted(out), list(range(-32768, 32768)))
        fixed = sum(v == w for v, w in zip(range(-32768, 32768), out))
        self.assertLess(fixed, 20)
        ascents = sum(a < b for a, b in zip(out, out[1:]))
        self.assertTrue(32000 < ascents < 33500, ascents)
        other = [int(v) for v in PG.sql(f"SET gatehouse.hash_key = '{OTHER_KEY}'; SELECT {sql} FROM (SELECT g::int2 AS v "
                                        'FROM generate_series(-32768, 32767) AS g) AS x').split()]
        self.assertLess(sum(v == w for v, w in zip(out, other)), 20)

    def test_larger_integers(self):
        for name, edge in (('int4', 2**31), ('int8', 2**63)):
            values = [-edge, -edge + 1, -1, 0, 1, 2, edge - 1] + [i * 7919 for i in range(500)]
            out = masked('hash', name, [f"'{v}'" for v in values] + ['NULL'])
            self.assertEqual(out.pop(), '<null>')
            self.assertEqual(len(set(out)), len(set(values)))
            self.assertTrue(all(-edge <= int(v) < edge for v in out))
            self.assertTrue(any(int(v) < 0 for v in out) and any(int(v) > edge // 2 for v in out))

    def test_hash_without_key_is_null(self):
        """A session that lost the setting must not compute pseudonyms that anyone could compute."""
        for key in ('', 'ab', '00' * 15):
            self.assertEqual(masked('hash', 'text', ["'alice'"], key=key), ['<null>'])
            self.assertEqual(masked('hash', 'int4', ['1'], key=key), ['<null>'])
            self.assertEqual(masked('hash', 'uuid', ["'00000000-0000-0000-0000-000000000001'"], key=key), ['<null>'])
        sql = mask_sql('hash', 'text')
        with self.assertRaises(gt.TestError):
            PG.sql(f"SELECT {sql} FROM (SELECT 'a'::text AS v) AS x")

    def test_the_value_resolves_outside(self):
        """The sub-selects of the mask must not capture the column's name, whatever it is."""
        for alias, column in (('h', 'l'), ('h', 'r'), ('h', 'k'), ('h', 'h')):
            sql = mask_sql('hash', 'int4', f'{alias}.{column}')
            bare = mask_sql('hash', 'int4', column)
            out = PG.sql(f"SET gatehouse.hash_key = '{KEY}'; SELECT {sql}, {bare}, "
                         f"{mask_sql('hash', 'int4', '42')} FROM (SELECT 42 AS {column}) AS {alias}").strip().split('|')
            self.assertEqual(out, [out[2]] * 3)


if __name__ == '__main__':
    gt.main()
