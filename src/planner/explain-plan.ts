import { unreachable } from '../base/assert.ts';
import type { ValueRef } from '../sql/statement.ts';
import type { SettingCommand } from './commands/setting-command.ts';
import { explainCopy } from './copy/explain-copy.ts';
import { explainKey, explainRouting } from './explain-routing.ts';
import type {
  AggregateOutput,
  EveryShard,
  IntermediateResult,
  ListedRow,
  MultiShardPath,
  MultiShardPlan,
  MultiShardWrite,
  Plan,
  PlanNode,
  QueryPiece,
  Reject,
  ResultField,
  RoutedNode,
  RouteNode,
  ShardQuery,
  SortKey,
  WritePart,
  WriteStep,
} from './plan.ts';
import { isOfOneKey } from './write/is-of-one-key.ts';

/** The plan as indented text that a DBA can read; literals appear as `?0`, parameters as `$1`. */
export function explainPlan(plan: Plan): readonly string[] {
  switch (plan.kind) {
    case 'select':
      return [
        `Select${plan.readOnly ? '' : ' (may write)'}`,
        ...indent(explainRouting(plan.routing)),
        ...(plan.routing.kind === 'by-key'
          ? indent(['On several shards', ...indent(explainMulti(plan.multi))])
          : []),
      ];
    case 'modify':
      return [
        capital(plan.command),
        ...indent(explainRouting(plan.routing)),
        ...(plan.isWhole && isOfOneKey(plan.routing)
          ? []
          : indent([
              plan.isWhole ? 'On several shards' : 'Never whole',
              ...indent(explainModify(plan.multi)),
            ])),
      ];
    case 'utility': {
      if (plan.tag === '') return ['As received, on the home shard'];
      const note = plan.changesSchema ? ' (changes the schema)' : '';
      return [`Utility ${plan.tag}${note}`, ...indent(explainEveryShard(plan.everyShard))];
    }
    case 'copy':
      return explainCopy(plan.copy);
    case 'transaction':
      return [`Transaction ${JSON.stringify(plan.command)}`];
    case 'setting':
      return [explainSetting(plan.command)];
    case 'cursor':
      return [`Cursor ${JSON.stringify(plan.command)}`];
    case 'explain':
      return [
        `Explain${plan.analyze ? ' analyze' : ''} [${plan.optionsText}]`,
        `  ${plan.statementText}`,
      ];
    case 'prepared':
      return [`Prepared ${JSON.stringify(plan.command)}`];
    case 'recalled':
      return [`Recalled ${JSON.stringify(plan.calls)}`];
    case 'empty':
      return ['Empty'];
    case 'reject':
      return explainReject(plan);
    default:
      return unreachable(plan);
  }
}

const hows: { readonly [How in EveryShard['how']]: string } = {
  together: 'On every shard, in one transaction',
  'in-block': "On every shard, in the client's transaction",
  apart: 'On every shard by itself',
  either: 'On every shard, in one transaction only if the client has begun it',
};

function explainEveryShard(everyShard: EveryShard | null): readonly string[] {
  if (everyShard === null) return [];
  const { how, lacking, elsewhere } = everyShard;
  const without = lacking.length === 0 ? '' : `, but not on ${lacking.join(', ')}`;
  const other =
    elsewhere.kind === 'as-received' ? [] : ['Elsewhere', ...indent(queryText(elsewhere))];
  return [`${hows[how]}${without}`, ...other];
}

/** The steps above the shards, outermost first. */
export function explainNode(node: PlanNode): readonly string[] {
  switch (node.kind) {
    case 'route':
      return [
        `Route${columnsText(node.visibleCount, node.hiddenCount)}`,
        ...indent(queryText(node.query)),
      ];
    case 'append':
      return ['Append', ...indent(explainNode(node.input))];
    case 'merge-append':
      return [`MergeAppend ${keysText(node.keys)}`, ...indent(explainNode(node.input))];
    case 'aggregate': {
      const groups = node.groupBy.length === 0 ? '' : ` by ${keysText(node.groupBy)}`;
      const carried = node.carry.length === 0 ? '' : ` carrying ${node.carry.join(', ')}`;
      const outputs = node.outputs.map(outputText).join(', ');
      return [`Aggregate${groups}: ${outputs}${carried}`, ...indent(explainNode(node.input))];
    }
    case 'sort':
      return [`Sort ${keysText(node.keys)}`, ...indent(explainNode(node.input))];
    case 'limit': {
      const count = node.count === null ? '' : ` ${refText(node.count)}`;
      const offset = node.offset === null ? '' : ` offset ${refText(node.offset)}`;
      return [`Limit${count}${offset}`, ...indent(explainNode(node.input))];
    }
    default:
      return unreachable(node);
  }
}

export function refText(ref: ValueRef): string {
  return ref.kind === 'literal' ? `?${ref.slot}` : `$${ref.index + 1}`;
}

function explainMulti(multi: MultiShardPlan | Reject): readonly string[] {
  if (multi.kind === 'reject') return explainReject(multi);
  if (multi.intermediate.length === 0) return explainNode(multi.last.root);
  return [
    ...explainPath(multi),
    ...multi.otherPaths.flatMap((path) => ['Or', ...indent(explainPath(path))]),
  ];
}

function explainPath({ intermediate, last }: MultiShardPath): readonly string[] {
  return [...explainIntermediate(intermediate), 'Then', ...indent(explainRouted(last))];
}

