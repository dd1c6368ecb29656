import { FrontendCode } from './message-code.ts';
import { decodeTarget, encodeTarget, type MessageTarget } from './message-target.ts';

/** Throws PgError 08P01, 22021. */
export function decodeDescribe(bytes: Buffer, start: number, end: number): MessageTarget {
  return decodeTarget('DESCRIBE', bytes, start, end);
}

export function encodeDescribe(target: MessageTarget): Buffer {
  return encodeTarget(FrontendCode.describe, target);
}
