import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import type { Leaf } from '../leaf.ts';

/** Paths beside the first one: each is planned, and asked about, once per plan. */
const alternativesMax = 3;

/** Columns times rows that travel at the same price as asking what they are. */
const fewValues = 10_000;

/** Choices between classes of tables, of which one stays on its shards while the others move. */
export class Anchors {
  readonly #preferred: RangeVarNode | null;
  readonly #alternatives = new Set<RangeVarNode>();

  /** `preferred`: its class stays wherever that is one of the choices. */
  constructor(preferred: RangeVarNode | null = null) {
    this.#preferred = preferred;
  }

  /** One table of each class that could have stayed, too, where statistics alone cannot say. */
  get alternatives(): readonly RangeVarNode[] {
    return [...this.#alternatives].slice(0, alternativesMax);
  }

  /** The class that stays, of those given with their tables; null when there is none. */
  choose(candidates: ReadonlyMap<number, readonly Leaf[]>): number | null {
    const isPreferred = ({ node }: Leaf) => node === this.#preferred;
    for (const [root, leaves] of candidates) if (leaves.some(isPreferred)) return root;
    const [heaviest, ...others] = [...candidates]
      .map(([root, leaves]) => ({ root, leaves, weight: sum(leaves.map(weightOf)) }))
      .sort((a, b) => b.weight - a.weight);
    if (!others.every(({ leaves }) => leaves.every(isSmall))) {
      for (const { leaves } of others) {
        if (leaves[0] !== undefined) this.#alternatives.add(leaves[0].node);
      }
    }
    return heaviest?.root ?? null;
  }
}

/** An estimate of the bytes that moving it would cost; only compared with others. */
export function weightOf({ relation, columns, filters }: Leaf): number {
  const rows = relation.estimatedRows ?? unanalysedRows;
  const kept = filters.map(selectivityOf).reduce((product, each) => product * each, 1);
  return rows * kept * columns.length;
}

const unanalysedRows = 1000;

/** What PostgreSQL assumes of values that it does not know (selfuncs.h). */
function selectivityOf(condition: SqlNode): number {
  const isEquality = 'A_Expr' in condition && builtinName(condition.A_Expr.name) === '=';
  return isEquality ? 0.005 : 1 / 3;
}

function isSmall({ relation, columns }: Leaf): boolean {
  return relation.estimatedRows !== null && relation.estimatedRows * columns.length <= fewValues;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
