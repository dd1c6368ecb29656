import type {
  IntermediateResult,
  MultiShardPlan,
  Plan,
  PlanNode,
  Reject,
  ShardQuery,
} from '../../../src/planner/plan.ts';
import { planStatement } from '../../../src/planner/plan-statement.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { demoMap, demoSchema } from '../../support/demo-schema.ts';

/** What a run of the differential test has counted. */
export type RefusalCounts = {
  readonly seed: number;
  readonly shards: readonly number[];
  readonly constructs: readonly {
    readonly construct: string;
    readonly statements: number;
    readonly refused: number;
  }[];
};

const introduction = `# What of SELECT works over several shards

A statement whose tables all lie on one shard by their keys is that shard's own: nothing below limits it. For the others this page says
how the answer is made. It is generated from the planner (\`npm run golden:accept\`), with the tables of the demo: \`customer\` and
\`reservation\` by \`cust_id\`, \`chat_session\` by \`id\`, \`event\` by \`event_id\`, \`item\` on every shard, \`note\` on the home shard.
What is refused has SQLSTATE \`0A000\`.

| word | meaning |
| --- | --- |
| pushed down | each shard answers for its own rows; the rows are passed on as they come |
| merged | pgweave merges sorted rows or adds up partial results |
| sent along | rows of the smaller side are collected and travel with the statement to the shards of the other |
| combined | the shards return partial results; one PostgreSQL makes the answer of them |
| gathered | the rows and columns that are needed are collected; one PostgreSQL runs the statement over them |
`;

/** The text of docs/sql-support.md. \`cases\` is the text of cases.txt. */
export function supportPage(cases: string, counts: RefusalCounts): string {
  const sections = cases.split(/^## /m).slice(1).map(section);
  return [introduction, ...sections, shares(counts)].join('\n');
}

function section(text: string): string {
  const [title = '', ...rest] = text.split('\n');
  const blocks = rest.join('\n').trim().split(/\n\n+/);
  const rows = blocks.map((block) => {
    const [comment = '', ...sql] = block.split('\n');
    const statement = sql.join(' ');
    return `| ${comment.replace(/^# /, '')} | ${answerOf(statement)} | \`${cell(statement)}\` |`;
  });
  return [
    `## ${title}\n`,
    '| construct | answer | example |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function answerOf(sql: string): string {
  const [lexed] = lexStatements(sql, { standardConformingStrings: true });
  if (lexed === undefined) throw new Error(`not a statement: ${sql}`);
  const { tables } = demoMap;
  const plan = planStatement({
    lexed,
    text: sql,
    schema: demoSchema(),
    tables,
    searchPath: ['public'],
  });
  return howAnswered(plan, sql);
}

function howAnswered(plan: Plan, sql: string): string {
  if (plan.kind === 'reject') return refused(plan);
  if (plan.kind !== 'select') throw new Error(`not a SELECT: ${sql}`);
  if (plan.routing.kind !== 'by-key') return 'on one server';
  return plan.multi.kind === 'reject' ? refused(plan.multi) : howMade(plan.multi);
}

function howMade({ intermediate, last }: MultiShardPlan): string {
  const [refusal] = intermediate.flatMap(({ routing, multi }) =>
    routing.kind === 'by-key' && multi.kind === 'reject' ? [multi] : [],
  );
  if (refusal !== undefined) return refused(refusal);
  const above = isMerged(last.root) ? 'merged' : 'pushed down';
  if (intermediate.length === 0) return above;
  if (last.routing.kind === 'by-key') return `sent along, then ${above}`;
  return intermediate.some(isPartial) ? 'combined' : 'gathered';
}

function isMerged(node: PlanNode): boolean {
  return node.kind !== 'append' && node.kind !== 'route';
}

/** The shards do more than to pick rows and columns. */
function isPartial({ routing, multi }: IntermediateResult): boolean {
  if (routing.kind !== 'by-key' || multi.kind === 'reject') return false;
  return /\b(GROUP BY|DISTINCT|LIMIT|count|sum|min|max)\b/.test(shardText(multi.root));
}

function shardText(node: PlanNode): string {
  return node.kind === 'route' ? queryText(node.query) : shardText(node.input);
}

function queryText(query: ShardQuery): string {
  if (query.kind === 'as-received') return '';
  return query.pieces.filter((piece) => typeof piece === 'string').join('');
}

function refused({ message, hint }: Reject): string {
  return cell(`refused: ${message}${hint === null ? '' : `. ${hint}`}`);
}

function shares({ seed, shards, constructs }: RefusalCounts): string {
  const all = constructs.reduce((sum, { statements }) => sum + statements, 0);
  const rows = constructs.map(({ construct, statements, refused: count }) => {
    const share = ((100 * count) / statements).toFixed(1);
    return `| ${construct} | ${statements.toLocaleString('en')} | ${share} % |`;
  });
  return [
    '## How much is refused\n',
    `Of ${all.toLocaleString('en')} generated statements over ${shards.join(', ')} shards, seed ${seed}, by construct`,
    "(`npm run differential -- --record`; the test fails when an answer differs from one PostgreSQL's):\n",
    '| construct | statements | refused |',
    '| --- | ---: | ---: |',
    ...rows,
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
