import pathlib
import subprocess
import tempfile

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import exc, orm
from sqlalchemy.dialects import postgresql
from tell import *

tell_version(sa.__version__)
engine = sa.create_engine("postgresql+psycopg2://", future=True)
Base = orm.declarative_base()


class Customer(Base):
    __tablename__ = "customer"
    cust_id = sa.Column(sa.Text, primary_key=True)
    name = sa.Column(sa.Text)
    country = sa.Column(sa.Text)
    created = sa.Column(sa.Date)
    reservations = orm.relationship("Reservation", order_by="Reservation.reserve_id", back_populates="customer")


class Reservation(Base):
    __tablename__ = "reservation"
    cust_id = sa.Column(sa.Text, sa.ForeignKey("customer.cust_id"), primary_key=True)
    reserve_id = sa.Column(sa.BigInteger, primary_key=True)
    payment = sa.Column(sa.Numeric(10, 2))
    item_id = sa.Column(sa.Integer, sa.ForeignKey("item.item_id"))
    date = sa.Column(sa.Date)
    customer = orm.relationship(Customer, back_populates="reservations")
    item = orm.relationship("Item")


class Item(Base):
    __tablename__ = "item"
    item_id = sa.Column(sa.Integer, primary_key=True)
    title = sa.Column(sa.Text)


class Remark(Base):
    __tablename__ = "remark"
    cust_id = sa.Column(sa.Text, primary_key=True)
    id = sa.Column(sa.BigInteger, sa.Identity(), primary_key=True)
    body = sa.Column(sa.Text)


class Sample(Base):
    __tablename__ = "sample"
    id = sa.Column(postgresql.UUID(as_uuid=True), primary_key=True)
    client = sa.Column(sa.Text)
    exact = sa.Column(sa.Numeric)
    bytes = sa.Column(sa.LargeBinary)
    instant = sa.Column(sa.DateTime(timezone=True))
    span = sa.Column(sa.Interval)
    tree = sa.Column(postgresql.JSONB)
    mood = sa.Column(sa.Enum("sad", "ok", "happy", name="mood"))
    numbers = sa.Column(postgresql.ARRAY(sa.Integer))


Session = orm.sessionmaker(engine, future=True)


def fields(row):
    return {key: value for key, value in sorted(vars(row).items()) if not key.startswith("_") and not isinstance(value, (Base, list))}


@tell("introspection")
def _():
    inspector = sa.inspect(engine)
    return [[(each["name"], each["type"], each["nullable"]) for each in inspector.get_columns("reservation")],
            inspector.get_pk_constraint("reservation"), inspector.get_foreign_keys("reservation"),
            inspector.get_indexes("reservation"), inspector.get_enums(), sorted(inspector.get_table_names())]


@tell("migration")
def _():
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        operations.create_table("alembic_note", sa.Column("id", sa.Integer, primary_key=True), sa.Column("body", sa.String(50)))
        operations.add_column("alembic_note", sa.Column("extra", sa.Integer, server_default="5"))
        operations.create_index("alembic_note_body", "alembic_note", ["body"])
        operations.alter_column("alembic_note", "body", nullable=False)
        operations.execute("insert into alembic_note (body) values ('x')")
        found = connection.execute(sa.text("select * from alembic_note")).all()
        operations.drop_table("alembic_note")
    return [list(each) for each in found]


@tell("sharded migration")
def _():
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        operations.add_column("sample", sa.Column("alembic_extra", sa.Integer, server_default="5", nullable=False))
        operations.create_index("alembic_index", "sample", ["alembic_extra"])
        operations.create_check_constraint("alembic_check", "sample", "alembic_extra > 0")
    found = [each["name"] for each in sa.inspect(engine).get_columns("sample")]
    error = failure_of(lambda: engine.execute(f"insert into sample (id, client, alembic_extra) values ('{sample_id(3)}', 'x', 0)"))
    with engine.begin() as connection:
        Operations(MigrationContext.configure(connection)).drop_column("sample", "alembic_extra")
    return [found, error[:2]]


