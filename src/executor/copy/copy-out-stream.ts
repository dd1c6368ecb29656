import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import { decodeCommandComplete, rowCountOfTag } from '../../protocol/command-complete.ts';
import { decodeErrorFields, isFatal } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';
import type { ClientOutput } from '../client-output.ts';
import type { ShardFailure } from '../merge/shard-stream.ts';

/** Signature, flags and length of the binary format's head. */
const binaryHeadBytes = 19;
/** CopyData's code and length. */
const headerBytes = 5;
const trailerBytes = 2;

export type CopyOutStreamOptions = {
  readonly output: ClientOutput;
  /** Others have gone before: the answer has begun, and what stands before the rows with it. */
  readonly isFirst: boolean;
  readonly format: 'text' | 'text-with-header' | 'binary';
  ended(rows: number): void;
  failed(error: ShardFailure): void;
};

/** COPY TO STDOUT of one shard, as a part of several: its rows are passed on as they are. */
export class CopyOutStream implements Exchange {
  readonly readyCount = 1;
  readonly #connection: ServerConnection;
  readonly #options: CopyOutStreamOptions;
  #hasBegun = false;
  #inPart = false;
  #rows = 0;
  #error: Buffer | null = null;

  constructor(connection: ServerConnection, options: CopyOutStreamOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    const { output, isFirst } = this.#options;
    switch (code) {
      case BackendCode.copyOutResponse:
        if (isFirst) output.write(chunk, start, end);
        return;
      case BackendCode.copyData:
        this.#copyData(chunk, start, end);
        return;
      case BackendCode.noticeResponse:
        output.write(chunk, start, end);
        return;
      case BackendCode.errorResponse:
        // Of a connection that ends we hear by its loss.
        if (isFatal(decodeErrorFields(chunk, start, end))) return;
        this.#error ??= Buffer.from(chunk.subarray(start, end));
        return;
      case BackendCode.commandComplete:
        this.#rows = rowCountOfTag(decodeCommandComplete(chunk, start, end));
        return;
      default:
        return;
    }
  }

  onFramePart(_code: number, chunk: Buffer, start: number, end: number, remaining: number): void {
    const { output, isFirst, format } = this.#options;
    const isHeadPart = !this.#inPart && !this.#hasBegun && !isFirst;
    this.#inPart = remaining > 0;
    this.#hasBegun = true;
    if (!isHeadPart || format === 'text') output.write(chunk, start, end);
    else if (format === 'binary') {
      output.push(copyDataHeader(end - start - headerBytes - binaryHeadBytes + remaining));
      output.write(chunk, start + headerBytes + binaryHeadBytes, end);
    }
  }

  onChunkEnd(): void {
    const { output } = this.#options;
    if (output.writable) return;
    this.#connection.pause();
    output.onDrain(() => this.#connection.resume());
  }

  onReady(): void {
    if (this.#error === null) this.#options.ended(this.#rows);
    else this.#options.failed({ frame: this.#error });
  }

  onLost(error: PgError): void {
    this.#options.failed(error);
  }

  #copyData(chunk: Buffer, start: number, end: number): void {
    const { output, isFirst, format } = this.#options;
    const isHead = !this.#hasBegun;
    this.#hasBegun = true;
    if (format !== 'binary') {
      const isHeader = isHead && format === 'text-with-header';
      if (isFirst || !isHeader) output.write(chunk, start, end);
      return;
    }
    // The end of the data comes once, after the last shard.
    const dataEnd = isTrailer(chunk, end, end - start - headerBytes) ? end - trailerBytes : end;
    const dataStart = start + headerBytes + (isHead && !isFirst ? binaryHeadBytes : 0);
    if (dataEnd <= dataStart) return;
    output.push(copyDataHeader(dataEnd - dataStart));
    output.write(chunk, dataStart, dataEnd);
  }
}

/** No row is so short; with the head it is the answer of an empty table. */
function isTrailer(chunk: Buffer, end: number, length: number): boolean {
  const isAlone = length === trailerBytes || length === binaryHeadBytes + trailerBytes;
  return isAlone && chunk.readInt16BE(end - trailerBytes) === -1;
}

export function copyDataHeader(length: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header[0] = BackendCode.copyData;
  header.writeInt32BE(length + 4, 1);
  return header;
}
