import { DataRowReader } from './data-row.ts';

/** How the binary value of a type holds OIDs of other types. */
export type TypeParts =
  /** Its header names the type of its elements. */
  | { readonly kind: 'array' }
  /** Every field names its type. */
  | { readonly kind: 'record' }
  | { readonly kind: 'range'; readonly of: number }
  | { readonly kind: 'multirange'; readonly of: number }
  /** A domain: as the type it is over. */
  | { readonly kind: 'domain'; readonly of: number };

/**
 * OIDs that one server gives to types and another one calls otherwise. OIDs that are not in the maps
 * are the same on both. `parts` is by the server's own OID and knows every type that holds others.
 */
export type TypeTranslation = {
  readonly toHome: ReadonlyMap<number, number>;
  readonly toServer: ReadonlyMap<number, number>;
  readonly parts: ReadonlyMap<number, TypeParts>;
};

// All of these change four bytes in place, so that frames keep their length. They trust the bytes as
// far as a server's own answers can be trusted: what does not fit is left as it is.

/** Gives the server's type of each column whose binary values must be translated, too; else 0. */
export function translateRowDescription(
  types: TypeTranslation,
  bytes: Buffer,
  start: number,
  end: number,
): readonly number[] {
  const inner: number[] = [];
  let at = start + 7;
  for (let count = bytes.readUInt16BE(start + 5); count > 0; count -= 1) {
    const terminator = bytes.indexOf(0, at);
    const typeAt = terminator + 7;
    if (terminator < 0 || typeAt + 12 > end) return inner;
    const oid = translateOid(types, bytes, typeAt);
    const isBinary = bytes.readInt16BE(typeAt + 10) === 1;
    inner.push(isBinary && types.parts.has(oid) ? oid : 0);
    at = typeAt + 12;
  }
  return inner;
}

export function translateParameterDescription(
  types: TypeTranslation,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  for (let at = start + 7; at + 4 <= end; at += 4) translateOid(types, bytes, at);
}

/** `inner` as translateRowDescription gives it. */
export function translateDataRow(
  types: TypeTranslation,
  inner: readonly number[],
  frame: { readonly bytes: Buffer; readonly start: number; readonly end: number },
): void {
  const { bytes, start, end } = frame;
  const reader = new DataRowReader();
  reader.open(bytes, start, end);
  for (const oid of inner) {
    if (!reader.next()) return;
    const { valueStart, valueLength } = reader;
    if (oid !== 0 && valueLength > 0) {
      translateValue(types, oid, bytes, valueStart, valueStart + valueLength);
    }
  }
}

/** Returns the server's OID, which stood there before. */
function translateOid({ toHome }: TypeTranslation, bytes: Buffer, at: number): number {
  const oid = bytes.readUInt32BE(at);
  const home = toHome.get(oid);
  if (home !== undefined) bytes.writeUInt32BE(home, at);
  return oid;
}

// Binary formats: array_send, record_send, range_send and multirange_send of PostgreSQL.
function translateValue(
  types: TypeTranslation,
  oid: number,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const parts = types.parts.get(oid);
  switch (parts?.kind) {
    case 'array': {
      if (end - start < 12) return;
      const element = translateOid(types, bytes, start + 8);
      const dimensions = bytes.readUInt32BE(start);
      translateItems(types, element, bytes, start + 12 + 8 * dimensions, end);
      return;
    }
    case 'record':
      translateFields(types, bytes, start + 4, end);
      return;
    case 'range':
      // One byte of flags; bounds that are infinite are left out.
      translateItems(types, parts.of, bytes, start + 1, end);
      return;
    case 'multirange':
      translateItems(types, parts.of, bytes, start + 4, end);
      return;
    case 'domain':
      translateValue(types, parts.of, bytes, start, end);
      return;
    case undefined:
      return;
  }
}

/** Values of one type up to the end, each behind its length; -1 is NULL. */
function translateItems(
  types: TypeTranslation,
  oid: number,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  if (!types.parts.has(oid)) return;
  for (let at = start; at + 4 <= end; ) {
    const length = Math.max(0, bytes.readInt32BE(at));
    if (at + 4 + length > end) return;
    translateValue(types, oid, bytes, at + 4, at + 4 + length);
    at += 4 + length;
  }
}

function translateFields(types: TypeTranslation, bytes: Buffer, start: number, end: number): void {
  for (let at = start; at + 8 <= end; ) {
    const oid = translateOid(types, bytes, at);
    const length = Math.max(0, bytes.readInt32BE(at + 4));
    if (at + 8 + length > end) return;
    translateValue(types, oid, bytes, at + 8, at + 8 + length);
    at += 8 + length;
  }
}