# A tool in a folder of its own, as `alembic init` makes it.
alembic_files = {
    "alembic.ini": "[alembic]\nscript_location = .\nversion_table = alembic_command_log\n",
    "script.py.mako": """revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
import sqlalchemy as sa
from alembic import op
def upgrade():
    ${upgrades if upgrades else "pass"}
def downgrade():
    ${downgrades if downgrades else "pass"}
""",
    "env.py": """import sqlalchemy as sa
from alembic import context
made = sa.MetaData()
page = sa.Table("alembic_page", made, sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("title", sa.String(80), nullable=False, unique=True),
                sa.Column("state", sa.Enum("new", "done", name="alembic_state"), server_default="new"))
sa.Table("alembic_part", made, sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
         sa.Column("page_id", sa.ForeignKey("alembic_page.id", ondelete="cascade"), index=True),
         sa.Column("price", sa.Numeric(10, 2), sa.CheckConstraint("price > 0", name="alembic_price")))
def ours(thing, name, kind, reflected, other):
    return kind != "table" or name.startswith("alembic_p")
with sa.create_engine("postgresql+psycopg2://").connect() as connection:
    context.configure(connection=connection, target_metadata=made, include_object=ours, version_table="alembic_command_log")
    with context.begin_transaction():
        context.run_migrations()
""",
    "versions/first.py": """revision = "first"
down_revision = None
import sqlalchemy as sa
from alembic import op
def upgrade():
    op.add_column("reservation", sa.Column("alembic_code", sa.Text, server_default="none"))
    op.create_index("alembic_by_code", "reservation", ["alembic_code"])
    op.execute("update reservation set alembic_code = 'kim' where cust_id = 'Kim-01'")
    with op.get_context().autocommit_block():
        op.create_index("alembic_late", "reservation", ["alembic_code", "date"], postgresql_concurrently=True)
def downgrade():
    op.drop_column("reservation", "alembic_code")
""",
}


