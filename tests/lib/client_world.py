"""A warehouse with one object of each kind that clients ask catalogs for, a policy that shows a part of it, and, in a
server of its own, a copy that holds only that part: what a client says of the one through the proxy it must say of
the other without.

    with World(scratch) as w:
        w.proxied('gov')      # PG* variables: through the proxy, as the governed user
        w.proxied('through')  #                through the proxy, as a user whose statements go as they are
        w.copied()            #                straight at the copy, where role gov owns all that there is
"""
import os

import gatehouse_test as gt

# What `gov` may know of, and nothing else: the copy is made of these statements alone.
VISIBLE = """
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'what is sold';
CREATE TYPE shop.status AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN shop.mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE shop.address AS (street text, city text);

CREATE TABLE shop.customers (
    id integer PRIMARY KEY, name varchar(80) NOT NULL, email text, {phone}
    country char(2), born date, tags text[], attrs jsonb, home shop.address, active boolean, contact shop.mail);
COMMENT ON TABLE shop.customers IS 'people who buy';
COMMENT ON COLUMN shop.customers.name IS 'as on the letter';
{customers}
CREATE UNIQUE INDEX customers_email ON shop.customers (email);

CREATE TABLE shop.products (
    id integer PRIMARY KEY, sku text UNIQUE, title text NOT NULL, price numeric(12,2) CHECK (price >= 0), weight real,
    photo bytea, added timestamp DEFAULT '2024-01-01');
COMMENT ON TABLE shop.products IS 'things to buy';
INSERT INTO shop.products SELECT i, 'SKU-' || i, 'Product ' || i, i * 1.25, i * 0.5, decode(lpad(to_hex(i), 8, '0'), 'hex') FROM generate_series(1, 20) i;

CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id integer NOT NULL REFERENCES shop.customers ON DELETE CASCADE, status shop.status NOT NULL,
    placed timestamptz NOT NULL, total numeric(14,2), {note} region text);
{orders}
CREATE INDEX orders_customer ON shop.orders (customer_id, placed DESC);

CREATE TABLE shop.items (
    order_id bigint REFERENCES shop.orders, line smallint, product_id integer REFERENCES shop.products, qty integer NOT NULL,
    PRIMARY KEY (order_id, line));
{items}
CREATE TABLE shop.events (id bigint, at timestamptz NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.events_2025 PARTITION OF shop.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO shop.events SELECT i, timestamptz '2024-06-01 00:00+00' + i * interval '3 days', 'kind ' || i % 3 FROM generate_series(1, 90) i;
CREATE VIEW shop.order_totals AS SELECT status, count(*) AS orders, sum(id) AS ids FROM shop.orders GROUP BY 1;
CREATE MATERIALIZED VIEW shop.daily AS SELECT date_trunc('day', at) AS day, count(*) AS n FROM shop.events GROUP BY 1;
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE TABLE public.notes (id integer PRIMARY KEY, body text, "Mixed Case" text, mood public.mood DEFAULT 'ok', moods public.mood[]);
CREATE TABLE public.replies (id integer PRIMARY KEY, note integer REFERENCES public.notes, likes integer CHECK (likes >= 0));
CREATE VIEW public.sad AS SELECT id, body FROM public.notes WHERE mood = 'sad';
INSERT INTO public.notes VALUES (1, 'hello', 'A', 'ok', NULL), (2, NULL, 'B', 'sad', '{{ok,sad}}'), (3, E'tab\\there', 'Ü', NULL, NULL);
INSERT INTO public.replies VALUES (1, 1, 4), (2, 1, 0), (3, 3, 9);
CREATE SEQUENCE shop.tickets START 100;
CREATE FUNCTION shop.add_tax(price numeric, rate numeric DEFAULT 0.1) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT price * (1 + rate)';
"""

