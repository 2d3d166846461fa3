-- Statements of tools whose answer is looked at, errors included: the same through the proxy and without.
-- Npgsql's pool, and tools that put back the role that they found
SET SESSION AUTHORIZATION DEFAULT;
RESET ALL;
SELECT pg_advisory_unlock_all();
SET search_path = shop\; SET SESSION AUTHORIZATION DEFAULT\; RESET ALL\; CLOSE ALL\; UNLISTEN *\; SELECT pg_advisory_unlock_all()\; DISCARD SEQUENCES\; DISCARD TEMP;
SELECT count(*) FROM shop.orders;
SHOW search_path;
BEGIN;
RESET ALL\; DEALLOCATE nobodys;
ROLLBACK;
SELECT count(*), current_setting('search_path') FROM shop.orders;
RESET SESSION AUTHORIZATION;
SET ROLE NONE;
SET ROLE gov;
RESET ROLE;
SET LOCAL ROLE NONE;
SELECT current_user, session_user;
-- the head of a dump of data
SET statement_timeout = 0;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
RESET ALL;
SET escape_string_warning = off;
SET enable_nestloop = off;
SHOW enable_nestloop;
RESET enable_nestloop;
-- indexes by their names
SELECT 'shop.orders_customer'::regclass, CAST('shop.customers_pkey' AS regclass), to_regclass('shop.customers_email');
SELECT pg_get_indexdef('shop.customers_email'::regclass);
SELECT indisunique FROM pg_index WHERE indexrelid = 'shop.customers_email'::regclass;
SELECT c.relname, 'shop.orders_pkey'::regclass = c.oid FROM pg_class c WHERE c.oid = 'shop.orders_pkey'::regclass;
SELECT 'wh.shop.orders_pkey'::regclass, 'pg_class_oid_index'::regclass;
SELECT 'shop.zzphone_index'::regclass;
SELECT 'shop.zznobodys'::regclass;
SELECT 'nobodys'::regclass;
SET search_path = shop;
SELECT 'orders_customer'::regclass::text, 'customers_pkey'::regclass::oid = 'shop.customers_pkey'::regclass;
SELECT 'zzphone_index'::regclass;
RESET search_path;
SELECT regclass 'shop.orders_customer', pg_catalog.regclass 'shop.orders', regnamespace 'shop', regtype 'text', regproc 'pg_catalog.now', regprocedure 'lower(text)';
SELECT relname FROM pg_class WHERE oid = regclass 'shop.customers_pkey' AND relnamespace = regnamespace 'shop';
SELECT (regclass 'shop.orders_customer')::text, regclass 'shop.orders_customer'::text;
SELECT regclass 'shop.zzphone_index';
SELECT regclass 'nobodys';
-- Drizzle asks what is serial by an array of types
SELECT attname, atttypid = ANY ('{int,int8,int2}'::regtype[]), pg_get_expr(adbin, adrelid) = 'nextval(''' || pg_get_serial_sequence(attrelid::regclass::text, attname)::regclass || '''::regclass)' FROM pg_attribute LEFT JOIN pg_attrdef ON attrelid = adrelid AND attnum = adnum WHERE attrelid = 'shop.parcels'::regclass AND attnum BETWEEN 1 AND 3 ORDER BY attnum;
SELECT '{int,"numeric(10,2)","timestamp with time zone",text[]}'::regtype[], ARRAY['int', 'shop.status', 'shop.status[]']::regtype[], 'shop.status[]'::regtype;
SELECT '{int,"numeric(10,2)", text[]}'::regtype[]::text, CAST('{shop.orders,pg_class}' AS regclass[])::text, ARRAY['shop.orders']::regclass[]::oid[] = ARRAY['shop.orders'::regclass::oid];
SELECT relname FROM pg_class WHERE oid = ANY ('{shop.orders,"shop.items"}'::pg_catalog.regclass[]) ORDER BY 1;
SELECT '{shop.orders,shop.zzsalaries}'::regclass[];
SELECT ARRAY['int', 'shop.zzcolour']::regtype[];
SELECT ARRAY['int', 'nobodys']::regtype[];
-- Atlas looks which server it is
SELECT current_setting('server_version_num')::int > 100000, current_setting('default_table_access_method', true), current_setting('crdb_version', true), current_setting('nobodys.setting', true);
-- probes for other servers and poolers, settings that nobody has
SHOW pool_version;
SHOW TABLES;
SET ssl_renegotiation_limit = 0;
SET default_with_oids = false;
SET no_such_setting = 1;
RESET no_such_setting;
SELECT set_config('no_such_setting', '1', false);
-- the own connection, and what one may
SELECT count(*), count(version) FILTER (WHERE NOT ssl) FROM pg_stat_ssl WHERE pid = pg_backend_pid();
SELECT gss_authenticated, principal, encrypted FROM pg_stat_gssapi;
SELECT has_language_privilege('sql', 'USAGE'), has_language_privilege('gov', 13, 'usage');
SELECT lanname, has_language_privilege(oid, 'USAGE') FROM pg_language ORDER BY 1;
SELECT routine_name, p.parameter_name, p.parameter_default FROM information_schema.parameters p JOIN information_schema.routines USING (specific_schema, specific_name) WHERE specific_schema = 'shop' ORDER BY p.ordinal_position;
-- PostgREST and Hasura take keys apart by their arrays
SELECT fk.conname, fk.conrelid::regclass::text, fk.confrelid::regclass::text, pairs.names, pairs.keys IN (SELECT array_agg(k ORDER BY k) FROM pg_constraint u, unnest(u.conkey) AS _ (k) WHERE u.conrelid = fk.conrelid AND u.contype IN ('p', 'u') AND u.connamespace <> 'pg_catalog'::regnamespace GROUP BY u.oid) AS one FROM pg_constraint fk JOIN LATERAL (SELECT array_agg(here.attname || '=' || there.attname ORDER BY n) AS names, array_agg(here.attnum ORDER BY here.attnum) AS keys FROM unnest(fk.conkey, fk.confkey) WITH ORDINALITY AS _ (a, b, n) JOIN pg_attribute here ON here.attrelid = fk.conrelid AND here.attnum = a JOIN pg_attribute there ON there.attrelid = fk.confrelid AND there.attnum = b) pairs ON true WHERE fk.contype = 'f' ORDER BY 1, 2;
SELECT c.relname, a.attname FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey) WHERE k.contype = 'p' AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND NOT pg_is_other_temp_schema(c.relnamespace) ORDER BY 1, 2;
SELECT 'shop'::regnamespace, '"shop"'::regnamespace::oid = 'Shop'::regnamespace::oid, to_regnamespace('11') IS NULL, '11'::regnamespace, '-'::regnamespace;
SELECT i.n, i.u, g FROM unnest(ARRAY['a', NULL, 'c'], ARRAY[1, 2]) WITH ORDINALITY AS i (u, v, n) JOIN generate_series(1, 3) g ON g = n ORDER BY 1;
-- GDAL asks by a function
SELECT attnum, attname FROM pg_attribute WHERE attrelid = regclass('"shop"."orders"') AND attnum BETWEEN 1 AND 3 ORDER BY 1;
SELECT description FROM pg_description WHERE objoid = regclass('shop.customers')::oid AND objsubid = 0;
SELECT count(*) FROM pg_class WHERE oid = regclass('shop.' || relname)::oid AND relname = 'items' AND relnamespace = 'shop'::regnamespace;
-- sizes by names that are computed
SELECT count(*) FROM (SELECT pg_size_pretty(pg_total_relation_size(quote_ident(table_schema) || '.' || quote_ident(table_name))) FROM information_schema.tables WHERE table_schema = 'shop' AND table_type = 'BASE TABLE') x;
SELECT pg_partition_root('shop.events_2024'), pg_partition_root('shop.events' || '_2025');
SELECT pg_get_function_arg_default('shop.add_tax'::regproc, 2);
-- what jOOQ, Liquibase and browsers of functions call
SELECT r.routine_name, oidvectortypes(p.proargtypes), nameconcatoid(p.proname, p.oid) = r.specific_name FROM information_schema.routines r JOIN pg_proc p ON nameconcatoid(p.proname, p.oid) = r.specific_name WHERE routine_schema = 'shop';
SELECT oidvectortypes(''), oidvectortypes('23 25 0'), oidvectortypes(NULL), (SELECT oidvectortypes(proargtypes) FROM pg_proc WHERE proname = 'jsonb_insert');
SELECT c.relname, pg_sequence_last_value(c.oid) FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid WHERE relkind = 'S' AND relname = 'tickets' ORDER BY 1;
SELECT pg_sequence_last_value('shop.tickets'), pg_sequence_last_value('shop.tickets'::regclass);
SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp(), pg_collation_actual_version(100), (SELECT count(*) FROM pg_listening_channels());
SELECT pg_listening_channels();
-- defaults that tell of no value, sequences behind columns, what NOT NULL is called
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid), pg_get_expr(d.adbin, d.adrelid, true) FROM pg_attrdef d JOIN pg_attribute a ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'shop.parcels'::regclass ORDER BY attnum;
SELECT column_name, column_default, is_identity, identity_generation, identity_start, identity_increment FROM information_schema.columns WHERE table_name = 'parcels' ORDER BY ordinal_position;
SELECT seqrelid::regclass, seqstart, seqincrement FROM pg_sequence WHERE seqrelid > 16383 ORDER BY seqrelid::regclass::text;
SELECT sequencename, start_value, last_value FROM pg_sequences ORDER BY 1;
SELECT sequence_schema, sequence_name, start_value FROM information_schema.sequences ORDER BY 1, 2;
SELECT constraint_type, table_name, constraint_name ~ 'not_null', count(*) FROM information_schema.table_constraints WHERE table_schema = 'shop' AND table_name IN ('customers', 'orders', 'parcels') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = 'shop' AND check_clause LIKE '%NOT NULL' ORDER BY 1;
SELECT grantee, udt_name, privilege_type FROM information_schema.udt_privileges WHERE udt_schema = 'shop' AND grantee = 'PUBLIC' ORDER BY 2;
SELECT grantee, object_name, object_type FROM information_schema.usage_privileges WHERE object_schema = 'shop' AND grantee = 'PUBLIC' ORDER BY 2;
SELECT grantee, routine_name, privilege_type FROM information_schema.routine_privileges WHERE routine_schema = 'shop' AND grantee = 'PUBLIC';
SELECT object_name, object_type, count(*) FROM information_schema.data_type_privileges WHERE object_schema = 'shop' AND object_name <> 'zzsalaries' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT name, setting FROM pg_settings WHERE name = 'search_path';
-- pgAdmin's properties of tables and extensions: functions by their schema, with an alias
SELECT st.setting FROM pg_catalog.pg_show_all_settings() st WHERE st.name = 'default_table_access_method';
SELECT (SELECT s.setting FROM pg_catalog.pg_show_all_settings() AS s WHERE s.name = 'block_size'), count(*) > 50 FROM pg_catalog.pg_show_all_settings();
SELECT x.extname, x.extversion, e.comment FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_available_extensions() e ON x.extname = e.name WHERE e.name = 'plpgsql';
SELECT b, e.a FROM pg_available_extensions() AS e (a, b, c) WHERE a = 'plpgsql';
SELECT name, installed_version FROM pg_available_extensions WHERE name = 'plpgsql';
SELECT count(*) FROM pg_proc p WHERE p.prorettype = 'internal'::regtype::oid AND array_to_string(p.proargtypes, ',') = 'internal'::regtype::oid::text AND p.prolang = 12 AND p.pronamespace = 11;
SELECT 'cstring'::regtype, 'pg_catalog.internal'::regtype, '{internal,void}'::regtype[];
SELECT 'zzcolour'::regtype;
SELECT 'shop.internal'::regtype;
-- Atlas sets the path aside as it looks what it was
SELECT current_setting('search_path'), set_config('search_path', 'shop', false);
SELECT count(*) FROM orders;
SELECT pg_catalog.current_setting('search_path') AS was, current_setting('crdb_version', true), pg_catalog.set_config('search_path', 'public, shop', false);
SHOW search_path;
RESET search_path;
-- DBeaver shows a catalog's columns by a star
SELECT t.oid, t.* FROM pg_catalog.pg_type t WHERE t.typname = 'text' AND t.typowner > 0 AND false;
SELECT x.* FROM (SELECT 1) AS one, LATERAL (SELECT typinput::text, typreceive::regproc::text FROM pg_type WHERE typname = 'int4') AS x;
SELECT am.*, 1 FROM pg_am am ORDER BY am.oid;
SELECT * FROM pg_range WHERE rngtypid < 4000 ORDER BY rngtypid;
SELECT tablename, hasindexes, hastriggers, hasrules AND tablename <> 'products' FROM pg_tables WHERE schemaname = 'shop' AND tablename NOT LIKE 'zz%' ORDER BY 1;
SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = 'shop';
-- what looks for the state of the server finds a row, and how far it has come is not told
SELECT version() IS NOT NULL, current_schema(), datname FROM pg_stat_database WHERE datname = current_database();
SELECT pg_wal_lsn_diff('0/20', pg_lsn('0/10')), mxid_age(datminmxid) IS NOT NULL FROM pg_database WHERE datname = 'wh';
SELECT pg_relation_filenode('shop.zzsalaries');
SELECT pg_relation_filenode('shop.nobodys');
-- how mappers and tools of business intelligence join the views of the standard
SELECT c.table_name, c.column_name, pk.column_name IS NOT NULL FROM information_schema.columns c LEFT JOIN (SELECT k.table_schema, k.table_name, k.column_name FROM information_schema.table_constraints t JOIN information_schema.key_column_usage k ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema AND k.table_name = t.table_name WHERE t.constraint_type = 'PRIMARY KEY') pk ON pk.table_schema = c.table_schema AND pk.table_name = c.table_name AND pk.column_name = c.column_name WHERE c.table_schema !~ '^pg_|information_schema' ORDER BY 1, c.ordinal_position;
SELECT k.table_name, k.column_name, r.delete_rule, f.table_name, f.column_name FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r USING (constraint_schema, constraint_name) JOIN information_schema.key_column_usage f ON f.constraint_schema = r.unique_constraint_schema AND f.constraint_name = r.unique_constraint_name AND f.ordinal_position = k.position_in_unique_constraint ORDER BY 1, 2;
SELECT t.constraint_type, u.table_name, u.column_name FROM information_schema.table_constraints t JOIN information_schema.constraint_column_usage u ON u.constraint_schema = t.constraint_schema AND u.constraint_name = t.constraint_name WHERE t.table_schema = 'shop' AND t.constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY 1, 2, 3;
SELECT c.table_name, c.column_name, e.data_type FROM information_schema.columns c JOIN information_schema.element_types e ON (c.table_catalog, c.table_schema, c.table_name, 'TABLE', c.dtd_identifier) = (e.object_catalog, e.object_schema, e.object_name, e.object_type, e.collection_type_identifier) WHERE c.table_schema = 'shop' ORDER BY 1, 2;
SELECT * FROM information_schema.foreign_table_options, information_schema.user_mapping_options, information_schema.routine_table_usage, information_schema.check_constraint_routine_usage;
-- what pgAdmin asks
SELECT (SELECT st.setting FROM pg_catalog.pg_show_all_settings() st WHERE st.name = 'DateStyle'), (SELECT count(*) FROM pg_show_all_settings() AS s WHERE s.name = 'TimeZone');
SELECT count(x.extname) FROM pg_catalog.pg_extension x FULL JOIN pg_catalog.pg_available_extensions() e ON x.extname = e.name WHERE e.comment = 'none';
SELECT count(*) FROM pg_available_extension_versions() AS v WHERE v.name = 'none' AND NOT v.relocatable;
SELECT c.relname, r.rulename, r.ev_type, r.ev_enabled, r.is_instead FROM pg_class c LEFT JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relhasrules AND c.oid > 16383 ORDER BY 1;
SELECT count(*) FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid WHERE d.classid = 'pg_attrdef'::regclass AND a.adbin IS NULL;
SELECT grantee, routine_name, privilege_type FROM information_schema.role_routine_grants WHERE routine_schema = 'shop' AND grantee = 'PUBLIC';
SELECT grantee, udt_name, privilege_type FROM information_schema.role_udt_grants WHERE udt_schema = 'shop' AND grantee = 'PUBLIC' ORDER BY 2;
SELECT grantee, object_name, object_type FROM information_schema.role_usage_grants WHERE object_schema = 'shop' AND grantee = 'PUBLIC' ORDER BY 2;
-- sequences that may be read only
SELECT nextval('shop.tickets');
SELECT setval('shop.tickets', 7);
SELECT currval('shop.tickets');
SELECT nextval('shop.orders');
-- COPY in an encoding of its own
COPY (SELECT 'Zürich') TO STDOUT (ENCODING 'latin1');
COPY (SELECT 'Zürich') TO STDOUT WITH (FORMAT csv, ENCODING 'UTF8');
SHOW search_path;
