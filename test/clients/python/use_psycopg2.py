import io
import threading

import psycopg2
import psycopg2.extras
from tell import *

tell_version(psycopg2.__version__.split()[0])
psycopg2.extras.register_uuid()
# Everything that libpq reads from the environment.
session = psycopg2.connect("")
session.autocommit = True
cursor = session.cursor()


def rows(text, values=None):
    cursor.execute(text, values)
    return cursor.fetchall() if cursor.description else cursor.rowcount


@tell("connect")
def _():
    return [session.info.ssl_in_use, session.encoding, rows("select current_user, current_database()")]


@tell("login")
def _():
    seen = []
    for words in (bound, certified):
        other = psycopg2.connect(words)
        with other.cursor() as found:
            found.execute("select current_user")
            seen.append(found.fetchall())
        other.close()
    return seen


@tell("introspection")
def _():
    return rows("""select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relname in ('customer', 'reservation', 'sample') and a.attnum > 0 order by 1, a.attnum""")


@tell("crud")
def _():
    inserted = [
        rows("insert into customer values (%s, %s, %s, %s) returning *", (each, "x", client, "2024-01-02"))
        for each in customers
    ]
    updated = rows("update customer set name = %(name)s where cust_id = %(id)s", {"name": "New", "id": kim})
    read = rows("select * from customer where country = %s order by cust_id", (client,))
    return [inserted, updated, read, rows("delete from customer where cust_id = %s", (f"Gone-{client}",))]


@tell("types")
def _():
    values = {**sample_row, "document": psycopg2.extras.Json({"a": [1, None]}), "mood": "happy"}
    names = ", ".join(values)
    slots = ", ".join(["%s"] * len(values))
    rows(f"insert into sample (id, client, {names}) values (%s, %s, {slots})", (sample_id(1), client, *values.values()))
    found = rows("select * from sample where id = %s", (sample_id(1),))
    return [[bytes(each).hex() if isinstance(each, memoryview) else each for each in found[0]],
            [(column.name, column.type_code) for column in cursor.description if "mood" not in column.name]]


@tell("nulls")
def _():
    rows("insert into sample (id, client, words) values (%s, %s, %s)", (sample_id(2), client, None))
    return rows("select * from sample where id = %s and words is null", (sample_id(2),))


@tell("ids")
def _():
    found = rows("insert into remark (cust_id, body) values (%s, 'first') returning id", (kim,))
    return rows("select body from remark where cust_id = %s and id = %s", (kim, found[0][0]))


@tell("own key")
def _():
    return rows("update customer set cust_id = %s, name = 'Saved' where customer.cust_id = %s", (pia, pia))


@tell("any array")
def _():
    return rows("select cust_id, name from customer where cust_id = any(%s) order by 1", (customers,))


@tell("in list")
def _():
    return rows("select cust_id from customer where cust_id in %s order by 1 desc", ((adam, pia, "nobody"),))


@tell("exists")
def _():
    return rows("select exists (select 1 from customer where cust_id = %s)", (kim,))


@tell("page")
def _():
    return [rows("select count(*) from reservation where payment > %s", (100,)),
            rows("select * from reservation where date < '2025-01-01' order by payment, reserve_id limit %s offset %s", (5, 10))]


@tell("report")
def _():
    return rows("""with monthly as (select date_trunc('month', date)::date as month, payment from reservation
                     where date < '2025-01-01')
      select month, sum(payment), rank() over (order by sum(payment) desc) from monthly group by 1 order by 1""")


@tell("join")
def _():
    return rows("""select name, payment, title from customer join reservation using (cust_id)
      join item using (item_id) where cust_id in ('Kim-01', 'Zoe-03') order by reserve_id limit 70""")


@tell("upsert")
def _():
    text = """insert into customer values (%s, %s, 'upsert', '2024-01-01')
      on conflict (cust_id) do update set name = excluded.name returning name"""
    return [rows(text, (f"Up-{client}", each)) for each in ("one", "two")]


@tell("savepoint")
def _():
    session.autocommit = False
    rows("update customer set name = 'before' where cust_id = %s", (adam,))
    rows("savepoint one")
    error = failure_of(lambda: rows("insert into customer values (%s)", (kim,)))
    rows("rollback to savepoint one")
    rows("update customer set name = 'after' where cust_id = %s", (kim,))
    session.commit()
    session.autocommit = True
    return [error, rows("select name from customer where cust_id in (%s, %s) order by 1", (adam, kim))]


@tell("transaction")
def _():
    seen = []
    session.set_session(isolation_level="READ COMMITTED", autocommit=False)
    for end in (session.rollback, session.commit):
        for index, each in enumerate(customers):
            rows("insert into reservation values (%s, %s, 10, 1, '2025-01-01')", (index, each))
        end()
        seen.append(rows("select count(*), sum(payment) from reservation where cust_id = any(%s)", (customers,)))
        session.commit()
    session.autocommit = True
    return seen


@tell("lock")
def _():
    with psycopg2.connect("") as other, other.cursor() as second:
        second.execute("select name from customer where cust_id = %s for update", (kim,))
        error = failure_of(lambda: rows("select 1 from customer where cust_id = %s for update nowait", (kim,)))
    other.close()
    return error


@tell("batch")
def _():
    values = [(100 + index, customers[index % 4], index, 2, "2025-02-02") for index in range(200)]
    psycopg2.extras.execute_batch(cursor, "insert into reservation values (%s, %s, %s, %s, %s)", values[:100])
    ids = psycopg2.extras.execute_values(
        cursor, "insert into reservation values %s returning reserve_id", values[100:], fetch=True)
    return sorted(ids)


@tell("stream")
def _():
    session.autocommit = False
    with session.cursor(name="many") as many:
        many.itersize = 300
        many.execute("select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id")
        seen = [each for each in many]
    session.commit()
    session.autocommit = True
    return [len(seen), seen[0], seen[-1]]


@tell("errors")
def _():
    failing = [
        ("insert into customer values (%s, 'again', 'x', now())", (kim,)),
        ("insert into reservation values (1, %s, 1, 999, now())", (kim,)),
        ("insert into sample (id, client, whole) values (%s, %s, -1)", (sample_id(9), client)),
        ("select * from nowhere", None),
        ("select nothing from customer", None),
        ("selec", None),
        ("select 1 / %s", (0,)),
        ("select * from sample where id = %s", ("no uuid",)),
    ]
    return [failure_of(lambda: rows(text, values)) for text, values in failing]


@tell("cancel")
def _():
    seen = []
    for text in ("select pg_sleep(30)", long_report):
        timer = threading.Timer(0.3, session.cancel)
        timer.start()
        seen.append([failure_of(lambda: rows(text)), rows("select 1")])
        timer.join()
    return seen


@tell("copy")
def _():
    cursor.copy_expert("copy note (body) from stdin", io.StringIO(f"{client} one\n{client} two\n"))
    out = io.StringIO()
    cursor.copy_expert(f"copy (select body from note where body like '{client}%' order by 1) to stdout (format csv)", out)
    return out.getvalue()


@tell("migration")
def _():
    rows("create table psycopg2_note (id serial primary key, body text)")
    rows("alter table psycopg2_note add column extra int default 5")
    found = rows("insert into psycopg2_note (body) values ('x') returning *")
    rows("drop table psycopg2_note")
    return found
