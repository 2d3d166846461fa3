"""The world that the attacks run against, twice: the two warehouses differ in hidden cells and hidden rows only.
Every hidden value holds a canary: text with CNRY, or a number of seven digits that begins with 777 or 888."""

SCHEMA = r'''
CREATE SCHEMA shop;
CREATE SCHEMA staff;
CREATE SCHEMA lockbox;
CREATE SCHEMA lib;
CREATE TYPE lockbox.hidden_mood AS ENUM ('CNRY-mood', 'other');

CREATE TABLE shop.orders (
    id integer PRIMARY KEY, region text NOT NULL, amount integer, card text, note text DEFAULT 'CNRY-default', owner text,
    CONSTRAINT amount_check CHECK (amount <> 7770000));
CREATE INDEX hidden_partial ON shop.orders (owner) WHERE note <> 'CNRY-predicate';
COMMENT ON COLUMN shop.orders.note IS 'CNRY-comment';
CREATE TABLE shop.regions (region text PRIMARY KEY, label text);
CREATE VIEW shop.small_orders AS SELECT id, amount, note AS remark FROM shop.orders WHERE amount < 100;
CREATE TABLE staff.people (id integer PRIMARY KEY, name text, dept text, salary integer, boss integer);
CREATE TABLE lockbox.ledger (id integer PRIMARY KEY, secret text, amount integer, mood lockbox.hidden_mood DEFAULT 'CNRY-mood');
COMMENT ON TABLE lockbox.ledger IS 'CNRY-table-comment';
CREATE TABLE "shop"."Odd ""Name""" (id integer, "sel;ect" text, hidden text);

CREATE FUNCTION lib.leak() RETURNS text STABLE LANGUAGE sql AS 'SELECT max(secret) FROM lockbox.ledger';
CREATE FUNCTION lib.leak_of(integer) RETURNS text STABLE LANGUAGE sql AS 'SELECT max(secret) FROM lockbox.ledger WHERE id >= $1';
CREATE FUNCTION lib.leaks() RETURNS SETOF text STABLE LANGUAGE sql AS 'SELECT secret FROM lockbox.ledger';
CREATE FUNCTION lib.plus_one(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION lib.tell(anyelement) RETURNS boolean VOLATILE LANGUAGE plpgsql COST 0.0001 AS
    $f$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $f$;
CREATE FUNCTION lib.lower(text) RETURNS text STABLE LANGUAGE sql AS 'SELECT max(secret) FROM lockbox.ledger';
CREATE FUNCTION lib.note_of(shop.orders) RETURNS text STABLE LANGUAGE sql AS 'SELECT $1.note';
CREATE FUNCTION lib.peek_op(text, integer) RETURNS text STABLE LANGUAGE sql AS 'SELECT max(secret) FROM lockbox.ledger';
CREATE OPERATOR lib.@@@ (LEFTARG = text, RIGHTARG = integer, FUNCTION = lib.peek_op);
CREATE TYPE lib.wrapped AS (v text);
CREATE FUNCTION lib.wrap(integer) RETURNS lib.wrapped STABLE LANGUAGE sql AS 'SELECT ROW(max(secret))::lib.wrapped FROM lockbox.ledger';
CREATE CAST (integer AS lib.wrapped) WITH FUNCTION lib.wrap(integer);
CREATE AGGREGATE lib.agg_leak(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '7770000');
CREATE TYPE lib.boxed AS (v text);
CREATE FUNCTION lib.box(integer) RETURNS lib.boxed STABLE LANGUAGE sql AS 'SELECT ROW(max(secret))::lib.boxed FROM lockbox.ledger';
CREATE CAST (integer AS lib.boxed) WITH FUNCTION lib.box(integer) AS ASSIGNMENT;
CREATE FUNCTION lib.unbox(lib.boxed) RETURNS numeric STABLE LANGUAGE sql AS 'SELECT max(amount)::numeric FROM lockbox.ledger';
CREATE CAST (lib.boxed AS numeric) WITH FUNCTION lib.unbox(lib.boxed);
CREATE TYPE lib.kind AS ENUM ('small', 'big');
CREATE FUNCTION lib.kind_json(lib.kind) RETURNS json STABLE LANGUAGE sql AS 'SELECT to_json(max(secret)) FROM lockbox.ledger';
CREATE CAST (lib.kind AS json) WITH FUNCTION lib.kind_json(lib.kind);
CREATE FUNCTION lib.kind_text(lib.kind) RETURNS text STABLE LANGUAGE sql AS 'SELECT max(secret) FROM lockbox.ledger';
CREATE CAST (lib.kind AS text) WITH FUNCTION lib.kind_text(lib.kind);
CREATE FUNCTION lib.is_ledger(integer) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT $1 IS NULL OR EXISTS (SELECT FROM lockbox.ledger WHERE id = $1)';
CREATE DOMAIN lib.ledger_id AS integer CHECK (lib.is_ledger(VALUE));
CREATE DOMAIN lib.ledger_ids AS lib.ledger_id CHECK (VALUE > 0);
CREATE TYPE lib.entry AS (at lib.ledger_id);
CREATE DOMAIN lib.small_id AS integer CHECK (VALUE < 1000 AND lib.plus_one(VALUE) > 0);
-- What GREATEST compares by, which fails for one of the values.
CREATE TYPE lib.grade AS ENUM ('low', 'high', 'none');
CREATE FUNCTION lib.grade_cmp(lib.grade, lib.grade) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
    $f$ BEGIN IF 'none' IN ($1, $2) THEN RAISE EXCEPTION 'CNRY-grade'; END IF; RETURN enum_cmp($1, $2); END $f$;
CREATE OPERATOR CLASS lib.grade_ops DEFAULT FOR TYPE lib.grade USING btree AS FUNCTION 1 lib.grade_cmp(lib.grade, lib.grade);
CREATE TEXT SEARCH CONFIGURATION lib.words (COPY = simple);
-- Casts without a word, as one makes them for programs that compare texts with numbers.
CREATE TYPE lib.size AS ENUM ('1', '2', 'x');
CREATE CAST (lib.size AS integer) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS bigint) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS date) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS boolean) WITH INOUT AS ASSIGNMENT;
CREATE TYPE lib.bag AS (v text);
CREATE FUNCTION lib.count_bag(lib.bag) RETURNS integer STABLE LANGUAGE sql AS 'SELECT max(amount)::integer FROM lockbox.ledger';
CREATE CAST (lib.bag AS integer) WITH FUNCTION lib.count_bag(lib.bag) AS ASSIGNMENT;
CREATE FUNCTION lib.pack(text) RETURNS lib.bag STABLE LANGUAGE sql AS 'SELECT ROW(max(secret))::lib.bag FROM lockbox.ledger';
CREATE CAST (text AS lib.bag) WITH FUNCTION lib.pack(text) AS ASSIGNMENT;
CREATE TABLE shop.bags (id integer PRIMARY KEY, bag lib.bag);
CREATE TABLE shop.tallies (id integer, number varchar); CREATE TABLE shop.scores (id integer, number varchar);
CREATE TABLE shop.marks (id integer PRIMARY KEY, region text, grade lib.grade, size lib.size, number varchar, day varchar, done varchar);
CREATE TABLE shop.kinds (id integer PRIMARY KEY, kind lib.kind, kinds lib.kind[], at lib.ledger_id, ats lib.ledger_ids, entry lib.entry, small lib.small_id);
CREATE TYPE lib.span AS RANGE (subtype = integer); CREATE TYPE lib.ledger_span AS RANGE (subtype = lib.ledger_id); CREATE TYPE lockbox.hidden_span AS RANGE (subtype = integer);
CREATE TABLE shop.spans (id integer PRIMARY KEY, span lib.span, ids lib.ledger_span);
CREATE TABLE shop.parcels (id integer PRIMARY KEY, content lib.boxed);

-- The views leave out what the table's filter does, by a join; their expressions fail on rows that they leave out.
CREATE TABLE shop.open_regions (region text PRIMARY KEY);
CREATE VIEW shop.ratios AS SELECT o.id, o.amount, 100 / (o.amount - 7770001) AS ratio, o.note::text AS note, o.card::bigint AS number
    FROM shop.orders o JOIN shop.open_regions r ON r.region = o.region;
CREATE VIEW shop.nested_ratios AS SELECT id, ratio AS r FROM shop.ratios;
CREATE VIEW shop.inner_ratios AS SELECT s.id, s.ratio FROM (SELECT id, region, 100 / (amount - 7770001) AS ratio FROM shop.orders) s
    JOIN shop.open_regions r ON r.region = s.region;
CREATE VIEW shop.either_ratio AS SELECT id, ratio FROM shop.inner_ratios UNION ALL SELECT id, amount FROM shop.ratios;
CREATE TABLE lockbox."CNRY-parts" (id integer, region text) PARTITION BY LIST (region);
CREATE TABLE shop.part_eu PARTITION OF lockbox."CNRY-parts" FOR VALUES IN ('EU');
-- Of its partitions one is granted beside it.
CREATE TABLE shop.moves (id integer, region text, hidden text) PARTITION BY RANGE (id);
CREATE TABLE shop.moves_seen PARTITION OF shop.moves FOR VALUES FROM (0) TO (10);
CREATE TABLE lockbox."CNRY-moves" PARTITION OF shop.moves FOR VALUES FROM (10) TO (1000);
-- What the policy's own filter and mask, and a view, fail over.
CREATE TABLE shop.codes (id integer, code text);
CREATE VIEW shop.numbers_of AS SELECT id, code::integer AS number FROM shop.codes;
CREATE TABLE shop.stops (id integer) PARTITION BY RANGE (id);
CREATE TABLE lockbox."CNRY-stops" PARTITION OF shop.stops FOR VALUES FROM (0) TO (10);
COMMENT ON TABLE lockbox."CNRY-stops" IS 'CNRY-stops';
-- Names that only a dot in front of them keeps from being keywords.
CREATE TABLE shop.words (id integer PRIMARY KEY, region text, "order" integer, "where" integer, "limit" integer, "returning" integer, "on" text, "values" text);
CREATE TABLE shop.lists (id integer, hidden_list text[], numbers integer[]);
-- What a write sets off among rows that nobody sees.
CREATE TABLE lockbox.echoes (id integer PRIMARY KEY, order_id integer REFERENCES shop.orders ON DELETE CASCADE, word text);
CREATE FUNCTION lib.echo() RETURNS trigger LANGUAGE plpgsql AS
    $f$ BEGIN RAISE NOTICE 'CNRY-echo %', OLD.word; RAISE WARNING 'CNRY-echo %', OLD;
          IF OLD.order_id = 27 THEN PERFORM OLD.word::integer; END IF; RETURN OLD; END $f$;
CREATE TRIGGER echo BEFORE DELETE ON lockbox.echoes FOR EACH ROW EXECUTE FUNCTION lib.echo();
-- What is computed with a hidden text, as it is written, read or called.
CREATE TABLE shop.made (id integer PRIMARY KEY, region text, n integer, hid text, CHECK (n <> 7 OR hid::integer > 0),
    made integer GENERATED ALWAYS AS (CASE WHEN n = 6 THEN hid::integer END) STORED);
CREATE INDEX ON shop.made ((CASE WHEN n = 8 THEN hid::integer END));
CREATE INDEX ON shop.made (n) WHERE CASE WHEN n = 9 THEN hid::integer > 0 END;
CREATE TABLE shop.split (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, region text, n integer, hid text DEFAULT 'CNRY-hid');
-- Of filters and masks that look things up: by a name that is nobody's, and by one that clients may give to the table itself.
CREATE TABLE shop.captured (id integer PRIMARY KEY, region text, hid text);
CREATE TABLE shop.aliased (id integer PRIMARY KEY, region text);
CREATE VIEW shop.read_notes AS SELECT id, note::integer AS n FROM shop.orders;
CREATE FUNCTION lib.read_notes() RETURNS SETOF integer STABLE LANGUAGE sql AS 'SELECT note::integer FROM shop.orders';
CREATE SEQUENCE shop.seen_numbers; CREATE SEQUENCE shop.numbers; CREATE SEQUENCE shop.some_numbers; CREATE SEQUENCE lockbox.numbers;
GRANT USAGE ON SCHEMA shop, staff, lockbox, lib TO gatehouse;
'''

