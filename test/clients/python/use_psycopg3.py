import threading

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from tell import *

tell_version(psycopg.__version__)
session = psycopg.connect("", autocommit=True)


def rows(text, values=None, **options):
    found = session.execute(text, values, **options)
    return found.fetchall() if found.description else found.rowcount


@tell("connect")
def _():
    return [session.pgconn.ssl_in_use, session.info.encoding, rows("select current_user")]


@tell("login")
def _():
    seen = []
    for words in (bound, certified):
        other = psycopg.connect(words)
        with other.cursor() as found:
            found.execute("select current_user")
            seen.append(found.fetchall())
        other.close()
    return seen


@tell("crud")
def _():
    inserted = [
        rows("insert into customer values (%s, %s, %s, %s) returning *", (each, "x", client, "2024-01-02"))
        for each in customers
    ]
    updated = rows("update customer set name = %s where cust_id = %s", ("New", kim))
    with session.cursor(row_factory=dict_row) as cursor:
        read = cursor.execute("select * from customer where country = %s order by cust_id", (client,)).fetchall()
    return [inserted, updated, read, rows("delete from customer where cust_id = %s", (f"Gone-{client}",))]


@tell("types")
def _():
    values = {**sample_row, "document": Jsonb({"a": [1, None]}), "tree": Jsonb([1.5]), "mood": "happy"}
    del values["document"]
    names = ", ".join(values)
    slots = ", ".join(["%s"] * len(values))
    rows(f"insert into sample (id, client, {names}) values (%s, %s, {slots})", (sample_id(1), client, *values.values()))
    text = "select * from sample where id = %s"
    return [rows(text, (sample_id(1),), binary=binary) for binary in (False, True)]


@tell("nulls")
def _():
    rows("insert into sample (id, client, words, numbers) values (%s, %s, %s, %s)", (sample_id(2), client, None, [1, None]))
    return rows("select * from sample where id = %s and words is null", (sample_id(2),), binary=True)


@tell("ids")
def _():
    found = rows("insert into remark (cust_id, body) values (%s, 'first') returning id", (kim,))
    return rows("select body from remark where cust_id = %s and id = %s", (kim, found[0][0]))


@tell("own key")
def _():
    return rows("update customer set cust_id = %s, name = 'Saved' where cust_id = %s", (pia, pia))


@tell("any array")
def _():
    return rows("select cust_id, name from customer where cust_id = any(%s) order by 1", (customers,))


@tell("in list")
def _():
    return rows("select cust_id from customer where cust_id in (%s, %s) order by 1", (adam, pia))


@tell("exists")
def _():
    return rows("select exists (select 1 from customer where cust_id = %s), exists (select 1 from item where price > %s)", (kim, 1000))


@tell("page")
def _():
    return [rows("select count(*) from reservation where payment > %s", (100,), binary=True),
            rows("select * from reservation where date < '2025-01-01' order by payment, reserve_id limit %s offset %s", (5, 10))]


@tell("report")
def _():
    return rows("""select item_id, avg(payment), stddev(payment)::numeric(12, 6), min(date), array_agg(distinct payment > 200)
      from reservation where date < '2025-01-01' group by item_id order by item_id""", binary=True)


@tell("upsert")
def _():
    text = """insert into customer values (%s, %s, 'upsert', '2024-01-01')
      on conflict (cust_id) do update set name = excluded.name returning name"""
    return [rows(text, (f"Up-{client}", each)) for each in ("one", "two")]


@tell("savepoint")
def _():
    def inner():
        with session.transaction():
            rows("insert into customer values (%s)", (kim,))
    with session.transaction():
        rows("update customer set name = 'before' where cust_id = %s", (adam,))
        error = failure_of(inner)
        with session.transaction():
            rows("update customer set name = 'after' where cust_id = %s", (kim,))
    return [error, rows("select name from customer where cust_id in (%s, %s) order by 1", (adam, kim))]


@tell("transaction")
def _():
    def broken():
        with session.transaction():
            for each in customers:
                rows("update customer set country = 'nowhere' where cust_id = %s", (each,))
            raise ValueError("changed my mind")
    error = failure_of(broken)
    with session.transaction():
        for index, each in enumerate(customers):
            rows("insert into reservation values (%s, %s, 10, 1, '2025-01-01')", (index, each))
    return [error, rows("select count(*) from customer where country = %s", (client,)),
            rows("select count(*), sum(payment) from reservation where cust_id = any(%s)", (customers,))]


@tell("batch")
def _():
    values = [(100 + index, customers[index % 4], index, 2, "2025-02-02") for index in range(100)]
    with session.cursor() as cursor:
        # Sent as a pipeline.
        cursor.executemany("insert into reservation values (%s, %s, %s, %s, %s) returning reserve_id", values, returning=True)
        ids = []
        while True:
            ids.append(cursor.fetchone()[0])
            if not cursor.nextset():
                break
    with session.pipeline():
        one = session.execute("select count(*) from reservation where cust_id = %s", (kim,))
        two = session.execute("select count(*) from item")
    return [ids, one.fetchone(), two.fetchone()]


@tell("stream")
def _():
    text = "select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id"
    with session.transaction(), session.cursor(name="many") as many:
        many.itersize = 300
        many.execute(text)
        seen = [each for each in many]
    with session.cursor() as cursor:
        # Row by row: libpq's single row mode.
        streamed = sum(1 for _ in cursor.stream(text))
    return [len(seen), seen[0], seen[-1], streamed]


@tell("prepared")
def _():
    text = "select cust_id, country from customer where cust_id = %s"
    return [rows(text, (customers[round % 4],), prepare=True) for round in range(8)]


@tell("errors")
def _():
    failing = [
        ("insert into customer values (%s, 'again', 'x', now())", (kim,)),
        ("insert into reservation values (1, %s, 1, 999, now())", (kim,)),
        ("insert into sample (id, client, whole) values (%s, %s, -1)", (sample_id(9), client)),
        ("select * from nowhere", None),
        ("select nothing from customer", None),
        ("selec", None),
        ("select 1 / %s::int", (0,)),
        ("select * from sample where id = %s", ("no uuid",)),
        ("select cust_id from customer where created > %s", (5,)),
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
    cursor = session.cursor()
    with cursor.copy("copy note (body) from stdin") as copy:
        for each in ("one", "two"):
            copy.write_row((f"{client} {each}",))
    with cursor.copy(f"copy (select body from note where body like '{client}%' order by 1) to stdout (format binary)") as copy:
        copy.set_types(["text"])
        return list(copy.rows())


@tell("sharded copy")
def _():
    cursor = session.cursor()
    with cursor.copy("copy sample (id, client, exact, tree, labels) from stdin (format binary)") as copy:
        copy.set_types(["uuid", "text", "numeric", "jsonb", "text[]"])
        for number in range(20, 60):
            copy.write_row((sample_id(number), client, decimal.Decimal(number) / 4, Jsonb({"n": number}), ["a", str(number)]))
    with cursor.copy(f"copy (select id, exact, labels from sample where client = '{client}' order by id) to stdout (format binary)") as copy:
        copy.set_types(["uuid", "numeric", "text[]"])
        return list(copy.rows())
