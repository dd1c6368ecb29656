import type { ServerConnection } from '../../backend/server-connection.ts';
import type { Plan } from '../../planner/plan.ts';
import type { SequenceAdvance } from '../../planner/sequence-calls.ts';
import { DataRowReader } from '../../protocol/data-row.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import { internalExchange } from '../internal-exchange.ts';
import { sequenceName } from './sequence-name.ts';
import type { SequenceDemand, SequenceValues } from './sequence-values.ts';

/** The session, as far as its sequences are concerned. */
type SequenceSession = {
  readonly kept: { readonly sequences: SequenceValues };
  readonly transaction: { readonly block: 'none' | 'implicit' | 'explicit' };
  readonly world: { readonly planner: { readonly sequenceDemand: SequenceDemand } };
};

/**
 * What a flight of these statements takes of sequences; null: nothing that has to be taken down.
 * What may take anything unseen is noted at once.
 */
export function flightAdvance(
  executor: SequenceSession,
  plans: readonly Plan[],
): SequenceAdvance | null {
  const { sequences } = executor.kept;
  const taken: SequenceAdvance[] = [];
  for (const plan of plans) {
    if (plan.kind === 'utility' && plan.tag === 'DISCARD SEQUENCES') sequences.clear();
    const advance = advanceOf(plan);
    if (advance === null) sequences.blur();
    else if (advance.sequences.length > 0) taken.push(advance);
    else if (advance.hasTriggers) sequences.blur();
  }
  const [first, ...more] = taken;
  if (first === undefined || more.length === 0) return first ?? null;
  // Some of them twice, and others in between: which was the last cannot be told.
  const names = new Set(taken.flatMap((advance) => advance.sequences));
  return { sequences: [...names], keySequence: null, hasTriggers: true };
}

const nothing: SequenceAdvance = { sequences: [], keySequence: null, hasTriggers: false };

const takesNothing = new Set([
  'SHOW',
  'LISTEN',
  'UNLISTEN',
  'NOTIFY',
  'DISCARD',
  'DISCARD SEQUENCES',
]);

/** null: anything. */
function advanceOf(plan: Plan): SequenceAdvance | null {
  switch (plan.kind) {
    case 'select':
      return plan.readOnly ? nothing : null;
    case 'modify':
      return plan.advances ?? null;
    case 'utility':
      return takesNothing.has(plan.tag) ? nothing : null;
    case 'copy':
      return null;
    case 'explain':
      return plan.analyze ? null : nothing;
    case 'cursor':
      return plan.command.kind === 'declare' ? null : nothing;
    default:
      return nothing;
  }
}

/**
 * Takes down what the session has just got on `connection`, which nobody else has used since. Asks
 * nothing that could fail a transaction: there the rights are looked at first.
 */
export function takeSequenceValues(
  executor: SequenceSession,
  connection: ServerConnection,
  { sequences: names, hasTriggers }: SequenceAdvance,
  done: () => void,
): void {
  const { kept, transaction, world } = executor;
  const { sequences } = kept;
  if (!world.planner.sequenceDemand.isThere) {
    sequences.blur();
    done();
    return;
  }
  world.planner.sequenceDemand.takenDown();
  if (hasTriggers) sequences.blur();
  const isFree = transaction.block === 'none';
  const values: (string | null)[] = [];
  const reader = new DataRowReader();
  const exchange = internalExchange(
    (outcome) => {
      if (outcome.kind !== 'ready') sequences.blur();
      else note(executor, names, values, !hasTriggers);
      done();
    },
    (code, chunk, start, end) => {
      if (code !== BackendCode.dataRow) return;
      reader.open(chunk, start, end);
      while (reader.next()) {
        const { valueStart, valueLength } = reader;
        const isNull = valueLength < 0;
        values.push(isNull ? null : chunk.toString('utf8', valueStart, valueStart + valueLength));
      }
    },
  );
  const questions = names.map(valueIfAllowed);
  if (isFree) questions.push('pg_catalog.lastval()');
  connection.send(exchange, [encodeQuery(`select ${questions.join(', ')}`)]);
}

/** `values` has lastval() in addition where that could be asked for. */
function note(
  { kept: { sequences } }: SequenceSession,
  names: readonly string[],
  values: readonly (string | null)[],
  isLastOwn: boolean,
): void {
  let own: string | null = null;
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? null;
    if (value !== null) sequences.set(sequenceName(name), value);
    own = value;
  }
  sequences.setLast(values[names.length] ?? (isLastOwn ? own : null));
}

function valueIfAllowed(name: string): string {
  const literal = `E'${name.replace(/[\\']/g, '\\$&')}'`;
  const may = (right: string) => `pg_catalog.has_sequence_privilege(${literal}, '${right}')`;
  return `case when ${may('usage')} or ${may('select')} then pg_catalog.currval(${literal}) end`;
}

/**
 * For a write over shards: hears the key that the last row has got by default. What other columns
 * have got is on the shards of their rows.
 */
export function keyListener({ kept }: SequenceSession, plan: Plan): (value: string) => void {
  const { sequences } = kept;
  const advance = advanceOf(plan);
  const isUnseen = advance === null || advance.hasTriggers || advance.sequences.length > 1;
  const keySequence = advance?.keySequence ?? null;
  const isOther = keySequence === null && (advance?.sequences.length ?? 0) > 0;
  if (isUnseen || isOther) sequences.blur();
  return (value) => {
    if (keySequence === null) return;
    sequences.set(sequenceName(keySequence), value);
    sequences.setLast(isUnseen ? null : value);
  };
}
