// knex, kysely and drizzle.
import knexOf from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import { drizzle } from 'drizzle-orm/node-postgres';
import { eq, relations, sql } from 'drizzle-orm';
import { bigint, integer, numeric, pgSchema, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { config, LONG, step } from './common.js';

async function withKnex() {
  const knex = knexOf({ client: 'pg', connection: config, pool: { min: 0, max: 3 } });
  await step('knex select', () => knex('shop.orders').where('id', '<', 8).orderBy('id').select('id', 'total'));
  await step('knex columns', () => knex('orders').withSchema('shop').columnInfo());
  for (const table of ['orders', 'zzsalaries']) await step('knex has table', () => knex.schema.withSchema('shop').hasTable(table));
  await step('knex has column', () => knex.schema.withSchema('shop').hasColumn('customers', 'zzphone_'));
  await step('knex transaction', () => knex.transaction(async (t) => {
    await step('knex in savepoint', () => t.transaction((s) => s('nosuch').select()));
    return t('shop.orders').count();
  }));
  // It asks another session to cancel, by the process id that it was told at login.
  await step('knex timeout', () => knex.raw(LONG).timeout(300, { cancel: true }));
  await step('knex after', async () => (await knex.raw('SELECT count(*) FROM shop.orders')).rows);
  await knex.destroy();
}

async function withKysely(pool) {
  const k = new Kysely({ dialect: new PostgresDialect({ pool, cursor: Cursor }) });
  const visible = (t) => ['shop', 'public'].includes(t.schema) && !t.name.startsWith('zz');
  await step('kysely tables', async () => (await k.introspection.getTables()).filter(visible).map((t) => [t.schema, t.name, t.isView,
    t.columns.filter((c) => !c.name.startsWith('zz')).map((c) => [c.name, c.dataType, c.isNullable, c.hasDefaultValue])]));
  await step('kysely select', () => k.selectFrom('shop.orders').select(['id', 'total']).where('id', 'in', [2, 4, 5]).orderBy('id').execute());
  await step('kysely stream', async () => {
    let n = 0;
    for await (const _ of k.selectFrom('shop.orders').selectAll().stream(13)) n++;
    return n;
  });
}

async function withDrizzle(pool) {
  const shop = pgSchema('shop');
  const orders = shop.table('orders', { id: bigint('id', { mode: 'number' }).primaryKey(), customerId: integer('customer_id'), total: numeric('total') });
  const customers = shop.table('customers', { id: integer('id').primaryKey(), name: text('name'), email: text('email') });
  const schema = {
    orders,
    customers,
    ofOrders: relations(orders, ({ one }) => ({ customer: one(customers, { fields: [orders.customerId], references: [customers.id] }) })),
    ofCustomers: relations(customers, ({ many }) => ({ orders: many(orders) })),
  };
  const db = drizzle(pool, { schema });
  await step('drizzle select', () => db.select().from(orders).where(eq(orders.customerId, 3)).orderBy(orders.id));
  await step('drizzle relations', () => db.query.customers.findMany({ limit: 3, orderBy: customers.id, with: { orders: { orderBy: orders.id } } }));
  await step('drizzle prepared', () => db.select().from(orders).where(eq(orders.id, sql.placeholder('id'))).prepare('by_id').execute({ id: 4 }));
  await step('drizzle transaction', () => db.transaction((t) => t.select({ n: sql`count(*)` }).from(orders),
    { isolationLevel: 'repeatable read', accessMode: 'read only' }));
}

await withKnex();
const pool = new pg.Pool({ ...config, max: 2 });
await withKysely(pool);
await withDrizzle(pool);
console.log('done');
process.exit(0);
