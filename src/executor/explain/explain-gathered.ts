import { isCombineId } from '../../config/combine-id.ts';
import type { ShardQuery } from '../../planner/plan.ts';
import { syncMessage } from '../../protocol/constant-messages.ts';
import { encodeExecute } from '../../protocol/execute-message.ts';
import { encodeParse } from '../../protocol/parse-message.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { GatherTimes } from '../gather-times.ts';
import { bindMessage, boundQuery } from '../intermediate/bound-query.ts';
import { choosePath } from '../intermediate/choose-path.ts';
import { Gathering } from '../intermediate/gathering.ts';
import type { LearnedStatement } from '../intermediate/learned-statements.ts';
import { neededResults, queryOf } from '../intermediate/needed-results.ts';
import { queryText, type TextSource } from '../intermediate/query-text.ts';
import { type MultiShardRun, multiShardRequest } from '../select/multi-shard-request.ts';
import { canceled, type SessionExecutor } from '../session-executor.ts';
import { noParameters } from '../statement-run.ts';
import { collectPlan, type PlanQuestion } from './collect-plan.ts';
import type { GatheredExplain } from './explained.ts';

type Done = (ok: boolean) => void;

/** Lines of an EXPLAIN that say what one step takes on one shard. */
type Step = { readonly title: string; readonly question: PlanQuestion };

/**
 * The servers' part of an EXPLAIN of a statement with intermediate results. With `analyze` they are
 * gathered, and then every text runs once more on each server, for its plan; without, every text is
 * explained as if they were empty. `done(false)`: the client has been sent an error.
 */
export function explainGathered(
  executor: SessionExecutor,
  gathered: GatheredExplain,
  analyze: boolean,
  done: Done,
  answer: (lines: readonly string[]) => void,
): void {
  const run = runOf(gathered);
  const times = new GatherTimes(executor.world.clock, gathered.target.intermediate);
  const gathering = new Gathering(
    multiShardRequest(executor, run),
    {
      gathered: ({ results }) => {
        const steps = stepsOver(gathered, { ...run, results });
        collectSteps(executor, steps, [...times.lines], done, answer);
      },
      failed: (error) => executor.fail(error, done),
      notice: (frame) => executor.output.write(frame, 0, frame.length),
    },
    times,
  );
  executor.cancelWith(() => {
    gathering.close();
    executor.fail(canceled(), done);
  });
  if (analyze) gathering.begin();
  else {
    gathering.learn((statement) => {
      collectSteps(executor, emptySteps(gathered, run, statement), [], done, answer);
    });
  }
}

/**
 * Has servers say which of the statement's paths is taken, as its first execution would: it is then
 * planned with that one. `done(false)`: as above.
 */
export function choosePathToExplain(
  executor: SessionExecutor,
  gathered: GatheredExplain,
  done: Done,
  chosen: () => void,
): void {
  const giveUp = choosePath(multiShardRequest(executor, runOf(gathered)), {
    chosen,
    failed: (error) => executor.fail(error, done),
  });
  executor.cancelWith(() => {
    giveUp();
    executor.fail(canceled(), done);
  });
}

function runOf({ planned, target }: GatheredExplain): MultiShardRun {
  return {
    target,
    statementText: planned.text,
    literalText: (slot) => planned.literalText(slot),
    parameters: noParameters,
    resultFormats: [],
    wantsDescription: false,
  };
}

/** Every text that is sent, without rows to read. */
function emptySteps(
  gathered: GatheredExplain,
  run: MultiShardRun,
  statement: LearnedStatement,
): readonly Step[] {
  const results = gathered.target.intermediate.map((_, number) => {
    const columns = statement.results.get(number);
    return columns === undefined ? null : { columns, arrays: null };
  });
  const source: TextSource = { ...run, results };
  return stepsOf(gathered, (query) => [encodeQuery(gathered.prefix + queryText(query, source))]);
}

/** Every text, over the rows that have been gathered. */
function stepsOver(
  gathered: GatheredExplain,
  source: TextSource & Pick<MultiShardRun, 'parameters'>,
): readonly Step[] {
  return stepsOf(gathered, (query) => {
    const bound = boundQuery(query, source, []);
    return [
      encodeParse({ name: '', sql: gathered.prefix + bound.sql, typeOids: bound.typeOids }),
      ...bindMessage(bound, '', []),
      encodeExecute({ portal: '', rowsMax: 0 }),
      syncMessage,
    ];
  });
}

function stepsOf(
  { target, placed }: GatheredExplain,
  messagesOf: (query: ShardQuery) => readonly Buffer[],
): readonly Step[] {
  const { rows } = neededResults(target.intermediate, queryOf(target.root));
  return [
    ...rows.flatMap((number) => {
      const result = target.intermediate[number];
      const where = placed.intermediate[number];
      if (result === undefined || where === undefined) return [];
      const name = `Intermediate result ${number}`;
      return stepsOn(where.shards, result.shards, name, messagesOf(queryOf(result.root)));
    }),
    ...stepsOn(placed.shards, target.shards, 'Then', messagesOf(queryOf(target.root))),
  ];
}

/** `shards` are asked when a server in their place fails. */
function stepsOn(
  where: readonly ShardId[],
  shards: readonly ShardId[],
  name: string,
  messages: readonly Buffer[],
): readonly Step[] {
  const [first] = shards;
  return where.map((shard) => {
    const isSpare = isCombineId(shard) && first !== undefined;
    return {
      title: `${name} on ${isSpare ? '' : 'shard '}${shard}:`,
      question: { shard, write: false, messages, ...(isSpare ? { otherwise: first } : {}) },
    };
  });
}

function collectSteps(
  executor: SessionExecutor,
  steps: readonly Step[],
  lines: string[],
  done: Done,
  answer: (lines: readonly string[]) => void,
): void {
  const [step, ...rest] = steps;
  if (step === undefined) {
    answer(lines);
    return;
  }
  collectPlan(executor, step.question, done, (rows) => {
    const plan = rows.map((row) => `  ${row}`);
    collectSteps(executor, rest, [...lines, step.title, ...plan], done, answer);
  });
}
