import { Deparser } from 'pgsql-deparser';
import type { SqlNode } from '../sql/ast.ts';
import { slotOf } from '../sql/bind-slots.ts';
import { hiddenPrefix } from './tree-builders.ts';

type Nodes = {
  readonly [Tag in NodeTag]: Extract<SqlNode, { readonly [tag in Tag]: unknown }>[Tag];
};
type NodeTag =
  | 'JsonTable'
  | 'JsonTableColumn'
  | 'JsonFuncExpr'
  | 'JsonBehavior'
  | 'JsonArgument'
  | 'JsonIsPredicate'
  | 'JsonTablePathSpec'
  | 'RangeTableFunc'
  | 'RangeTableFuncCol'
  | 'XmlExpr'
  | 'XmlSerialize'
  | 'NamedArgExpr'
  | 'CreateTableAsStmt';
type TablePlace = {
  readonly alias: Nodes['JsonTable']['alias'] | undefined;
  readonly lateral: boolean | undefined;
};
type Surroundings = Parameters<Deparser['SelectStmt']>[1];

/** Where the grammar takes nothing but a string, the literal of a slot is printed as this one. */
const stringPrefix = `${hiddenPrefix}string_`;
/** In a printed text; its number is that of the parameter that stands for the slot. */
export const printedString = `'${stringPrefix}(\\d+)'`;

/** The tree as SQL; null when it has something that the printer does not know. */
export function printed(node: SqlNode): string | null {
  try {
    return new Printer(node, { pretty: false }).deparseQuery();
  } catch {
    return null;
  }
}

/** In the canonical form of a tree that was parsed from a printed text: its strings as slots again. */
export function withSlots(canonicalTree: string): string {
  const strings = new RegExp(
    `\\{"A_Const":\\{"sval":\\{"sval":"${stringPrefix}(\\d+)"\\}\\}\\}`,
    'g',
  );
  return canonicalTree.replace(strings, '{"ParamRef":{"number":$1}}');
}

/**
 * The library's printer, with what it leaves out or prints in a way that the grammar does not take:
 * SQL/JSON, SQL/XML, named arguments and UNLOGGED. Operands stand in parentheses, whatever they are.
 */
class Printer extends Deparser {
  override CreateTableAsStmt(node: Nodes['CreateTableAsStmt'], context: Surroundings): string {
    const text = super.CreateTableAsStmt(node, context);
    const isUnlogged = node.into?.rel?.relpersistence === 'u';
    return isUnlogged ? text.replace(/^CREATE TABLE/, 'CREATE UNLOGGED TABLE') : text;
  }

  JsonTable(node: Nodes['JsonTable'], context: Surroundings): string {
    const { context_item, pathspec, passing = [], columns = [], on_error, alias, lateral } = node;
    const item = context_item === undefined ? '' : this.JsonValueExpr(context_item, context);
    const path = pathspec === undefined ? '' : this.JsonTablePathSpec(pathspec, context);
    const call = spaced(
      `JSON_TABLE (${item}, ${path}`,
      this.#passing(passing, context),
      `COLUMNS (${this.#list(columns, context)})`,
      this.#on('ERROR', on_error, context),
    );
    return this.#tableExpression(`${call})`, { alias, lateral }, context);
  }

  JsonTableColumn(node: Nodes['JsonTableColumn'], context: Surroundings): string {
    const { coltype, name = '', typeName, pathspec, columns = [] } = node;
    const path = pathspec === undefined ? '' : this.JsonTablePathSpec(pathspec, context);
    if (coltype === 'JTC_NESTED') {
      return `NESTED PATH ${path} COLUMNS (${this.#list(columns, context)})`;
    }
    const column = this.quoteIfNeeded(name);
    if (coltype === 'JTC_FOR_ORDINALITY') return `${column} FOR ORDINALITY`;
    const isTest = coltype === 'JTC_EXISTS';
    return spaced(
      column,
      typeName === undefined ? '' : this.TypeName(typeName, context),
      isTest ? 'EXISTS' : (this.formatJsonFormat(node.format) ?? ''),
      path === '' ? '' : `PATH ${path}`,
      isTest ? '' : wrappers[node.wrapper ?? 'JSW_UNSPEC'],
      quotes[node.quotes ?? 'JS_QUOTES_UNSPEC'],
      this.#on('EMPTY', node.on_empty, context),
      this.#on('ERROR', node.on_error, context),
    );
  }

