import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asc, avg, count, eq, inArray, relations, sql, sum } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import * as t from 'drizzle-orm/pg-core';
import pg from 'pg';
import {
  ask,
  connectionText,
  inFolder,
  npmCommand,
  shapeOf,
  writeFiles,
} from './migration-command.mjs';
import * as own from './tell.mjs';

const { client: name, customers, failureOf, sampleId, sampleRow, tell } = own;
const [adam, kim, pia] = customers;

const customer = t.pgTable('customer', {
  custId: t.text('cust_id').primaryKey(),
  name: t.text().notNull(),
  country: t.text().notNull(),
  created: t.date().notNull(),
});
const reservation = t.pgTable(
  'reservation',
  {
    reserveId: t.bigint('reserve_id', { mode: 'number' }).notNull(),
    custId: t
      .text('cust_id')
      .notNull()
      .references(() => customer.custId),
    payment: t.numeric({ precision: 10, scale: 2 }).notNull(),
    itemId: t.integer('item_id').notNull(),
    date: t.date().notNull(),
  },
  (table) => [t.primaryKey({ columns: [table.custId, table.reserveId] })],
);
const remark = t.pgTable('remark', {
  custId: t.text('cust_id').notNull(),
  id: t.bigserial({ mode: 'number' }),
  body: t.text().notNull(),
});
const sample = t.pgTable('sample', {
  id: t.uuid().primaryKey(),
  client: t.text().notNull(),
  big: t.bigint({ mode: 'bigint' }),
  exact: t.numeric(),
  flag: t.boolean(),
  words: t.text(),
  day: t.date(),
  instant: t.timestamp({ withTimezone: true }),
  tree: t.jsonb(),
  numbers: t.integer().array(),
  labels: t.text().array(),
});
const customerRelations = relations(customer, ({ many }) => ({ reservations: many(reservation) }));
const reservationRelations = relations(reservation, ({ one }) => ({
  customer: one(customer, { fields: [reservation.custId], references: [customer.custId] }),
}));

const pool = new pg.Pool({ ...own.connection, ssl: own.ssl, max: 3 });
const db = drizzle(pool, {
  schema: { customer, reservation, remark, sample, customerRelations, reservationRelations },
});

own.tellVersion('drizzle-orm');

/** A folder as drizzle-kit generates it. */
async function migrations(folder) {
  await mkdir(`${folder}/meta`, { recursive: true });
  const files = {
    '0000_first.sql': `DO $$ BEGIN
 CREATE TYPE "public"."drizzle_mood" AS ENUM('sad', 'ok');
EXCEPTION
 WHEN duplicate_object THEN null;
END $$;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "drizzle_note" ("id" serial PRIMARY KEY NOT NULL, "mood" "drizzle_mood");
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "drizzle_tag" ("note_id" integer NOT NULL, "name" text NOT NULL);
--> statement-breakpoint
DO $$ BEGIN
 ALTER TABLE "drizzle_tag" ADD CONSTRAINT "drizzle_tag_note_id_fk" FOREIGN KEY ("note_id") REFERENCES "public"."drizzle_note"("id");
EXCEPTION
 WHEN duplicate_object THEN null;
END $$;`,
    '0001_second.sql': 'ALTER TYPE "drizzle_mood" ADD VALUE \'happy\';',
  };
  const entries = Object.keys(files).map((file, idx) => ({
    ...{ idx, version: '7', when: 1_700_000_000_000 + idx, breakpoints: true },
    tag: file.replace('.sql', ''),
  }));
  const journal = { version: '7', dialect: 'postgresql', entries };
  await writeFile(`${folder}/meta/_journal.json`, JSON.stringify(journal));
  for (const [file, text] of Object.entries(files)) await writeFile(`${folder}/${file}`, text);
}

await tell('migration', async () => {
  const migrationsFolder = await mkdtemp(join(tmpdir(), 'pgweave-drizzle-'));
  try {
    await migrations(migrationsFolder);
    const run = () => migrate(db, { migrationsFolder, migrationsSchema: 'drizzle_log' });
    await run();
    await run();
    await db.execute(sql`insert into drizzle_note (mood) values ('happy')`);
    const rows = await db.execute(sql`select id, mood from drizzle_note`);
    await db.execute(sql`drop table drizzle_tag, drizzle_note`);
    await db.execute(sql`drop type drizzle_mood`);
    await db.execute(sql`drop schema drizzle_log cascade`);
    return rows.rows;
  } finally {
    await rm(migrationsFolder, { recursive: true });
  }
});

