import { isUtf8 } from 'node:buffer';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';

/**
 * Reads the fields of one message in order. Every method throws PgError 08P01 instead of reading
 * past the end of the message, with PostgreSQL's own wording.
 */
export class MessageCursor {
  readonly bytes: Buffer;
  readonly end: number;
  offset: number;

  constructor(bytes: Buffer, offset: number, end: number) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  /** Over the body of the frame at `[start, end)`: behind its code and length. */
  static overFrame(bytes: Buffer, start: number, end: number): MessageCursor {
    return new MessageCursor(bytes, start + 5, end);
  }

  get bytesLeft(): number {
    return this.end - this.offset;
  }

  int8(): number {
    return this.bytes[this.#advance(1)] as number;
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#advance(2));
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#advance(4));
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.#advance(4));
  }

  /** A view of the next `length` bytes. */
  view(length: number): Buffer {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** Text up to a NUL. Throws 22021 when it is not UTF-8. */
  string(): string {
    const { bytes, offset } = this;
    let terminator = offset;
    while (terminator < this.end && bytes[terminator] !== 0) terminator++;
    if (terminator === this.end) throw malformed('invalid string in message');
    this.offset = terminator + 1;
    return terminator === offset ? '' : decodeUtf8(bytes, offset, terminator);
  }

  /** The message must end here. */
  finish(): void {
    if (this.offset !== this.end) throw malformed('invalid message format');
  }

  #advance(length: number): number {
    const start = this.offset;
    if (length < 0 || length > this.end - start)
      throw malformed('insufficient data left in message');
    this.offset = start + length;
    return start;
  }
}

function malformed(message: string): PgError {
  return new PgError(SqlState.protocolViolation, message);
}

function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  // Decoding replaces invalid bytes silently; the whole check is needed only where it may have.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) {
    throw new PgError(
      SqlState.characterNotInRepertoire,
      'invalid byte sequence for encoding "UTF8"',
    );
  }
  return text;
}