  JsonTablePathSpec(node: Nodes['JsonTablePathSpec'], context: Surroundings): string {
    const { string, name } = node;
    const slot = string !== undefined && 'ParamRef' in string ? (string.ParamRef.number ?? 0) : 0;
    const isSlot = slotOf(slot) !== null;
    const path = isSlot ? `'${stringPrefix}${slot}'` : this.#operand(string, context);
    return name === undefined ? path : `${path} AS ${this.quoteIfNeeded(name)}`;
  }

  JsonFuncExpr(node: Nodes['JsonFuncExpr'], context: Surroundings): string {
    const { op = 'JSON_EXISTS_OP', context_item, pathspec, passing = [], output } = node;
    const item = context_item === undefined ? '' : this.JsonValueExpr(context_item, context);
    const call = spaced(
      `${jsonFunctions[op]} (${item}, ${this.#operand(pathspec, context)}`,
      this.#passing(passing, context),
      this.formatJsonOutput(output, context) ?? '',
      wrappers[node.wrapper ?? 'JSW_UNSPEC'],
      quotes[node.quotes ?? 'JS_QUOTES_UNSPEC'],
      this.#on('EMPTY', node.on_empty, context),
      this.#on('ERROR', node.on_error, context),
    );
    return `${call})`;
  }

  JsonBehavior(node: Nodes['JsonBehavior'], context: Surroundings): string {
    const { btype = 'JSON_BEHAVIOR_NULL', expr } = node;
    if (btype === 'JSON_BEHAVIOR_DEFAULT') return `DEFAULT ${this.#operand(expr, context)}`;
    return btype.replace('JSON_BEHAVIOR_', '').replaceAll('_', ' ');
  }

  JsonArgument(node: Nodes['JsonArgument'], context: Surroundings): string {
    const value = node.val === undefined ? '' : this.JsonValueExpr(node.val, context);
    return `${value} AS ${this.quoteIfNeeded(node.name ?? '')}`;
  }

  override JsonIsPredicate(node: Nodes['JsonIsPredicate'], context: Surroundings): string {
    const { expr, format, item_type = 'JS_TYPE_ANY', unique_keys } = node;
    const test = spaced(
      this.#operand(expr, context),
      this.formatJsonFormat(format) ?? '',
      'IS JSON',
      item_type === 'JS_TYPE_ANY' ? '' : item_type.replace('JS_TYPE_', ''),
      unique_keys === true ? 'WITH UNIQUE KEYS' : '',
    );
    return `(${test})`;
  }

