import os

import pyodbc
from tell import *

pyodbc.pooling = False
session = pyodbc.connect(
    "Driver={PostgreSQL Unicode};Server=%(PGHOST)s;Port=%(PGPORT)s;Database=%(PGDATABASE)s;"
    "Uid=%(PGUSER)s;Pwd=%(PGPASSWORD)s;SSLmode=verify-full;pqopt={sslrootcert=%(PGSSLROOTCERT)s};"
    "UseServerSidePrepare=1;UseDeclareFetch=0" % os.environ, autocommit=True)
tell_version(f"{session.getinfo(pyodbc.SQL_DRIVER_VER)}, pyodbc {pyodbc.version}")
cursor = session.cursor()


def rows(text, *values):
    cursor.execute(text, *values)
    return [list(each) for each in cursor.fetchall()] if cursor.description else cursor.rowcount


@tell("connect")
def _():
    return [session.getinfo(pyodbc.SQL_DBMS_NAME), rows("select current_user, current_database()")]


@tell("introspection")
def _():
    return [sorted(each.table_name for each in cursor.tables(tableType="TABLE", schema="public")),
            [(each.column_name, each.type_name, each.nullable) for each in cursor.columns(table="reservation")],
            [each.column_name for each in cursor.primaryKeys(table="reservation")],
            [(each.fkcolumn_name, each.pktable_name) for each in cursor.foreignKeys(foreignTable="reservation")],
            [each.index_name for each in cursor.statistics(table="reservation")]]


@tell("crud")
def _():
    counts = [rows("insert into customer values (?, ?, ?, ?)", each, "x", client, datetime.date(2024, 1, 2)) for each in customers]
    updated = rows("update customer set name = ? where cust_id = ?", "New", kim)
    read = rows("select * from customer where country = ? order by cust_id", client)
    return [counts, updated, read, rows("delete from customer where cust_id = ?", f"Gone-{client}")]


@tell("types")
def _():
    names = ("small", "whole", "big", "single", "twice", "words", "short", "fixed", "bytes", "day", "clock", "moment")
    slots = ", ".join("?" * len(names))
    rows(f"insert into sample (id, client, {', '.join(names)}) values (?, ?, {slots})", str(sample_id(1)), client, *(sample_row[name] for name in names))
    return rows("select * from sample where id = ?", str(sample_id(1)))


@tell("nulls")
def _():
    rows("insert into sample (id, client, words) values (?, ?, ?)", str(sample_id(2)), client, None)
    return rows("select id, words, exact from sample where id = ? and words is null", str(sample_id(2)))


@tell("own key")
def _():
    return rows("update customer set cust_id = ?, name = 'Saved' where cust_id = ?", pia, pia)


@tell("in list")
def _():
    return rows("select cust_id from customer where cust_id in (?, ?) order by 1", adam, pia)


@tell("page")
def _():
    return [rows("select count(*) from customer where country = ?", "Seed"),
            rows("select * from customer where country = 'Seed' order by created limit ? offset ?", 5, 10)]


@tell("report")
def _():
    return rows("select item_id, sum(payment), count(*) from reservation where date < '2025-01-01' group by 1 order by 1")


@tell("transaction")
def _():
    session.autocommit = False
    seen = []
    for end in (session.rollback, session.commit):
        for index, each in enumerate(customers):
            rows("insert into reservation values (?, ?, 10, 1, '2025-01-01')", index, each)
        end()
        seen.append(rows("select count(*), sum(payment) from reservation where cust_id in (?, ?, ?, ?)", *customers))
        session.commit()
    # The driver sets savepoints of its own around statements.
    error = failure_of(lambda: rows("insert into customer values (?, 'x', 'x', now())", kim))
    session.rollback()
    session.autocommit = True
    return [seen, error]


@tell("batch")
def _():
    values = [(100 + index, customers[index % 4], index, 2, "2025-02-02") for index in range(60)]
    cursor.executemany("insert into reservation values (?, ?, ?, ?, ?)", values)
    cursor.fast_executemany = True
    cursor.executemany("insert into reservation values (?, ?, ?, ?, ?)", [(300 + each[0], *each[1:]) for each in values])
    return rows("select count(*) from reservation where cust_id in (?, ?, ?, ?)", *customers)


@tell("prepared")
def _():
    text = "select cust_id, country from customer where cust_id = ?"
    return [rows(text, customers[round % 4]) for round in range(8)]


@tell("errors")
def _():
    failing = (f"insert into customer values ('{kim}', 'again', 'x', now())", "select * from nowhere", "selec", "select 1 / 0")
    return [failure_of(lambda: rows(text)) for text in failing]