# Of the warehouse alone: none of these names may show anywhere.
HIDDEN = """
CREATE SCHEMA vault;
COMMENT ON SCHEMA vault IS 'zzhidden schema';
CREATE TYPE vault.zzcolour AS ENUM ('zzred', 'zzblue');
CREATE TABLE vault.zzkeys (id integer PRIMARY KEY, zzsecret text NOT NULL, colour vault.zzcolour DEFAULT 'zzred');
COMMENT ON TABLE vault.zzkeys IS 'zzhidden table';
INSERT INTO vault.zzkeys VALUES (1, 'zzvalue');
CREATE TABLE shop.zzsalaries (id integer PRIMARY KEY, customer_id integer REFERENCES shop.customers, salary integer CHECK (salary > 0));
CREATE INDEX zzsalaries_customer ON shop.zzsalaries (customer_id);
CREATE VIEW shop.zzview AS SELECT * FROM shop.zzsalaries;
CREATE SEQUENCE shop.zzsequence;
CREATE FUNCTION shop.zzpeek() RETURNS text LANGUAGE sql STABLE AS 'SELECT zzsecret FROM vault.zzkeys';
CREATE INDEX zzphone_index ON shop.customers (zzphone);
ALTER TABLE shop.customers ADD CONSTRAINT zzphone_check CHECK (zzphone <> 'zzz');
COMMENT ON COLUMN shop.customers.zzphone IS 'zzhidden column';
CREATE RULE zzrule AS ON DELETE TO shop.products DO ALSO NOTHING;
ALTER TABLE shop.products ENABLE ROW LEVEL SECURITY;
CREATE POLICY zzpolicy ON shop.products USING (price < 1000000);
CREATE FUNCTION vault.zztrigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER zztrigger BEFORE UPDATE ON shop.products FOR EACH ROW EXECUTE FUNCTION vault.zztrigger();
CREATE ROLE zzrole;
GRANT SELECT ON shop.products TO zzrole;
"""

WHOLE = {
    'phone': 'zzphone text,', 'note': 'zznote text,',
    'customers': """INSERT INTO shop.customers SELECT i, 'Customer ' || i, 'c' || i || '@example.org', 'zz-555-' || i,
        (ARRAY['CH', 'DE', 'FR', 'IT'])[1 + i % 4], date '1970-01-01' + i * 37, ARRAY['t' || i % 5, 'x'],
        jsonb_build_object('level', i % 3), ROW('Street ' || i, 'City')::shop.address, i % 7 <> 0, 'x@y' FROM generate_series(1, 40) i;""",
    'orders': """INSERT INTO shop.orders SELECT i, 1 + i % 40, (ARRAY['new', 'paid', 'sent']::shop.status[])[1 + i % 3],
        timestamptz '2024-01-01 00:00+00' + i * interval '3 hours', i * 3.5, 'zznote ' || i, (ARRAY['EU', 'US'])[1 + i % 2] FROM generate_series(1, 200) i;""",
    'items': 'INSERT INTO shop.items SELECT o, l, 1 + (o + l) % 20, l FROM generate_series(1, 200) o, generate_series(1, 2) l;',
}
# Rows that the filters leave, masked as the masks say; the hidden columns are dropped, so that the others keep their numbers.
PART = {
    'phone': 'zzphone text,', 'note': 'zznote text,',
    'customers': """INSERT INTO shop.customers SELECT i, 'Customer ' || i, 'c***@example.org ' || i, NULL,
        (ARRAY['CH', 'DE', 'FR', 'IT'])[1 + i % 4], date '1970-01-01' + i * 37, ARRAY['t' || i % 5, 'x'],
        jsonb_build_object('level', i % 3), ROW('Street ' || i, 'City')::shop.address, i % 7 <> 0, 'x@y' FROM generate_series(1, 40) i;
        ALTER TABLE shop.customers DROP COLUMN zzphone;""",
    'orders': """INSERT INTO shop.orders SELECT i, 1 + i % 40, (ARRAY['new', 'paid', 'sent']::shop.status[])[1 + i % 3],
        timestamptz '2024-01-01 00:00+00' + i * interval '3 hours', i * 3.5, NULL, 'EU' FROM generate_series(2, 200, 2) i;
        ALTER TABLE shop.orders DROP COLUMN zznote;""",
    'items': 'INSERT INTO shop.items SELECT o, l, 1 + (o + l) % 20, l FROM generate_series(2, 200, 2) o, generate_series(1, 2) l;',
}

