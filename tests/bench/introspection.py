"""What clients ask the catalogs, over 1,000 tables of 10 columns, of which 900 show: processor time of the server's backend for the
client's text sent to it, for what Gatehouse sends in its place, and of the proxy, for a text that it has not seen.

    introspection.py [--rounds 3]

The least of the rounds, in which they take turns.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """\
version: 1
roles: { reader: { description: most of the tables } }
users: { alice: { roles: [reader] } }
grants:
  - { to: [reader], tables: ["wh:app.*"], privileges: [select, insert, update, delete] }
  - { to: [reader], tables: ["wh:part.*"], columns: { except: [c3] }, rows: "c1 > 0" }
"""
WORLD = """
CREATE SCHEMA app; CREATE SCHEMA part; CREATE SCHEMA hidden;
DO $$ DECLARE s text; BEGIN
    FOR i IN 0..999 LOOP
        s := CASE WHEN i < 800 THEN 'app' WHEN i < 900 THEN 'part' ELSE 'hidden' END;
        EXECUTE format('CREATE TABLE %I.t%s (id int PRIMARY KEY, c1 int NOT NULL DEFAULT 1, c2 text, c3 numeric, c4 date,'
                       ' c5 timestamptz DEFAULT now(), c6 text, c7 bool, c8 jsonb, ref int %s)', s, i,
                       CASE WHEN i % 3 = 1 AND i % 100 > 0 THEN format('REFERENCES %I.t%s (id)', s, i - 1) ELSE '' END);
        IF i % 4 = 0 THEN EXECUTE format('CREATE INDEX ON %I.t%s (c1, c2)', s, i); END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA app, part, hidden TO gatehouse;
