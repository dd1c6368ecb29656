import type { FunctionCallNode, RangeVarNode, SelectNode, SqlNode } from '../sql/ast.ts';
import { slotOf } from '../sql/bind-slots.ts';
import type { LexedStatement } from '../sql/lexed-statement.ts';
import { walk } from '../sql/walk.ts';
import type { Block } from './block.ts';
import type { CteScope } from './cte-scope.ts';
import type { Anchors } from './intermediate/anchors.ts';
import type { IntermediateResults } from './intermediate-results.ts';
import { KeyTies } from './keys/key-ties.ts';
import type { Leaf } from './leaf.ts';
import type { KeyValue, Reject } from './plan.ts';
import { refusal, refuse } from './refuse.ts';
import type { RelationSchema, Schema } from './schema.ts';
import type { Scope } from './scope.ts';
import type { SessionEffect } from './session-effect.ts';

type ParameterUse = {
  readonly node: object;
  readonly signature: string;
  readonly value: { soleUse: boolean };
};

/** The client's statement, and what is made of its parts on the way to a plan. */
export type StatementSource = {
  readonly schema: Schema;
  readonly searchPath: readonly string[];
  readonly lexed: LexedStatement;
  /** With slots in place of its literals. */
  readonly statement: SqlNode;
  /** False: a literal shapes the tree in a way that slots do not show; it cannot be rewritten. */
  readonly allSlotsFound: boolean;
  readonly results: IntermediateResults;
  readonly anchors: Anchors;
  /** The table that the statement writes, when it is analysed as if it read it: it stays where it is. */
  readonly written?: RangeVarNode;
};

/** A name in FROM that stands for a query. */
export type ViewReference = {
  readonly node: Extract<SqlNode, { readonly RangeVar: unknown }>;
  readonly relation: RelationSchema;
  readonly query: SelectNode;
};

/** A query as it was found. */
export type BlockRecord = {
  readonly select: SelectNode;
  readonly block: Block;
  /** The outer queries, and the names of WITH, that it can see. */
  readonly parent: Scope | null;
  readonly ctes: CteScope | null;
  /** In `blocks`, those inside it begin here and end at its own. */
  readonly first: number;
};

/** What is collected while one statement is analysed. */
export class StatementContext {
  readonly schema: Schema;
  readonly searchPath: readonly string[];
  readonly lexed: LexedStatement;
  readonly ties = new KeyTies();
  /** A table of the home shard, or of the catalogue, is in it. */
  usesHome = false;
  usesReference = false;
  /** It names the OIDs of tables: what is read at last is read on the home shard, which has its own. */
  readsTableOid = false;
  /** A function that must run on the home shard: its name. */
  homeFunction: string | null = null;
  /** See SessionEffect. */
  effect: SessionEffect | null = null;
  /** Some part of it writes, also inside WITH. */
  writes = false;
  /** Calls of functions of which only their texts say what they do. */
  readonly ownCalls: FunctionCallNode[] = [];
  /** It calls nextval(). */
  advances = false;
  /** The tables that the analysis has come across. */
  readonly visited = new Set<object>();
  /** By the tables of which a sample is read: the element of FROM that says so. */
  readonly samples = new Map<object, SqlNode>();
  /** Tables of the snapshot, in order of their appearance. */
  readonly leaves: Leaf[] = [];
  /** Views that read distributed tables. */
  readonly views: ViewReference[] = [];
  /** Queries, inner ones before those around them. */
  readonly blocks: BlockRecord[] = [];
  /** What queries are there for: `value` a scalar, `members` and `existence` no row more than once. */
  readonly uses = new Map<object, 'arm' | 'value' | 'members' | 'existence'>();
  /** Why its parts cannot be asked on several shards as they are: the first reason. */
  multiRefusal: Reject | null = null;
  /** Why no way of collecting rows first could help. */
  neverMulti: Reject | null = null;
  readonly source: StatementSource;
  readonly #statement: SqlNode;
  /** By the index of the parameter. */
  readonly #uses = new Map<number, ParameterUse[]>();

  /** `statement` is the client's own, or a query made of its parts. */
  constructor(source: StatementSource, statement: SqlNode) {
    this.source = source;
    this.schema = source.schema;
    this.searchPath = source.searchPath;
    this.lexed = source.lexed;
    this.#statement = statement;
  }

  /** It is the client's text that runs, as long as nothing has to be changed. */
  get isAsReceived(): boolean {
    return this.#statement === this.source.statement;
  }

  refuseMulti(message: string, hint: string | null): void {
    this.multiRefusal ??= refuse(message, hint);
  }

  refuseAlways(message: string, hint: string | null): void {
    this.neverMulti ??= refuse(message, hint);
    this.multiRefusal ??= this.neverMulti;
  }

  /** A value compared with, or stored in, a key of `keyType`. null for what is not a plain value. */
  keyValue(node: SqlNode, castType: string | null, keyType: string): KeyValue | null {
    if (!('ParamRef' in node)) return null;
    const number = node.ParamRef.number ?? 0;
    const slot = slotOf(number);
    if (slot !== null) {
      const ref = { kind: 'literal', slot: slot.slot } as const;
      return { ref, castType, negated: slot.negated, soleUse: true };
    }
    const index = number - 1;
    const ref = { kind: 'parameter', index } as const;
    const value = { ref, castType, negated: false, soleUse: true };
    const signature = `${keyType} ${castType ?? ''}`;
    const use = { node: node.ParamRef, signature, value };
    const others = this.#uses.get(index);
    if (others === undefined) this.#uses.set(index, [use]);
    else others.push(use);
    return value;
  }

  /** Throws when some table in the statement was not come across: then nothing is proven. */
  requireAllVisited(): void {
    walk(this.#statement, (node) => {
      if ('LockingClause' in node) return false;
      if ('RangeVar' in node && !this.visited.has(node.RangeVar)) {
        const hint = 'Write the statement in a simpler way.';
        throw refusal(`table "${node.RangeVar.relname ?? ''}" stands in an unknown place`, hint);
      }
      return true;
    });
  }

  /** Once, at the end: notes which parameters stand in other places too. */
  settleParameters(): void {
    const total = new Map<number, number>();
    // Servers infer types from the client's text, whatever part of it is looked at here.
    walk(this.source.statement, (node) => {
      const number = 'ParamRef' in node ? (node.ParamRef.number ?? 0) : 0;
      if (number > 0) total.set(number - 1, (total.get(number - 1) ?? 0) + 1);
      return true;
    });
    for (const [index, uses] of this.#uses) {
      const places = new Set(uses.map(({ node }) => node)).size;
      const signatures = new Set(uses.map(({ signature }) => signature)).size;
      const soleUse = signatures === 1 && places === total.get(index);
      for (const { value } of uses) value.soleUse = soleUse;
    }
  }
}