@tell("migration command")
def _():
    def shape(*tables):
        inspector = sa.inspect(engine)
        return [[(each["name"], each["type"], each["nullable"], each["default"]) for each in inspector.get_columns(table)]
                + inspector.get_foreign_keys(table) + inspector.get_indexes(table) for table in tables]

    with tempfile.TemporaryDirectory() as folder:
        for path, text in alembic_files.items():
            pathlib.Path(folder, path).parent.mkdir(exist_ok=True)
            pathlib.Path(folder, path).write_text(text)

        def alembic(*words):
            done = subprocess.run(["alembic", *words], cwd=folder, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            return done.stdout

        alembic("upgrade", "head")
        seen = [shape("reservation"), alembic("current")]
        with engine.connect() as connection:
            text = "select alembic_code, count(*) from reservation where date < '2025-01-01' group by 1 order by 1"
            seen.append([list(each) for each in connection.execute(sa.text(text))])
        alembic("revision", "--autogenerate", "-m", "made", "--rev-id", "made")
        alembic("upgrade", "head")
        seen.append(shape("alembic_page", "alembic_part"))
        # What it has made is what is there.
        alembic("revision", "--autogenerate", "-m", "nothing", "--rev-id", "nothing")
        written = pathlib.Path(folder, "versions/nothing_nothing.py").read_text()
        alembic("upgrade", "head")
        alembic("downgrade", "base")
    with engine.begin() as connection:
        connection.execute(sa.text("drop table alembic_command_log"))
        connection.execute(sa.text("drop type alembic_state"))
    return [*seen, written, shape("reservation")]


@tell("crud")
def _():
    with Session() as session:
        session.add_all([Customer(cust_id=each, name="x", country=client, created=datetime.date(2024, 1, 2)) for each in customers])
        session.commit()
        one = session.get(Customer, kim)
        one.name = "New"
        session.commit()
        gone = Customer(cust_id=f"Gone-{client}", name="x", country="x", created=datetime.date(2024, 1, 2))
        session.add(gone)
        session.flush()
        session.delete(gone)
        session.commit()
        found = session.scalars(sa.select(Customer).where(Customer.country == client).order_by(Customer.cust_id)).all()
        return [fields(each) for each in found]


@tell("types")
def _():
    names = ("exact", "bytes", "instant", "span", "numbers")
    with Session() as session:
        session.add(Sample(id=sample_id(1), client=client, tree={"a": [1, None]}, mood="happy", **{name: sample_row[name] for name in names}))
        session.add(Sample(id=sample_id(2), client=client))
        session.commit()
        return [fields(session.get(Sample, sample_id(number), populate_existing=True)) for number in (1, 2)]


@tell("ids")
def _():
    with Session() as session:
        one = Remark(cust_id=kim, body="first")
        session.add(one)
        session.commit()
        return [type(one.id), one.body]


@tell("own key")
def _():
    with Session() as session:
        count = session.execute(sa.update(Customer).where(Customer.cust_id == pia).values(cust_id=pia, name="Saved")).rowcount
        session.commit()
        return count


@tell("in list")
def _():
    with Session() as session:
        found = session.scalars(sa.select(Customer).where(Customer.cust_id.in_([adam, pia])).order_by(Customer.cust_id))
        return [fields(each) for each in found]


@tell("exists")
def _():
    with Session() as session:
        has = Customer.reservations.any(Reservation.payment > 499)
        return [session.query(sa.exists().where(Customer.cust_id == kim)).scalar(),
                session.scalars(sa.select(Customer.cust_id).where(has).order_by(Customer.cust_id)).all()]


@tell("page")
def _():
    with Session() as session:
        seeds = session.query(Customer).filter_by(country="Seed")
        return [seeds.count(), [each.cust_id for each in seeds.order_by(Customer.created).limit(5).offset(10)]]


@tell("report")
def _():
    with Session() as session:
        text = sa.select(Item.title, sa.func.sum(Reservation.payment), sa.func.count()).join(Reservation.item)
        text = text.where(Reservation.date < "2025-01-01").group_by(Item.title).order_by(Item.title)
        return [list(each) for each in session.execute(text.select_from(Reservation))]


@tell("join")
def _():
    seen = []
    for load in (orm.joinedload, orm.selectinload, orm.subqueryload, orm.lazyload):
        with Session() as session:
            text = sa.select(Customer).where(Customer.cust_id.in_(["Kim-01", "Zoe-02"])).order_by(Customer.cust_id)
            found = session.scalars(text.options(load(Customer.reservations))).unique().all()
            seen.append([(each.name, len(each.reservations), each.reservations[0].item.title) for each in found])
    with Session() as session:
        # A page of parents with their children: LIMIT in a subquery.
        text = sa.select(Customer).where(Customer.country == "Seed").order_by(Customer.cust_id).limit(3)
        found = session.scalars(text.options(orm.joinedload(Customer.reservations))).unique().all()
        seen.append([(each.name, len(each.reservations)) for each in found])
    return seen


@tell("upsert")
def _():
    seen = []
    for name in ("one", "two"):
        text = postgresql.insert(Customer).values(cust_id=f"Up-{client}", name=name, country="upsert", created="2024-01-01")
        text = text.on_conflict_do_update(index_elements=["cust_id"], set_={"name": text.excluded.name}).returning(Customer.name)
        with Session() as session:
            seen.append(session.execute(text).all()[0][0])
            session.commit()
    return seen


@tell("lock")
def _():
    with Session() as session, Session() as other:
        text = sa.select(Customer.name).where(Customer.cust_id == kim)
        session.execute(text.with_for_update())
        return failure_of(lambda: other.execute(text.with_for_update(nowait=True)))


@tell("savepoint")
def _():
    with Session() as session:
        session.get(Customer, adam).name = "before"
        def inner():
            with session.begin_nested():
                session.execute(sa.insert(Customer).values(cust_id=kim))
        error = failure_of(inner)
        session.get(Customer, kim).name = "after"
        session.commit()
        return [error, [session.get(Customer, each).name for each in (adam, kim)]]


@tell("transaction")
def _():
    with Session() as session:
        for each in customers:
            session.get(Customer, each).country = "nowhere"
        session.flush()
        session.rollback()
        before = [session.get(Customer, each).country for each in customers]
        for each in customers:
            session.get(Customer, each).country = f"{client} moved"
        session.commit()
        return [before, [session.get(Customer, each).country for each in customers]]


@tell("batch")
def _():
    rows = [dict(reserve_id=100 + index, cust_id=customers[index % 4], payment=index, item_id=2, date="2025-02-02") for index in range(300)]
    with Session() as session:
        session.execute(sa.insert(Reservation), rows)
        session.bulk_save_objects([Remark(cust_id=each, body="bulk") for each in customers * 5])
        session.commit()
        return session.query(Reservation).filter(Reservation.cust_id.in_(customers)).count()


@tell("stream")
def _():
    with engine.connect() as connection:
        text = sa.text("select reserve_id from reservation where date < '2025-01-01' order by 1")
        found = connection.execution_options(stream_results=True, max_row_buffer=200).execute(text)
        return sum(number for number, in found)


@tell("errors")
def _():
    def run(text):
        with engine.begin() as connection:
            connection.execute(sa.text(text))
    return [failure_of(lambda: run(text))[:2] for text in
            (f"insert into customer values ('{kim}', 'again', 'x', now())", "select * from nowhere", "selec")]
