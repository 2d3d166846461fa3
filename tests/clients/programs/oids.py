"""What RowDescription says of each column, in the words of the catalogs: its table and column, its type."""
import psycopg2

c = psycopg2.connect('')
c.autocommit = True
cur = c.cursor()
look = c.cursor()
for sql in ('SELECT * FROM shop.customers', 'SELECT o.*, c.name AS who, o.total + 1 FROM shop.orders o JOIN shop.customers c ON c.id = customer_id',
            'SELECT id, moods, mood, "Mixed Case" FROM public.notes', 'SELECT * FROM shop.order_totals', 'SELECT * FROM shop.daily',
            'SELECT x.region FROM (SELECT * FROM shop.orders) x', 'WITH w AS (SELECT * FROM shop.items) SELECT qty, line FROM w',
            'SELECT * FROM shop.events', 'SELECT at, uid, tags FROM shop.parcels', 'SELECT id FROM shop.orders UNION SELECT id FROM shop.products',
            "SELECT ARRAY['ok'::mood], ROW(1, 2), NULL::shop.address, '{new}'::shop.status[], 'a@b'::shop.mail"):
    cur.execute(sql)
    print(sql)
    for d in cur.description:
        look.execute("""SELECT c.relname, a.attname, format_type(%s, NULL), t.typname, t.typtype, e.typname FROM pg_type t
            LEFT JOIN pg_class c ON c.oid = %s LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = %s
            LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = %s""", (d.type_code, d.table_oid or 0, d.table_column or 0, d.type_code))
        print(' ', d.name, (d.table_oid or 0) > 0, d.table_column, d.internal_size, d.precision, d.scale, *look.fetchone())
print('done')
