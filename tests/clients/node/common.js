// What each program here shares: where the warehouse is, and a line a step.
import fs from 'node:fs';

const env = process.env;
export const ssl = { ca: fs.readFileSync(env.PGSSLROOTCERT, 'utf8') };
export const config = { host: env.PGHOST, port: +env.PGPORT, user: env.PGUSER, password: env.PGPASSWORD, database: env.PGDATABASE, ssl };
export const url = `postgresql://${env.PGUSER}:${env.PGPASSWORD}@${env.PGHOST}:${env.PGPORT}/${env.PGDATABASE}`;
export const LONG = 'SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c, shop.orders d';

export function show(name, value) {
  console.log(name, '=', JSON.stringify(value, (_, x) => (typeof x === 'bigint' ? String(x) : x)));
}

export async function step(name, f) {
  try {
    show(name, await f());
  } catch (e) {
    show(name, `ERROR ${e.code ?? ''} ${(e.message ?? String(e)).split('\n')[0]}`);
  }
}
