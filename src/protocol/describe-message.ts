import { FrontendCode } from './message-code.ts';
import { decodeTarget, encodeTarget, type MessageTarget } from './message-target.ts';

/** Throws PgError 08P01, 22021. */
export function decodeDescribe(bytes: Buffer, start: number, end: number): MessageTarget {
  return decodeTarget('DESCRIBE', bytes, start, end);
}

/** The usual ones are the same buffer each time: it must not be written to. */
export function encodeDescribe(target: MessageTarget): Buffer {
  if (target.kind === 'portal' && target.name === '') return describeUnnamed;
  return encodeTarget(FrontendCode.describe, target);
}

const describeUnnamed = encodeTarget(FrontendCode.describe, { kind: 'portal', name: '' });
