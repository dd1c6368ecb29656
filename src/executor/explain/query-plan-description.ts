import { encodeRowDescription } from '../../protocol/row-description.ts';

/** RowDescription of EXPLAIN: one text column, named as PostgreSQL names it. */
export const queryPlanDescription = encodeRowDescription([
  {
    name: 'QUERY PLAN',
    tableOid: 0,
    columnNumber: 0,
    typeOid: 25,
    typeSize: -1,
    typeModifier: -1,
    format: 0,
  },
]);
