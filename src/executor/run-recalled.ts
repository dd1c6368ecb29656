import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { RecalledCall } from '../planner/sequence-calls.ts';
import { literalValue } from '../sql/literal-value.ts';
import { rejection } from './rejection.ts';
import { nameParts, sequenceName } from './session/sequence-name.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { StatementRun } from './statement-run.ts';

type Done = (ok: boolean) => void;

/**
 * A statement with currval() or lastval(): the values that the session has got last are written in
 * their places, and the statement goes where it goes with them. `runText` runs it.
 */
export function runRecalled(
  executor: SessionExecutor,
  run: StatementRun,
  calls: readonly RecalledCall[],
  runText: (run: StatementRun, done: Done) => void,
  done: Done,
): void {
  executor.world.planner.sequenceDemand.asked();
  let text = run.planned.text;
  try {
    // From the end on, so that the places of the others stay.
    for (const call of calls.toSorted((left, right) => right.start - left.start)) {
      const { start, end, columnEnd, name } = call;
      const value = recalledValue(executor, run, call);
      if (columnEnd !== null)
        text = `${text.slice(0, columnEnd)} AS ${name}${text.slice(columnEnd)}`;
      text = text.slice(0, start) + value + text.slice(end);
    }
  } catch (error) {
    if (!(error instanceof PgError)) throw error;
    executor.fail(error, done);
    return;
  }
  const [planned] = executor.world.planner.planAll(executor, text);
  if (planned === undefined || planned.plan.kind === 'reject') {
    const { plan } = planned ?? executor.world.planner.emptyStatement;
    const message = 'currval() in this statement is not supported';
    const error = new PgError(SqlState.featureNotSupported, message);
    executor.fail(plan.kind === 'reject' ? rejection(plan) : error, done);
    return;
  }
  const { serverName: _, ...unnamed } = run;
  if (run.describe && run.parameters.values.length > 0) {
    const message = 'EXECUTE with values of a statement with currval() is not supported';
    executor.fail(new PgError(SqlState.featureNotSupported, message), done);
    return;
  }
  runText({ ...unnamed, planned, padding: '', isBound: !run.describe }, done);
}

/** SQL that stands for the call. */
function recalledValue(executor: SessionExecutor, run: StatementRun, call: RecalledCall): string {
  const { sequences } = executor.kept;
  if (call.name === 'lastval') {
    if (sequences.last !== null) return literal(sequences.last);
    throw sequences.isBlurred ? unknownValue('lastval()') : undefinedLast();
  }
  const argument = argumentOf(executor, run, call.argument.trim());
  const { name, shown } = argument;
  const value = sequences.value(name);
  if (value === null)
    throw sequences.isBlurred ? unknownValue(`currval('${shown}')`) : undefinedOf(shown);
  // The parameter must still be there, so that the server knows its type.
  return argument.parameter === null
    ? literal(value)
    : `(CASE WHEN ${argument.parameter}::pg_catalog.text IS NOT NULL THEN ${literal(value)} END)`;
}

function literal(value: string): string {
  return `'${value}'::pg_catalog.int8`;
}

type Argument = {
  readonly name: string;
  readonly shown: string;
  readonly parameter: string | null;
};

const string = "(?:[eE]?'(?:[^']|'')*')";
const cast = String.raw`(?:\s*::\s*(?:pg_catalog\s*\.\s*)?(?:regclass|text|varchar))*`;
const ofName = new RegExp(`^(${string}|\\$\\d+)${cast}$`, 'i');
const ofColumn = new RegExp(
  String.raw`^(?:pg_catalog\s*\.\s*)?pg_get_serial_sequence\s*\(\s*(${string}|\$\d+)${cast}\s*,\s*(${string}|\$\d+)${cast}\s*\)${cast}$`,
  'i',
);

function argumentOf(executor: SessionExecutor, run: StatementRun, text: string): Argument {
  const [, named] = ofName.exec(text) ?? [];
  if (named !== undefined) {
    const value = textOf(executor, run, named);
    return { ...found(executor, value), parameter: named.startsWith('$') ? named : null };
  }
  const [, table, column] = ofColumn.exec(text) ?? [];
  if (
    table === undefined ||
    column === undefined ||
    table.startsWith('$') ||
    column.startsWith('$')
  ) {
    throw new PgError(
      SqlState.featureNotSupported,
      'currval() with a computed name is not supported',
      {
        hint: "Give it as a literal or parameter, or by pg_get_serial_sequence('table', 'column').",
      },
    );
  }
  return ofSerial(executor, textOf(executor, run, table), textOf(executor, run, column));
}

function textOf(executor: SessionExecutor, run: StatementRun, token: string): string {
  const value = token.startsWith('$')
    ? (run.parameters.values[Number(token.slice(1)) - 1]?.toString('utf8') ?? null)
    : literalValue(token, executor.standardConformingStrings);
  if (value !== null) return value;
  throw new PgError(SqlState.featureNotSupported, 'currval() of NULL is not supported');
}

/** The sequence of that name, as the session's search path finds it. */
function found(executor: SessionExecutor, text: string): Omit<Argument, 'parameter'> {
  const { planner } = executor.world;
  const parts = nameParts(text);
  const name = parts.at(-1) ?? '';
  const schema = parts.length > 1 ? (parts.at(-2) ?? null) : null;
  const relation = planner.schemaOf(executor).relation(schema, name, executor.searchPath);
  if (relation === null) {
    throw new PgError(SqlState.undefinedTable, `relation "${parts.join('.')}" does not exist`);
  }
  return { name: JSON.stringify([relation.schema, relation.name]), shown: relation.name };
}

function ofSerial(executor: SessionExecutor, table: string, column: string): Argument {
  const { planner } = executor.world;
  const parts = nameParts(table);
  const schema = parts.length > 1 ? (parts.at(-2) ?? null) : null;
  const relation = planner
    .schemaOf(executor)
    .relation(schema, parts.at(-1) ?? '', executor.searchPath);
  const columns = relation?.columns ?? [];
  const { default: expression = '' } = columns.find(({ name }) => name === column) ?? {};
  const [, sequence] = /^nextval\('((?:[^']|'')+)'::/.exec(expression) ?? [];
  if (sequence === undefined) {
    const message = `no sequence of column "${column}" of relation "${parts.join('.')}" is known`;
    throw new PgError(SqlState.featureNotSupported, message, { hint: 'Name the sequence itself.' });
  }
  const name = sequenceName(sequence.replaceAll("''", "'"));
  return { name, shown: nameParts(sequence).at(-1) ?? '', parameter: null };
}

function undefinedLast(): PgError {
  const message = 'lastval is not yet defined in this session';
  return new PgError(SqlState.objectNotInPrerequisiteState, message);
}

function undefinedOf(sequence: string): PgError {
  const message = `currval of sequence "${sequence}" is not yet defined in this session`;
  return new PgError(SqlState.objectNotInPrerequisiteState, message);
}

/** Functions, triggers, COPY and so on may have taken values, on any shard. */
function unknownValue(call: string): PgError {
  return new PgError(
    SqlState.featureNotSupported,
    `${call} is not known after what the session has done`,
    { hint: 'Ask right after the INSERT ... VALUES that takes the value, or use RETURNING.' },
  );
}
