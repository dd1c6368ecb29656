import type { ColumnSequence, SequenceType } from './sequence-state.ts';

/** A server session; rows are objects by column name, texts as strings. */
export type SequenceSession = {
  query(sql: string): Promise<readonly { readonly [column: string]: unknown }[]>;
};

type Described = {
  readonly schema: string;
  readonly name: string;
  readonly type: SequenceType;
  readonly start: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
  readonly cycles: boolean;
  readonly last: string | null;
  readonly tables: readonly string[];
};

/** All sequences that columns of tables use. `next` is known only where `last` is. */
export async function readSequences(session: SequenceSession): Promise<readonly ColumnSequence[]> {
  const found = (await answerOf(session, columnSequencesSql)) as readonly Described[];
  return found.map(({ schema, name, tables, type, cycles, ...numbers }) => {
    const increment = BigInt(numbers.increment);
    const last = numbers.last === null ? null : BigInt(numbers.last);
    const state = {
      type,
      cycles,
      increment,
      start: BigInt(numbers.start),
      min: BigInt(numbers.min),
      max: BigInt(numbers.max),
      last,
      next: last === null ? null : last + increment,
    };
    return { schema, name, tables, state };
  });
}

/** With what the sequences themselves say: `next` is known. By their place in `sequences`. */
export async function readPositions(
  session: SequenceSession,
  sequences: readonly ColumnSequence[],
): Promise<readonly ColumnSequence[]> {
  const reads = sequences.map((sequence, index) => {
    const row = `json_build_object('last', last_value::text, 'called', is_called)`;
    return `select ${index} as place, ${row} as position from ${quotedName(sequence)}`;
  });
  const text = `select json_agg(position order by place)::text as answer from (${reads.join(' union all ')}) p`;
  type Position = { readonly last: string; readonly called: boolean };
  const positions = (await answerOf(session, text)) as readonly Position[];
  return sequences.map((sequence, index) => {
    const { last, called } = positions[index] ?? { last: '0', called: false };
    const { increment } = sequence.state;
    const position = called
      ? { last: BigInt(last), next: BigInt(last) + increment }
      : { last: null, next: BigInt(last) };
    return { ...sequence, state: { ...sequence.state, ...position } };
  });
}

export function quotedName({ schema, name }: Pick<ColumnSequence, 'schema' | 'name'>): string {
  return `"${schema.replaceAll('"', '""')}"."${name.replaceAll('"', '""')}"`;
}

async function answerOf(session: SequenceSession, sql: string): Promise<unknown> {
  const [row] = await session.query(sql);
  return JSON.parse(String(row?.['answer'] ?? '[]'));
}

/** Owned by a column (deptype a), of an identity column (i), or read by a column's default. */
const columnSequencesSql = `
  with recursive used(sequence, relation) as (
    select d.objid, d.refobjid from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::regclass
      and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjsubid > 0 and d.deptype in ('a', 'i')
    union
    select d.refobjid, a.adrelid
    from pg_catalog.pg_depend d join pg_catalog.pg_attrdef a on a.oid = d.objid
    where d.classid = 'pg_catalog.pg_attrdef'::regclass
      and d.refclassid = 'pg_catalog.pg_class'::regclass
    union
    select u.sequence, h.inhparent
    from used u join pg_catalog.pg_inherits h on h.inhrelid = u.relation
  )
  select coalesce(json_agg(json_build_object(
      'schema', n.nspname, 'name', c.relname,
      'type', pg_catalog.format_type(s.seqtypid, null),
      'start', s.seqstart::text, 'increment', s.seqincrement::text,
      'min', s.seqmin::text, 'max', s.seqmax::text, 'cycles', s.seqcycle,
      'last', pg_catalog.pg_sequence_last_value(c.oid)::text,
      'tables', (
        select json_agg(distinct tn.nspname || '.' || t.relname)
        from used u join pg_catalog.pg_class t on t.oid = u.relation
          join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
        where u.sequence = c.oid))
    order by n.nspname, c.relname), '[]')::text as answer
  from pg_catalog.pg_sequence s
    join pg_catalog.pg_class c on c.oid = s.seqrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relpersistence <> 't' and exists (select from used u where u.sequence = c.oid)`;
