import type { CopyFormat, TextMarks } from '../../protocol/copy/copy-format.ts';
import type { SqlNode } from '../../sql/ast.ts';
import { stringsOf } from '../../sql/names.ts';

/**
 * The options of a COPY as far as they matter here. A server judges them first: what it would refuse
 * is read in any way.
 */
export type CopyOptions = {
  readonly format: CopyFormat;
  /** Upper case, letters and digits only, as PostgreSQL compares names; null: the client's. */
  readonly encoding: string | null;
  readonly forceQuote: readonly string[] | 'all';
  readonly forceNotNull: readonly string[] | 'all';
  readonly forceNull: readonly string[] | 'all';
  /** ON_ERROR ignore: rows with values of the wrong form are left out. */
  readonly skipsErrors: boolean;
  readonly rejectLimit: number | null;
  /** Each row left out is told, their number, or nothing. */
  readonly verbosity: 'verbose' | 'default' | 'silent';
};

type Options = ReadonlyMap<string, SqlNode | undefined>;

export function copyOptions(nodes: readonly SqlNode[]): CopyOptions {
  const options: Options = new Map(
    nodes.flatMap((node) =>
      'DefElem' in node ? [[node.DefElem.defname ?? '', node.DefElem.arg] as const] : [],
    ),
  );
  const limit = textOf(options.get('reject_limit'));
  return {
    format: formatOf(options),
    encoding:
      textOf(options.get('encoding'))
        ?.toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, '') ?? null,
    forceQuote: columnsOf(options.get('force_quote')),
    forceNotNull: columnsOf(options.get('force_not_null')),
    forceNull: columnsOf(options.get('force_null')),
    skipsErrors: textOf(options.get('on_error'))?.toLowerCase() === 'ignore',
    rejectLimit: limit === null ? null : Number(limit),
    verbosity: verbosityOf(textOf(options.get('log_verbosity'))),
  };
}

function formatOf(options: Options): CopyFormat {
  switch (textOf(options.get('format'))) {
    case 'binary':
      return { kind: 'binary' };
    case 'csv': {
      const quote = byteOf(options.get('quote'), '"');
      const escaping = byteOf(options.get('escape'), String.fromCharCode(quote));
      return { kind: 'csv', quote, escape: escaping, ...marksOf(options, ',', '') };
    }
    default:
      return { kind: 'text', ...marksOf(options, '\t', '\\N') };
  }
}

function marksOf(options: Options, delimiter: string, nullText: string): TextMarks {
  const defaultText = textOf(options.get('default'));
  return {
    delimiter: byteOf(options.get('delimiter'), delimiter),
    nullText: Buffer.from(textOf(options.get('null')) ?? nullText),
    defaultText: defaultText === null ? null : Buffer.from(defaultText),
    hasHeader: options.has('header') && !isOff(textOf(options.get('header'))),
  };
}

/** PostgreSQL takes a single byte. */
function byteOf(node: SqlNode | undefined, otherwise: string): number {
  return Buffer.from(textOf(node) ?? otherwise)[0] ?? 0;
}

function textOf(node: SqlNode | undefined): string | null {
  if (node === undefined) return null;
  if ('String' in node) return node.String.sval ?? '';
  if ('Integer' in node) return String(node.Integer.ival ?? 0);
  if ('Boolean' in node) return String(node.Boolean.boolval ?? false);
  return 'Float' in node ? (node.Float.fval ?? '') : null;
}

function isOff(text: string | null): boolean {
  return text !== null && /^(?:off|false|0)$/i.test(text);
}

function verbosityOf(text: string | null): CopyOptions['verbosity'] {
  const name = text?.toLowerCase();
  return name === 'verbose' || name === 'silent' ? name : 'default';
}

function columnsOf(node: SqlNode | undefined): readonly string[] | 'all' {
  if (node === undefined) return [];
  if ('A_Star' in node) return 'all';
  return 'List' in node ? stringsOf(node.List.items) : [];
}
