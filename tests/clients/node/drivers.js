// node-postgres with its cursors and streams, postgres.js, pg-promise, slonik.
import { buffer } from 'node:stream/consumers';
import pg from 'pg';
import copy from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import pgPromise from 'pg-promise';
import QueryStream from 'pg-query-stream';
import postgres from 'postgres';
import { createPool, createTypeParserPreset, sql as slonikSql } from 'slonik';
import { config, LONG, show, ssl, step, url } from './common.js';

async function count(rows) {
  let n = 0;
  for await (const _ of rows) n++;
  return n;
}

async function nodePostgres() {
  const c = new pg.Client(config);
  await c.connect();
  await step('pg select', async () => (await c.query('SELECT id, total, placed FROM shop.orders WHERE id < $1 ORDER BY id', [10])).rows);
  for (const status of ['paid', 'new'])
    await step('pg named', async () => (await c.query({ name: 'q', text: 'SELECT count(*) FROM shop.orders WHERE status = $1', values: [status] })).rows);
  await step('pg types', async () => (await c.query('SELECT tags, attrs, home, born, active FROM shop.customers WHERE id = 3')).rows);
  await step('pg binary', async () => (await c.query({ text: 'SELECT id, status FROM shop.orders ORDER BY id LIMIT 2', binary: true })).rows);
  await step('pg fields', async () => (await c.query('SELECT * FROM shop.orders LIMIT 0')).fields.map((f) => [f.name, f.columnID]));
  await step('pg cursor', async () => {
    const cursor = c.query(new Cursor('SELECT id FROM shop.orders ORDER BY id'));
    const rows = [...(await cursor.read(3)), ...(await cursor.read(3))];
    await cursor.close();
    return rows;
  });
  await step('pg stream', () => count(c.query(new QueryStream('SELECT * FROM shop.orders', [], { batchSize: 11 }))));
  await step('pg copy', async () => String(await buffer(c.query(copy.to('COPY (SELECT id FROM shop.orders ORDER BY id LIMIT 5) TO STDOUT')))));
  await step('pg hidden', () => c.query('SELECT * FROM vault.zzkeys'));
  await step('pg many', async () => (await c.query('SELECT 1 AS a; SELECT 2 AS b')).map((r) => r.rows));
  await c.query('BEGIN');
  await step('pg in transaction', () => c.query('SELECT nosuch'));
  await step('pg in transaction', () => c.query('SELECT 1'));
  await step('pg rollback', async () => (await c.query('ROLLBACK')).command);
  await c.end();
}

async function postgresJs() {
  const sql = postgres({ ...config, username: config.user, max: 2, onnotice() {} });
  await step('postgres in', () => sql`SELECT id, total FROM shop.orders WHERE id IN ${sql([2, 4, 5])} ORDER BY id`);
  await step('postgres array', () => sql`SELECT id FROM shop.orders WHERE id = ANY (${[2, 4, 5]}) ORDER BY id`);
  await step('postgres enum', () => sql`SELECT id FROM shop.orders WHERE status = ${'paid'} ORDER BY id LIMIT 2`);
  await step('postgres cursor', async () => {
    const sizes = [];
    await sql`SELECT * FROM shop.orders`.cursor(37, (rows) => { sizes.push(rows.length); });
    return sizes;
  });
  await step('postgres copy', async () => (await buffer(await sql`COPY shop.orders (id) TO STDOUT`.readable())).length);
  await step('postgres savepoint', () => sql.begin(async (t) => {
    await step('postgres in savepoint', () => t.savepoint((s) => s`SELECT * FROM nosuch`));
    return t`SELECT count(*) FROM shop.orders`;
  }));
  await step('postgres cancel', async () => {
    const query = sql.unsafe(LONG);
    setTimeout(() => query.cancel(), 300);
    return await query;
  });
  await step('postgres after', () => sql`SELECT count(*) FROM shop.orders`);
  await sql.end();
}

async function others() {
  const pgp = pgPromise();
  const db = pgp(config);
  await step('pg-promise', () => db.any('SELECT id FROM shop.orders WHERE id IN ($1:csv) ORDER BY id', [[2, 4]]));
  await step('pg-promise tx', () => db.tx((t) => t.batch([t.one('SELECT count(*) FROM shop.orders'), t.multi('SELECT 1 AS a; SELECT 2 AS b')])));
  pgp.end();
  const pool = await createPool(url, { ssl, typeParsers: createTypeParserPreset() });
  await step('slonik', () => pool.any(slonikSql.unsafe`SELECT id, status FROM shop.orders WHERE id = ANY (${slonikSql.array([2, 4], 'int8')}) ORDER BY id`));
  await step('slonik transaction', () => pool.transaction((t) => t.oneFirst(slonikSql.unsafe`SELECT count(*) FROM shop.items`)));
  await pool.end();
}

await nodePostgres();
await postgresJs();
await others();
console.log('done');
process.exit(0);
