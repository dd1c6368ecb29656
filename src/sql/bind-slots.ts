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
  const { source, slots } = bytesOf(text, lexed);
  const found = new Set<number>();
  const place = (constant: ConstantNode): SqlNode | null => {
    // The grammar writes its own constants without a place (-1).
    const location = constant.location ?? 0;
    if (location < 0) return null;
    const number = parameterNumber(source, location, slots);
    if (number === null) return null;
    found.add(number % slotBase);
    return { ParamRef: { number, location } };
  };
  const bound = replaceConstants(statement, place) as SqlNode;
  return { statement: bound, allSlotsFound: found.size === lexed.literals.length };
}

/**
 * The statement and the places of its literals as the grammar counts: in bytes of UTF-8, of which
 * each is a character of `source`.
 */
function bytesOf(text: string, { start, end, literals }: LexedStatement) {
  const statement = text.slice(start, end);
  const byteLength = Buffer.byteLength(statement, 'utf8');
  const isAscii = byteLength === statement.length;
  const source = isAscii ? statement : Buffer.from(statement, 'utf8').toString('latin1');
  const slots = new Map<number, number>();
  let at = start;
  let bytesBefore = 0;
  for (const [slot, literal] of literals.entries()) {
    const between = literal.start - at;
    bytesBefore += isAscii ? between : Buffer.byteLength(text.slice(at, literal.start), 'utf8');
    at = literal.start;
    slots.set(bytesBefore, slot);
  }
  return { source, slots };
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
