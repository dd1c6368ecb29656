import { explainPart, explainWrite } from '../../planner/explain-plan.ts';
import { queryText, type TextSource } from '../intermediate/query-text.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import { noParameters } from '../statement-run.ts';
import type { WriteTarget } from '../target.ts';
import { listedWrites } from './listed-writes.ts';
import type { ShardWrite } from './shard-writes.ts';

export type ExplainedWrite = {
  readonly lines: readonly string[];
  /** Texts that servers can explain; none when they depend on what is read first. */
  readonly texts: readonly { readonly shard: ShardWrite['shard']; readonly sql: string }[];
};

/** What a write over several shards would do. Throws for keys without an owner. */
export function explainedWrite(
  planned: PlannedStatement,
  target: WriteTarget,
  timeZone: string | null,
): ExplainedWrite {
  const writes = knownWrites(planned, target, timeZone);
  const shards = writes.length > 0 ? writes.map(({ shard }) => shard) : target.shards;
  return {
    lines: [
      `pgweave: a write on up to ${shards.length} shards in one transaction: ${shards.join(', ')}`,
      ...target.before.flatMap(explainPart).map((line) => `  ${line}`),
      ...explainWrite(target.step).map((line) => `  ${line}`),
    ],
    texts: writes.map(({ shard, route, source }) => ({
      shard,
      sql: queryText(route.query, source),
    })),
  };
}

function knownWrites(
  planned: PlannedStatement,
  { before, step, shards, intermediate, distribution }: WriteTarget,
  timeZone: string | null,
): readonly ShardWrite[] {
  if (intermediate.length > 0 || before.length > 0) return [];
  const source: TextSource = {
    statementText: planned.text,
    literalText: (slot) => planned.literalText(slot),
  };
  if (step.kind === 'own-rows' || step.kind === 'copies') {
    return shards.map((shard) => ({ shard, route: step.route, source, parameters: noParameters }));
  }
  if (step.kind !== 'listed-rows' || distribution === null) return [];
  const { text, lexed } = planned.source;
  const values = { text, literals: lexed.literals, timeZone, ...noParameters };
  return listedWrites(step, distribution, values, source, []).writes;
}