# {salt} is A or B; {number} its numbers' first digits. Visible values do not depend on either.
DATA = r'''
INSERT INTO shop.moves SELECT i, CASE WHEN i % 3 = 0 THEN 'EU' ELSE 'US' END, 'CNRY-{salt}-move-' || i FROM generate_series(1, 20) i;
INSERT INTO shop.stops VALUES (1);
INSERT INTO shop.codes VALUES (1, CASE WHEN '{salt}' = 'A' THEN 'guess' ELSE 'other' END);
INSERT INTO shop.tallies SELECT id, code FROM shop.codes; INSERT INTO shop.scores SELECT id, code FROM shop.codes;
INSERT INTO shop.regions VALUES ('EU', 'Europe'), ('US', 'America');
INSERT INTO shop.orders
SELECT i, CASE WHEN i % 3 = 0 THEN 'EU' ELSE 'US' END,
       CASE WHEN i % 3 = 0 THEN i * 10 ELSE {number}0000 + i END,
       CASE WHEN i % 3 = 0 THEN '4000{number}0' || lpad(i::text, 4, '0') ELSE 'CNRY-{salt}-card-' || i END,
       'CNRY-{salt}-note-' || i, 'CNRY-{salt}-owner-' || i
FROM generate_series(1, {orders}) i WHERE i <= 30 OR i % 3 <> 0;
INSERT INTO staff.people
SELECT i, 'Person ' || i, CASE WHEN i % 2 = 0 THEN 'it' ELSE 'legal' END,
       CASE WHEN i % 2 = 0 THEN 1000 + i ELSE {number}0000 + i END, NULLIF(i / 2, 0)
FROM generate_series(1, 10) i;
INSERT INTO lockbox.ledger SELECT i, 'CNRY-{salt}-ledger-' || i, {number}0000 + i FROM generate_series(1, {ledger}) i;
INSERT INTO lockbox.echoes SELECT i, 30, 'CNRY-{salt}-word' FROM generate_series(1, {ledger}) i;
INSERT INTO lockbox.echoes VALUES (100, 27, 'CNRY-{salt}-word');
INSERT INTO shop."Odd ""Name""" VALUES (1, 'fine', 'CNRY-{salt}-odd');
INSERT INTO shop.parcels VALUES (1, ROW('plain')); INSERT INTO shop.bags VALUES (1, ROW('plain'));
INSERT INTO shop.marks VALUES (3, 'EU', 'low', '1', '5', '2020-01-01', 'yes'), (4, 'US', 'low', '1', '5', '2020-01-01', 'yes');
UPDATE shop.marks SET grade = 'none', size = 'x', number = 'CNRY', day = 'CNRY', done = 'CNRY' WHERE id = 4 AND '{salt}' = 'A';
INSERT INTO shop.kinds VALUES (1, 'big', '{{small}}');
INSERT INTO shop.made (id, region, n, hid) VALUES (1, 'EU', 1, 'CNRY-{salt}-hid'), (2, 'US', 1, 'CNRY-{salt}-hid');
INSERT INTO shop.split VALUES (3, 'EU', 1, 'CNRY-{salt}-hid'), (4, 'US', 1, 'CNRY-{salt}-hid'), (5, 'EU', 20, 'CNRY-{salt}-hid');
INSERT INTO shop.open_regions VALUES ('EU');
INSERT INTO shop.captured VALUES (1, 'US', 'CNRY-{salt}-captured');
INSERT INTO shop.aliased VALUES (1, 'EU'), (2, 'US');
INSERT INTO shop.words SELECT -i, 'US', 0, 0, 0, 0, 'CNRY-{salt}-on', 'CNRY-{salt}-values' FROM generate_series(1, {ledger}) i;
INSERT INTO shop.words SELECT i, CASE WHEN i % 3 = 0 THEN 'EU' ELSE 'US' END, i, i, i, i, 'CNRY-{salt}-on', 'CNRY-{salt}-values' FROM generate_series(1, 9) i;
GRANT ALL ON ALL TABLES IN SCHEMA shop, staff, lockbox TO gatehouse;
ANALYZE;
'''
WORLDS = {'wha': dict(salt='A', number='777', orders=60, ledger=9), 'whb': dict(salt='B', number='888', orders=75, ledger=14)}
CANARY = rb'CNRY|(?<!\d)(?:777|888)\d{4}(?!\d)|4000(?:777|888)'

