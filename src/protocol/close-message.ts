import { FrontendCode } from './message-code.ts';
import { decodeTarget, encodeTarget, type MessageTarget } from './message-target.ts';

/** Throws PgError 08P01, 22021. */
export function decodeClose(bytes: Buffer, start: number, end: number): MessageTarget {
  return decodeTarget('CLOSE', bytes, start, end);
}

export function encodeClose(target: MessageTarget): Buffer {
  return encodeTarget(FrontendCode.close, target);
}