const kitSchema = (columns, moods) => `
  import { check, foreignKey, index, integer, numeric, pgSchema, serial, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';
  import { sql } from 'drizzle-orm';
  export const kit = pgSchema('kit');
  export const mood = kit.enum('mood', ${JSON.stringify(moods)});
  export const page = kit.table('page', {
    id: serial().primaryKey(), title: text().notNull(), mood: mood().default('sad'), made: timestamp().defaultNow(),
  }, (page) => [uniqueIndex('page_title').on(page.title)]);
  export const part = kit.table('part', {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    pageId: integer('page_id').notNull().references(() => page.id, { onDelete: 'cascade' }),
    price: numeric({ precision: 10, scale: 2 }), ${columns}
  }, (part) => [index('part_page').on(part.pageId), check('part_price', sql\`price > 0\`)]);`;

const kitConfig = (
  schema,
  out,
) => `export default { dialect: 'postgresql', schema: './schema.ts', out: './${out}',
  dbCredentials: ${connectionText}, schemaFilter: ['${schema}'], migrations: { schema: 'kit_log' },
  tablesFilter: ['page', 'part', 'customer', 'reservation', 'item'] };`;

await tell('migration command', async () => {
  const files = {
    'schema.ts': kitSchema('', ['sad', 'ok']),
    'drizzle.config.ts': kitConfig('kit', 'steps'),
    'pull.config.ts': kitConfig('public', 'pulled'),
  };
  return await inFolder(files, async (folder) => {
    const kit = (...words) => npmCommand(folder, 'drizzle-kit', ...words);
    await kit('push', '--force');
    const pushed = await shapeOf('kit.%');
    await writeFiles(folder, {
      'schema.ts': kitSchema("note: text().default('x')", ['sad', 'ok', 'glad']),
    });
    await kit('push', '--force');
    pushed.push(await shapeOf('kit.%'));
    // Its own last word is that nothing has changed.
    pushed.push((await kit('push', '--force')).trim().split('\n').at(-1));
    await ask('drop schema kit cascade');
    await kit('generate', '--name', 'first');
    await kit('generate', '--name', 'sharded', '--custom');
    await writeFiles(folder, {
      'steps/0001_sharded.sql': `alter table "reservation" add column "kit_code" text default 'none';
--> statement-breakpoint
create index "kit_by_code" on "reservation" ("kit_code");
--> statement-breakpoint
update "reservation" set "kit_code" = 'kim' where "cust_id" = 'Kim-01';`,
    });
    await kit('migrate');
    await kit('migrate');
    const migrated = [await shapeOf('kit.%'), await shapeOf('public.reservation')];
    const coded = await ask(
      "select kit_code, count(*) from reservation where date < '2025-01-01' group by 1 order by 1",
    );
    await kit('pull', '--config', 'pull.config.ts');
    const pulled = (await readFile(`${folder}/pulled/schema.ts`, 'utf8'))
      // Sequences of sharded tables take turns.
      .replace(/increment: "\d+"/g, 'increment');
    await ask('alter table reservation drop kit_code', 'drop schema kit, kit_log cascade');
    return [pushed, migrated, coded, pulled.split('\n').sort()];
  });
});

await tell('crud', async () => {
  const rows = customers.map((custId) => ({
    custId,
    name: 'x',
    country: name,
    created: '2024-01-02',
  }));
  const inserted = await db.insert(customer).values(rows).returning();
  const updated = await db
    .update(customer)
    .set({ name: 'New' })
    .where(eq(customer.custId, kim))
    .returning();
  const read = await db
    .select()
    .from(customer)
    .where(eq(customer.country, name))
    .orderBy(asc(customer.custId));
  const gone = await db.delete(customer).where(eq(customer.custId, `Gone-${name}`));
  return [inserted, updated, read, gone.rowCount];
});

await tell('types', () => {
  const { big, exact, flag, words, day, instant, tree, numbers, labels } = sampleRow;
  const row = {
    big: BigInt(big),
    exact,
    flag,
    words,
    day,
    instant: new Date(instant),
    tree,
    numbers,
    labels,
  };
  return db
    .insert(sample)
    .values({ id: sampleId(1), client: name, ...row })
    .returning();
});

