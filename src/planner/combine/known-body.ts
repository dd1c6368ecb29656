import type { SqlNode } from '../../sql/ast.ts';
import type { SelectBody } from '../block.ts';
import type { Output } from '../outputs.ts';

export type KnownOutput = Output & { readonly expression: SqlNode };

/** A SELECT with an expression for each of its columns. */
export type KnownBody = Omit<SelectBody, 'outputs'> & { readonly outputs: readonly KnownOutput[] };

/** null when some column cannot be written as an expression. */
export function knownBody(body: SelectBody): KnownBody | null {
  const outputs = (body.outputs ?? []).flatMap(({ expression, column }) =>
    expression === null ? [] : [{ expression, column }],
  );
  return body.outputs?.length === outputs.length ? { ...body, outputs } : null;
}