function explainModify(multi: MultiShardWrite | Reject): readonly string[] {
  if (multi.kind === 'reject') return explainReject(multi);
  return [
    ...explainIntermediate(multi.intermediate),
    ...multi.before.flatMap(explainPart),
    ...explainWrite(multi.step),
  ];
}

/** Of WITH. */
export function explainPart(part: WritePart): readonly string[] {
  if (part.kind === 'query') return ['Before the writes', ...indent(queryText(part.reader.query))];
  const { step, result } = part;
  const kept = result === null ? '' : `, which returns result ${result.number}`;
  return [`Write of WITH${kept}`, ...indent(explainWrite(step))];
}

/** What each shard does, as text. */
export function explainWrite(step: WriteStep): readonly string[] {
  const textOf = (route: RouteNode) => indent(queryText(route.query));
  switch (step.kind) {
    case 'own-rows':
      return [
        'Own rows of each shard',
        ...indent(explainRouting(step.routing)),
        ...textOf(step.route),
      ];
    case 'copies':
      return [`Every copy of ${step.tables.join(', ')}`, ...textOf(step.route)];
    case 'new-copies':
      return [
        `Rows for every copy of ${step.tables.join(', ')}`,
        ...indent(['On the home shard first', ...textOf(step.image)]),
        ...indent(['Then on the others', ...textOf(step.route)]),
      ];
    case 'listed-rows':
      return [
        `Rows by key of "${step.distribution}": ${step.rows.map(({ key }) => keyText(key)).join(', ')}`,
        ...textOf(step.route),
      ];
    case 'collected-rows':
      return [`Rows by key of "${step.distribution}": ${keyText(step.key)}`, ...textOf(step.route)];
    case 'key-change':
      return [
        `Rows with new keys of "${step.distribution}"`,
        ...indent(explainRouting(step.routing)),
        ...indent(['In place', ...textOf(step.image)]),
        ...indent(['Those of other shards leave', ...textOf(step.removal)]),
        ...indent(['and arrive', ...textOf(step.addition)]),
        ...(step.returning === null ? [] : indent(['Returning', ...textOf(step.returning)])),
      ];
    default:
      return unreachable(step);
  }
}

function keyText(key: ListedRow['key'] | ResultField): string {
  if (key.kind === 'result') return `column ${key.column} of result ${key.result}`;
  return explainKey(key.value);
}

function explainIntermediate(results: readonly IntermediateResult[]): readonly string[] {
  return [
    ...results.flatMap(({ columns, routing, whole, multi: node }, index) => [
      `Intermediate result ${index} (${columns.join(', ')})`,
      ...indent(explainRouting(routing)),
      ...indent(['On one shard', ...indent(queryText(whole))]),
      ...(routing.kind === 'by-key'
        ? indent([
            'On several shards',
            ...indent(node.kind === 'reject' ? explainReject(node) : explainRouted(node)),
          ])
        : []),
    ]),
  ];
}

function explainRouted({ routing, root }: RoutedNode): readonly string[] {
  return [...explainRouting(routing), ...explainNode(root)];
}

function explainReject(reject: Reject): readonly string[] {
  const hint = reject.hint === null ? [] : [`  HINT: ${reject.hint}`];
  return [`Reject ${reject.sqlState}: ${reject.message}`, ...hint];
}

function explainSetting(command: SettingCommand): string {
  switch (command.kind) {
    case 'set': {
      const value = command.value ?? 'DEFAULT';
      return `Set ${command.local ? 'local ' : ''}${command.name} to ${value}`;
    }
    case 'reset':
      return `Reset ${command.name}`;
    case 'reset-all':
      return 'Reset all';
    case 'discard-all':
      return 'Discard all';
    default:
      return unreachable(command);
  }
}

function columnsText(visible: number, hidden: number): string {
  return hidden === 0 ? '' : ` (${visible} visible, ${hidden} hidden columns)`;
}

function queryText(query: ShardQuery): readonly string[] {
  if (query.kind === 'as-received') return ['as received'];
  return [query.pieces.map(pieceText).join('')];
}

function pieceText(piece: QueryPiece): string {
  if (typeof piece === 'string') return piece;
  switch (piece.kind) {
    case 'intermediate-rows':
      return `<rows of result ${piece.result}>`;
    case 'intermediate-value':
      return `<row ${piece.row}, column ${piece.column} of result ${piece.result}>`;
    case 'intermediate-type':
      return `<type of column ${piece.column} of result ${piece.result}>`;
    default:
      return refText(piece);
  }
}

function keysText(keys: readonly SortKey[]): string {
  return keys
    .map((key) => {
      const order = key.descending ? ' desc' : '';
      // PostgreSQL's default: NULLs are larger than everything.
      const nulls = key.nullsFirst === key.descending ? '' : nullsText(key.nullsFirst);
      return `${key.column}:${key.label}${order}${nulls}${key.collation === 'c' ? '' : ' (unless text)'}`;
    })
    .join(', ');
}

function nullsText(first: boolean): string {
  return first ? ' nulls first' : ' nulls last';
}

function outputText(output: AggregateOutput): string {
  switch (output.kind) {
    case 'group':
      return `${output.visible}`;
    case 'count':
    case 'sum':
    case 'bool_and':
    case 'bool_or':
      return `${output.kind}(${output.hidden})`;
    case 'avg':
      return `avg(${output.hiddenSum} / ${output.hiddenCount})`;
    case 'min':
    case 'max':
      return `${output.kind}(${output.visible} by ${output.order.column})`;
    default:
      return unreachable(output);
  }
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
