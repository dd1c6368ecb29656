import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { CatalogueReader } from '../cluster/catalogue/catalogue-reader.ts';
import { schemaFromSnapshot } from '../cluster/catalogue/catalogue-schema.ts';
import { findPrimary } from '../cluster/find-primary.ts';
import type { NodeAddress } from '../config/config.ts';
import { explained } from '../executor/explain/explained.ts';
import { serverDefaults } from '../executor/session/planning-settings.ts';
import { StatementPlanner } from '../executor/statement-planner.ts';
import { noParameters } from '../executor/statement-run.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { loadParser } from '../sql/parser.ts';
import type { CommandResult } from './command-result.ts';
import { readConfiguration } from './run-supervisor.ts';

/**
 * `pgweave explain`: where a statement would go and what each shard would be asked. The servers are
 * asked for their tables, nothing is run. Rejects with PgError when they cannot be.
 */
export async function explain(path: string, sql: string): Promise<CommandResult> {
  const { config } = await readConfiguration(path);
  await loadParser();
  const primaries = new Map<ShardId, NodeAddress>();
  for (const [shard, nodes] of config.nodes) {
    primaries.set(shard, await findPrimary(config, shard, nodes));
  }
  const reading = await new CatalogueReader().read(config, (shard) => primaries.get(shard) ?? null);
  const { shardMap } = config;
  const schema = schemaFromSnapshot(reading.snapshot, shardMap, 1);
  const planner = new StatementPlanner({ shardMap, schema, cacheEntries: 1 });
  const plan = {
    kind: 'explain',
    analyze: false,
    optionsText: '',
    statementText: sql.replace(/^\s*explain\s+(?=\w)/i, ''),
  } as const;
  const session = {
    ...serverDefaults,
    temporary: null,
    participants: new Map(),
    blockSchema: null,
    snapshotShard: null,
    leastLoaded: () => shardMap.home,
    combineServer: () => config.combineNodes[0]?.shard ?? null,
  };
  const [planned] = planner.planAll(session, plan.statementText);
  // Running, pgweave lets a server say what is wrong, and where; here none is asked.
  if (planned?.plan.kind === 'utility' && planned.plan.tag === '') {
    throw new PgError(SqlState.syntaxError, 'the statement has a syntax error');
  }
  const answer = explained(session, planner, plan, noParameters);
  if (answer.kind === 'error') throw answer.error;
  const queries = answer.queries.map(({ shard, sql: text }) => {
    return `  ${shard}: ${text.replace(/^EXPLAIN /, '')}`;
  });
  // Texts that read rows of others are in the plan: what they are sent is known with the rows.
  const lines =
    answer.gathered === null ? [...answer.lines, 'The shards are sent:', ...queries] : answer.lines;
  return { text: `${lines.join('\n')}\n`, exitCode: 0 };
}
