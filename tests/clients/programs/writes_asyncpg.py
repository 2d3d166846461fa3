"""What writes by asyncpg: COPY in binary, executemany, cursors, its type look-ups, its statement cache, LISTEN."""
import asyncio
import os
import ssl

import asyncpg


def connect():
    context = ssl.create_default_context(cafile=os.environ['PGSSLROOTCERT'])
    return asyncpg.connect(host=os.environ['PGHOST'], port=os.environ['PGPORT'], user=os.environ['PGUSER'], password=os.environ['PGPASSWORD'],
                           database=os.environ['PGDATABASE'], ssl=context, server_settings={'application_name': 'writer', 'search_path': 'play,public'})


async def step(name, awaitable):
    try:
        print(name, '=', await awaitable, flush=True)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        print(name, '= ERROR', type(e).__name__, getattr(e, 'sqlstate', None), flush=True)


async def main():
    c, other = await connect(), await connect()
    await step('copy records', c.copy_records_to_table('s', records=[(i, f'n{i}') for i in range(50)], columns=['id', 'name']))
    await step('copy twice', c.copy_records_to_table('s', records=[(1, 'x')], columns=['id', 'name']))
    await step('copied', c.fetchval('SELECT count(*) FROM s'))
    await step('executemany', c.executemany('UPDATE s SET name = $2 WHERE id = $1', [(i, f'm{i}') for i in range(50)]))
    await step('executemany with an error', c.executemany('INSERT INTO s (id, name) VALUES ($1, $2)', [(100, 'a'), (101, 'bad'), (102, 'c')]))
    await step('after', c.fetch("SELECT id, name FROM s WHERE id > 46 ORDER BY id"))
    await step('types', c.fetchrow('SELECT id, a, b, d, e, f, h, row(1, a) AS r FROM t WHERE id = $1', 3))
    await step('composite', c.fetchval('SELECT home FROM shop.customers WHERE id = $1', 4))
    await step('enum parameter', c.fetchval('SELECT count(*) FROM t WHERE h = $1', 'paid'))
    await step('enum array', c.fetchval('SELECT count(*) FROM t WHERE h = ANY ($1)', ['paid', 'new']))
    await step('introspected', c.set_type_codec('status', schema='shop', encoder=str, decoder=lambda v: f'<{v}>'))
    await step('decoded', c.fetchval('SELECT h FROM t WHERE id = 1'))
    async with c.transaction(isolation='serializable', readonly=True, deferrable=True):
        cursor = await c.cursor('SELECT id FROM t ORDER BY id')
        print('cursor', await cursor.fetch(3), await cursor.forward(4), await cursor.fetchrow())
        await step('read-only', c.execute("INSERT INTO s (id, name) VALUES (7, 'x')"))
    await step('savepoint', c.execute("BEGIN; SAVEPOINT a; INSERT INTO s (id, name) VALUES (900, 'x'); ROLLBACK TO a; COMMIT"))
    async with c.transaction():
        await c.execute('CREATE TEMP TABLE z (a int) ON COMMIT DROP')
        await step('temporary', c.copy_records_to_table('z', records=[(1,), (2,)]))
        await step('sum', c.fetchval('SELECT sum(a) FROM z'))
    heard = asyncio.Queue()
    await c.add_listener('news', lambda _, pid, channel, payload: heard.put_nowait((pid == other.get_server_pid(), channel, payload)))
    await other.execute("SELECT pg_notify('news', 'x')")
    print('heard', await asyncio.wait_for(heard.get(), 30))
    await c.remove_listener('news', print)
    await step('sequence', c.fetchval("SELECT nextval('numbers')"))
    await step('delete', c.execute('DELETE FROM s'))
    await step('reset', c.reset())
    await step('path', c.fetchval('SHOW search_path'))
    await step('state', c.reload_schema_state())
    await c.close()
    await other.close()
    print('done')


asyncio.run(main())