await tell('nulls', () =>
  db
    .insert(sample)
    .values({ id: sampleId(2), client: name, words: null, numbers: [] })
    .returning(),
);

await tell('ids', async () => {
  const [{ id }] = await db
    .insert(remark)
    .values({ custId: kim, body: 'first' })
    .returning({ id: remark.id });
  return await db
    .select({ body: remark.body })
    .from(remark)
    .where(sql`${remark.custId} = ${kim} and ${remark.id} = ${id}`);
});

await tell('own key', () =>
  db
    .update(customer)
    .set({ custId: pia, name: 'Saved' })
    .where(eq(customer.custId, pia))
    .returning(),
);

await tell('in list', () =>
  db
    .select()
    .from(customer)
    .where(inArray(customer.custId, [adam, pia]))
    .orderBy(customer.custId),
);

await tell('page', () =>
  Promise.all([
    db.$count(customer, eq(customer.country, 'Seed')),
    db
      .select()
      .from(customer)
      .where(eq(customer.country, 'Seed'))
      .orderBy(customer.created)
      .limit(5)
      .offset(10),
  ]),
);

await tell('report', () =>
  db
    .select({
      item: reservation.itemId,
      total: sum(reservation.payment),
      mean: sql`round(${avg(reservation.payment)}, 4)`,
      n: count(),
    })
    .from(reservation)
    .where(sql`date < '2025-01-01'`)
    .groupBy(reservation.itemId)
    .orderBy(reservation.itemId),
);

// One statement with lateral joins and json_agg.
await tell('join', async () => [
  await db.query.customer.findFirst({
    where: eq(customer.custId, 'Kim-01'),
    with: { reservations: { limit: 3, orderBy: reservation.reserveId } },
  }),
  await db.query.customer.findMany({
    where: inArray(customer.custId, ['Adam-01', 'Zoe-01']),
    orderBy: customer.custId,
    with: { reservations: { limit: 2, orderBy: reservation.reserveId, with: { customer: true } } },
  }),
]);

await tell('upsert', async () => {
  const upsert = (text) =>
    db
      .insert(customer)
      .values({ custId: `Up-${name}`, name: text, country: 'upsert', created: '2024-01-01' })
      .onConflictDoUpdate({ target: customer.custId, set: { name: text } })
      .returning();
  return [await upsert('one'), await upsert('two')];
});

await tell('lock', () =>
  db.transaction(async (tx) => {
    const lock = (session, config) =>
      session.select().from(customer).where(eq(customer.custId, kim)).for('update', config);
    return [await lock(tx), await failureOf(lock(db, { noWait: true }))];
  }),
);

await tell('savepoint', () =>
  db.transaction(async (tx) => {
    await tx.update(customer).set({ name: 'before' }).where(eq(customer.custId, adam));
    const row = { custId: kim, name: 'x', country: 'x', created: '2024-01-01' };
    const error = await failureOf(tx.transaction((inner) => inner.insert(customer).values(row)));
    await tx.update(customer).set({ name: 'after' }).where(eq(customer.custId, kim));
    return [
      error,
      await tx
        .select()
        .from(customer)
        .where(inArray(customer.custId, [adam, kim]))
        .orderBy(customer.name),
    ];
  }),
);

await tell('batch', async () => {
  const rows = Array.from({ length: 100 }, (_, index) => ({
    reserveId: 100 + index,
    custId: customers[index % 4],
    payment: String(index),
    itemId: 2,
    date: '2025-02-02',
  }));
  return (await db.insert(reservation).values(rows).returning({ id: reservation.reserveId })).map(
    ({ id }) => id,
  );
});

await tell('prepared', async () => {
  const byId = db
    .select()
    .from(customer)
    .where(eq(customer.custId, sql.placeholder('id')))
    .prepare('drizzle_by_id');
  const seen = [];
  for (let round = 0; round < 8; round++)
    seen.push(await byId.execute({ id: customers[round % 4] }));
  return seen;
});

await tell('errors', () =>
  Promise.all([
    failureOf(
      db.insert(customer).values({ custId: kim, name: 'x', country: name, created: '2024-01-01' }),
    ),
    failureOf(db.execute(sql`select * from nowhere`)),
  ]),
);

await pool.end();
