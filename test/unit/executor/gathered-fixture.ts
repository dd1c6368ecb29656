import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { silentTelemetry } from '../../../src/base/telemetry.ts';
import { LearnedStatements } from '../../../src/executor/intermediate/learned-statements.ts';
import { PathChoices } from '../../../src/executor/intermediate/path-choices.ts';
import {
  type IntermediateSelect,
  openIntermediateSelect,
} from '../../../src/executor/select/open-intermediate-select.ts';
import { openMultiShardSelect } from '../../../src/executor/select/open-multi-shard-select.ts';
import type { IntermediateRun } from '../../../src/executor/target.ts';
import type { PlanNode, QueryPiece, ShardQuery } from '../../../src/planner/plan.ts';
import { encodeParameterDescription } from '../../../src/protocol/parameter-description.ts';
import { decodeParse } from '../../../src/protocol/parse-message.ts';
import { TypeOid } from '../../../src/protocol/type-oid.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { FakeConnection } from './fake-connection.ts';
import {
  at,
  type Column,
  done,
  head,
  RecordingSink,
  rowDescription,
  rows,
} from './select-fixture.ts';

export const int4 = (name: string): Column => ({ name, typeOid: TypeOid.int4 });
export const rowsOf = (result: number): QueryPiece => ({ kind: 'intermediate-rows', result });
export const query = (...pieces: QueryPiece[]): ShardQuery => ({ kind: 'rewritten', pieces });
export const append = (shardQuery: ShardQuery): PlanNode => ({
  kind: 'append',
  input: { kind: 'route', query: shardQuery, visibleCount: 1, hiddenCount: 0 },
});
export const result = (...pieces: QueryPiece[]): IntermediateRun => ({
  columns: ['a'],
  shards: ['s0', 's1'] as readonly string[] as readonly ShardId[],
  root: append(query(...pieces)),
  combines: false,
  advances: false,
  whole: query('whole of ', ...pieces),
});
/** How a server answers the question about columns. */
export const integerColumn = ['b', '23', 'integer', null, null, 'f'];
export const reading = (...results: number[]) =>
  append(query('last', ...results.flatMap((number) => [' ', rowsOf(number)])));

/** Stands for a server of no shard. */
export const spare = '(3' as ShardId;

/** Fake shards s0 to s2; s0 is home, s2 runs the last query. The last connection is of `spare`. */
export function stage(
  intermediate: readonly IntermediateRun[],
  root: PlanNode,
  options: Partial<IntermediateSelect> = {},
) {
  const all = ['s0', 's1', 's2', 'spare'].map((name) => new FakeConnection(name));
  const shards = all.slice(0, 3);
  const sink = new RecordingSink();
  const acquire: IntermediateSelect['acquire'] = (shard, onConnection) => {
    const connection = at(all, Number(shard.slice(1)));
    onConnection(connection as ServerConnection, () => connection.release());
    return () => {};
  };
  const request: IntermediateSelect = {
    root,
    intermediate,
    shards: ['s2' as ShardId],
    describedOn: 's0' as ShardId,
    runsAnywhere: true,
    combines: true,
    combineServer: () => null,
    statementText: 'select the original',
    literalText: () => '1',
    parameters: { typeOids: [], formats: [], values: [] },
    resultFormats: [],
    wantsDescription: true,
    inTransaction: false,
    mergeBytesMax: 1e6,
    gatherBytesMax: 1e6,
    acquire,
    acquireToAsk: acquire,
    learned: new LearnedStatements(),
    choice: null,
    choices: new PathChoices(),
    telemetry: silentTelemetry,
    open: openMultiShardSelect,
    ...options,
  };
  const cursor = openIntermediateSelect(request, sink);
  return { cursor, shards, combining: at(all, 3), sink, request };
}

export type Stage = ReturnType<typeof stage>;

/** What was sent last in a message of this kind. */
export function last(connection: FakeConnection, code: string): Buffer {
  const found = connection.messages.findLast((message) => message[0] === code.charCodeAt(0));
  if (found === undefined) throw new Error(`no message ${code} was sent`);
  return found;
}

export function sqlOf(connection: FakeConnection): string {
  const parse = last(connection, 'P');
  return decodeParse(parse, 0, parse.length).sql;
}

/** Answers what the home shard is asked about `results` results of one integer column. */
export function teach({ shards }: Stage, results: number, ...parameterOids: number[]): void {
  const home = at(shards, 0);
  home.deliver(encodeParameterDescription(parameterOids), rowDescription([int4('b')]));
  home.ready();
  for (let number = 0; number < results; number++) {
    home.deliver(encodeParameterDescription([]), rowDescription([int4('a')]));
    home.ready();
    home.deliver(...rows(integerColumn));
    home.ready();
  }
}

export function answer(
  connection: FakeConnection,
  name: string,
  ...values: (string | null)[]
): void {
  connection.deliver(...head([int4(name)]), ...rows(...values.map((value) => [value])), done);
  connection.ready();
}