GRANT ALL ON ALL TABLES IN SCHEMA app, part, hidden TO gatehouse;
VACUUM ANALYZE"""
# {oid} is that of app.t5.
QUERIES = [
    ('information_schema.columns of a table',
     "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema='app' AND table_name='t5' ORDER "
     'BY ordinal_position'),
    ('... with every column of it',
     "SELECT * FROM information_schema.columns WHERE table_schema='app' AND table_name='t5'"),
    ('... of all tables',
     'SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN '
     "('pg_catalog','information_schema')"),
    ('information_schema.tables',
     'SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema NOT IN '
     "('pg_catalog','information_schema')"),
    ('primary key by information_schema',
     'SELECT kcu.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON '
     'tc.constraint_name=kcu.constraint_name AND tc.table_schema=kcu.table_schema AND tc.table_name=kcu.table_name WHERE '
     "tc.constraint_type='PRIMARY KEY' AND tc.table_schema='app' AND tc.table_name='t5'"),
    ('foreign keys by information_schema',
     'SELECT tc.constraint_name, kcu.column_name, ccu.table_name, ccu.column_name FROM information_schema.table_constraints tc JOIN '
     'information_schema.key_column_usage kcu ON tc.constraint_name=kcu.constraint_name AND tc.table_schema=kcu.table_schema JOIN '
     "information_schema.constraint_column_usage ccu ON ccu.constraint_name=tc.constraint_name WHERE tc.constraint_type='FOREIGN "
     "KEY' AND tc.table_name='t4'"),
    ('psql: \\dt',
     'SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN \'r\' THEN \'table\' WHEN \'v\' THEN \'view\' END as "Type", '
     'pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = '
     "c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.relkind IN ('r','p','') AND n.nspname !~ '^pg_toast' "
     "AND n.nspname OPERATOR(pg_catalog.~) '^(app)$' COLLATE pg_catalog.default ORDER BY 1,2"),
    ('psql: \\d, the name',
     'SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace '
     "WHERE c.relname OPERATOR(pg_catalog.~) '^(t5)$' COLLATE pg_catalog.default AND n.nspname OPERATOR(pg_catalog.~) '^(app)$' "
     'COLLATE pg_catalog.default ORDER BY 2, 3'),
    ('psql: \\d, the relation',
     'SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false '
     "AS relhasoids, c.relispartition, '', c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE "
     'c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname FROM pg_catalog.pg_class c '
     'LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE '
     "c.oid = '{oid}'"),
    ('psql: \\d, its columns',
     'SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) '
     'FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, (SELECT '
     'c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND '
     'a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated FROM pg_catalog.pg_attribute a WHERE '
     "a.attrelid = '{oid}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"),
    ('psql: \\d, its indexes',
     'SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, '
     'true), pg_catalog.pg_get_constraintdef(con.oid, true), contype, condeferrable, condeferred, i.indisreplident, '
     'c2.reltablespace FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint '
     "con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x')) WHERE c.oid = '{oid}' AND c.oid = "
     'i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname'),
    ('psql: \\d, its foreign keys',
     'SELECT true as sametable, conname, pg_catalog.pg_get_constraintdef(r.oid, true) as condef, conrelid::pg_catalog.regclass AS '
     "ontable FROM pg_catalog.pg_constraint r WHERE r.conrelid = '{oid}' AND r.contype = 'f' AND conparentid = 0 ORDER BY conname"),
    ('JDBC: getTables',
     "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = "
     "'information_schema' WHEN true THEN 'SYSTEM' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE "
     'NULL END ELSE NULL END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT '
     "JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass) WHERE "
     "c.relnamespace = n.oid AND (false OR (c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')) ORDER "
     'BY TABLE_TYPE,TABLE_SCHEM,TABLE_NAME'),
    ('JDBC: getColumns of a table',
     "SELECT * FROM (SELECT n.nspname,c.relname,a.attname,a.atttypid,a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS "
     'attnotnull,a.atttypmod,a.attlen,t.typtypmod,row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, '
     "nullif(a.attidentity, '') as attidentity,nullif(a.attgenerated, '') as attgenerated,pg_catalog.pg_get_expr(def.adbin, "
     'def.adrelid) AS adsrc,dsc.description,t.typbasetype,t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON '
     '(c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid=c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = '
     't.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid=def.adrelid AND a.attnum = def.adnum) LEFT JOIN '
     'pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT JOIN pg_catalog.pg_class dc ON '
     "(dc.oid=dsc.classoid AND dc.relname='pg_class') LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace=dn.oid AND "
     "dn.nspname='pg_catalog') WHERE c.relkind in ('r','p','v','f','m') and a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE "
     "'app' AND c.relname LIKE 't5') c WHERE true ORDER BY nspname,c.relname,attnum"),
    ('JDBC: getPrimaryKeys',
     'SELECT result.TABLE_CAT, result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM '
     '(SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, '
     '(information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, '
     'information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN '
     'pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN '
     'pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND '
     "n.nspname = 'app' AND ct.relname = 't5' AND i.indisprimary ) result where result.A_ATTNUM = (result.KEYS).x ORDER BY "
     'result.table_name, result.pk_name, result.key_seq'),
    ('SQLAlchemy: columns of a table',
     'SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, '
     'pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, '
     'pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = '
     'pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND '
     'pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname '
     'AS table_name, pg_catalog.pg_description.description AS comment FROM pg_catalog.pg_class LEFT OUTER JOIN '
     'pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 '
     'AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = '
     'pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN '
     'pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = '
     "ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_namespace.nspname = 'app' AND pg_catalog.pg_class.relname IN ('t5') "
     'ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum'),
    ('DBeaver: columns of a table',
     'SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid FROM '
     'pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON '
     '(a.attrelid=ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND '
     "a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid "
     "= a.attnum and dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid={oid} ORDER "
     'BY a.attnum'),
    ('DBeaver: constraints',
     "SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description, case when c.contype='c' then "
     '"substring"(pg_get_constraintdef(c.oid), 7) else null end consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN '
     'pg_catalog.pg_class t ON t.oid=c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid LEFT OUTER JOIN '
     "pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass WHERE "
     'c.conrelid={oid} ORDER BY c.oid'),
    ('keys with their columns, as PostgREST asks',
     "SELECT fk.conname, pairs.names, pairs.keys IN (SELECT array_agg(k ORDER BY k) FROM pg_constraint u, unnest(u.conkey) AS _ (k) "
     "WHERE u.conrelid = fk.conrelid AND u.contype IN ('p', 'u') AND u.connamespace <> 'pg_catalog'::regnamespace GROUP BY u.oid) "
     "FROM pg_constraint fk JOIN LATERAL (SELECT array_agg(here.attname || '=' || there.attname ORDER BY n) AS names, "
     'array_agg(here.attnum ORDER BY here.attnum) AS keys FROM unnest(fk.conkey, fk.confkey) WITH ORDINALITY AS _ (a, b, n) JOIN '
     'pg_attribute here ON here.attrelid = fk.conrelid AND here.attnum = a JOIN pg_attribute there ON there.attrelid = fk.confrelid '
     "AND there.attnum = b) pairs ON true WHERE fk.contype = 'f'"),
    ('Metabase: fields of a schema',
     "select c.column_name as name, case when c.udt_schema in ('public','pg_catalog') then format('%s', c.udt_name) else "
     'format(\'"%s"."%s"\', c.udt_schema, c.udt_name) end as "database-type", c.ordinal_position - 1 as "database-position", '
     'c.table_schema as "table-schema", c.table_name as "table-name", pk.column_name is not null as "pk?" from '
     'information_schema.columns c left join (select tc.table_schema, tc.table_name, kc.column_name from '
     'information_schema.table_constraints tc join information_schema.key_column_usage kc on tc.constraint_name = '
     'kc.constraint_name and tc.table_schema = kc.table_schema and tc.table_name = kc.table_name where tc.constraint_type = '
     "'PRIMARY KEY') pk on c.table_schema = pk.table_schema and c.table_name = pk.table_name and c.column_name = pk.column_name "
     "where c.table_schema !~ '^information_schema|catalog_history|pg_' and c.table_schema in ('app') order by "
     '"table-schema","table-name","database-position"'),
]


def cpu_ms(pid):
    """Of all its threads."""
    return sum(int((task / 'schedstat').read_text().split()[0]) for task in Path(f'/proc/{pid}/task').iterdir()) / 1e6


def backend(wire):
    return int(wire.one('SELECT pg_backend_pid()')[0][0])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=3)
    rounds = p.parse_args().rounds
    with gt.Scratch('gatehouse-introspection-') as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret')
        pg.sql('CREATE DATABASE wh')
        pg.sql(WORLD, 'wh')
        with gt.Gatehouse(scratch, pg, policy=POLICY, users={'alice': 'pw'}, workers=1) as proxy, \
                proxy.wire('alice') as through, gt.Wire(pg.port, 'gatehouse', 'wh', 'upstream-secret') as direct:
            direct.query('SET jit = off')  # as of Gatehouse's own connections
            oid = direct.one("SELECT 'app.t5'::regclass::oid")[0][0]
            pids = {'direct': backend(direct), 'sent': backend(through), 'proxy': proxy.pid}
            print('| what is asked | rows | server, direct ms | server, through Gatehouse ms | proxy ms | together / direct |')
            print('| --- |' + ' ---: |' * 5)
            for name, sql in QUERIES:
                least = dict.fromkeys(pids, float('inf'))
                for i in range(rounds):
                    before = {k: cpu_ms(pid) for k, pid in pids.items()}
                    direct.query(sql.replace('{oid}', oid))
                    result = through.query(f"{sql.replace('{oid}', oid)} /* {i} */")[0]
                    if result.error:
                        sys.exit(f'{name}: {result.error}')
                    least = {k: min(least[k], cpu_ms(pid) - before[k]) for k, pid in pids.items()}
                print(f'| {name} | {len(result.rows):,} | {least["direct"]:.1f} | {least["sent"]:.1f} | {least["proxy"]:.1f} | '
                      f'{(least["sent"] + least["proxy"]) / least["direct"]:.1f} |', flush=True)


main()
