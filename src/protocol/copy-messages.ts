import { BackendCode, FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

/** CopyInResponse, CopyOutResponse. Formats: 0 text, 1 binary. */
export type CopyResponse = {
  readonly direction: 'in' | 'out';
  readonly format: number;
  readonly columnFormats: readonly number[];
};

/** Of a frame with code `G` or `H`. Throws PgError 08P01. */
export function decodeCopyResponse(bytes: Buffer, start: number, end: number): CopyResponse {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const format = cursor.int8();
  const count = cursor.uint16();
  const columnFormats: number[] = [];
  for (let index = 0; index < count; index++) columnFormats.push(cursor.int16());
  cursor.finish();
  const direction = bytes[start] === BackendCode.copyInResponse ? 'in' : 'out';
  return { direction, format, columnFormats };
}

export function encodeCopyResponse(response: CopyResponse): Buffer {
  const { copyInResponse, copyOutResponse } = BackendCode;
  const writer = new MessageWriter();
  writer.begin(response.direction === 'in' ? copyInResponse : copyOutResponse);
  writer.int8(response.format).int16(response.columnFormats.length);
  for (const format of response.columnFormats) writer.int16(format);
  return writer.end().take();
}

export function encodeCopyData(bytes: Buffer): Buffer {
  return new MessageWriter(bytes.length + 5).begin(BackendCode.copyData).bytes(bytes).end().take();
}

export function encodeCopyFail(reason: string): Buffer {
  return new MessageWriter().begin(FrontendCode.copyFail).cString(reason).end().take();
}
