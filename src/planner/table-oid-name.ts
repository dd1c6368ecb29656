import { hiddenPrefix } from './tree-builders.ts';

/** The column of an intermediate result that says which table a row is in, by the table's name. */
export const tableOidName = `${hiddenPrefix}tableoid`;