POLICY = r'''
version: 1
roles:
  reader: { description: reads the shop }
  writer: { description: takes orders }
  owner: { description: sees everything }
  scratch: { description: may keep copies, may: [temp_tables] }
  keeper: { description: has all of the orders }
  planner: { description: looks at plans, may: [explain, temp_tables] }
  seeker: { description: has filters and masks that look things up }
users:
  carla: { roles: [seeker] }
  mallory: { roles: [reader], attributes: { region: EU, dept: it } }
  kim: { roles: [keeper] }
  molly: { roles: [reader], attributes: { region: EU, dept: it } }
  wanda: { roles: [reader, writer], attributes: { region: EU, dept: it } }
  oddone: { roles: [reader], attributes: { region: "EU' OR true --", dept: "\\' OR 1=1" } }
  noattr: { roles: [reader] }
  olga: { roles: [owner] }
  gone: { kind: human }
  tina: { roles: [reader, scratch], attributes: { region: EU, dept: it } }
  petra: { roles: [reader, writer, planner], attributes: { region: EU, dept: it } }
masks:
  number: "(value::integer)::text"
  positive: "CASE WHEN value > 0 THEN 'some' ELSE 'none' END"
tags:
  secret: ["*.*.owner"]
grants:
  - to: [reader]
    tables: [shop.orders]
    columns: [id, region, amount, card, owner]
    rows: "region = attr('region')"
    mask: { card: "partial(0,4)" }
  - to: [reader]
    tables: [shop.moves, shop.moves_seen]
    columns: [id, region]
    rows: "region = attr('region')"
  - to: [reader]
    tables: [shop.regions, shop.stops]
  - to: [reader]
    tables: [shop.small_orders]
    columns: [id, amount]
  - to: [reader]
    tables: [staff.people]
    columns: [id, name, dept, boss]
  - to: [reader]
    tables: [staff.people]
    columns: [salary]
    rows: "dept = attr('dept')"
  - to: [reader]
    tables: ['shop."Odd ""Name"""']
    columns: { except: [hidden] }
  - to: [reader]
    tables: [shop.ratios, shop.nested_ratios, shop.inner_ratios, shop.either_ratio]
    columns: { except: [note] }
  - to: [reader]
    tables: [shop.parcels, shop.bags, shop.part_eu, shop.kinds, shop.spans]
  - to: [reader]
    tables: [shop.codes]
    rows: "code::integer > 0"
  - to: [reader]
    tables: [shop.tallies]
    rows: "number > 0 AND id > 0"
  - to: [reader]
    tables: [shop.scores]
    mask: { number: positive }
  - to: [writer]
    tables: [shop.codes]
    mask: { code: number }
  - to: [reader]
    tables: [shop.numbers_of]
  - to: [reader]
    tables: [shop.marks]
    rows: "region = attr('region') OR region = 'A' OR region = 'B' OR region = 'C' OR region = 'D' OR region = 'E' OR region = 'F' OR region = 'G' OR region = 'H' OR region = 'I' OR region = 'J' OR region = 'K' OR region = 'L'"
  - to: [reader]
    tables: [shop.lists]
    columns: [id, numbers]
  - to: [reader]
    tables: [shop.words]
    columns: { except: ["on", values] }
    rows: "region = attr('region')"
  - to: [writer]
    tables: [shop.words]
    columns: { except: ["on", values] }
    rows: "region = attr('region')"
    privileges: [insert, update, delete]
  - to: [reader, writer]
    tables: [shop.made]
    columns: [id, region, n]
    rows: "region = attr('region')"
    privileges: [select, insert, update]
  - { to: [reader], tables: [shop.read_notes] }
  - { to: [keeper], tables: [shop.orders], privileges: [select, delete] }
  - { to: [reader], tables: [shop.split], columns: [id, region, n], rows: "region = attr('region')" }
  - { to: [writer], tables: [shop.split], columns: [id, region, n], rows: "region = attr('region')", privileges: [insert] }
  - { to: [writer], tables: [shop.split], columns: [id, region, n, hid], rows: "n < 10", privileges: [update] }
  - to: [writer]
    tables: [shop.parcels, shop.bags]
    privileges: [insert, update]
  - to: [writer]
    tables: [shop.orders]
    privileges: [insert, update, delete]
    columns: [id, region, amount]
    rows: "region = attr('region')"
  - to: [reader]
    tables: [shop.seen_numbers]
  - to: [writer]
    tables: [shop.numbers]
    privileges: [update]
  - to: [writer]
    tables: [shop.some_numbers]
    privileges: [insert]
  - { to: [seeker], tables: [shop.captured], privileges: [select, delete], rows: "EXISTS (SELECT FROM shop.open_regions AS r WHERE r.region = captured.region)" }
  - { to: [seeker], tables: [shop.aliased], privileges: [select, update, delete], mask: { region: "(SELECT max(r.label) FROM shop.regions AS r WHERE r.region = value)" } }
  - { to: [seeker], tables: [shop.regions] }
  - to: [owner]
    tables: ["*.*"]
denies:
  - to: [reader]
    tables: ["*.*"]
    tags: [secret]
functions:
  - { to: [reader], allow: [lib.plus_one, lib.read_notes] }
'''
USERS = {name: f'{name}-pass' for name in ('mallory', 'kim', 'molly', 'wanda', 'oddone', 'noattr', 'olga', 'gone', 'tina', 'petra', 'carla')}