POLICY = """\
version: 1
roles:
  reader: { description: reads the shop }
  bypass: { may: [bypass] }
users:
  gov: { roles: [reader], attributes: { region: EU } }
  through: { roles: [bypass] }
grants:
  - to: [reader]
    tables: [shop.customers]
    columns: { except: [zzphone] }
    mask: { email: "regexp_replace(value, '^(.)[^@]*', '\\\\1***') || ' ' || substr(split_part(value, '@', 1), 2)" }
  - { to: [reader], tables: [shop.orders], columns: { except: [zznote] }, rows: "region = attr('region')" }
  - { to: [reader], tables: [shop.items], rows: "order_id IN (SELECT id FROM shop.orders WHERE region = 'EU')" }
  - { to: [reader], tables: [shop.products, shop.events, shop.events_2024, shop.events_2025, shop.order_totals, shop.daily, shop.tickets, public.notes, public.replies, public.sad] }
  - { to: [bypass], tables: ["*.*"] }
functions:
  - { to: [reader], allow: [shop.add_tax] }
"""
USERS = {'gov': 'gov-password', 'through': 'through-password'}


class World:
    """Use as a context."""

    def __init__(self, scratch, extra='', policy=POLICY, writes=''):
        """extra: SQL of both servers. writes: what the copy alone is told, so that its role may what the policy lets gov."""
        self.scratch, self.extra, self.policy, self.writes = scratch, extra, policy, writes
        self.certs = gt.Certificates(scratch.path('tls'))
        self.pg = gt.Postgres(scratch, self.certs)
        self.copy = gt.Postgres(scratch, self.certs, name='copy')
        self.open = []

    def __enter__(self):
        try:
            return self._enter()
        except BaseException:
            self.__exit__()
            raise

    def _enter(self):
        for server in (self.pg, self.copy):
            self.open.append(server.__enter__())
        self.pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        self.pg.sql('CREATE DATABASE wh')
        self.pg.sql(VISIBLE.format(**WHOLE) + HIDDEN + self.extra + 'ANALYZE;', 'wh')
        # There the role owns what it sees and holds what the grants give; gov's own name stands for every owner's.
        self.copy.role('gov', USERS['gov'])
        self.copy.sql('CREATE DATABASE wh OWNER gov')
        self.copy.sql('SET ROLE gov;' + VISIBLE.format(**PART) + self.extra + """RESET ROLE;
            REVOKE ALL ON ALL TABLES IN SCHEMA shop, public FROM gov; GRANT SELECT ON ALL TABLES IN SCHEMA shop, public TO gov;
            REVOKE ALL ON ALL SEQUENCES IN SCHEMA shop FROM gov; GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO gov; ANALYZE;
            """ + (self.writes or 'ALTER ROLE gov SET default_transaction_read_only = on;'), 'wh')
        self.proxy = gt.Gatehouse(self.scratch, self.pg, self.certs, policy=self.policy, users=USERS)
        self.open.append(self.proxy.__enter__())
        return self

    def __exit__(self, *exc):
        while self.open:
            self.open.pop().__exit__(*(exc or (None, None, None)))

    def proxied(self, user='gov', **more):
        return self.proxy.environment(user, **more)

    def copied(self):
        return self.proxy.environment('gov') | {'PGPORT': str(self.copy.port)}


def main():
    """For trying by hand: the world, until a line comes."""
    with gt.Scratch() as scratch, World(scratch) as world:
        for name, env in (('gov', world.proxied()), ('through', world.proxied('through')), ('copy', world.copied())):
            print(f'{name}: ' + ' '.join(f"{k}='{v}'" for k, v in env.items() if k.startswith('PG')), flush=True)
        input()


if __name__ == '__main__':
    main()
