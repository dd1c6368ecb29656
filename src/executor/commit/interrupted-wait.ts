import { decodeErrorFields } from '../../protocol/error-response.ts';
import { BackendCode } from '../../protocol/message-code.ts';

/**
 * A server warns that a commit has not waited for its standby to the end: somebody cancelled the wait
 * (01000) or ended the session (57P01). The tag that follows looks as always. The function's name, unlike
 * the message, is in no language. Source: PostgreSQL, syncrep.c, and the manual's section on error fields.
 */
export function isInterruptedWait(
  code: number,
  chunk: Buffer,
  start: number,
  end: number,
): boolean {
  if (code !== BackendCode.noticeResponse) return false;
  const fields = decodeErrorFields(chunk, start, end);
  const sqlState = fields.get('C');
  return fields.get('R') === 'SyncRepWaitForLSN' && (sqlState === '01000' || sqlState === '57P01');
}
