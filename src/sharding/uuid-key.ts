import {
  bytesKey,
  invalidBinary,
  invalidSyntax,
  type KeyReading,
  type KeyTarget,
  unknownPair,
} from './key-reading.ts';

/** Hyphens may stand after any group of four digits; braces only in pairs (utils/adt/uuid.c). */
const pattern = /^(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}$/i;

export function uuidFromText(target: KeyTarget, text: string): KeyReading {
  if (target.valueType !== 'unknown' && target.valueType !== 'uuid') return unknownPair(target);
  const inBraces = text.startsWith('{') && text.endsWith('}');
  const digits = inBraces ? text.slice(1, -1) : text;
  if (!pattern.test(digits)) return invalidSyntax('uuid', text);
  return bytesKey(Buffer.from(digits.replaceAll('-', ''), 'hex'));
}

export function uuidFromBinary(target: KeyTarget, bytes: Buffer): KeyReading {
  if (target.valueType !== 'unknown' && target.valueType !== 'uuid') return unknownPair(target);
  return bytes.length === 16 ? bytesKey(bytes) : invalidBinary(target);
}
