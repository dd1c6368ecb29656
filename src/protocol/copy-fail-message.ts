import { FrontendCode } from './message-code.ts';
import { MessageWriter } from './message-writer.ts';

/** Ends COPY FROM STDIN with an error that quotes the reason, up to its first NUL as PostgreSQL reads it. */
export function encodeCopyFail(reason: string): Buffer {
  const [text = ''] = reason.split('\0', 1);
  return new MessageWriter().begin(FrontendCode.copyFail).cString(text).end().take();
}
