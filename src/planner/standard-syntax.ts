/**
 * Tags of SQL/JSON, of SQL/XML and of named arguments: what they give depends on nothing but their
 * arguments and the settings of the session.
 */

/** A value by themselves. */
export const standardValues: readonly string[] =
  `JsonFuncExpr JsonIsPredicate JsonObjectConstructor JsonArrayConstructor JsonParseExpr JsonScalarExpr
  JsonSerializeExpr XmlExpr XmlSerialize`.split(/\s+/);

/** Inside of them. */
export const insideOfStandardValues: readonly string[] =
  `JsonValueExpr JsonKeyValue JsonArgument JsonBehavior JsonOutput JsonReturning JsonFormat
  NamedArgExpr`.split(/\s+/);

/** JSON_TABLE and XMLTABLE in FROM. */
export const standardTables: readonly string[] =
  'JsonTable JsonTableColumn JsonTablePathSpec RangeTableFunc RangeTableFuncCol'.split(' ');
