-- A small shop: personal data is spread over three schemas.
CREATE SCHEMA crm;
CREATE SCHEMA sales;
CREATE SCHEMA support;

CREATE TABLE crm.customers (
    id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text, born date, city text, newsletter boolean);
INSERT INTO crm.customers VALUES
    (1, 'Ada Lind', 'ada@example.org', '+46 8 100 01', '1985-12-10', 'Stockholm', true),
    (2, 'Ben Okoro', 'ben@mail.test', '+44 20 2002', '1992-03-03', 'London', false),
    (3, 'Chen Wei', 'chen@example.org', NULL, '1978-07-21', 'London', true);

CREATE TABLE sales.orders (
    id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES crm.customers, customer_email text NOT NULL,
    card text, amount numeric(10, 2) NOT NULL, placed timestamptz NOT NULL);
INSERT INTO sales.orders VALUES
    (10, 1, 'ada@example.org', '4111111111111111', 120.50, '2024-05-02 10:15+00'),
    (11, 2, 'ben@mail.test', '5500005555555559', 80.00, '2024-05-17 08:00+00'),
    (12, 1, 'ada@example.org', '4111111111111111', 19.99, '2024-06-01 23:30+00');

CREATE TABLE support.tickets (
    id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES crm.customers, email text, subject text, body text);
INSERT INTO support.tickets VALUES
    (100, 1, 'ada@example.org', 'Late parcel', 'My phone is +46 8 100 01'),
    (101, 3, 'chen@example.org', 'Refund', 'Please refund order 12');

-- Shows e-mail addresses under another name: the tag is on this column too.
CREATE VIEW crm.mailing_list AS SELECT name, email AS address FROM crm.customers WHERE newsletter;
