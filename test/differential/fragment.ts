import type { WireRequest } from '../support/wire-client.ts';
import { literal, typeOf, type Value, wireValue } from './value.ts';

/**
 * SQL text with values in it, each of which may travel as a literal or as a parameter, and with
 * parts that the statement is still valid without.
 */
export type Fragment = readonly (string | Slot | Optional)[];
type Slot = { readonly value: Value; readonly asParameter: boolean; readonly typed: boolean };
type Optional = { readonly optional: Fragment };

/** How a statement is sent. */
export type Mode =
  | { readonly protocol: 'simple' }
  | {
      readonly protocol: 'extended';
      readonly named: boolean;
      readonly declareTypes: boolean;
      readonly binaryParameters: boolean;
      readonly binaryResults: boolean;
      readonly rowsPerFetch: number;
    };

/** Joins text and fragments; strings are SQL as they stand. */
export function sql(
  texts: TemplateStringsArray,
  ...parts: readonly (string | Fragment)[]
): Fragment {
  return texts.flatMap((text, index) => {
    const part = parts[index];
    if (part === undefined) return [text];
    return typeof part === 'string' ? [text, part] : [text, ...part];
  });
}

export function join(fragments: readonly Fragment[], separator: string): Fragment {
  return fragments.flatMap((fragment, index) =>
    index === 0 ? fragment : [separator, ...fragment],
  );
}

export function slot(
  value: Value,
  options: { readonly asParameter: boolean; readonly typed: boolean },
): Fragment {
  return [{ value, ...options }];
}

/** What shrinking may leave out. */
export function optional(fragment: Fragment): Fragment {
  return [{ optional: fragment }];
}

/** The fragment without one of its optional parts, for each of them, the outer ones first. */
export function simplerFragments(fragment: Fragment): readonly Fragment[] {
  const outer: Fragment[] = [];
  const inner: Fragment[] = [];
  for (const [index, part] of fragment.entries()) {
    if (typeof part === 'string' || !('optional' in part)) continue;
    outer.push(fragment.toSpliced(index, 1));
    for (const simpler of simplerFragments(part.optional)) {
      inner.push(fragment.with(index, { optional: simpler }));
    }
  }
  return [...outer, ...inner];
}

/** The text with all values as literals: for people, and for the simple protocol. */
export function inline(fragment: Fragment): string {
  return flat(fragment)
    .map((part) => (typeof part === 'string' ? part : literal(part.value, part.typed)))
    .join('');
}

export function request(fragment: Fragment, mode: Mode): WireRequest {
  if (mode.protocol === 'simple') return { protocol: 'simple', text: inline(fragment) };
  const values: Value[] = [];
  const text = flat(fragment)
    .map((part) => {
      if (typeof part === 'string') return part;
      if (!part.asParameter) return literal(part.value, part.typed);
      values.push(part.value);
      return `$${values.length}${part.typed ? `::${typeOf(part.value.type).sql}` : ''}`;
    })
    .join('');
  return {
    protocol: 'extended',
    text,
    // Equal texts share a name only when their parameters are declared alike.
    name: mode.named ? statementName(text, mode.declareTypes, values) : '',
    typeOids: mode.declareTypes ? values.map((value) => typeOf(value.type).oid) : [],
    values: values.map((value) => wireValue(value, mode.binaryParameters)),
    binaryResults: mode.binaryResults,
    rowsPerFetch: mode.rowsPerFetch,
  };
}

function flat(fragment: Fragment): readonly (string | Slot)[] {
  return fragment.flatMap((part) =>
    typeof part !== 'string' && 'optional' in part ? flat(part.optional) : [part],
  );
}

function statementName(text: string, declared: boolean, values: readonly Value[]): string {
  let hash = 7;
  const whole = text + (declared ? values.map((value) => value.type).join() : '');
  for (const character of whole) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return `s${(hash >>> 0).toString(36)}_${text.length}`;
}