  override RangeTableFunc(node: Nodes['RangeTableFunc'], context: Surroundings): string {
    const { docexpr, rowexpr, namespaces = [], columns = [], alias, lateral } = node;
    const names = namespaces.map((namespace) => this.#namespace(namespace, context));
    const call = spaced(
      'XMLTABLE (',
      names.length === 0 ? '' : `XMLNAMESPACES (${names.join(', ')}),`,
      this.#operand(rowexpr, context),
      `PASSING ${this.#operand(docexpr, context)}`,
      `COLUMNS ${this.#list(columns, context)})`,
    );
    return this.#tableExpression(call, { alias, lateral }, context);
  }

  override RangeTableFuncCol(node: Nodes['RangeTableFuncCol'], context: Surroundings): string {
    const { colname = '', typeName, for_ordinality, is_not_null, colexpr, coldefexpr } = node;
    const name = this.quoteIfNeeded(colname);
    if (for_ordinality === true) return `${name} FOR ORDINALITY`;
    return spaced(
      name,
      typeName === undefined ? '' : this.TypeName(typeName, context),
      colexpr === undefined ? '' : `PATH ${this.#operand(colexpr, context)}`,
      coldefexpr === undefined ? '' : `DEFAULT ${this.#operand(coldefexpr, context)}`,
      is_not_null === true ? 'NOT NULL' : '',
    );
  }

  override XmlExpr(node: Nodes['XmlExpr'], context: Surroundings): string {
    const { op, args = [], named_args: named = [], xmloption } = node;
    const [first, second] = args;
    switch (op) {
      case 'IS_XMLCONCAT':
        return `XMLCONCAT (${this.#list(args, context)})`;
      case 'IS_XMLFOREST':
        return `XMLFOREST (${this.#list(named, context)})`;
      case 'IS_XMLPARSE': {
        const keepsBlanks = second !== undefined && 'A_Const' in second && isTrue(second);
        const blanks = keepsBlanks ? 'PRESERVE WHITESPACE' : '';
        return `XMLPARSE (${spaced(xmlKind(xmloption), this.#operand(first, context), blanks)})`;
      }
      case 'IS_DOCUMENT':
        return `(${this.#operand(first, context)} IS DOCUMENT)`;
      default:
        return super.XmlExpr(node, context);
    }
  }

  override XmlSerialize(node: Nodes['XmlSerialize'], context: Surroundings): string {
    const { xmloption, expr, typeName, indent } = node;
    const type = typeName === undefined ? '' : this.TypeName(typeName, context);
    const value = spaced(xmlKind(xmloption), this.#operand(expr, context), 'AS', type);
    return `XMLSERIALIZE (${value}${indent === true ? ' INDENT' : ''})`;
  }

  override NamedArgExpr(node: Nodes['NamedArgExpr'], context: Surroundings): string {
    return `${this.quoteIfNeeded(node.name ?? '')} => ${this.#operand(node.arg, context)}`;
  }

  #operand(node: SqlNode | undefined, context: Surroundings): string {
    return node === undefined ? '' : `(${this.visit(node, context)})`;
  }

  #list(nodes: readonly SqlNode[], context: Surroundings): string {
    return nodes.map((node) => this.visit(node, context)).join(', ');
  }

  #passing(args: readonly SqlNode[], context: Surroundings): string {
    return args.length === 0 ? '' : `PASSING ${this.#list(args, context)}`;
  }

  #on(
    event: 'EMPTY' | 'ERROR',
    behavior: Nodes['JsonBehavior'] | undefined,
    context: Surroundings,
  ): string {
    return behavior === undefined ? '' : `${this.JsonBehavior(behavior, context)} ON ${event}`;
  }

  #namespace(node: SqlNode, context: Surroundings): string {
    const { name, val } = 'ResTarget' in node ? node.ResTarget : {};
    const uri = this.#operand(val, context);
    return name === undefined ? `DEFAULT ${uri}` : `${uri} AS ${this.quoteIfNeeded(name)}`;
  }

  #tableExpression(call: string, { alias, lateral }: TablePlace, context: Surroundings): string {
    return spaced(
      lateral === true ? 'LATERAL' : '',
      call,
      alias === undefined ? '' : this.Alias(alias, context),
    );
  }
}

const jsonFunctions = {
  JSON_EXISTS_OP: 'JSON_EXISTS',
  JSON_QUERY_OP: 'JSON_QUERY',
  JSON_VALUE_OP: 'JSON_VALUE',
  JSON_TABLE_OP: 'JSON_TABLE',
} as const;

const wrappers = {
  JSW_UNSPEC: '',
  JSW_NONE: 'WITHOUT WRAPPER',
  JSW_CONDITIONAL: 'WITH CONDITIONAL WRAPPER',
  JSW_UNCONDITIONAL: 'WITH WRAPPER',
} as const;

const quotes = {
  JS_QUOTES_UNSPEC: '',
  JS_QUOTES_KEEP: 'KEEP QUOTES',
  JS_QUOTES_OMIT: 'OMIT QUOTES',
} as const;

function xmlKind(option: Nodes['XmlExpr']['xmloption']): string {
  return option === 'XMLOPTION_DOCUMENT' ? 'DOCUMENT' : 'CONTENT';
}

function isTrue(node: Extract<SqlNode, { readonly A_Const: unknown }>): boolean {
  return node.A_Const.boolval?.boolval === true;
}

function spaced(...words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}
