import type { ConstantNode, SqlNode } from './ast.ts';
import type { LexedStatement } from './lexed-statement.ts';
import { isTagged } from './walk.ts';

/**
 * Parameters above the protocol's limit stand for literals in a tree: `$1000003` is the literal of
 * slot 3, `$2000003` the same with a minus sign.
 */
const slotBase = 1_000_000;
const negatedBase = 2_000_000;
export const slotsMax = 1_000_000;

export type SlotRef = { readonly slot: number; readonly negated: boolean };

/** null for a parameter of the client. */
export function slotOf(parameterNumber: number): SlotRef | null {
  if (parameterNumber < slotBase) return null;
  if (parameterNumber >= negatedBase) return { slot: parameterNumber - negatedBase, negated: true };
  return { slot: parameterNumber - slotBase, negated: false };
}

export type BoundTree = {
  readonly statement: SqlNode;
  /** False: the grammar used a literal in another way than as a constant. */
  readonly allSlotsFound: boolean;
};

/**
 * Replaces every constant that the lexer cut out by its slot, so that no later step can see the
 * value: the plan holds for every statement of the same fingerprint.
 */
export function bindSlots(statement: SqlNode, text: string, lexed: LexedStatement): BoundTree {
  const source = text.slice(lexed.start, lexed.end);
  const slots = new Map(lexed.literals.map((literal, slot) => [literal.start - lexed.start, slot]));
  const found = new Set<number>();
  const offsetOf = characterOffsets(source);
  const place = (constant: ConstantNode): SqlNode | null => {
    // The grammar writes its own constants without a place (-1).
    const location = constant.location ?? 0;
    if (location < 0) return null;
    const number = parameterNumber(source, offsetOf(location), slots);
    if (number === null) return null;
    found.add(number % slotBase);
    return { ParamRef: { number, location } };
  };
  const bound = replaceConstants(statement, place) as SqlNode;
  return { statement: bound, allSlotsFound: found.size === lexed.literals.length };
}

function replaceConstants(value: unknown, place: (constant: ConstantNode) => SqlNode | null) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item): unknown => replaceConstants(item, place));
  if (isTagged(value) && 'A_Const' in value) return place(value.A_Const) ?? value;
  const copy: { [field: string]: unknown } = {};
  for (const [field, child] of Object.entries(value)) copy[field] = replaceConstants(child, place);
  return copy;
}

/** A folded sign is where the constant begins: `- 5`, `-(5)`, `- -5`. */
function parameterNumber(
  source: string,
  offset: number,
  slots: ReadonlyMap<number, number>,
): number | null {
  let at = offset;
  let negated = false;
  while (at < source.length && /[-\s(]/.test(source.charAt(at))) {
    if (source[at] === '-') negated = !negated;
    at += 1;
  }
  const slot = slots.get(at);
  if (slot === undefined) return null;
  return (negated ? negatedBase : slotBase) + slot;
}

/** The grammar counts bytes of UTF-8, JavaScript UTF-16 units. */
function characterOffsets(source: string): (byteOffset: number) => number {
  const bytes = Buffer.from(source, 'utf8');
  if (bytes.length === source.length) return (byteOffset) => byteOffset;
  const offsets = new Map<number, number>();
  let byteOffset = 0;
  let offset = 0;
  for (const character of source) {
    offsets.set(byteOffset, offset);
    byteOffset += Buffer.byteLength(character, 'utf8');
    offset += character.length;
  }
  return (wanted) => offsets.get(wanted) ?? -1;
}
