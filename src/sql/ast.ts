import type * as pg from 'libpg-query';

/** PostgreSQL's raw parse tree as libpg-query spells it: plain data, never changed in place. */
export type SqlNode = pg.Node;
export type SelectNode = pg.SelectStmt;
export type InsertNode = pg.InsertStmt;
export type UpdateNode = pg.UpdateStmt;
export type DeleteNode = pg.DeleteStmt;
export type MergeNode = pg.MergeStmt;
export type RangeVarNode = pg.RangeVar;
export type JoinNode = pg.JoinExpr;
export type FunctionCallNode = pg.FuncCall & {
  readonly userFunction?: UserFunction;
  /** It may read reference tables: a mark of the planner's. */
  readonly readsReference?: true;
};
export type OperatorNode = pg.A_Expr;
export type WindowNode = pg.WindowDef;
export type WithNode = pg.WithClause;
export type TypeNode = pg.TypeName;
export type AliasNode = pg.Alias;
export type TargetNode = pg.ResTarget;
export type SubLinkNode = pg.SubLink;
export type ConstantNode = pg.A_Const;
export type JsonArrayAggNode = pg.JsonArrayAgg;

/**
 * What a call of a function that is not PostgreSQL's own may be: a mark of the planner's, no field of
 * the grammar. `unknown`: it may do anything.
 */
export type UserFunction = 'function' | 'set' | 'aggregate' | 'unknown';
