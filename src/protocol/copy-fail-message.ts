import { FrontendCode } from './message-code.ts';
import { MessageWriter } from './message-writer.ts';

/** Ends COPY FROM STDIN with an error that quotes the reason. */
export function encodeCopyFail(reason: string): Buffer {
  return new MessageWriter().begin(FrontendCode.copyFail).cString(reason).end().take();
}
