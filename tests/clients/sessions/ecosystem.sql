-- What loaders, catalogs of data, schema tools and monitors ask; each statement must succeed.
-- DataHub, OpenMetadata, Amundsen, Soda
SELECT s.usename, d.datname FROM pg_catalog.pg_stat_activity s JOIN pg_catalog.pg_database d ON d.oid = s.datid
SELECT p.relnamespace::regnamespace::text, p.relname, q.kind, a.attname FROM (SELECT partrelid, CASE partstrat WHEN 'r' THEN 'range' WHEN 'l' THEN 'list' END AS kind, unnest(partattrs) AS n FROM pg_partitioned_table) q JOIN pg_class p ON p.oid = q.partrelid LEFT JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = q.n AND NOT a.attisdropped WHERE p.relnamespace::regnamespace::text = 'shop'
SELECT proname, nspname, proargtypes, prorettype::regtype, obj_description(pg_proc.oid, 'pg_proc') FROM pg_proc JOIN pg_namespace ON pg_proc.pronamespace = pg_namespace.oid WHERE prokind = 'p' AND nspname = 'shop'
SELECT c.relname, 'create view ' || n.nspname || '.' || c.relname || ' as ' || pg_get_viewdef(c.oid, true) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND n.nspname = 'shop'
SELECT st.schemaname, st.relname, td.description, a.attname, t.typname, cd.description FROM pg_attribute a JOIN pg_catalog.pg_statio_all_tables st ON a.attrelid = st.relid LEFT JOIN pg_description td ON td.objoid = st.relid AND td.objsubid = 0 LEFT JOIN pg_description cd ON cd.objoid = st.relid AND cd.objsubid = a.attnum JOIN pg_type t ON a.atttypid = t.oid WHERE a.attnum > 0 AND st.schemaname = 'shop'
SELECT (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart) FROM pg_sequence s JOIN pg_class c ON s.seqrelid = c."oid" WHERE c.relkind = 'S' AND s.seqrelid = pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid) FROM pg_attribute a WHERE a.attrelid = 'shop.parcels'::regclass AND a.attnum > 0
-- Directus, NocoDB, Budibase, Appsmith
SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON p.pronamespace = n.oid WHERE n.nspname IN ('shop') AND p.oid::regprocedure::varchar = 'postgis_version()')
SELECT relname, pg_attribute.attname FROM pg_index, pg_class, pg_attribute, pg_namespace WHERE indrelid = pg_class.oid AND nspname IN ('shop') AND pg_class.relnamespace = pg_namespace.oid AND pg_attribute.attrelid = pg_class.oid AND pg_attribute.attnum = ANY (pg_index.indkey) AND indisprimary
SELECT a.attname, t.typname, a.attnum, CASE WHEN t.typtype = 'e' THEN (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) END FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'shop.orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped
-- Grafana's builder
SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s)
SELECT quote_ident(column_name), data_type FROM information_schema.columns WHERE CASE WHEN array_length(parse_ident('shop.orders'), 1) = 2 THEN quote_ident(table_schema) = (parse_ident('shop.orders'))[1] AND quote_ident(table_name) = (parse_ident('shop.orders'))[2] ELSE quote_ident(table_name) = 'shop.orders' END
-- schema tools: Atlas, migra, extract-pg-schema, pg-schema-diff, jOOQ
SELECT current_setting('search_path'), set_config('search_path', '', false)
SELECT current_setting('search_path') AS was, set_config('search_path', 'public', false)
RESET search_path
SELECT count(*), count(size), max(nullable) FROM (SELECT information_schema._pg_char_max_length(information_schema._pg_truetypid(a.*, t.*), information_schema._pg_truetypmod(a.*, t.*))::information_schema.cardinal_number AS size, nc.nspname::information_schema.sql_identifier, CASE WHEN a.attnotnull THEN 'NO'::text ELSE 'YES'::text END::information_schema.yes_or_no AS nullable FROM pg_attribute a JOIN (pg_class c JOIN pg_namespace nc ON c.relnamespace = nc.oid) ON a.attrelid = c.oid JOIN (pg_type t JOIN pg_namespace nt ON t.typnamespace = nt.oid) ON a.atttypid = t.oid LEFT JOIN (pg_type bt JOIN pg_namespace nbt ON bt.typnamespace = nbt.oid) ON t.typtype = 'd' AND t.typbasetype = bt.oid LEFT JOIN (pg_collation co JOIN pg_namespace nco ON co.collnamespace = nco.oid) ON a.attcollation = co.oid) x
SELECT indexrelid::regclass::text, indkey::int2[], amname, (SELECT conname FROM pg_constraint WHERE conindid = indexrelid LIMIT 1) FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am am ON am.oid = i.relam WHERE indrelid = 'shop.orders'::regclass
-- monitors: pganalyze, pgmetrics, postgres_exporter, PgHero, pg_activity
SELECT d.oid, d.datname, age(d.datfrozenxid), mxid_age(d.datminmxid) FROM pg_catalog.pg_database d LEFT JOIN pg_stat_database s ON d.oid = s.datid
SELECT s.indexrelid, COALESCE(pg_relation_size(s.indexrelid), 0), COALESCE(pg_relation_filenode(s.indexrelid), 0), s.idx_scan FROM pg_catalog.pg_stat_user_indexes s LEFT JOIN pg_statio_user_indexes USING (indexrelid)
SELECT 'xacts', pg_stat_get_db_xact_commit(datid) + pg_stat_get_db_xact_rollback(datid) FROM pg_stat_database WHERE datname = current_database() UNION ALL SELECT 'backends', pg_stat_get_db_numbackends(datid) FROM pg_stat_database
SELECT application_name, state, CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(sent_lsn, replay_lsn) END FROM pg_stat_replication
SELECT name, setting, vartype FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real') AND name LIKE '%mem'
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = '2147483647'
-- three parts of a name, an operator by its schema, a collation, system columns, sets with numbers, rows taken apart
SELECT count(*) FROM wh.shop.orders o JOIN wh.pg_catalog.pg_class c ON c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default
SELECT c.tableoid::regclass, c.xmin IS NOT NULL, c.ctid IS NOT NULL FROM pg_class c WHERE relname = 'orders'
SELECT k.n, k.a, (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i, LATERAL unnest(i.indkey) WITH ORDINALITY AS k (a, n) WHERE i.indrelid = 'shop.items'::regclass
