import asyncio
import os
import ssl

import asyncpg
from tell import *

tell_version(asyncpg.__version__)
context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])


async def fails(coroutine):
    try:
        await coroutine
        return "no error"
    except Exception as error:
        return [state_of(error), getattr(error, "constraint_name", None), str(error)]


def plain(records):
    return [dict(each) for each in records]


async def main():
    pool = await asyncpg.create_pool(ssl=context, min_size=1, max_size=3)
    insert = "insert into reservation values ($1, $2, 10, 1, '2025-01-01')"

    async def connect():
        async with pool.acquire() as session:
            version = session.get_server_version()
            return [version.major, await session.fetchval("select current_user")]

    async def login():
        own = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
        own.load_cert_chain(os.environ["HOLDER_CERTIFICATE"], os.environ["HOLDER_KEY"])
        session = await asyncpg.connect(user="holder", ssl=own)
        found = await session.fetchval("select current_user")
        await session.close()
        return found

    async def introspection():
        # asyncpg asks the catalogue for types that it does not know: enums and their arrays.
        async with pool.acquire() as session:
            statement = await session.prepare("select * from sample where id = $1 and mood = $2 and moods = $3")
            return [[(each.name, each.type.name) for each in statement.get_attributes()],
                    [each.name for each in statement.get_parameters()]]

    async def crud():
        text = "insert into customer values ($1, $2, $3, '2024-01-02') returning *"
        inserted = [plain([await pool.fetchrow(text, each, "x", client)]) for each in customers]
        updated = await pool.execute("update customer set name = $1 where cust_id = $2", "New", kim)
        read = await pool.fetch("select * from customer where country = $1 order by 1", client)
        gone = await pool.execute("delete from customer where cust_id = $1", f"Gone-{client}")
        return [inserted, updated, plain(read), gone]

    async def types():
        values = {**sample_row, "document": '{"a": [1, null]}', "tree": "[1.5]", "mood": "happy", "moods": ["ok", "sad"],
                  "spread": asyncpg.Range(1, 5)}
        names = ", ".join(values)
        slots = ", ".join(f"${index + 3}" for index in range(len(values)))
        await pool.execute(f"insert into sample (id, client, {names}) values ($1, $2, {slots})",
                           sample_id(1), client, *values.values())
        return plain(await pool.fetch("select * from sample where id = $1", sample_id(1)))

    async def nulls():
        await pool.execute("insert into sample (id, client, words, numbers) values ($1, $2, $3, $4)", sample_id(2), client, None, [1, None])
        return plain(await pool.fetch("select * from sample where id = $1 and words is null", sample_id(2)))

    async def ids():
        id = await pool.fetchval("insert into remark (cust_id, body) values ($1, 'first') returning id", kim)
        return await pool.fetchval("select body from remark where cust_id = $1 and id = $2", kim, id)

    async def own_key():
        return await pool.execute("update customer set cust_id = $1, name = 'Saved' where cust_id = $1", pia)

    async def any_array():
        return plain(await pool.fetch("select cust_id, name from customer where cust_id = any($1::text[]) order by 1", customers))

    async def page():
        total = await pool.fetchval("select count(*) from customer where country = 'Seed'")
        found = await pool.fetch("select * from customer where country = 'Seed' order by created limit $1 offset $2", 5, 10)
        return [total, plain(found)]

    async def report():
        return plain(await pool.fetch("""select item_id, sum(payment), avg(payment), count(*), max(cust_id)
          from reservation where date < '2025-01-01' group by 1 order by 1"""))

    async def join():
        return plain(await pool.fetch("""select c, (select json_agg(r order by reserve_id) from reservation r where r.cust_id = c.cust_id)
          from customer c where cust_id = any($1) order by c.cust_id""", ["Kim-01", "Zoe-02"]))

    async def upsert():
        text = """insert into customer values ($1, $2, 'upsert', '2024-01-01')
          on conflict (cust_id) do update set name = excluded.name returning name"""
        return [await pool.fetchval(text, f"Up-{client}", each) for each in ("one", "two")]

    async def lock():
        async with pool.acquire() as session, session.transaction():
            await session.execute("select 1 from customer where cust_id = $1 for update", kim)
            return await fails(pool.execute("select 1 from customer where cust_id = $1 for update nowait", kim))

    async def savepoint():
        async with pool.acquire() as session, session.transaction():
            await session.execute("update customer set name = 'before' where cust_id = $1", adam)

            async def inner():
                async with session.transaction():
                    await session.execute("insert into customer values ($1)", kim)
            error = await fails(inner())
            await session.execute("update customer set name = 'after' where cust_id = $1", kim)
            return [error, plain(await session.fetch("select name from customer where cust_id in ($1, $2) order by 1", adam, kim))]

    async def transaction():
        async with pool.acquire() as session, session.transaction(isolation="read_committed"):
            for index, each in enumerate(customers):
                await session.execute(insert, index, each)
        return await pool.fetchval("select count(*) from reservation where cust_id = any($1)", customers)

    async def batch():
        values = [(100 + index, customers[index % 4]) for index in range(100)]
        await pool.executemany(insert, values)
        error = await fails(pool.executemany(insert, [(900, kim), (900, kim)]))
        return [error, await pool.fetchval("select count(*) from reservation where cust_id = any($1)", customers)]

    async def stream():
        text = "select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id"
        async with pool.acquire() as session, session.transaction():
            seen = [each async for each in session.cursor(text, prefetch=300)]
            cursor = await session.cursor(text)
            return [len(seen), dict(seen[-1]), plain(await cursor.fetch(3)), plain(await cursor.fetch(3))]

    async def move():
        async with pool.acquire() as session, session.transaction():
            # MOVE FORWARD in a portal of the protocol.
            cursor = await session.cursor("select reserve_id from reservation where date < '2025-01-01' order by 1")
            await cursor.forward(10)
            return plain(await cursor.fetch(3))

    async def prepared():
        async with pool.acquire() as session:
            statement = await session.prepare("select cust_id, country from customer where cust_id = $1")
            return [plain(await statement.fetch(customers[round % 4])) for round in range(8)]

    async def errors():
        failing = [
            ("insert into customer values ($1, 'again', 'x', now())", (kim,)),
            ("insert into reservation values (1, $1, 1, 999, now())", (kim,)),
            ("insert into sample (id, client, whole) values ($1, $2, -1)", (sample_id(9), client)),
            ("select * from nowhere", ()),
            ("select nothing from customer", ()),
            ("selec", ()),
            ("select 1 / $1::int", (0,)),
        ]
        return [await fails(pool.fetch(text, *values)) for text, values in failing]

    async def cancel():
        seen = []
        for text in ("select pg_sleep(30)", long_report):
            async with pool.acquire() as session:
                # The time runs out: asyncpg sends a cancel request.
                seen.append([await fails(session.fetch(text, timeout=0.5)), await session.fetchval("select 1")])
        return seen

    async def copy():
        async with pool.acquire() as session:
            tag = await session.copy_records_to_table("note", records=[(f"{client} one",), (f"{client} two",)], columns=["body"])
            parts = []

            async def take(part):
                parts.append(bytes(part).decode())
            await session.copy_from_query("select body from note where body like $1 order by 1", f"{client}%", output=take)
            return [tag, parts]

    for look in (connect, login, introspection, crud, types, nulls, ids, own_key, any_array, page, report, join, upsert, lock,
                 savepoint, transaction, batch, stream, move, prepared, errors, cancel, copy):
        await tell_async(look.__name__.replace("_", " "), look)
    await pool.close()


asyncio.run(main())
